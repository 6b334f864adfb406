"""Intervals by the bootstrap, and by leaving groups of donors out."""

import numpy as np
import pytest
from scipy.stats import t

from twinseq import metrics
from twinseq.datasets import simulate_cohort
from twinseq.metrics import Comparison, Profiles, Space
from twinseq.metrics._registry import NotComputableError
from twinseq.metrics._resample import bootstrap_interval, deletion_groups, jackknife_interval
from twinseq.metrics.fidelity.count_properties import ks_distance


def test_the_interval_of_a_mean_is_about_two_standard_errors(rng):
    x = rng.standard_normal(400)
    low, high = bootstrap_interval(lambda v: float(v.mean()), (x,), rng, together=False, replicates=2000)
    assert low == pytest.approx(x.mean() - 1.96 * 0.05, abs=0.015)
    assert high == pytest.approx(x.mean() + 1.96 * 0.05, abs=0.015)


def test_resampling_together_keeps_rows_paired(rng):
    x = rng.standard_normal(50)
    interval = bootstrap_interval(lambda a, b: float(np.corrcoef(a, b)[0, 1]), (x, x), rng, together=True)
    assert interval == pytest.approx((1.0, 1.0))


def test_an_interval_of_a_distance_holds_the_distance(rng):
    # A plain percentile interval would lie above it: resamples are further apart than the samples are.
    a, b = rng.standard_normal(30), rng.standard_normal(30)
    low, high = bootstrap_interval(ks_distance, (a, b), rng, together=False, bounds=(0.0, 1.0))
    assert 0 <= low <= ks_distance(a, b) <= high <= 1


def test_no_interval_where_most_resamples_have_no_figure(rng):
    def never(_: np.ndarray) -> float:
        raise NotComputableError("nothing here")

    assert bootstrap_interval(never, (np.arange(3.0),), rng, together=False) is None


def test_donors_are_dealt_evenly_whole_and_class_by_class(rng):
    donors = np.array([f"d{i // 2}" for i in range(60)])
    labels = np.where(np.arange(60) < 40, "a", "b")
    groups = deletion_groups(donors, labels, 10, rng)
    np.testing.assert_array_equal(groups[::2], groups[1::2])
    np.testing.assert_array_equal(np.bincount(groups), np.full(10, 6))
    np.testing.assert_array_equal(np.bincount(groups[:40]), np.full(10, 4))


def test_leaving_single_values_out_gives_the_standard_error_of_a_mean(rng):
    x = rng.standard_normal(25)
    left_out = [(np.delete(x, place),) for place in range(25)]
    low, high = jackknife_interval(lambda v: float(v.mean()), (x,), left_out)
    reach = t.ppf(0.975, 24) * x.std(ddof=1) / 5
    assert (low, high) == pytest.approx((x.mean() - reach, x.mean() + reach))
    assert jackknife_interval(lambda v: float(v.mean()), (x,), left_out, (-0.1, 0.1)) == (-0.1, 0.1)


def test_too_few_groups_or_a_group_without_a_figure_leave_no_interval(rng):
    def positive(x: np.ndarray) -> float:
        if x.min() < 0:
            raise NotComputableError("negative")
        return float(x.mean())

    parts = [(rng.random(5),) for _ in range(10)]
    assert jackknife_interval(positive, parts[0], parts) is not None
    assert jackknife_interval(positive, parts[0], parts[:4]) is None
    assert jackknife_interval(positive, parts[0], [*parts, (np.array([-1.0]),)]) is None


def test_intervals_over_donors_cover_what_other_donors_give():
    """Pairs of independent cohorts: the interval of one pair holds the mean over pairs about 19 times in 20."""
    names = ("lfc_pearson", "de_recall_minimum", "padj_pearson")
    values, intervals = {name: [] for name in names}, {name: [] for name in names}
    for seed in range(12):
        train, twin = (
            simulate_cohort(n_cases=12, n_controls=14, n_genes=400, missing_rate=0.0, seed=2 * seed + k) for k in (0, 1)
        )
        space = Space(train)
        sides = Comparison(space, space.train, Profiles.of(twin, space))
        sides.leave_out(13)
        for name in names:
            metric = metrics.get(name)
            arguments = sides.arguments(metric)
            values[name].append(metric.function(*arguments))
            interval = jackknife_interval(metric.function, arguments, sides.left_out(metric), metric.bounds)
            intervals[name].append(interval)
    for name in names:
        low, high = np.array(intervals[name]).T
        assert ((low <= np.mean(values[name])) & (np.mean(values[name]) <= high)).mean() >= 0.75
        # Half an interval is about two standard errors; the jackknife's are too large, if anything.
        assert 0.7 < np.median(high - low) / 4 / np.std(values[name], ddof=1) < 3
