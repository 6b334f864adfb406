"""Which genes a classifier relies on."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from twinseq import metrics
from twinseq.metrics import Comparison, NotComputableError
from twinseq.metrics._controls import shuffled_labels
from twinseq.metrics.utility.attribution import attribution_r, mean_shap


def figure(comparison: Comparison) -> float:
    metric = metrics.get("attribution_r")
    return metric.function(*comparison.arguments(metric))


def test_shap_values_of_a_linear_model_by_their_definition(rng):
    x = rng.normal(size=(60, 3)) * [1.0, 5.0, 0.2]
    y = np.where(x[:, 0] + 0.3 * x[:, 1] + rng.normal(size=60) > 0, "case", "control")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    # Of one gene, the SHAP value is what the model's log odds change when it alone moves from its mean.
    mean = x.mean(axis=0)
    for gene in range(3):
        moved = np.tile(mean, (60, 1))
        moved[:, gene] = x[:, gene]
        change = model.decision_function(moved) - model.decision_function(mean[None])
        assert mean_shap(model, x)[gene] == pytest.approx(np.abs(change).mean())


def test_several_classes_are_averaged(rng):
    x, y = rng.normal(size=(90, 4)), np.repeat(["a", "b", "c"], 30)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    assert mean_shap(model, x).shape == (4,)


def test_null_and_failure(comparison: Comparison, rng):
    assert len(comparison.attribution.real) == 50
    assert (np.diff(comparison.attribution.real) <= 0).all()
    good = figure(comparison)
    bad = Comparison(comparison.space, comparison.train, shuffled_labels(comparison.train, rng), comparison.holdout)
    assert good > 0.3
    assert figure(bad) < good - 0.2
    same = Comparison(comparison.space, comparison.train, comparison.train, comparison.holdout)
    assert figure(same) == pytest.approx(1.0)


def test_a_model_without_genes_is_said():
    with pytest.raises(NotComputableError, match="uses none"):
        attribution_r(np.arange(5.0), np.zeros(5))
