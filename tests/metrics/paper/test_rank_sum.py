"""Rank-sum calls against scipy, and the rates made of them."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from twinseq.metrics import NotComputableError
from twinseq.metrics.paper.rank_sum import SHIFTS, false_positive_rate, rank_sum_calls, true_positive_rate

LABELS = np.repeat(["a", "b", "c"], [12, 9, 15])
OF_CLASS = {name: name == LABELS for name in "abc"}


@pytest.fixture
def x(rng):
    values = rng.standard_normal((36, 300)) + 0.8 * rng.standard_normal((3, 300)).repeat([12, 9, 15], axis=0)
    # Half the genes as logarithms of small counts, with many ties.
    values[:, 150:] = np.log2(np.maximum(np.round(4 + 2 * values[:, 150:]), 0) + 1)
    return values


@pytest.mark.parametrize("n_threads", [1, 2])
def test_calls_are_those_of_scipy(x, n_threads):
    calls = rank_sum_calls(x, LABELS, ["a", "b", "c"], n_threads)
    for row, (first, second) in enumerate(["ab", "ac", "ba", "bc", "ca", "cb"]):
        for key, shift in SHIFTS.items():
            p = mannwhitneyu(
                x[OF_CLASS[first]] - shift, x[OF_CLASS[second]], alternative="greater", method="asymptotic"
            ).pvalue
            np.testing.assert_array_equal(calls[key][row], p < 0.05)


def test_a_class_without_samples_and_a_gene_without_variation(x):
    x[:, 0] = 3.0
    calls = rank_sum_calls(x[:21], LABELS[:21], ["a", "b", "c"], 1)["shift0"]
    np.testing.assert_array_equal((calls >= 0).all(axis=1), [True, False, True, False, False, False])
    assert calls[0, 0] == 0


def test_rates_by_hand():
    train = np.array([[1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=np.int8)
    twin = np.array([[1, 0, 1, 0, 0], [1, 1, 0, 0, 0], [-1, -1, -1, -1, -1]], dtype=np.int8)
    assert true_positive_rate(train, twin) == pytest.approx((1 / 2 + 1) / 2)
    assert false_positive_rate(train, twin) == pytest.approx((1 / 3 + 1 / 4) / 2)
    with pytest.raises(NotComputableError, match="no gene is called"):
        true_positive_rate(train[2:], train[2:])


def test_null_unrelated_noise_is_called_at_the_level_of_the_test(rng):
    labels = np.repeat(["a", "b"], 40)
    real, twin = (rank_sum_calls(rng.standard_normal((80, 5000)), labels, ["a", "b"], 1)["shift0"] for _ in range(2))
    assert true_positive_rate(real, twin) == pytest.approx(0.05, abs=0.02)
    assert false_positive_rate(real, twin) == pytest.approx(0.05, abs=0.02)


def test_failure_a_twin_without_noise_calls_everything(x):
    sharp = np.vstack([x[OF_CLASS[name]].mean(axis=0).repeat(30).reshape(-1, 30).T for name in "abc"])
    real = rank_sum_calls(x, LABELS, ["a", "b", "c"], 1)["shift05"]
    twin = rank_sum_calls(sharp, np.repeat(["a", "b", "c"], 30), ["a", "b", "c"], 1)["shift05"]
    assert true_positive_rate(real, twin) > 0.95
    assert false_positive_rate(real, twin) > 0.15
