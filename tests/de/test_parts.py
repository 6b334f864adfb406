"""The steps of the pipeline that PyDESeq2 or statsmodels or scipy also have, beside theirs."""

import numpy as np
import pandas as pd
import pytest
from pydeseq2 import preprocessing, utils
from scipy.optimize import minimize
from scipy.stats import false_discovery_control

from twinseq.de import newton, outliers
from twinseq.de.design import GroupedDesign
from twinseq.de.filtering import benjamini_hochberg, independent_filtering
from twinseq.de.sizefactors import median_of_ratios
from twinseq.de.trend import fit_trend


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_size_factors_match_pydeseq2(rng):
    counts = rng.negative_binomial(5, 0.02, (9, 300))
    factors, positive = median_of_ratios(counts.T.astype(float))
    np.testing.assert_allclose(factors, preprocessing.deseq2_norm(counts)[1])
    assert not positive


def test_without_a_complete_gene_size_factors_follow_the_depth(rng):
    depth = np.array([0.5, 1.0, 2.0, 1.0, 0.5, 2.0])
    counts = rng.poisson(100 * depth[:, None], (6, 240)).astype(float)
    counts[np.arange(240) % 6, np.arange(240)] = 0
    factors, positive = median_of_ratios(counts.T)
    assert positive
    np.testing.assert_allclose(factors, depth / np.exp(np.log(depth).mean()), rtol=0.05)


def test_a_sample_without_usable_counts_is_the_one_without_a_size_factor(rng):
    counts = rng.poisson(50, (60, 4)).astype(float)
    counts[:30, 0] = 0
    counts[30:, 1] = 0
    counts[:, 2] = 0
    factors, _ = median_of_ratios(counts)
    np.testing.assert_array_equal(np.isnan(factors), [False, False, True, False])


def test_benjamini_hochberg_matches_scipy(rng):
    p = rng.uniform(size=500) ** 2
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p))
    p[::7] = np.nan
    adjusted = benjamini_hochberg(p)
    tested = ~np.isnan(p)
    np.testing.assert_allclose(adjusted[tested], false_discovery_control(p[tested]))
    assert np.isnan(adjusted[~tested]).all()


def test_filtering_gains_power_when_low_means_are_null_and_leaves_few_rejections_alone(rng):
    mean = np.exp(rng.normal(3, 2, 4000))
    p = rng.uniform(size=4000)
    signal = (mean > np.median(mean)) & (rng.uniform(size=4000) < 0.3)
    p[signal] = 10.0 ** -rng.uniform(1.5, 6, signal.sum())
    adjusted = independent_filtering(mean, p, 0.05)
    assert np.isnan(adjusted[mean < np.quantile(mean, 0.2)]).all()
    assert (adjusted < 0.05).sum() > (benjamini_hochberg(p) < 0.05).sum()

    null = rng.uniform(size=4000)
    np.testing.assert_array_equal(independent_filtering(mean, null, 0.05), benjamini_hochberg(null))


def test_trend_recovers_planted_coefficients_and_ignores_genes_at_the_lower_bound(rng):
    mean = np.exp(rng.normal(4, 1.5, 5000))
    dispersions = (0.1 + 3 / mean) * np.exp(rng.normal(0, 0.8, 5000) - 0.32)
    with_floor = np.where(np.arange(5000) % 5 == 0, 1e-8, dispersions)
    for values in (dispersions, with_floor):
        trend = fit_trend(mean, values, 100, 1e-8)
        assert trend.parametric
        assert trend.intercept == pytest.approx(0.1, rel=0.1)
        assert trend.slope == pytest.approx(3, rel=0.1)
        assert trend.residual_variance == pytest.approx(0.64, rel=0.1)
        assert trend.prior_variance == pytest.approx(0.62, rel=0.1)


def test_trend_falls_back_to_the_mean(rng):
    trend = fit_trend(np.array([10.0, 20.0, 40.0]), np.array([0.1, 0.3, 0.9]), 4, 1e-8)
    assert not trend.parametric
    np.testing.assert_allclose(trend.at(np.array([1.0, 1e4])), np.mean([0.1, 0.3, 0.9]))
    assert not fit_trend(np.array([10.0, 20.0]), np.full(2, 1e-8), 4, 1e-8).parametric


@pytest.mark.parametrize("sizes", [(3, 5), (4, 30), (2, 2), (1, 6)])
def test_robust_dispersions_match_pydeseq2(rng, sizes):
    group = np.repeat([0.0, 1.0], sizes)
    design = np.column_stack([np.ones(len(group)), group])
    normalised = rng.negative_binomial(2, 0.02, (len(group), 50)) * rng.uniform(0.9, 1.1, (len(group), 1))
    np.testing.assert_allclose(
        outliers.robust_dispersions(np.ascontiguousarray(normalised.T), GroupedDesign.of(design)),
        utils.robust_method_of_moments_disp(normalised, pd.DataFrame(design)),
    )


def test_newton_finds_the_minimum_of_the_penalised_likelihood(rng):
    n, alpha = 12, 20.0
    counts = np.zeros((2, n))
    counts[0, 3] = 5000
    counts[1] = rng.negative_binomial(1 / alpha, 1 / (1 + alpha * 30), n)
    counts[1, 0] = 40
    factors = np.exp(rng.normal(0, 0.2, n))
    design = GroupedDesign.of(np.column_stack([np.ones(n), np.arange(n) % 2]))
    beta, mu, hat = np.empty((2, 2)), np.empty((2, n)), np.empty((2, n))
    converged = np.zeros(2, dtype=bool)
    newton.fit_penalised(
        0,
        2,
        np.arange(2),
        counts,
        factors,
        design.least_squares,
        design.rows,
        design.order,
        design.bounds,
        np.full(2, alpha),
        0.5,
        beta,
        mu,
        hat,
        converged,
    )
    assert converged.all()
    for gene in range(2):

        def loss(b, gene=gene):
            predictor = design.matrix @ b
            terms = (counts[gene] + 1 / alpha) * np.log1p(alpha * factors * np.exp(predictor))
            return (terms - counts[gene] * predictor).sum() + 0.5e-6 * b @ b

        assert loss(beta[gene]) <= minimize(loss, [1.0, 0.0], method="Nelder-Mead").fun + 1e-6
        np.testing.assert_allclose(mu[gene], factors * np.exp(design.matrix @ beta[gene]))
    assert ((hat > 0) & (hat < 1)).all()
