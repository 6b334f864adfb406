"""Every figure of the community benchmark against what its own starter kit computes on real data and an MVN twin."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from twinseq import metrics
from twinseq.cohort import Cohort
from twinseq.metrics import Comparison, Profiles, Space
from twinseq.metrics.paper.classifiers import weighted_f1

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def folder(reference_dir: Path) -> Path:
    return reference_dir / "paper_metrics"


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict:
    return json.loads((folder / "expected.json").read_text())


@pytest.fixture(scope="module")
def sides(folder: Path) -> Comparison:
    cohorts = []
    for name in ("train", "synthetic", "test"):
        table = pd.read_csv(folder / f"{name}.csv.gz")
        obs = table[["label"]].set_axis(table.index.astype(str))
        values = AnnData(table.drop(columns="label").to_numpy(float), obs=obs)
        cohorts.append(Cohort(values, label="label", kind="continuous"))
    space = Space(cohorts[0])
    return Comparison(space, space.train, *(Profiles.of(cohort, space) for cohort in cohorts[1:]))


def figure(comparison: Comparison, name: str) -> float:
    metric = metrics.get(name)
    return metric.function(*comparison.arguments(metric))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("paper_accuracy", "accuracy_synthetic"),
        ("paper_aupr", "avg_pr_macro_synthetic"),
        ("paper_mmd", "mmd"),
        ("paper_discriminative_f1", "discriminative_f1"),
        ("paper_dcr", "dcr_mean"),
        ("paper_dcr_base", "dcr_base"),
        ("paper_f1_ratio", "paper_f1_ratio"),
    ],
)
def test_the_starter_kit_finds_the_same(sides: Comparison, expected: dict, name: str, key: str):
    assert figure(sides, name) == pytest.approx(expected[key], abs=1e-4)


def test_real_data_in_the_twins_place_score_as_in_the_starter_kit(sides: Comparison, expected: dict):
    ceiling = Comparison(sides.space, sides.train, sides.train, sides.holdout)
    assert figure(ceiling, "paper_accuracy") == pytest.approx(expected["accuracy_real"], abs=1e-4)
    assert figure(ceiling, "paper_aupr") == pytest.approx(expected["avg_pr_macro_real"], abs=1e-4)


def test_genes_shared_by_classifiers_are_as_many_as_in_the_starter_kit(sides: Comparison, expected: dict):
    count, share = expected["feature_overlap"]
    assert figure(sides, "paper_feature_overlap") == pytest.approx(share, abs=1e-4)
    shared = np.intersect1d(sides.train.paper_classifier.top_genes, sides.twin.paper_classifier.top_genes)
    assert len(shared) == count


def test_weighted_f1_is_that_of_the_paper(sides: Comparison, expected: dict):
    test = sides.holdout.paper_scaled, sides.holdout.labels
    for side, key in ((sides.twin, "synthetic"), (sides.train, "real")):
        found = weighted_f1(side.paper_classifier_scaled, *test)
        assert found == pytest.approx(expected[f"f1_weighted_{key}_scaled"], abs=1e-4)
