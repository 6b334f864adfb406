"""KS and Wasserstein distances: against scipy, on a second draw, on shifted data."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from twinseq import metrics
from twinseq.metrics import Comparison
from twinseq.metrics._controls import mean_profile
from twinseq.metrics.fidelity.count_properties import ks_distance, wasserstein_1


def test_ks_is_that_of_scipy(rng):
    a, b = rng.poisson(3.0, 70).astype(float), rng.poisson(4.0, 50).astype(float)
    assert ks_distance(a, b) == pytest.approx(ks_2samp(a, b).statistic)


def test_worked_by_hand():
    a, b = np.array([0.0, 1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0, 5.0])
    assert ks_distance(a, b) == pytest.approx(0.5)
    assert wasserstein_1(a, b) == pytest.approx(2.0)


def test_null_a_second_draw_is_close(comparison: Comparison):
    for name in ("library_size", "zeros_per_gene", "gene_mean", "gene_variance", "mean_variance", "dispersion"):
        metric = metrics.get(f"{name}_ks")
        assert metric.function(*comparison.arguments(metric)) < 0.35, name


@pytest.mark.parametrize("name", ["gene_variance", "mean_variance", "dispersion", "gene_mean"])
def test_failure_a_mean_profile_is_caught(comparison: Comparison, rng, name):
    bad = Comparison(comparison.space, comparison.train, mean_profile(comparison.train, rng), comparison.holdout)
    for distance in ("ks", "w1"):
        metric = metrics.get(f"{name}_{distance}")
        assert metric.function(*bad.arguments(metric)) > 2 * metric.function(*comparison.arguments(metric))


def test_failure_a_shift_is_measured_in_units(rng):
    x = rng.standard_normal(500)
    assert wasserstein_1(x, x + 0.7) == pytest.approx(0.7)
    assert ks_distance(x, x + 10) == 1.0
