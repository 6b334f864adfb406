"""Every method of the backend beside the one it replaces."""

import numpy as np
import pandas as pd
import pytest
from pydeseq2.default_inference import DefaultInference

from twinseq.de import NumbaInference


@pytest.fixture
def theirs():
    return DefaultInference(n_cpus=1)


@pytest.fixture
def ours():
    return NumbaInference(n_cpus=2)


def fitted(table, inference):
    return inference.irls(table.counts, table.size_factors, table.design, table.dispersions, 0.5, 1e-8)


def test_linear_means(table, ours, theirs):
    arguments = (table.counts, table.size_factors, table.design, 0.5)
    np.testing.assert_allclose(ours.lin_reg_mu(*arguments), theirs.lin_reg_mu(*arguments), rtol=1e-9)


def test_rough_and_moment_dispersions(table, ours, theirs):
    normalised = table.counts / table.size_factors[:, None]
    np.testing.assert_allclose(
        ours.fit_rough_dispersions(normalised, table.design),
        theirs.fit_rough_dispersions(normalised, table.design),
        rtol=1e-9,
        atol=1e-12,
    )
    normalised[:, 5] = 0
    np.testing.assert_allclose(
        ours.fit_moments_dispersions(normalised, pd.Series(table.size_factors)),
        theirs.fit_moments_dispersions(normalised, table.size_factors),
        rtol=1e-9,
    )


def test_no_replicates_is_an_error(ours):
    with pytest.raises(ValueError, match="no replicates"):
        ours.fit_rough_dispersions(np.ones((2, 3)), np.eye(2))


def test_coefficients(table, ours, theirs):
    for mine, expected in zip(fitted(table, ours), fitted(table, theirs), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-6, atol=1e-8)


def test_a_diverging_gene_takes_their_path(ours, theirs):
    counts = np.zeros((12, 1), dtype=int)
    counts[0] = 40_000
    design = np.column_stack([np.ones(12), np.arange(12) % 2])
    arguments = (counts, np.ones(12), design, np.array([9.0]), 0.5, 1e-8)
    mine = ours.irls(*arguments, maxiter=2)
    assert ours.fallbacks["irls"] == 1
    for value, expected in zip(mine, theirs.irls(*arguments, maxiter=2), strict=True):
        np.testing.assert_allclose(value, expected)


def test_a_design_that_is_not_of_full_rank_takes_their_path(ours, theirs):
    rng = np.random.default_rng(0)
    counts = rng.poisson(50, (8, 3)) + 1
    design = np.column_stack([np.ones(8), np.arange(8) % 2, 1 - np.arange(8) % 2])
    arguments = (counts, np.ones(8), design, np.full(3, 0.1), 0.5, 1e-8)
    np.testing.assert_allclose(ours.irls(*arguments)[1], theirs.irls(*arguments)[1])
    assert ours.fallbacks["irls"] == 3


@pytest.mark.parametrize(("prior", "regularised"), [(None, False), (0.7, True)])
def test_dispersions(table, ours, theirs, prior, regularised):
    mu = ours.lin_reg_mu(table.counts, table.size_factors, table.design, 0.5)
    arguments = (table.counts, table.design, mu, np.full(40, 0.3), 1e-8, 18.0, prior, True, regularised)
    mine, _ = ours.alpha_mle(*arguments)
    expected, converged = theirs.alpha_mle(*arguments)
    # Their search can stop a percent short where the likelihood is flat; near zero dispersion only "tiny" is defined.
    informative = converged & (expected > 1e-3)
    np.testing.assert_allclose(mine[informative], expected[informative], rtol=2e-2)
    assert (mine[converged & (expected <= 1e-3)] < 2e-3).all()


@pytest.mark.parametrize("alternative", [None, "greater", "less", "greaterAbs", "lessAbs"])
def test_wald(table, ours, theirs, alternative):
    beta, mu, _, _ = fitted(table, ours)
    p = table.design.shape[1]
    mu[:, 3] = np.nan
    beta[3] = np.nan
    contrast = np.zeros(p)
    contrast[-1] = 1
    arguments = (table.design, table.dispersions, beta, mu, 1e-6 * np.eye(p), contrast, 0.2, alternative)
    for mine, expected in zip(ours.wald_test(*arguments), theirs.wald_test(*arguments), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-300)


def test_wald_refuses_an_unknown_alternative(table, ours):
    beta, mu, _, _ = fitted(table, ours)
    p = table.design.shape[1]
    with pytest.raises(ValueError, match="greaterAbs"):
        ours.wald_test(table.design, table.dispersions, beta, mu, np.eye(p), np.ones(p), 0.0, "sideways")


