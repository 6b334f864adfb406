"""Losses and likelihoods of fitted models: against trusted densities, and against whom they were fitted to."""

import time

import numpy as np
import pytest
from scipy.stats import multivariate_normal, t

from twinseq import generators
from twinseq.datasets import simulate_cohort
from twinseq.errors import CohortError, NotFittedError
from twinseq.generators import NotOfferedError
from twinseq.generators._likelihood import LADDER, RIDGE, factor_log_density, floored, margin_density
from twinseq.generators._margins import LatentProfiles, Margins
from twinseq.generators._sizes import kept_reference
from twinseq.transforms import factors_against, size_factors

from .planted import as_continuous, cohort_of

OFFERED = ("mvn", "lowrank-mvn", "copula", "independent")


@pytest.fixture(scope="module")
def halves():
    return simulate_cohort(40, 40, 600, seed=1).split((0.5, 0.5), seed=0)


def auc(members, others):
    return (members[:, None] > others[None, :]).mean()


def test_gaussian_of_factors_against_scipy():
    rng = np.random.default_rng(0)
    x, loadings, noise = rng.normal(size=(7, 12)), rng.normal(size=(3, 12)), rng.uniform(0.2, 2, 12)
    found = factor_log_density(x, loadings, noise, (1.0, 0.05))
    for column, ridge in enumerate((1.0, 0.05)):
        trusted = multivariate_normal(np.zeros(12), loadings.T @ loadings + ridge * np.diag(noise)).logpdf(x)
        np.testing.assert_allclose(found[:, column], trusted, rtol=1e-10)


def test_mvn_is_its_ridged_normal():
    cohort = as_continuous(cohort_of({"group": ["a", "b"] * 8}, n_genes=9, label="group"))
    model = generators.create("mvn", noise=0.5).fit(cohort)
    values, labels = cohort.dense(), cohort.labels()
    within = sum(
        ((values[labels == name] - values[labels == name].mean(axis=0)) ** 2).sum(axis=0) for name in ("a", "b")
    )
    ridge = RIDGE * np.diag(floored(within / 14))
    for name in ("a", "b"):
        rows = values[labels == name]
        trusted = multivariate_normal(rows.mean(axis=0), 1.5 * np.cov(rows, rowvar=False) + ridge).logpdf(rows)
        np.testing.assert_allclose(model.log_likelihood(cohort)[labels == name], trusted, rtol=1e-8)


def test_lowrank_mvn_is_its_ridged_normal():
    cohort = cohort_of({"group": ["a"] * 12}, n_genes=6)
    model = generators.create("lowrank-mvn").fit(cohort)
    covariance = 1.5 * model.axes_.T @ model.covariances_[0] @ model.axes_
    ridge = RIDGE * np.trace(model.covariances_[0]) / 6 * np.eye(6)
    mean = model.centre_ + model.means_[0] @ model.axes_
    trusted = multivariate_normal(mean, covariance + ridge).logpdf(np.log1p(cohort.dense()))
    np.testing.assert_allclose(model.log_likelihood(cohort), trusted, rtol=1e-8)


def test_independent_is_the_sum_of_its_margins():
    cohort = as_continuous(cohort_of({"group": ["a"] * 12}, n_genes=5))
    model = generators.create("independent").fit(cohort)
    knots = model.margins_.knots[0].astype(float)
    assert not model.margins_.atom_share.any()
    width = 0.9 * len(knots) ** -0.2 * np.maximum(knots.std(axis=0), 0.05 * knots.std(axis=0).mean())
    kernels = t(3).pdf((cohort.dense()[:, None, :] - knots) / width) / width
    np.testing.assert_allclose(model.log_likelihood(cohort), np.log(kernels.mean(axis=1)).sum(axis=1), rtol=1e-8)


def test_margins_with_atoms_are_distributions():
    """Mass at zero and density above it add up to one; values become normal scores of the right order."""
    counts = np.r_[np.zeros(6), 1:15][:, None]
    latent = np.log2(counts + 1)
    margins = Margins.fit(LatentProfiles(counts, np.ones(20)), np.zeros(20, dtype=np.intp), 1, 0.7)
    grid = np.linspace(-400, 400, 400_001)[:, None] + 1e-9
    grid = grid[grid[:, 0] > 0]
    zero, _ = margin_density(margins, 0, np.zeros((1, 1)), True, (1.0,))
    above, _ = margin_density(margins, 0, grid, True, (1.0,))
    assert np.exp(zero[0, 0]) == pytest.approx(6.5 / 21)
    assert np.exp(above).sum() * (grid[1, 0] - grid[0, 0]) == pytest.approx(14.5 / 21, rel=0.02)
    _, scores = margin_density(margins, 0, latent, True, (1.0,))
    assert (np.diff(scores[6:, 0]) > 0).all()
    assert (scores[:6, 0] == scores[0, 0]).all()
    assert scores.max() == pytest.approx(1.96, abs=0.15)


