"""Areas, true-positive rates and their intervals, against pairs counted one by one, scikit-learn and simulation."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as sklearn_curve
from statsmodels.stats.proportion import proportion_confint

from twinseq.attacks.roc import (
    auc,
    auc_bootstrap,
    auc_covariance,
    auc_interval,
    roc_curve,
    tie_fraction,
    tpr_at_fpr,
    tpr_interval,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def wins(members, nonmembers):
    """Whether each member beats each non-member, ties one half."""
    return np.array([[(x > y) + 0.5 * (x == y) for y in nonmembers] for x in members])


def two_normals(rng, n, area):
    """Scores whose true area is known: Φ(d / √2) for means d standard deviations apart."""
    return np.sqrt(2) * norm.ppf(area) + rng.standard_normal(n), rng.standard_normal(n)


@pytest.mark.parametrize("digits", [0, 1, 9])
def test_area_counts_pairs_and_agrees_with_scikit_learn(rng, digits):
    members, nonmembers = np.round(rng.normal(0.5, 1, 31), digits), np.round(rng.normal(0, 1, 44), digits)
    truth = np.repeat([1, 0], [31, 44])
    assert auc(members, nonmembers) == pytest.approx(wins(members, nonmembers).mean(), abs=1e-14)
    assert auc(members, nonmembers) == pytest.approx(roc_auc_score(truth, np.r_[members, nonmembers]), abs=1e-14)


def test_covariance_is_that_of_the_shares_of_pairs_won(rng):
    members, nonmembers = np.round(rng.normal(0.5, 1, (20, 3)), 1), np.round(rng.normal(0, 1, (15, 3)), 1)
    kernels = [wins(members[:, k], nonmembers[:, k]) for k in range(3)]
    areas, covariance = auc_covariance(members, nonmembers)
    np.testing.assert_allclose(areas, [kernel.mean() for kernel in kernels])
    for j in range(3):
        for k in range(3):
            by_member = np.cov(kernels[j].mean(axis=1), kernels[k].mean(axis=1))[0, 1]
            by_nonmember = np.cov(kernels[j].mean(axis=0), kernels[k].mean(axis=0))[0, 1]
            assert covariance[j, k] == pytest.approx(by_member / 20 + by_nonmember / 15)


def test_only_the_order_of_scores_matters_and_not_that_of_donors(rng):
    members, nonmembers = np.round(rng.normal(0.8, 1, 30), 1), np.round(rng.normal(0, 1, 25), 1)
    others = rng.permutation(np.exp(members)), rng.permutation(np.exp(nonmembers))
    for statistic in (auc, auc_interval, roc_curve):
        np.testing.assert_allclose(statistic(members, nonmembers), statistic(*others), atol=1e-12)
    for statistic in (tpr_at_fpr, tpr_interval):
        np.testing.assert_allclose(statistic(members, nonmembers, 0.1), statistic(*others, 0.1))
    # Exchanging the sides turns the area round.
    low, high = auc_interval(members, nonmembers)
    assert auc_interval(nonmembers, members) == pytest.approx((1 - high, 1 - low))


def test_bootstrap_is_that_of_resampled_pairs(rng):
    members, nonmembers = np.round(two_normals(rng, 25, 0.8), 1)
    kernel = wins(members, nonmembers)
    areas = [kernel[np.ix_(*rng.integers(25, size=(2, 25)))].mean() for _ in range(4000)]
    area = kernel.mean()
    reach = 1.96 * np.std(areas) / (area * (1 - area))
    expected = np.log(area / (1 - area)) + np.array([-reach, reach])
    # A standard deviation of 4,000 resamples is off by about 1 %, hence an end by less than 0.01.
    assert auc_bootstrap(members, nonmembers, rng, n_resamples=4000) == pytest.approx(
        tuple(1 / (1 + np.exp(-expected))), abs=0.01
    )


@pytest.mark.parametrize("n", [1, 2, 22])
def test_separated_and_tied_scores_leave_intervals_of_some_width(rng, n):
    low, high = np.zeros(n), np.ones(n)
    assert auc(high, low) == 1
    for interval in (auc_interval(high, low), auc_bootstrap(high, low, rng)):
        assert interval[1] == 1
        assert 0 < interval[0] < 1 - 0.5 / n
    for interval in (auc_interval(low, high), auc_bootstrap(low, high, rng)):
        assert interval[0] == 0
        assert 0.5 / n < interval[1] < 1
    assert auc(low, low) == 0.5
    start, end = auc_interval(low, low)
    assert start + end == pytest.approx(1)
    assert start < 0.5 < end


def test_the_interval_of_separated_scores_solves_newcombes_equation():
    low, _ = auc_interval(np.ones(30), np.zeros(20))
    variance = low * (1 - low) / 600 * (1 + 24 * ((1 - low) / (2 - low) + low / (1 + low)))
    assert (1 - low) / np.sqrt(variance) == pytest.approx(norm.ppf(0.975))


def test_curve_has_one_point_a_score_and_agrees_with_scikit_learn(rng):
    members, nonmembers = np.round(rng.normal(0.5, 1, 30), 1), np.round(rng.normal(0, 1, 40), 1)
    false, true = roc_curve(members, nonmembers)
    expected = sklearn_curve(np.repeat([1, 0], [30, 40]), np.r_[members, nonmembers], drop_intermediate=False)
    np.testing.assert_allclose(false, expected[0])
    np.testing.assert_allclose(true, expected[1])
    assert np.trapezoid(true, false) == pytest.approx(auc(members, nonmembers))


def test_true_positive_rate_stays_at_the_last_threshold_that_keeps_the_false_positive_rate():
    members, nonmembers = np.array([5.0, 4.0, 2.5, 0.0]), np.array([4.5, 3.0, 2.0, 1.0])
    # A quarter of the non-members lies above 4: up to there only 5.0 is called, from there on 4.0 as well.
    assert [tpr_at_fpr(members, nonmembers, fpr) for fpr in (0, 0.24, 0.25, 0.5, 1)] == [0.25, 0.25, 0.5, 0.75, 1]


def test_ties_are_called_at_random_and_do_not_inflate_the_true_positive_rate():
    assert tpr_at_fpr(np.zeros(50), np.zeros(50), 0.01) == pytest.approx(0.01)
    members, nonmembers = np.array([2.0, 1, 1, 1, 0]), np.array([1.0, 1, 0, 0, 0])
    # 1/5 called for certain; a fifth of false positives is half of those that tie at 1.
    assert tpr_at_fpr(members, nonmembers, 0.2) == pytest.approx(0.2 + 0.5 * 0.6)


def test_true_positive_interval_is_clopper_pearson_at_the_ends_of_the_threshold(rng):
    members, nonmembers = two_normals(rng, 200, 0.8)
    falling = np.sort(nonmembers)[::-1]
    # With probability 97.5 % between 11 and 30 of 200 non-members lie above the threshold of rate 0.1.
    assert binomtest(10, 200, 0.1, alternative="less").pvalue < 0.0125 < binomtest(11, 200, 0.1, "less").pvalue
    assert binomtest(31, 200, 0.1, alternative="greater").pvalue < 0.0125 < binomtest(30, 200, 0.1, "greater").pvalue
    low = proportion_confint((members > falling[10]).sum(), 200, 0.025, "beta")[0]
    high = proportion_confint((members > falling[30]).sum(), 200, 0.025, "beta")[1]
    assert tpr_interval(members, nonmembers, 0.1) == pytest.approx((low, high))


def test_true_positive_interval_holds_the_rate_and_admits_what_few_donors_cannot_tell(rng):
    for n in (1, 5, 40):
        members, nonmembers = np.round(two_normals(rng, n, 0.9), 1)
        for fpr in (0, 0.01, 0.1, 1):
            low, high = tpr_interval(members, nonmembers, fpr)
            assert 0 <= low <= tpr_at_fpr(members, nonmembers, fpr) <= high <= 1
    assert tpr_interval(np.ones(40), np.zeros(40), 0.01) == (0, 1)
    assert tpr_interval(np.ones(40), np.zeros(1000), 0.01)[0] > 0.85


def test_tied_scores_are_counted():
    assert tie_fraction(np.array([1.0, 2, 2, 3, 3, 3, 4, 5])) == 5 / 8
    assert tie_fraction(np.arange(5.0)) == 0


def test_missing_scores_and_empty_sides_are_refused(rng):
    one, none = np.ones(1), np.array([])
    for wrong in ((one, none), (none, one), (one, np.array([np.nan]))):
        for statistic in (auc, auc_interval, roc_curve):
            with pytest.raises(ValueError, match=r"member|missing"):
                statistic(*wrong)
    with pytest.raises(ValueError, match="two members"):
        auc_covariance(np.ones((1, 2)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="between 0 and 1"):
        tpr_at_fpr(one, one, 1.1)
    with pytest.raises(ValueError, match="no scores"):
        tie_fraction(none)


# Over 600 audits a coverage of 95 % shows as 95 % ± 1.8 %; at 22 donors it may truly be 1 % off.
@pytest.mark.slow
@pytest.mark.parametrize("area", [0.5, 0.7, 0.9])
@pytest.mark.parametrize(("n", "tolerance"), [(22, 0.03), (60, 0.02)])
def test_intervals_of_the_area_cover_it_19_times_in_20(area, n, tolerance):
    rng = np.random.default_rng(1)
    covered = np.zeros(2)
    for _ in range(600):
        sides = two_normals(rng, n, area)
        intervals = auc_interval(*sides), auc_bootstrap(*sides, rng, n_resamples=200)
        covered += [low <= area <= high for low, high in intervals]
    np.testing.assert_allclose(covered / 600, 0.95, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("area", [0.97, 0.99])
def test_intervals_near_one_do_not_miss_much_more_often(area):
    """Most of these audits with 22 donors a side separate completely."""
    rng = np.random.default_rng(2)
    intervals = [auc_interval(*two_normals(rng, 22, area)) for _ in range(600)]
    assert np.mean([low <= area <= high for low, high in intervals]) > 0.93


@pytest.mark.slow
@pytest.mark.parametrize("fpr", [0.01, 0.1])
@pytest.mark.parametrize("decimals", [0, 9])
def test_true_positive_intervals_cover_at_least_19_times_in_20(fpr, decimals):
    rng = np.random.default_rng(3)
    distance = np.sqrt(2) * norm.ppf(0.8)
    # Of scores rounded to whole numbers, the true rate lies on the line between thresholds at half numbers.
    thresholds = np.arange(9.5, -9, -1) if decimals == 0 else np.arange(9.5, -9, -0.01)
    truth = np.interp(fpr, norm.sf(thresholds), norm.sf(thresholds - distance))
    for n in (22, 200):
        covered = 0
        for _ in range(500):
            members, nonmembers = (np.round(side, decimals) for side in two_normals(rng, n, 0.8))
            low, high = tpr_interval(members, nonmembers, fpr)
            covered += low <= truth <= high
        assert covered / 500 >= 0.95
