"""Any name goes through generate, audit and report: as it is in data, harmless on the page and the terminal."""

import csv

import numpy as np
import pandas as pd
import pytest

import twinseq as ts
from twinseq.cohort import Cohort

from .conftest import everything_in, hospital_cohort

HOSTILE = [
    "a,b",
    'say "hi"',
    "it's",
    "HLA-A (class I)",
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "[red]bold[/red]",
    "{{ 7 * 7 }} {% raw %}",
    "=cmd|' /C calc'!A0",
    "ген-β-基因-🧬",
    "two\nlines",
    "tab\there",
    "x" * 10_000,
    "\x1b[31mred\x1b[0m",
    "nan",
    "None",
    "007",
    "%s %d {0}",
    "..",
    "C:\\temp",
    "a;b|c",
    " spaces around ",
]
LABEL = 'group, "main" (<script>alert(3))\n[red]'
COVARIATE = "sex {{ 1 }} " + "é" * 300
CLASSES = {"case": "<b>case</b>, 1", "control": "con[red]trol\nβ"}


def hostile_cohort(seed: int) -> Cohort:
    cohort = hospital_cohort(seed=seed, n=8, n_genes=80)
    adata = cohort.adata.copy()
    adata.var_names = [*HOSTILE, *adata.var_names[len(HOSTILE) :]]
    obs = adata.obs.rename(columns={"condition": LABEL, "sex": COVARIATE, "note": "=1+1"})
    obs[LABEL] = obs[LABEL].astype(str).map(CLASSES)
    adata.obs = obs
    return cohort.with_adata(adata, label=LABEL, covariates=(COVARIATE,))


@pytest.mark.parametrize("suffix", [".csv", ".h5ad"])
def test_hostile_names_go_through(twinseq, tmp_path, suffix):
    train, holdout, twin = (tmp_path / f"{name}{suffix}" for name in ("train", "holdout", "twin"))
    ts.write(hostile_cohort(0), train)
    ts.write(hostile_cohort(1), holdout)
    roles = () if suffix == ".h5ad" else ("--label", LABEL, "--donor", "donor", "--covariate", COVARIATE)
    ended = twinseq("generate", train, *roles, "-o", twin)
    assert (ended.code, ended.err) == (0, "")
    drawn = ts.read(twin, label=LABEL, covariates=[COVARIATE])
    assert drawn.genes.tolist() == ts.read(train, label=LABEL).genes.tolist()
    assert set(drawn.labels()) == set(CLASSES.values())
    if suffix == ".csv":
        with open(twin, newline="", encoding="utf-8") as file:
            csv.field_size_limit(20_000)
            assert [row[0] for row in csv.reader(file)][1:] == drawn.genes.tolist()

    ended = twinseq("audit", train, twin, "--holdout", holdout, *roles, "-o", tmp_path / "report")
    assert (ended.code, ended.err) == (0, "")
    assert "\x1b" not in ended.out
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    body = page[page.index("<body") :]
    for text in ("<script>alert(", "<img src=x", "<b>case</b>", "\x1b[31m"):
        assert text not in body
    assert "x" * 200 not in page
    assert "&lt;b&gt;case&lt;/b&gt;" in page
    genes = pd.read_csv(tmp_path / "report" / "de_genes.tsv", sep="\t", keep_default_na=False)
    assert set(genes["gene"]) <= set(drawn.genes)
    assert "<script>alert(1)</script>" in set(genes["gene"])
    assert np.isfinite(drawn.dense()).all()


def test_hostile_names_in_messages(twinseq, tmp_path):
    cohort = hostile_cohort(0)
    adata = cohort.adata.copy()
    adata.X = adata.X.astype(float)
    bad = adata.var_names.get_loc("\x1b[31mred\x1b[0m")
    adata.X[3, bad] = -1
    ts.write(cohort.with_adata(adata), tmp_path / "c.h5ad")
    before = everything_in(tmp_path)
    ended = twinseq("generate", tmp_path / "c.h5ad", "-o", tmp_path / "t.h5ad")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "\x1b" not in ended.err
    assert "[31mred" in ended.err
    ended = twinseq("generate", tmp_path / "c.h5ad", "--label", "x" * 10_000, "-o", tmp_path / "t.h5ad")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert len(ended.err) < 1000
    assert everything_in(tmp_path) == before


def test_hostile_names_of_parts(twinseq, tmp_path):
    ts.write(hostile_cohort(0), tmp_path / "c.csv")
    ended = twinseq("split", tmp_path / "c.csv", "--label", LABEL, "--fractions", 0.5, 0.5, "-o", tmp_path / "parts")
    assert (ended.code, ended.err) == (0, "")
    assert "con[red]trol β" in ended.out
    assert len(ended.out.splitlines()) == 5
    part = ts.read(tmp_path / "parts" / "train.csv", label=LABEL)
    assert set(part.labels()) == set(CLASSES.values())
