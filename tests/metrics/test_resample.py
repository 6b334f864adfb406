"""Bootstrap intervals."""

import numpy as np
import pytest

from twinseq.metrics._registry import NotComputableError
from twinseq.metrics._resample import bootstrap_interval
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
