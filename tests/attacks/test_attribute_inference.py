"""A worked value, a twin of other donors (nothing to gain), a twin of copies (caught), and no trace of order."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from twinseq.attacks._advantage import advantage
from twinseq.attacks._base import NotApplicableError, Samples
from twinseq.attacks.attribute_inference import attribute_inference
from twinseq.datasets import simulate_cohort

NAMES = np.array([f"d{number}" for number in range(1000)])


def plain(values, labels=None):
    values = np.asarray(values, dtype=np.float64)
    return Samples(values, np.full(len(values), "all") if labels is None else np.asarray(labels), "continuous")


def test_a_worked_value():
    """Nearest twin samples of the targets at 1, 9, 12 and 22 are those at 0, 10, 10 and 20."""
    twin, targets = plain([[0, 0], [10, 10], [20, 20]]), plain([[1, 1], [9, 9], [12, 12], [22, 22]])
    members = np.array([True, True, False, False])
    result = attribute_inference(twin, targets, ["a", "b", "b"], ["a", "b", "a", "b"], members, NAMES[:4], seed=0)
    assert result["accuracy_members"] == 1.0
    assert result["accuracy_nonmembers"] == 0.5
    assert result["advantage"] == 0.5
    assert result["chance"] == 0.5
    assert (result["n_members"], result["n_nonmembers"]) == (2, 2)
    z = norm.ppf(0.975) ** 2
    low_one = 1 / (1 + z / 2)  # Wilson's lower bound of 2 in 2
    reach_half = np.sqrt(z) * np.sqrt(0.25 / 2 + z / 16) / (1 + z / 2)
    assert result["advantage_ci"][0] == pytest.approx(0.5 - np.hypot(1 - low_one, reach_half))
    assert result["advantage_ci"][1] == pytest.approx(0.5 + reach_half)


def test_the_interval_is_newcombes():
    """His example: 56 of 70 against 48 of 80 gives 0.0524 to 0.3339."""
    success = np.r_[np.ones(56), np.zeros(14), np.ones(48), np.zeros(32)]
    told = advantage(success, np.arange(150) < 70, NAMES[:150])
    assert told.difference == pytest.approx(0.2)
    assert told.interval == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_each_donor_counts_once():
    told = advantage(np.array([1.0, 0, 1, 1, 0]), np.array([1, 1, 1, 0, 0]) > 0, np.array(["a", "a", "b", "c", "d"]))
    assert (told.members, told.nonmembers) == (0.75, 0.5)
    assert (told.n_members, told.n_nonmembers) == (2, 2)


def test_numbers_are_told_within_a_quarter_of_a_deviation():
    twin = plain([[0, 0], [10, 10], [20, 20], [30, 30]])
    ages, members = [20.0, 40.0, 60.0, 80.0], np.array([True, True, False, False])
    tolerance = np.std(ages) / 4
    true = [20 + 0.9 * tolerance, 40 - 0.9 * tolerance, 60 + 1.1 * tolerance, 80.0]
    result = attribute_inference(twin, twin, ages, true, members, NAMES[:4], seed=0)
    assert (result["accuracy_members"], result["accuracy_nonmembers"], result["chance"]) == (1.0, 0.5, 0.25)


def test_equally_near_samples_share_the_guess():
    twin = plain([[0, 0], [0, 0], [9, 9]])
    result = attribute_inference(
        twin, plain([[0, 0], [0, 0]]), ["a", "b", "b"], ["a", "a"], np.array([True, False]), NAMES[:2], seed=0
    )
    assert (result["accuracy_members"], result["accuracy_nonmembers"]) == (0.5, 0.5)


def test_the_class_of_a_target_is_used():
    twin = plain([[0, 0], [1, 3], [2, 1], [3, 4]], ["x", "y", "x", "y"])
    targets = plain([[0, 0], [2, 1]], ["y", "new"])
    members = np.array([True, False])
    result = attribute_inference(twin, targets, list("abcd"), ["b", "c"], members, NAMES[:2], seed=0)
    assert (result["accuracy_members"], result["accuracy_nonmembers"]) == (1.0, 1.0)


@pytest.fixture(scope="module")
def world():
    """Targets of one population, half of them members; an attribute that no gene knows of."""
    cohort = simulate_cohort(n_cases=60, n_controls=60, n_genes=200, seed=0)
    rng = np.random.default_rng(0)
    members = np.zeros(120, dtype=bool)
    members[rng.permutation(120)[:60]] = True
    targets = Samples(cohort.dense(np.int64), cohort.labels(), "counts")
    return targets, rng.choice(["yes", "no", "unknown"], 120), members


@pytest.mark.parametrize("kind", ["category", "number"])
def test_a_twin_of_copies_is_caught(world, kind):
    targets, attribute, members = world
    attribute = attribute if kind == "category" else np.random.default_rng(3).normal(50, 10, 120)
    rows = np.random.default_rng(1).choice(np.flatnonzero(members), 60)
    result = attribute_inference(
        targets.subset(rows), targets, attribute[rows], attribute, members, NAMES[:120], seed=0
    )
    # A bootstrap leaves out a third of the members.
    assert result["accuracy_members"] > 0.6
    assert result["advantage_ci"][0] > 0.05


def test_a_twin_of_other_donors_gives_nothing_away(world):
    """Even of an attribute that the genes tell: what holds for all is no leak. An interval may miss now and then."""
    targets, _, _ = world
    other = simulate_cohort(n_cases=60, n_controls=60, n_genes=200, seed=1)
    twin = Samples(other.dense(np.int64), other.labels(), "counts")
    attribute = np.where(targets.on_log[:, 0] > np.median(targets.on_log[:, 0]), "high", "low")
    guess = np.where(twin.on_log[:, 0] > np.median(twin.on_log[:, 0]), "high", "low")
    missed = 0
    for seed in range(40):
        members = np.random.default_rng(seed).permutation(120) < 60
        result = attribute_inference(twin, targets, guess, attribute, members, NAMES[:120], seed=0)
        missed += not result["advantage_ci"][0] < 0 < result["advantage_ci"][1]
    assert result["accuracy_nonmembers"] > result["chance"]
    assert missed <= 5


def test_order_does_not_matter(world):
    targets, attribute, members = world
    rng = np.random.default_rng(2)
    rows, samples, genes = rng.permutation(120), rng.permutation(60), rng.permutation(200)
    twin, donors = targets.subset(np.arange(60)), NAMES[:120]
    result = attribute_inference(twin, targets, attribute[:60], attribute, members, donors, seed=0)
    turned = attribute_inference(
        twin.subset(samples).genes(genes),
        targets.subset(rows).genes(genes),
        attribute[:60][samples],
        attribute[rows],
        members[rows],
        donors[rows],
        seed=0,
    )
    assert turned.pop("advantage_ci") == pytest.approx(result.pop("advantage_ci"))
    assert turned == pytest.approx(result)


def test_missing_values_are_left_out(world):
    targets, attribute, members = world
    gaps = pd.Series(attribute).astype("category")
    gaps[:10] = None
    result = attribute_inference(targets, targets, gaps, gaps, members, NAMES[:120], seed=0)
    assert result["n_members"] + result["n_nonmembers"] == 110
    assert result["accuracy_members"] == result["accuracy_nonmembers"] == 1.0


def test_columns_that_say_nothing(world):
    targets, attribute, members = world

    def run(twin_attribute, target_attribute=attribute, members=members):
        return attribute_inference(targets, targets, twin_attribute, target_attribute, members, NAMES[:120], seed=0)

    with pytest.raises(NotApplicableError, match="column is empty"):
        run([None] * 120)
    with pytest.raises(NotApplicableError, match="one value only"):
        run(["yes"] * 119 + [None])
    with pytest.raises(NotApplicableError, match="no target has a value"):
        run(attribute, [np.nan] * 120)
    with pytest.raises(NotApplicableError, match="no non-member"):
        run(attribute, members=np.ones(120, dtype=bool))
