"""Quantile functions: smoothing, interpolation, exact means and zeros, whole counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twinseq.generators._margins import (
    MAX_KNOTS,
    LatentProfiles,
    Margins,
    balanced_levels,
    gene_blocks,
    interpolation_matrix,
    round_keeping_totals,
    smoothing_matrix,
    whole_counts,
)
from twinseq.transforms import size_factors

ALL = slice(None)


def fit(x: np.ndarray, strata: np.ndarray, counts: bool, bandwidth: float = 0.7) -> tuple[Margins, LatentProfiles]:
    profiles = LatentProfiles(x, size_factors(x) if counts else None)
    return Margins.fit(profiles, strata, int(strata.max()) + 1, bandwidth), profiles


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    rng = np.random.default_rng(0)
    mean = np.exp(rng.normal(3, 2.5, 500))
    x = rng.poisson(mean * rng.gamma(2, 0.5, (46, 500)) * rng.uniform(0.5, 2, (46, 1)))
    x[:, 0] = rng.integers(900, 1100, 46)  # free of zeros
    x[:, 1] = 0
    x[:20, 2] = 0
    x[20:, 3] = 7
    return x


STRATA = np.repeat([0, 1, 2, 3], [20, 21, 3, 2])


@pytest.mark.parametrize("n", [3, 5, 20, 64, 65, 300])
def test_smoothing_leaves_straight_lines_alone(n):
    line = 3.0 - 0.25 * np.arange(n)
    knots = smoothing_matrix(n, 0.7) @ line
    assert len(knots) == min(n, MAX_KNOTS)
    np.testing.assert_allclose(knots, np.linspace(line[0], line[-1], len(knots)), atol=1e-9)


@pytest.mark.parametrize("n", [4, 12, 50])
def test_smoothing_does_not_pull_the_extremes_inwards(n):
    normal = np.sort(np.random.default_rng(n).normal(size=(n, 400)), axis=0)
    smooth = smoothing_matrix(n, 0.7) @ normal
    plain = np.exp(-0.5 * ((np.arange(n) - np.arange(n)[:, None]) / 0.7) ** 2)
    averaged = plain / plain.sum(axis=1, keepdims=True) @ normal
    inward = (smooth - normal)[[0, -1]].mean(axis=1) * [1, -1]
    inward_averaged = (averaged - normal)[[0, -1]].mean(axis=1) * [1, -1]
    assert (np.abs(inward) < 0.35 * inward_averaged).all()


@pytest.mark.parametrize(("n", "n_knots"), [(2, 2), (7, 7), (64, 64), (200, 64)])
def test_interpolation_reads_the_quantile_function_as_numpy_does(n, n_knots):
    knots = np.sort(np.random.default_rng(0).normal(size=n_knots))
    levels = np.linspace(0, 1, 301)
    at = (np.linspace(0, n - 1, n_knots) + 0.5) / n
    np.testing.assert_allclose(interpolation_matrix(levels, n_knots, n) @ knots, np.interp(levels, at, knots))


def test_one_knot_is_a_constant():
    np.testing.assert_array_equal(interpolation_matrix(np.array([0.0, 0.4, 1.0]), 1, 1), np.ones((3, 1)))


def test_both_ways_of_reading_agree(counts):
    margins, _ = fit(counts, STRATA, counts=True)
    for stratum, n in ((0, 20), (0, 7), (3, 2), (1, 500)):
        levels = np.repeat(balanced_levels(n)[:, None], 500, axis=1)
        np.testing.assert_allclose(
            margins.balanced(stratum, n, ALL), margins.quantiles(stratum, levels, ALL), rtol=1e-9, atol=1e-9
        )


def test_balanced_draws_keep_means_and_zeros_exactly(counts):
    margins, profiles = fit(counts, STRATA, counts=True)
    for stratum, n in enumerate(np.bincount(STRATA)):
        normalised = (counts / profiles.factors[:, None])[stratum == STRATA]
        drawn = np.exp2(margins.balanced(stratum, n, ALL)) - 1
        np.testing.assert_allclose(drawn.mean(axis=0), normalised.mean(axis=0), rtol=1e-3, atol=1e-6)
        np.testing.assert_array_equal((drawn > 0).sum(axis=0), (normalised > 0).sum(axis=0))
        assert (np.diff(drawn, axis=0) >= -1e-4 * (1 + drawn[:-1])).all()


def test_spread_is_kept(counts):
    margins, profiles = fit(counts, STRATA, counts=True)
    y = profiles.block(ALL)[STRATA == 0]
    expressed = (y > 2).all(axis=0)
    drawn = margins.balanced(0, 20, ALL)
    ratio = drawn[:, expressed].std(axis=0) / y[:, expressed].std(axis=0)
    assert expressed.sum() > 150
    assert abs(np.median(ratio) - 1) < 0.02
    assert np.quantile(np.abs(ratio - 1), 0.95) < 0.1


def test_ordinary_draws_follow_the_same_distribution(counts):
    margins, profiles = fit(counts, STRATA, counts=True)
    levels = np.random.default_rng(1).random((20_000, 60))
    drawn = np.exp2(margins.quantiles(1, levels, slice(0, 60))) - 1
    normalised = (counts / profiles.factors[:, None])[STRATA == 1, :60]
    np.testing.assert_allclose(drawn.mean(axis=0), normalised.mean(axis=0), rtol=0.05, atol=0.02)
    np.testing.assert_allclose((drawn == 0).mean(axis=0), (normalised == 0).mean(axis=0), atol=0.02)


def test_genes_without_variation_stay_so(counts):
    margins, _ = fit(counts, STRATA, counts=True)
    assert (margins.balanced(0, 30, slice(1, 2)) == 0).all()
    assert (margins.balanced(0, 30, slice(2, 3)) == 0).all()
    assert (margins.balanced(1, 30, slice(2, 3)) >= 0).all()
    constant = np.full((10, 1), 4.2)
    same, _ = fit(constant, np.zeros(10, dtype=np.intp), counts=False)
    np.testing.assert_allclose(same.balanced(0, 25, ALL), 4.2, rtol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("is_counts", [True, False])
def test_the_smallest_strata(n, is_counts):
    rng = np.random.default_rng(2)
    x = rng.poisson(20, (n + 12, 80)) + (0.0 if is_counts else rng.random((n + 12, 80)))
    strata = np.repeat([0, 1], [12, n])
    margins, profiles = fit(x, strata, counts=is_counts)
    drawn = margins.balanced(1, n, ALL)
    real = profiles.block(ALL)[12:]
    assert np.isfinite(drawn).all()
    back = np.exp2 if is_counts else np.asarray
    np.testing.assert_allclose(back(drawn).mean(axis=0), back(real).mean(axis=0), rtol=1e-3)


@pytest.fixture(scope="module")
def continuous() -> np.ndarray:
    """Half of the genes with a floor that some samples share."""
    rng = np.random.default_rng(3)
    x = rng.normal(rng.uniform(3, 12, 300), 1.0, (40, 300))
    x[:, :150] = np.maximum(x[:, :150], np.quantile(x[:, :150], 0.3, axis=0))
    x[:, 0] = np.where(np.arange(40) < 2, x[:, 0], x[:, 0].min())
    return x


def test_no_continuous_value_is_replayed(continuous):
    strata = np.repeat([0, 1], 20)
    margins, _ = fit(continuous, strata, counts=False)
    floors = np.where(np.arange(300) < 150, continuous.min(axis=0).astype(np.float32), -np.inf)
    for stratum in (0, 1):
        real = continuous[strata == stratum]
        for n, chance in ((20, 0.0), (200, 1e-3)):
            drawn = margins.balanced(stratum, n, ALL)
            gap = np.abs(drawn[:, None, :] - real[None]).min(axis=1)
            assert (gap < 1e-6)[drawn > floors].mean() <= chance


def test_the_floor_of_continuous_values_keeps_its_share(continuous):
    strata = np.repeat([0, 1], 20)
    margins, _ = fit(continuous, strata, counts=False)
    floors = continuous.min(axis=0)
    for stratum in (0, 1):
        drawn = margins.balanced(stratum, 20, ALL)
        real = continuous[strata == stratum]
        on_floor = (drawn == floors.astype(np.float32)).sum(axis=0)
        np.testing.assert_array_equal(on_floor[:150], (real == floors).sum(axis=0)[:150])
        assert (drawn[:, :150] >= floors[:150] - 1e-5).all()


def test_continuous_values_below_zero_only_where_there_were_some(continuous):
    strata = np.zeros(40, dtype=np.intp)
    x = np.abs(continuous - continuous.mean(axis=0))
    assert fit(x, strata, counts=False)[0].balanced(0, 400, ALL).min() >= 0
    assert fit(x - 1, strata, counts=False)[0].balanced(0, 40, ALL).min() < 0


def naive_round(values: np.ndarray) -> np.ndarray:
    result = np.floor(values).astype(int)
    for gene in range(values.shape[1]):
        parts = values[:, gene] - np.floor(values[:, gene])
        for row in sorted(range(len(parts)), key=lambda row: -parts[row])[: int(np.rint(parts.sum()))]:
            result[row, gene] += 1
    return result


tables = arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 5)),
    elements=st.floats(0, 1e9, allow_nan=False, allow_subnormal=False),
)


@given(tables)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_rounding_keeps_totals(values):
    rounded = round_keeping_totals(values)
    np.testing.assert_array_equal(rounded, naive_round(values))
    assert rounded.dtype == np.int64
    assert (rounded >= 0).all()
    assert (np.abs(rounded - values) < 1 + 1e-6).all()
    assert (np.abs(rounded.sum(axis=0) - values.sum(axis=0)) <= 0.5 + 1e-5).all()
    np.testing.assert_array_equal(round_keeping_totals(rounded.astype(float)), rounded)


@given(tables)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_whole_counts_keep_zeros_and_totals(values):
    whole = whole_counts(values)
    np.testing.assert_array_equal(whole > 0, values > 0)
    least = (values > 0).sum(axis=0)
    total = np.maximum(values.sum(axis=0), least)
    assert (np.abs(whole.sum(axis=0) - total) <= 0.5 + 1e-5 + 1e-6 * total).all()


def test_single_counts_of_shallow_samples_stay():
    values = np.array([[0.3], [0.4], [0.0], [5.3]])
    np.testing.assert_array_equal(whole_counts(values), [[1], [1], [0], [4]])


def test_threads_and_storage_change_nothing(counts):
    strata = np.repeat([0, 1], 23)
    profiles = LatentProfiles(np.tile(counts, 5), size_factors(counts))
    one, two = (Margins.fit(profiles, strata, 2, 0.7, jobs) for jobs in (1, 2))
    assert len(gene_blocks(2500)) == 3
    restored = Margins.restore(two.state())
    for stratum in (0, 1):
        np.testing.assert_array_equal(one.knots[stratum], restored.knots[stratum])