@pytest.mark.parametrize("name", OFFERED)
def test_members_fit_better_than_others(name, halves):
    members, others = halves
    model = generators.create(name).fit(members, seed=0)
    here, there = model.losses(members), model.losses(others)
    assert here.shape == (40, here.shape[1])
    assert np.isfinite(here).all()
    assert np.isfinite(there).all()
    assert max(auc(-here[:, column], -there[:, column]) for column in range(here.shape[1])) > 0.9
    assert auc(model.log_likelihood(members), model.log_likelihood(others)) > 0.8


@pytest.mark.parametrize("name", OFFERED)
def test_neither_company_nor_order_changes_a_sample(name, halves):
    members, others = halves
    model = generators.create(name).fit(members, seed=0)
    whole = model.losses(others)
    some = np.array([17, 3, 39])
    np.testing.assert_allclose(model.losses(others.subset(some)), whole[some], rtol=1e-9)
    shuffled = others.with_adata(others.adata[:, np.random.default_rng(0).permutation(600)].copy())
    np.testing.assert_allclose(model.losses(shuffled), whole, rtol=1e-9)
    np.testing.assert_allclose(model.log_likelihood(shuffled), model.log_likelihood(others), rtol=1e-9)


@pytest.mark.parametrize("name", OFFERED)
def test_a_model_file_keeps_them(name, halves, tmp_path):
    members, others = halves
    model = generators.create(name).fit(members, seed=0)
    again = generators.load(model.save(tmp_path / "model.npz"))
    np.testing.assert_allclose(again.losses(others), model.losses(others), rtol=1e-9)
    np.testing.assert_allclose(again.log_likelihood(others), model.log_likelihood(others), rtol=1e-9)


def test_covariates_need_not_be_known(halves):
    members, others = halves
    assert members.covariates
    model = generators.create("copula").fit(members, seed=0)
    adata = others.adata.copy()
    adata.obs = adata.obs[["condition"]]
    bare = others.with_adata(adata, covariates=(), donor=None)
    assert np.array_equal(model.losses(bare), model.losses(others))


@pytest.mark.parametrize("name", [name for name in OFFERED if name != "lowrank-mvn"])
def test_continuous_profiles(name, halves):
    members, others = (as_continuous(half) for half in halves)
    model = generators.create(name).fit(members, seed=0)
    assert np.isfinite(model.losses(others)).all()
    assert np.isfinite(model.log_likelihood(others)).all()


@pytest.mark.parametrize("sparse", [False, True])
def test_size_factors_of_training_samples_come_back(sparse):
    counts = np.random.default_rng(0).poisson(0.7 if sparse else 30, (12, 60))
    counts[:, 0] += 1
    if sparse:
        counts[0, 0] = 0
    factors = size_factors(counts)
    reference = kept_reference(counts, factors)
    np.testing.assert_allclose(factors_against(counts, reference), factors, rtol=1e-12)
    np.testing.assert_allclose(factors_against(counts * 3, reference), factors * 3, rtol=1e-12)


def test_refusals(halves):
    members, _ = halves
    with pytest.raises(NotFittedError, match="Call fit"):
        generators.create("mvn").losses(members)
    model = generators.create("bootstrap").fit(members)
    with pytest.raises(NotOfferedError, match="'bootstrap' has no loss"):
        model.losses(members)
    with pytest.raises(NotOfferedError, match="'bootstrap' states no likelihood"):
        model.log_likelihood(members)
    model = generators.create("mvn").fit(members)
    with pytest.raises(CohortError, match="does not have the genes"):
        model.losses(members.with_adata(members.adata[:, :50].copy()))
    with pytest.raises(CohortError, match="holds continuous profiles; the model was fitted to counts"):
        model.losses(as_continuous(members))
    adata = members.adata.copy()
    adata.obs["condition"] = adata.obs["condition"].astype(str).replace("case", "cases")
    with pytest.raises(CohortError, match="class 'cases', unknown in training; did you mean 'case'"):
        model.losses(members.with_adata(adata))
    del adata.obs["condition"]
    bare = members.with_adata(adata, label=None)
    with pytest.raises(CohortError, match="no column 'condition'"):
        model.losses(bare)


def test_losses_have_the_ladder_and_do_not_grow_with_genes(halves):
    members, others = halves
    few = [half.with_adata(half.adata[:, ::3].copy()) for half in (members, others)]
    wide = generators.create("mvn").fit(members).losses(others)
    narrow = generators.create("mvn").fit(few[0]).losses(few[1])
    assert wide.shape[1] == len(LADDER)
    assert np.median(wide[:, 0]) == pytest.approx(np.median(narrow[:, 0]), rel=0.2)


@pytest.mark.slow
def test_a_transcriptome_takes_seconds():
    cohort = simulate_cohort(50, 50, 27_000, seed=0)
    for name in OFFERED:
        model = generators.create(name).fit(cohort)
        start = time.process_time()  # a busy machine must not fail it
        model.losses(cohort)
        assert time.process_time() - start < 30, name
