"""Budgets: what is refused, how much noise they buy, and that no more is spent than there is."""

import math
import warnings

import numpy as np
import pytest

from twinseq.dp import Budget, Ledger, LedgerError, PrivacyWarning, Query, Spending
from twinseq.dp.budget import LEAST_SAMPLED, check_delta
from twinseq.dp.ledger import GAUSSIAN, SAMPLED
from twinseq.errors import ConfigError


@pytest.mark.parametrize("missing", ["epsilon", "delta"])
def test_both_parts_have_to_be_stated(missing):
    with pytest.raises(ConfigError, match=f"State {missing}"):
        Budget(**({"epsilon": 1.0, "delta": 1e-5} | {missing: None}))


@pytest.mark.parametrize("part", ["epsilon", "delta"])
@pytest.mark.parametrize("value", [0, 0.0, -1.0, math.inf, -math.inf, math.nan, True, np.True_, "1", [1.0], 1j])
def test_parts_that_are_no_positive_numbers_are_refused(part, value):
    with pytest.raises(ConfigError, match=f"{part} must be above 0"):
        Budget(**({"epsilon": 1.0, "delta": 1e-5} | {part: value}))


@pytest.mark.parametrize("delta", [1, 1.0, 2.0])
def test_a_delta_of_one_promises_nothing(delta):
    with pytest.raises(ConfigError, match="delta must be far below 1"):
        Budget(1.0, delta)


def test_a_guarantee_in_name_only_is_said_to_be_one():
    with pytest.warns(PrivacyWarning, match="in name only"):
        Budget(50.1, 1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Budget(50, 1e-5)
        Budget(np.float64(0.01), np.float32(1e-5))


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 4.0, 30.0])
@pytest.mark.parametrize("shares", [(1.0,), (0.5, 0.3, 0.2), (0.9, 0.1)])
def test_shares_of_a_budget_add_up_to_it(epsilon, shares):
    budget, ledger = Budget(epsilon, 1e-6), Ledger()
    for share in shares:
        ledger.charge(Query("q", GAUSSIAN, 1.0, budget.multiplier(share)))
    assert ledger.epsilon(1e-6) == pytest.approx(epsilon, rel=1e-4)
    assert ledger.epsilon(1e-6) <= epsilon * (1 + 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("epsilon", "share", "rate", "times"), [(1.0, 0.5, 0.1, 50), (4.0, 1.0, 0.05, 200)])
def test_the_noise_of_training_is_the_least_that_fits(epsilon, share, rate, times):
    budget = Budget(epsilon, 1e-5)
    noise = budget.sampled_multiplier(share, rate, times)
    rest = [Query("rest", GAUSSIAN, 1.0, budget.multiplier(1 - share))] if share < 1 else []
    spent, less = (
        Ledger(queries=[*rest, Query("training", SAMPLED, 1.0, factor * noise, times, rate)]).epsilon(1e-5)
        for factor in (1.0, 0.99)
    )
    assert spent <= epsilon
    assert spent == pytest.approx(epsilon, rel=0.01)
    assert less > epsilon


def test_training_never_has_next_to_no_noise():
    assert Budget(40.0, 1e-5).sampled_multiplier(1.0, 0.01, 2) == LEAST_SAMPLED


def test_no_more_is_spent_than_there_is():
    spending = Spending(Budget(1.0, 1e-5), Ledger())
    first = spending.take(0.6)
    assert first == pytest.approx(1 / (spending.budget.mu * math.sqrt(0.6)))
    assert spending.left == pytest.approx(0.4)
    for share in (0.41, 1.0, 0.0, -0.1, math.nan, math.inf):
        with pytest.raises(LedgerError, match="is left"):
            spending.take(share)
    assert spending.left == pytest.approx(0.4)
    for _ in range(4):
        spending.take(0.1)
    assert spending.left == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(LedgerError):
        spending.take(0.01)


def test_training_is_charged_before_it_starts():
    spending = Spending(Budget(2.0, 1e-5), Ledger())
    spending.take(0.3)
    noise = spending.take_training(0.7, 1.0, 5, 2.0, "training")
    (query,) = spending.ledger.queries
    assert (query.mechanism, query.times, query.rate, query.sensitivity) == (SAMPLED, 5, 1.0, 2.0)
    assert query.noise == pytest.approx(2.0 * noise)
    assert spending.left == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("rate", "times"), [(0.0, 5), (1.1, 5), (0.5, 0)])
def test_training_without_a_guarantee_is_refused(rate, times):
    spending = Spending(Budget(2.0, 1e-5), Ledger())
    with pytest.raises(LedgerError, match="No guarantee"):
        spending.take_training(0.5, rate, times, 1.0, "training")
    assert not spending.ledger.queries


def test_a_delta_that_publishing_a_donor_would_keep_is_refused():
    check_delta(Budget(1.0, 0.01), 100, "a cohort")
    with pytest.raises(ConfigError, match=r"above 1/101.*Take delta = 1e-03 or less"):
        check_delta(Budget(1.0, 0.01), 101, "a cohort")
