"""Figures of classifiers, against scikit-learn."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from twinseq.metrics import NotComputableError
from twinseq.metrics.utility.scores import accuracy, auc, pr_auc, weighted_f1


def test_two_classes_are_those_of_scikit_learn(rng):
    truth = rng.integers(2, size=60)
    p = np.round(rng.random(60), 1)
    probability = np.column_stack([1 - p, p])
    assert auc(truth, probability) == pytest.approx(roc_auc_score(truth, p))
    both = (average_precision_score(truth, p) + average_precision_score(1 - truth, 1 - p)) / 2
    assert pr_auc(truth, probability) == pytest.approx(both)


def test_three_classes_are_those_of_scikit_learn(rng):
    truth, probability = rng.integers(3, size=90), rng.dirichlet(np.ones(3), 90)
    expected = roc_auc_score(truth, probability, multi_class="ovr", average="macro")
    assert auc(truth, probability) == pytest.approx(expected)


@pytest.mark.real
def test_f1_accuracy_and_precision_are_those_of_the_community_benchmark(reference_dir: Path):
    folder = reference_dir / "paper_metrics"
    tables = {name: pd.read_csv(folder / f"{name}.csv.gz") for name in ("train", "synthetic", "test")}
    labels = {name: table.iloc[:, 0].astype(str) for name, table in tables.items()}
    scaler = StandardScaler().fit(tables["train"].iloc[:, 1:])
    x = {name: scaler.transform(table.iloc[:, 1:]) for name, table in tables.items()}
    expected = json.loads((folder / "expected.json").read_text())
    for source, key in (("synthetic", "f1_weighted_synthetic_scaled"), ("train", "f1_weighted_real_scaled")):
        model = OneVsRestClassifier(LogisticRegression(max_iter=1000)).fit(x[source], labels[source])
        truth = np.searchsorted(model.classes_, labels["test"])
        assert weighted_f1(truth, model.predict_proba(x["test"])) == pytest.approx(expected[key], abs=1e-3)


def test_null_random_scores_are_a_coin_flip(rng):
    truth, probability = rng.integers(2, size=5000), rng.dirichlet(np.ones(2), 5000)
    assert auc(truth, probability) == pytest.approx(0.5, abs=0.03)
    assert accuracy(truth, probability) == pytest.approx(0.5, abs=0.03)


def test_failure_reversed_scores_are_worst(rng):
    truth = np.repeat([0, 1], 20)
    wrong = np.eye(2)[1 - truth]
    assert auc(truth, wrong) == 0.0
    assert accuracy(truth, wrong) == 0.0
    assert weighted_f1(truth, wrong) == 0.0
    with pytest.raises(NotComputableError):
        auc(np.zeros(5, dtype=int), wrong[:5])
