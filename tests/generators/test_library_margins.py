"""Margins with library sizes, tables of counts in parts, and genes that no richer distribution fits."""

import numpy as np
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import chi2, nbinom, poisson

from twinseq.generators._count_histograms import HistogramBuilder, draw_places, grid_sizes, histogram_of
from twinseq.generators._count_margins import fit_count_margins, fit_histogram
from twinseq.generators._count_tables import count_steps, quantiles, shifted_quantiles
from twinseq.generators._library_margins import fit_library_margins

CASES = [(0.2, np.inf, 0.0), (3.0, np.inf, 0.4), (2.0, 0.7, 0.0), (5.0, 3.0, 0.3), (40.0, 2.0, 0.0)]


def drawn(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Counts of the cases at library sizes on the grid, with a gene that fills the library up; and the sizes."""
    rng = np.random.default_rng(seed)
    sizes = np.rint(grid_sizes()[np.rint(rng.normal(140, 8, n)).astype(int)])
    share = sizes / 1000
    x = np.zeros((n, len(CASES) + 1), dtype=np.int64)
    for gene, (mean, size, inflation) in enumerate(CASES):
        expected = mean * share
        counts = rng.poisson(expected) if np.isinf(size) else rng.negative_binomial(size, size / (size + expected))
        x[:, gene] = np.where(rng.random(n) < inflation, 0, counts)
    x[:, -1] = np.maximum(sizes - x.sum(axis=1), 0)
    return x, x.sum(axis=1)


def fitted(x: np.ndarray):
    builder = HistogramBuilder(x.shape[1], by_library=True)
    builder.add(sp.csr_matrix(x))
    return fit_library_margins(builder.finish(), grid_sizes() / 1000)


def log_likelihood(x, expected, inflation, size):
    probability = poisson.pmf(x, expected) if np.isinf(size) else nbinom.pmf(x, size, size / (size + expected))
    with np.errstate(divide="ignore"):
        return float(np.log(inflation * (x == 0) + (1 - inflation) * probability).sum())


def test_planted_parameters_come_back_and_no_optimiser_finds_better_ones():
    x, sizes = drawn()
    margins, fallen = fitted(x)
    on_grid = grid_sizes()[np.rint(np.log(sizes) / 0.05).astype(int)] / 1000
    for gene, (mean, size, inflation) in enumerate(CASES):
        assert margins.mean[gene] == pytest.approx(mean, rel=0.08)
        assert margins.inflation[gene] == pytest.approx(inflation, abs=0.04)
        assert margins.size[gene] == pytest.approx(size, rel=0.25) if np.isfinite(size) else margins.size[gene] > 50
        own = log_likelihood(x[:, gene], margins.mean[gene] * on_grid, margins.inflation[gene], margins.size[gene])
        if np.isinf(margins.size[gene]):
            continue

        def loss(parameters, gene=gene, with_zeros=margins.inflation[gene] > 0):
            extra = 1 / (1 + np.exp(-parameters[2])) if with_zeros else 0.0
            return -log_likelihood(x[:, gene], np.exp(parameters[0]) * on_grid, extra, np.exp(parameters[1]))

        best = -minimize(loss, [np.log(mean), 0.0, -1.0], method="Nelder-Mead").fun
        assert own >= best - 1e-3
    assert not fallen[:-1].any()


def test_statsmodels_finds_the_same_with_exact_library_sizes():
    x, sizes = drawn(2000, seed=1)
    margins, _ = fitted(x)
    for gene in (2, 4):
        assert margins.inflation[gene] == 0
        model = sm.NegativeBinomial(x[:, gene], np.ones((len(x), 1)), offset=np.log(sizes / 1000))
        constant, alpha = model.fit(disp=0, start_params=[0.0, 1.0]).params
        assert np.log(margins.mean[gene]) == pytest.approx(constant, abs=0.01)
        assert 1 / margins.size[gene] == pytest.approx(alpha, rel=0.03)


def test_a_true_negative_binomial_seldom_gets_extra_zeros():
    rng = np.random.default_rng(5)
    x = rng.negative_binomial(1.0, 1 / (1 + np.full((1500, 200), 0.8)))
    margins, _ = fitted(np.column_stack([x, np.full(1500, 1000)]))
    # Half the mass of the statistic lies at 0, so that a test at 5 % has 2.5 %.
    assert (margins.inflation[:-1] > 0).sum() <= 13


@pytest.mark.parametrize("by_library", [False, True])
def test_parts_change_no_table(by_library):
    x, _ = drawn(500)
    whole = HistogramBuilder(x.shape[1], by_library)
    whole.add(sp.csr_matrix(x))
    parts = HistogramBuilder(x.shape[1], by_library)
    for start in range(0, 500, 37):
        parts.add(sp.csr_matrix(x[start : start + 37]))
    one, other = whole.finish(), parts.finish()
    for name in ("starts", "levels", "values", "weights", "cells"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert np.array_equal(one.totals(one.weights * one.values), x.sum(axis=0))
    assert np.array_equal(one.seen(), (x > 0).sum(axis=0))


def test_tables_follow_library_sizes():
    x, sizes = drawn(600)
    margins, _ = fitted(x)
    exposures = sizes / 1000
    below, step = count_steps(x, margins, exposures=exposures)
    for gene in range(len(CASES)):
        size, extra = margins.size[gene], margins.inflation[gene]
        expected = margins.mean[gene] * exposures
        law = poisson(expected) if np.isinf(size) else nbinom(size, size / (size + expected))
        at = (1 - extra) * law.pmf(x[:, gene]) + extra * (x[:, gene] == 0)
        under = (1 - extra) * law.cdf(x[:, gene] - 1) + extra * (x[:, gene] > 0)
        assert step[:, gene] == pytest.approx(at, rel=1e-6, abs=1e-12)
        assert below[:, gene] == pytest.approx(under, rel=1e-6, abs=1e-12)
    assert np.array_equal(quantiles(below + 0.5 * step, margins, exposures=exposures)[:, :-1], x[:, :-1])


def test_cells_of_several_groups_are_drawn_as_each_group_alone():
    x, sizes = drawn(600)
    margins, _ = fitted(x)
    rng = np.random.default_rng(4)
    groups, shifts = rng.integers(0, 3, 600), rng.gamma(2.0, 0.5, (3, x.shape[1]))
    shifts[1, 0] = 0.0
    levels, exposures = rng.random(x.shape), sizes / 1000
    levels[0] = 1.0 - 1e-16
    together = shifted_quantiles(levels, margins, exposures, groups, shifts)
    for group in range(3):
        own = groups == group
        alone = quantiles(levels[own], margins.scaled(shifts[group]), exposures=exposures[own])
        assert np.array_equal(together[own], alone)
    assert not together[groups == 1, 0].any()


def test_drawn_library_sizes_keep_mean_and_spread():
    rng = np.random.default_rng(3)
    places = np.rint(rng.gamma(20, 4, 3000)).astype(int)
    again = draw_places(np.bincount(places, minlength=1024), 20_000, rng)
    assert again.mean() == pytest.approx(places.mean(), abs=0.5)
    assert again.std() == pytest.approx(places.std(), rel=0.03)
    assert len(np.setdiff1d(again, places)) > 0


@st.composite
def nasty_gene(draw):
    """Counts that upset fits: one giant among zeros, two values, all equal, a single positive, or anything."""
    n = draw(st.integers(2, 40))
    kind = draw(st.sampled_from(["giant", "two", "equal", "single", "any"]))
    values = st.integers(0, 2**20)
    if kind == "any":
        return np.array(draw(st.lists(values, min_size=n, max_size=n)))
    x = np.zeros(n, dtype=np.int64)
    if kind == "two":
        x[:] = np.where(np.arange(n) % draw(st.integers(2, 5)) == 0, draw(values), draw(values))
    elif kind == "equal":
        x[:] = draw(values)
    else:
        x[draw(st.integers(0, n - 1))] = 10**6 if kind == "giant" else 1
    return x


@settings(max_examples=40, deadline=None, derandomize=True)
@given(nasty_gene())
def test_nasty_genes_get_a_distribution_and_can_be_drawn(x):
    both = np.column_stack([x, np.full(len(x), 50)])
    builder = HistogramBuilder(2, by_library=True)
    builder.add(sp.csr_matrix(both))
    histogram = builder.finish()
    levels = np.random.default_rng(0).random((20, 2))
    for margins, fallen in (fit_histogram(histogram_of(both)), fit_library_margins(histogram, grid_sizes() / 50)):
        assert np.isfinite(margins.mean).all()
        assert ((margins.inflation >= 0) & (margins.inflation < 1)).all()
        assert (margins.size > 0).all()
        assert ((fallen >= 0) & (fallen <= 2)).all()
        assert (margins.mean[0] > 0) == x.any()
        drawn_counts = quantiles(levels, margins)
        assert ((drawn_counts >= 0) & (drawn_counts <= 2**24)).all()


def test_a_richer_distribution_that_runs_to_its_bounds_is_counted():
    # Positive counts of 1 or 2 about evenly and many zeros: the best zero-inflated negative binomial has no dispersion.
    x = np.r_[np.zeros(60), np.full(20, 4), np.full(20, 5)].astype(np.int64)[:, None]
    margins, fallen = fit_histogram(histogram_of(x))
    assert fallen.tolist() == [1]
    assert np.isinf(margins.size[0])
    assert margins.inflation[0] == pytest.approx(0.6 - 0.4 * np.exp(-4.45), abs=0.01)
    assert chi2.ppf(0.95, 1) == pytest.approx(3.841458820694124)
    assert fit_count_margins(x).inflation[0] == margins.inflation[0]
