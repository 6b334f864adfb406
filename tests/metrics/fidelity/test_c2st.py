"""Two-sample tests by classifiers."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from twinseq.metrics import NotComputableError
from twinseq.metrics.fidelity.c2st import c2st_logistic, c2st_trees, cross_validated_auc


class Oracle(LogisticRegression):
    """Scores samples by their first gene, whatever it was trained on."""

    def predict_proba(self, x):
        return np.column_stack([-x[:, 0], x[:, 0]])


def test_the_auc_of_known_scores_by_hand(rng):
    # In each of five folds: one real sample at 0, one twin sample at 1 (right) or at -1 (wrong, two of five).
    real, twin = np.zeros((5, 2)), np.array([[1.0, 0], [1, 0], [1, 0], [-1, 0], [-1, 0]])
    assert cross_validated_auc(Oracle(), real, twin, rng) == pytest.approx(0.6)


@pytest.mark.parametrize("c2st", [c2st_logistic, c2st_trees])
def test_null_two_draws_cannot_be_told_apart(c2st, rng):
    real, twin = rng.standard_normal((120, 20)), rng.standard_normal((120, 20))
    assert c2st(real, twin, rng) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("c2st", [c2st_logistic, c2st_trees])
def test_failure_a_shift_is_caught(c2st, rng):
    real, twin = rng.standard_normal((60, 20)), rng.standard_normal((60, 20)) + 1
    assert c2st(real, twin, rng) > 0.95


def test_failure_trees_see_a_wrong_spread_that_lines_cannot(rng):
    real, twin = rng.standard_normal((120, 10)), 3 * rng.standard_normal((120, 10))
    assert c2st_trees(real, twin, rng) > 0.9
    assert c2st_logistic(real, twin, rng) < 0.7


def test_too_few_samples_are_said(rng):
    with pytest.raises(NotComputableError):
        c2st_logistic(np.ones((4, 2)), np.ones((9, 2)), rng)
