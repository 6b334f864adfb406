"""`twinseq audit --gene-sets`: what is written, and what is refused before anything is."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import twinseq as ts

from .conftest import Audited


@pytest.fixture
def genes(audited: Audited) -> list[str]:
    return list(ts.read(audited.parts / "train.h5ad").genes)


def gmt(path: Path, sets: dict[str, list[str]]) -> Path:
    path.write_text("".join("\t".join([name, "made up", *members]) + "\n" for name, members in sets.items()))
    return path


def sets_of(genes: list[str], prefix: str) -> dict[str, list[str]]:
    rng = np.random.default_rng(0)
    return {f"{prefix}{number}": list(rng.choice(genes, 20, replace=False)) for number in range(8)}


def test_two_files_of_gene_sets(twinseq, audited: Audited, genes: list[str], tmp_path: Path):
    hostile = "<img src=x onerror=alert(1)>"
    one = gmt(tmp_path / "one.gmt", sets_of(genes, "A") | {hostile: genes[:15]})
    two = gmt(tmp_path / "two.gmt", sets_of([gene.lower() for gene in genes], "B"))
    train = audited.parts / "train.h5ad"
    out = tmp_path / "out"
    ended = twinseq("audit", train, audited.twin, "--gene-sets", one, "--gene-sets", two, "-o", out, "-q")
    assert ended.code == 0, ended.err
    content = json.loads((out / "metrics.json").read_text())
    assert "pathway_nes_r" in {metric["name"] for metric in content["metrics"]}
    assert content["provenance"]["gene_sets"]["sets"] == 17
    table = pd.read_csv(out / "pathways.tsv", sep="\t")
    assert list(table.columns) == [
        "contrast", "gene_set", "size", "nes_real", "fdr_real", "nes_twin", "fdr_twin", "nes_holdout", "fdr_holdout",
        "direction",
    ]  # fmt: skip
    assert {"A0", "B0", hostile} <= set(table["gene_set"])
    page = (out / "report.html").read_text()
    assert "Pathways" in page
    assert hostile not in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET\tx\tAT1G01010\tAT1G01020\n", "shares no gene with the cohort"),
        ("SET\tx\t1017\t7157\n", "Entrez"),
        ("SET TP53 BAX\n", "line 1: not a line of a GMT file"),
        ("", "holds no gene sets"),
    ],
)
def test_gene_sets_that_cannot_be_used_end_it_with_nothing_written(
    twinseq, audited: Audited, tmp_path: Path, text: str, message: str
):
    path = tmp_path / "bad.gmt"
    path.write_text(text)
    ended = twinseq("audit", audited.parts / "train.h5ad", audited.twin, "--gene-sets", path, "-o", tmp_path / "out")
    assert ended.code == 2
    assert message in " ".join(ended.err.split())
    assert "bad.gmt" in ended.err
    assert not (tmp_path / "out").exists()


def test_a_table_translates_the_ids(twinseq, audited: Audited, genes: list[str], tmp_path: Path):
    numbers = {gene: str(1000 + place) for place, gene in enumerate(genes)}
    sets = {name: [numbers[gene] for gene in members] for name, members in sets_of(genes, "A").items()}
    table = tmp_path / "ids.csv"
    table.write_text("symbol,entrez\n" + "".join(f"{gene},{number}\n" for gene, number in numbers.items()))
    words = ("audit", audited.parts / "train.h5ad", audited.twin, "--gene-ids", table, "-o", tmp_path / "out", "-q")
    ended = twinseq(*words)
    assert ended.code == 2
    assert "give these too" in ended.err
    ended = twinseq(*words, "--gene-sets", gmt(tmp_path / "entrez.gmt", sets))
    assert ended.code == 0, ended.err
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["provenance"]["gene_sets"]["ids_of_sets"] == "Entrez"
