"""Agreement of correlation matrices."""

import numpy as np
import pytest

from twinseq import metrics
from twinseq.metrics import Comparison, NotComputableError, Profiles
from twinseq.metrics.fidelity.correlation import correlation_frobenius, correlation_r, correlation_slope

REAL = np.array([[1.0, 0.8, 0.2], [0.8, 1.0, 0.0], [0.2, 0.0, 1.0]])
PAIRS = np.array([0.8, 0.2, 0.0])


def test_worked_by_hand():
    twin = np.eye(3)
    expected = np.sqrt(2 * (0.64 + 0.04)) / np.sqrt(3 + 2 * (0.64 + 0.04))
    assert correlation_frobenius(REAL, twin) == pytest.approx(expected)
    assert correlation_slope(PAIRS, 0.5 * PAIRS) == pytest.approx(0.5)
    assert correlation_r(PAIRS, 0.5 * PAIRS + 0.1) == pytest.approx(1.0)


def test_null_a_second_draw_agrees(comparison: Comparison):
    metric = metrics.get("correlation_r")
    assert metric.function(*comparison.arguments(metric)) > 0.5


def test_failure_independent_genes_are_caught(comparison: Comparison, rng):
    values = rng.permuted(comparison.train.values, axis=0)
    shuffled = Profiles(values, comparison.train.labels, comparison.train.covariates, comparison.space)
    bad = Comparison(comparison.space, comparison.train, shuffled, comparison.holdout)
    for name, worst in (("correlation_r", 0.3), ("correlation_slope", 0.3)):
        metric = metrics.get(name)
        assert metric.function(*bad.arguments(metric)) < worst
    metric = metrics.get("correlation_frobenius")
    assert metric.function(*bad.arguments(metric)) > metric.function(*comparison.arguments(metric))


def test_no_variation_is_said():
    with pytest.raises(NotComputableError):
        correlation_r(np.zeros(3), PAIRS)
    with pytest.raises(NotComputableError):
        correlation_slope(np.zeros(3), PAIRS)
