"""The strongest of several attacks: what is chosen, and that choosing does not by itself raise it."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from twinseq.attacks.headline import headline
from twinseq.attacks.roc import auc, auc_covariance, auc_interval


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def correlated(rng, n, n_attacks, correlation):
    """Scores of attacks that share a part, all without a relation to membership."""
    shared, own = rng.standard_normal((n, 1)), rng.standard_normal((n, n_attacks))
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own


def one_class(n):
    return np.full(n, "a")


def naive_p_value(members, nonmembers, strata, n_permutations, rng):
    """Permutations one by one, areas by pairs, standardised by the permutations' own mean and spread."""
    scores, n = np.concatenate([members, nonmembers]), len(members)
    areas = []
    for repeat in range(1 + n_permutations):
        order = np.arange(len(scores))
        if repeat:
            for stratum in np.unique(strata):
                inside = np.flatnonzero(strata == stratum)
                order[inside] = rng.permutation(inside)
        shuffled = scores[order]
        areas.append([auc(shuffled[:n, k], shuffled[n:, k]) for k in range(scores.shape[1])])
    areas = np.array(areas)
    largest = ((areas - areas[1:].mean(axis=0)) / areas[1:].std(axis=0)).max(axis=1)
    return (1 + np.sum(largest[1:] >= largest[0])) / (1 + n_permutations)


def test_one_attack_has_its_own_interval_and_rank_sum_p_value(rng):
    members, nonmembers = rng.normal(0.5, 1, (30, 1)), rng.standard_normal((30, 1))
    found = headline(members, nonmembers, one_class(30), one_class(30), rng, n_permutations=4000)
    assert (found.index, found.auc) == (0, pytest.approx(auc(members[:, 0], nonmembers[:, 0])))
    # 10,000 draws give the 95 % quantile within 0.02 standard errors or so.
    assert found.interval == pytest.approx(auc_interval(members[:, 0], nonmembers[:, 0]), abs=0.005)
    expected = mannwhitneyu(members[:, 0], nonmembers[:, 0], alternative="greater", method="exact").pvalue
    assert found.p_value == pytest.approx(expected, abs=4 * np.sqrt(expected / 4000))


def test_the_strongest_is_found_and_its_p_value_that_of_naive_permutations(rng):
    members, nonmembers = correlated(rng, 24, 5, 0.5), correlated(rng, 30, 5, 0.5)
    members[:, 3] += 0.8
    members, nonmembers = np.round(members, 1), np.round(nonmembers, 1)
    strata = rng.choice(["a", "b"], 54)
    found = headline(members, nonmembers, strata[:24], strata[24:], rng, n_permutations=4000)
    areas = [auc(members[:, k], nonmembers[:, k]) for k in range(5)]
    assert (found.index, found.auc) == (3, pytest.approx(max(areas)))
    expected = naive_p_value(members, nonmembers, strata, 800, rng)
    assert found.p_value == pytest.approx(expected, abs=4 * np.sqrt(expected / 800))


def test_interval_reaches_as_far_as_the_largest_deviation_of_all(rng):
    members, nonmembers = correlated(rng, 40, 6, 0.7), correlated(rng, 50, 6, 0.7)
    found = headline(members, nonmembers, one_class(40), one_class(50), rng)
    areas, covariance = auc_covariance(members, nonmembers)
    spread = np.sqrt(np.diag(covariance))
    deviations = rng.multivariate_normal(np.zeros(6), covariance, 40_000) / spread
    reach = np.quantile(np.abs(deviations).max(axis=1), 0.95) * spread / (areas * (1 - areas))
    logits = np.log(areas / (1 - areas))
    assert found.interval == pytest.approx(
        (max(1 / (1 + np.exp(-logits + reach))), max(1 / (1 + np.exp(-logits - reach)))), abs=0.005
    )


