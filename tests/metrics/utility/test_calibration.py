"""Probabilities that can be believed."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from twinseq import metrics
from twinseq.metrics import Comparison
from twinseq.metrics._controls import shuffled_labels
from twinseq.metrics.utility.calibration import brier, brier_difference, calibration_error, calibration_error_difference


def figure(comparison: Comparison, name: str) -> float:
    metric = metrics.get(name)
    return metric.function(*comparison.arguments(metric))


def test_brier_is_scikit_learns(rng):
    truth, second = rng.integers(2, size=40), rng.random(40)
    assert brier(truth, np.column_stack([1 - second, second])) == pytest.approx(brier_score_loss(truth, second))
    three = rng.dirichlet(np.ones(3), 40)
    truth = rng.integers(3, size=40)
    assert brier(truth, three) == pytest.approx(brier_score_loss(truth, three, scale_by_half=True))


def test_calibration_by_hand():
    truth = np.array([0, 0, 1, 1])
    sure = np.array([[0.95, 0.05], [0.95, 0.05], [0.95, 0.05], [0.35, 0.65]])
    # Three claims of 0.95 of which two are right, one of 0.65 which is right.
    assert calibration_error(truth, sure) == pytest.approx((3 * abs(2 / 3 - 0.95) + 0.35) / 4)
    perfect = np.eye(2)[truth]
    assert calibration_error(truth, perfect) == brier(truth, perfect) == 0.0
    assert brier_difference(truth, sure, perfect) == pytest.approx(brier(truth, sure))
    assert calibration_error_difference(truth, perfect, sure) == pytest.approx(-calibration_error(truth, sure))


def test_honest_probabilities_are_calibrated_and_boasts_are_not(rng):
    chance = rng.uniform(size=20_000)
    truth = (rng.uniform(size=20_000) < chance).astype(int)
    assert calibration_error(truth, np.column_stack([1 - chance, chance])) < 0.02
    boast = np.clip(0.5 + 3 * (chance - 0.5), 0, 1)
    assert calibration_error(truth, np.column_stack([1 - boast, boast])) > 0.1


def test_null_and_failure(comparison: Comparison, rng):
    assert figure(comparison, "tstr_minus_trtr_brier") == pytest.approx(0.0, abs=0.12)
    bad = Comparison(comparison.space, comparison.train, shuffled_labels(comparison.train, rng), comparison.holdout)
    for name in ("tstr_brier", "tstr_calibration_error", "tstr_minus_trtr_brier", "tstr_minus_trtr_calibration_error"):
        assert figure(bad, name) > figure(comparison, name) + 0.05
