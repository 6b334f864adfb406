import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import nbinom

from twinseq.de import NumbaInference, dispersion
from twinseq.de.design import GroupedDesign

LOWER, UPPER = 1e-8, 18.0


def naive_loss(t, y, mu, design, centre=None, variance=None, cox_reid=True):
    alpha = np.exp(t)
    loss = -nbinom.logpmf(y, 1 / alpha, 1 / (1 + alpha * mu)).sum()
    if cox_reid:
        weights = mu / (1 + alpha * mu)
        loss += 0.5 * np.linalg.slogdet((design.T * weights) @ design)[1]
    if variance is not None:
        loss += (t - centre) ** 2 / (2 * variance)
    return loss


def means_of(table):
    return NumbaInference().lin_reg_mu(table.counts, table.size_factors, table.design, 0.5)


@pytest.mark.parametrize("t", [-12.0, -4.0, -1.0, 0.0, 2.0])
def test_slopes_match_finite_differences(table, t):
    mu = means_of(table)
    grouped = GroupedDesign.of(table.design)
    p = table.design.shape[1]
    weights = np.empty((len(grouped.rows), 3))
    for gene in (3, 20, 39):
        y, m = table.counts[grouped.order, gene].astype(float), np.ascontiguousarray(mu[grouped.order, gene])
        first, second = dispersion.likelihood_slope(t, y, m, grouped.bounds, np.empty((2, 17)), weights)
        extra, extra2 = dispersion.cox_reid_slope(np.exp(t), grouped.rows, weights, np.empty((5, p, p)))

        def loss(s, gene=gene):
            return naive_loss(s, table.counts[:, gene], mu[:, gene], table.design)

        h = 1e-3
        slope = (loss(t + h) - loss(t - h)) / (2 * h)
        curvature = (loss(t + h) - 2 * loss(t) + loss(t - h)) / h**2
        assert first + extra == pytest.approx(slope, rel=1e-5, abs=1e-4)
        assert second + extra2 == pytest.approx(curvature, rel=1e-3, abs=2e-2)


@pytest.mark.parametrize("prior", [None, 0.5])
@pytest.mark.parametrize("cox_reid", [True, False])
def test_finds_the_minimum_of_the_naive_objective(table, prior, cox_reid):
    mu = means_of(table)
    start = np.full(table.counts.shape[1], 0.1)
    inference = NumbaInference()
    found, converged = inference.alpha_mle(
        table.counts, table.design, mu, start, LOWER, UPPER, prior, cox_reid, prior is not None
    )
    assert converged.all()
    assert inference.fallbacks["alpha_mle"] == 0
    for gene in range(table.counts.shape[1]):

        def loss(t, gene=gene):
            return naive_loss(t, table.counts[:, gene], mu[:, gene], table.design, np.log(0.1), prior, cox_reid)

        best = minimize_scalar(loss, bounds=(np.log(LOWER), np.log(UPPER)), method="bounded").fun
        assert loss(np.log(found[gene])) <= best + 1e-4


def test_recovers_the_planted_dispersion():
    rng = np.random.default_rng(0)
    alpha = np.repeat([0.01, 0.1, 1.0], 50)
    counts = rng.negative_binomial(1 / alpha, 1 / (1 + alpha * 200.0), (400, 150))
    design = np.ones((400, 1))
    found, _ = NumbaInference().alpha_mle(
        counts, design, np.broadcast_to(counts.mean(axis=0), counts.shape), np.full(150, 0.5), 1e-8, 400
    )
    np.testing.assert_allclose(np.median((found / alpha).reshape(3, 50), axis=1), 1.0, atol=0.03)


def test_counts_below_their_mean_variance_end_at_the_flat_lower_end():
    counts = np.tile([9, 10, 11], 6)[:, None]
    found, converged = NumbaInference().alpha_mle(
        counts, np.ones((18, 1)), np.full((18, 1), 10.0), np.array([0.05]), LOWER, UPPER
    )
    assert converged.all()
    assert found[0] < 1e-5


def test_bounds_hold_and_bad_arguments_are_refused():
    counts = np.array([[0], [0], [0], [4000]])
    found, _ = NumbaInference().alpha_mle(counts, np.ones((4, 1)), np.full((4, 1), 1.0), np.array([0.1]), 1e-8, 10.0)
    assert found[0] == pytest.approx(10.0)
    with pytest.raises(ValueError, match="prior_disp_var"):
        NumbaInference().alpha_mle(counts, np.ones((4, 1)), counts + 1.0, np.ones(1), 1e-8, 10, prior_reg=True)
    with pytest.raises(ValueError, match="whole numbers"):
        NumbaInference().alpha_mle(counts + 0.5, np.ones((4, 1)), counts + 1.0, np.ones(1), 1e-8, 10)


def test_a_gene_the_kernel_cannot_fit_takes_the_slow_path_and_is_counted(table, monkeypatch):
    mu = means_of(table)
    arguments = (table.counts, table.design, mu, np.full(table.counts.shape[1], 0.1), LOWER, UPPER)
    expected, _ = NumbaInference().alpha_mle(*arguments)

    kernel = dispersion.fit_dispersions

    def gives_up_on_the_last_gene(*kernel_arguments):
        kernel(*kernel_arguments)
        out, converged = kernel_arguments[-2:]
        out[-1], converged[-1] = np.nan, False

    monkeypatch.setattr(dispersion, "fit_dispersions", gives_up_on_the_last_gene)
    inference = NumbaInference()
    found, converged = inference.alpha_mle(*arguments)
    assert inference.fallbacks["alpha_mle"] == 1
    assert converged.all()
    np.testing.assert_allclose(found, expected, rtol=1e-3)