def test_trend(ours, theirs):
    rng = np.random.default_rng(1)
    mean = np.exp(rng.normal(4, 1.5, 2000))
    targets = pd.Series((0.1 + 3 / mean) * rng.gamma(4, 0.25, 2000))
    targets[5] = np.nan
    covariates = pd.Series(1 / mean)
    mine, predictions, converged = ours.dispersion_trend_gamma_glm(covariates, targets)
    expected, _, _ = theirs.dispersion_trend_gamma_glm(covariates, targets)
    assert converged
    np.testing.assert_allclose(mine, expected, rtol=1e-3)
    np.testing.assert_allclose(predictions, mine[0] + mine[1] * covariates)
    np.testing.assert_allclose(mine, [0.1, 3], rtol=0.1)


def test_a_trend_that_falls_with_the_inverse_mean_does_not_converge(ours):
    x = np.linspace(0.01, 5, 200)
    _, _, converged = ours.dispersion_trend_gamma_glm(pd.Series(x), pd.Series(6 - x))
    assert not converged


def test_shrinkage(table, ours, theirs):
    p = table.design.shape[1]
    arguments = (
        table.design,
        table.counts,
        1 / table.dispersions,
        np.log(table.size_factors),
        15.0,
        0.5,
        "L-BFGS-B",
        p - 1,
    )
    mine, inverse_hessians, converged = ours.lfc_shrink_nbinom_glm(*arguments)
    expected, _, theirs_converged = theirs.lfc_shrink_nbinom_glm(*arguments)
    assert converged.all()
    np.testing.assert_allclose(mine[theirs_converged], expected[theirs_converged], rtol=2e-2, atol=5e-3)
    assert ours.fallbacks["lfc_shrink_nbinom_glm"] == 0
    for gene in (4, 25):
        curvature = _numeric_hessian(table, mine[gene], gene)
        np.testing.assert_allclose(inverse_hessians[gene], np.linalg.inv(curvature), rtol=1e-3, atol=1e-6)


def _numeric_hessian(table, beta, gene):
    """Hessian of the apeglm objective by central differences."""
    size, y, p = 1 / table.dispersions[gene], table.counts[:, gene], len(beta)

    def loss(b):
        predictor = table.design @ b
        mu = table.size_factors * np.exp(predictor)
        prior = np.log1p((b[-1] / 0.5) ** 2) + (b[:-1] ** 2).sum() / (2 * 15.0**2)
        return prior + ((y + size) * np.log(size + mu) - y * predictor).sum()

    h = 1e-3 * np.eye(p)
    return np.array(
        [
            [(loss(beta + a + b) - loss(beta + a - b) - loss(beta - a + b) + loss(beta - a - b)) / 4e-6 for b in h]
            for a in h
        ]
    )


def test_the_number_of_threads_is_settable_and_changes_nothing(table):
    wide = table.counts[:, np.arange(1200) % 40]
    results = []
    for n_cpus in (1, 2, 3):
        inference = NumbaInference()
        inference.n_cpus = n_cpus
        mu = inference.lin_reg_mu(wide, table.size_factors, table.design, 0.5)
        alpha, _ = inference.alpha_mle(wide, table.design, mu, np.full(1200, 0.1), 1e-8, 18.0)
        results.append((mu, alpha, *inference.irls(wide, table.size_factors, table.design, alpha, 0.5, 1e-8)))
    for other in results[1:]:
        for first, second in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(first, second)
    assert NumbaInference(None).n_cpus >= 1


def test_inside_pydeseq2s_own_pipeline():
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.ds import DeseqStats

    rng = np.random.default_rng(3)
    mean = np.exp(rng.normal(4, 1.5, 120))
    alpha = 0.1 + 2 / mean
    index = [f"s{i}" for i in range(12)]
    metadata = pd.DataFrame({"condition": ["a", "b"] * 6}, index=index)
    change = np.where(np.arange(120) < 20, 1.0, 0.0)
    mu = mean * np.exp(np.outer(np.arange(12) % 2, change))
    counts = pd.DataFrame(rng.negative_binomial(1 / alpha, 1 / (1 + alpha * mu)), index=index)
    counts.columns = counts.columns.astype(str)
    tables = []
    for inference in (NumbaInference(), DefaultInference(n_cpus=1)):
        dds = DeseqDataSet(counts=counts, metadata=metadata, design="~condition", inference=inference, quiet=True)
        dds.deseq2()
        stats = DeseqStats(dds, contrast=["condition", "b", "a"], inference=inference, quiet=True)
        stats.summary()
        stats.lfc_shrink("condition[T.b]")
        tables.append(stats.results_df)
    mine, expected = tables
    assert (mine["padj"].isna() == expected["padj"].isna()).all()
    for column, tolerance in (("baseMean", 1e-9), ("log2FoldChange", 2e-2), ("pvalue", 2e-2)):
        np.testing.assert_allclose(mine[column], expected[column], rtol=tolerance, atol=2e-3)