def test_copies_of_an_attack_change_nothing_and_others_widen_the_interval(rng):
    members, nonmembers = rng.normal(0.7, 1, (50, 1)), rng.standard_normal((50, 1))
    alone, copied = (
        headline(np.repeat(members, k, 1), np.repeat(nonmembers, k, 1), one_class(50), one_class(50), rng)
        for k in (1, 9)
    )
    assert copied.interval == pytest.approx(alone.interval, abs=0.005)
    assert copied.index == 0
    noise = rng.standard_normal((100, 20))
    among = headline(np.c_[members, noise[:50]], np.c_[nonmembers, noise[50:]], one_class(50), one_class(50), rng)
    assert among.index == 0
    assert among.interval[0] < alone.interval[0] - 0.02


def test_a_difference_between_classes_is_not_membership(rng):
    """Members of class a, non-members of class b, whose scores differ: nothing can be told within a class."""
    members, nonmembers = rng.normal(3, 1, (40, 2)), rng.standard_normal((40, 2))
    apart = headline(members, nonmembers, np.full(40, "a"), np.full(40, "b"), rng)
    assert apart.auc > 0.9
    assert apart.p_value == 1
    # A few donors of each class on the other side permute among their like only.
    strata = np.repeat(["a", "b"], [40, 40])
    scores = np.where(strata == "a", 3.0, 0.0)[:, None] + rng.standard_normal((80, 2))
    inside = np.r_[np.arange(35), np.arange(75, 80)]
    outside = np.setdiff1d(np.arange(80), inside)
    mixed = headline(scores[inside], scores[outside], strata[inside], strata[outside], rng)
    assert mixed.auc > 0.8
    assert mixed.p_value > 0.05


def test_separation_ties_and_single_donors_leave_finite_answers(rng):
    members, nonmembers = np.c_[np.ones(22), np.zeros(22)], np.zeros((22, 2))
    found = headline(members, nonmembers, one_class(22), one_class(22), rng)
    assert (found.index, found.auc, found.interval[1], found.p_value) == (0, 1, 1, 1 / 2001)
    assert 0.7 < found.interval[0] < auc_interval(members[:, 0], nonmembers[:, 0])[0]
    single = headline(members[:1], nonmembers[:1], one_class(1), one_class(1), rng)
    assert 0 < single.interval[0] < 0.5
    assert 0.4 < single.p_value < 0.6


def test_only_the_order_of_scores_matters(rng):
    members, nonmembers = correlated(rng, 30, 4, 0.3) + 0.3, correlated(rng, 30, 4, 0.3)
    strata = np.repeat(["a", "b"], 15)
    first, second = (
        headline(scale(members), scale(nonmembers), strata, strata, np.random.default_rng(1), n_permutations=300)
        for scale in (np.array, np.exp)
    )
    assert first == second


# 5 % shows as at most 7 % in 500 audits, at two standard errors; 2,000 audits of the first kind gave 5.1 %.
@pytest.mark.slow
@pytest.mark.parametrize(("n", "correlation"), [(22, 0.5), (60, 0.9)])
def test_25_attacks_on_nothing_raise_no_alarm(n, correlation):
    rng = np.random.default_rng(8)
    found = []
    for _ in range(500):
        scores = correlated(rng, 2 * n, 25, correlation)
        strata = rng.integers(2, size=2 * n)
        found.append(headline(scores[:n], scores[n:], strata[:n], strata[n:], rng, n_permutations=99))
    p_values = np.array([each.p_value for each in found])
    assert np.mean(p_values <= 0.05) <= 0.07
    assert 0.4 < np.mean(p_values <= 0.5) < 0.6
    assert np.mean([each.interval[0] > 0.5 for each in found]) <= 0.05


@pytest.mark.slow
def test_interval_covers_the_area_of_the_truly_strongest():
    rng = np.random.default_rng(9)
    truth, covered = norm.cdf(1 / np.sqrt(2)), 0
    for _ in range(500):
        members, nonmembers = correlated(rng, 40, 10, 0.5), correlated(rng, 40, 10, 0.5)
        members += np.linspace(0.5, 1, 10)
        low, high = headline(members, nonmembers, one_class(40), one_class(40), rng, n_permutations=1).interval
        covered += low <= truth <= high
    assert covered / 500 >= 0.95
