"""`twinseq audit --time --event`, with twins that have the columns and twins that do not."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import twinseq as ts

from .conftest import hospital_cohort

ROLES = ("--label", "condition", "--donor", "donor")
ASKED = ("--time", "months", "--event", "died")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cohort = hospital_cohort(seed=5, n=15, n_genes=200)
    rng = np.random.default_rng(0)
    cohort.adata.obs["months"] = rng.exponential(20, cohort.n_samples)
    cohort.adata.obs["died"] = (rng.random(cohort.n_samples) < 0.8).astype(int)
    path = tmp_path_factory.mktemp("survival") / "real.csv"
    ts.write(cohort, path)
    return path


def test_survival_is_measured_where_the_twin_has_the_columns(twinseq, real: Path, tmp_path: Path):
    kept = ("--covariate", "months", "--covariate", "died")
    assert twinseq("generate", real, *ROLES, *kept, "-o", tmp_path / "twin.csv", "-q").code == 0
    ended = twinseq("audit", real, tmp_path / "twin.csv", *ROLES, *ASKED, "-o", tmp_path / "out", "-q")
    assert ended.code == 0, ended.err
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    values = {metric["name"]: metric["value"] for metric in content["metrics"]}
    assert {"cox_log_hr_pearson", "cox_log_hr_slope", "km_distance"} <= set(values)
    assert content["provenance"]["survival"] == {"time": "months", "event": "died"}
    curves = pd.read_csv(tmp_path / "out" / "survival.tsv", sep="\t")
    assert list(curves.columns) == ["source", "label", "time", "survival"]
    samples = pd.read_csv(real.with_name("real.samples.csv"))
    assert not np.isclose(curves["time"].to_numpy()[:, None], samples["months"].to_numpy()).any()
    assert "Survival curves" in (tmp_path / "out" / "report.html").read_text()


def test_a_twin_without_the_columns_is_told_how_to_get_them(twinseq, real: Path, tmp_path: Path):
    assert twinseq("generate", real, *ROLES, "-o", tmp_path / "twin.csv", "-q").code == 0
    ended = twinseq("audit", real, tmp_path / "twin.csv", *ROLES, *ASKED, "-o", tmp_path / "out", "-q")
    assert ended.code == 0, ended.err
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    reasons = {omitted["name"]: omitted["reason"] for omitted in content["omitted"]}
    assert "twin: no value in column 'months'" in reasons["km_distance"]
    assert "--covariate TIME --covariate EVENT" in reasons["km_distance"]
    assert "library_size_ks" in {metric["name"] for metric in content["metrics"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--time", "months"), "--time and --event go together"),
        (("--time", "month", "--event", "died"), "did you mean 'months'"),
        (("--time", "donor", "--event", "died"), "has another role already"),
    ],
)
def test_columns_that_cannot_be_meant_end_with_code_2(twinseq, real: Path, tmp_path: Path, words, message):
    ended = twinseq("audit", real, real, *ROLES, *words, "-o", tmp_path / "out")
    assert ended.code == 2
    assert message in " ".join(ended.err.split())
    assert not (tmp_path / "out").exists()
