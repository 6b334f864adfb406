"""The bounded scale of private generators: a sample's values hang on itself alone, and come back."""

import warnings

import numpy as np
import pytest

from twinseq.datasets import simulate_cohort
from twinseq.dp import Ledger
from twinseq.errors import ConfigError
from twinseq.generators._private_library import ExpectedSizes, noisy_library_sizes
from twinseq.generators._private_scale import LOG_CPM_BOUNDS, PrivateScale, parse_bounds
from twinseq.transforms import log_cpm

from .planted import as_continuous, cohort_of


@pytest.fixture(scope="module")
def counts():
    return simulate_cohort(60, 60, 400, seed=0)


def fitted(cohort, bounds=(0.0, 20.0), multiplier=0.01, ledger=None) -> PrivateScale:
    n = cohort.n_samples
    return PrivateScale.fit(cohort, bounds, np.ones(n), n, multiplier, ledger or Ledger(), ExpectedSizes())


def test_values_of_a_sample_hang_on_no_other(counts):
    scale = fitted(counts)
    few = counts.subset(np.arange(7))
    np.testing.assert_array_equal(scale.apply(few), scale.apply(counts)[:7])
    np.testing.assert_allclose(scale.apply(counts), log_cpm(counts.dense()))


def test_counts_come_back_with_their_library_sizes(counts):
    scale = fitted(counts)
    totals = np.log10(counts.dense().sum(axis=1))
    assert scale.mean == pytest.approx(totals.mean(), abs=0.02)
    assert scale.spread == pytest.approx(totals.std(), abs=0.03)
    back = scale.invert(scale.apply(counts), np.random.default_rng(0))
    assert back.dtype == np.int64
    drawn = np.log10(back.sum(axis=1))
    assert drawn.mean() == pytest.approx(totals.mean(), abs=0.03)
    assert drawn.std() == pytest.approx(totals.std(), rel=0.2)
    real = log_cpm(counts.dense())
    high = real > 8
    np.testing.assert_allclose(log_cpm(back)[high], real[high], atol=0.2)


def test_noise_in_the_genes_does_not_inflate_library_sizes(counts):
    scale = fitted(counts)
    rng = np.random.default_rng(0)
    noisy = scale.apply(counts) + 2.0 * rng.standard_normal((counts.n_samples, counts.n_genes))
    drawn = np.log10(scale.invert(noisy, rng).sum(axis=1))
    assert drawn.mean() == pytest.approx(np.log10(counts.dense().sum(axis=1)).mean(), abs=0.05)


@pytest.mark.parametrize(("mean", "spread"), [(3.5, 0.1), (6.0, 0.4), (7.4, 0.1), (9.5, 0.2)])
def test_library_sizes_are_found_wherever_they_lie(mean, spread):
    rng = np.random.default_rng(0)
    found = np.array([
        noisy_library_sizes(rng.normal(mean, spread, 300), np.ones(300), 290.0, ExpectedSizes(), 5.0, Ledger())
        for _ in range(12)
    ])  # fmt: skip
    assert np.abs(np.median(found, axis=0) - [mean, spread]).max() < 0.05
    assert np.abs(found[:, 0] - mean).max() < 0.2


def test_public_library_sizes_help_and_may_be_off():
    rng = np.random.default_rng(1)

    def errors(expected):
        logs = [rng.normal(7.2, 0.15, 100) for _ in range(40)]
        return [abs(noisy_library_sizes(one, np.ones(100), 100.0, expected, 20.0, Ledger())[0] - 7.2) for one in logs]

    assert np.mean(errors(ExpectedSizes.of_public(7.4, 0.15))) < 0.7 * np.mean(errors(ExpectedSizes()))
    # Ten times as deep: nothing is gained, and little lost.
    off = noisy_library_sizes(
        rng.normal(6.4, 0.15, 300), np.ones(300), 300.0, ExpectedSizes.of_public(7.4, 0.15), 3.0, Ledger()
    )
    assert off == pytest.approx((6.4, 0.15), abs=0.06)


def test_extreme_counts_stay_on_the_scale():
    x = np.zeros((6, 4), dtype=np.int64)
    x[:, 0] = 10 ** np.arange(6) * 3
    x[5] = [2**40, 1, 0, 0]
    cohort = cohort_of({"group": list("aabbab")}, x=x, label="group")
    ledger = Ledger()
    scale = fitted(cohort, multiplier=2.0, ledger=ledger)
    values = scale.apply(cohort)
    assert values.min() == LOG_CPM_BOUNDS[0]
    assert values.max() <= LOG_CPM_BOUNDS[1]
    # The four questions cost together what one with the stated noise does.
    strengths = [query.sensitivity / query.noise for query in ledger.queries]
    assert len(strengths) == 4
    assert np.linalg.norm(strengths) == pytest.approx(1 / 2.0, rel=1e-6)


@pytest.mark.parametrize("multiplier", [0.1, 30.0, 3000.0])
def test_however_loud_the_noise_counts_can_be_drawn(counts, multiplier):
    for _ in range(5):
        scale = fitted(counts, multiplier=multiplier)
        drawn = scale.invert(np.full((50, 3), 12.0), np.random.default_rng(0))
        assert drawn.min() >= 0
        assert drawn.max() < 2**53
        assert scale.spread > 0


def test_continuous_values_are_cut_to_their_bounds_and_cost_nothing(counts):
    cohort, ledger = as_continuous(counts), Ledger()
    scale = fitted(cohort, (2.0, 5.0), 1.0, ledger)
    values = scale.apply(cohort)
    assert ledger.queries == []
    assert (values.min(), values.max()) == (2.0, 5.0)
    np.testing.assert_array_equal(values, np.clip(cohort.dense(), 2.0, 5.0))
    np.testing.assert_array_equal(scale.invert(values - 3, np.random.default_rng(0)), np.clip(values - 3, 2.0, 5.0))


@pytest.mark.parametrize("kind", ["counts", "continuous"])
def test_a_scale_that_was_kept_is_the_same(counts, kind):
    cohort = counts if kind == "counts" else as_continuous(counts)
    scale = fitted(cohort, (0.0, 12.0), 1.0)
    assert PrivateScale.restore(scale.state()) == scale


@pytest.mark.parametrize("bounds", ["", "5", "a:b", "5:5", "7:2", "0:inf", "nan:3", "1:2:3"])
def test_bounds_that_are_none(bounds):
    with pytest.raises(ConfigError, match="dp-x: bounds must be two numbers, low and high, such as 0:20, not"):
        parse_bounds("dp-x", bounds)


def test_bounds_as_they_are_written():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse_bounds("dp-x", "-3.5 : 1e2") == (-3.5, 100.0)
