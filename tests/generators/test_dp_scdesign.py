"""dp-scdesign: sums over donors, what noise leaves of them, what is recovered with much budget and what never is."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from twinseq import generators
from twinseq.cell_basis import build_cell_basis, read_cell_basis
from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cells
from twinseq.errors import CohortError, ConfigError
from twinseq.generators._levels import shrunk_levels
from twinseq.generators._pseudobulk import Pseudobulk
from twinseq.generators._public_levels import PublicLevels

pytestmark = pytest.mark.filterwarnings("ignore::twinseq.dp.PrivacyWarning")
RANGES = "age=18:90"


@pytest.fixture(scope="module")
def cells() -> Cohort:
    """40 donors × 60 cells × 300 genes, two types in either condition."""
    return simulate_cells(20, 20, 300, cells_per_donor=60, n_cell_types=2, donor_sd=0.1)


@pytest.fixture(scope="module")
def basis(tmp_path_factory) -> str:
    public = simulate_cells(10, 10, 300, cells_per_donor=60, n_cell_types=2, donor_sd=0.1, seed=7)
    return str(build_cell_basis(public).save(tmp_path_factory.mktemp("basis") / "cells.basis"))


def fitted(cohort: Cohort, epsilon: float, **params) -> generators.Generator:
    return generators.create("dp-scdesign", epsilon=epsilon, delta=1e-3, ranges=RANGES, **params).fit(cohort, seed=0)


def without_label(cohort: Cohort) -> Cohort:
    return Cohort(cohort.adata, donor="donor", cell_type="cell_type", covariates=("age",))


def pooled(cohort: Cohort) -> np.ndarray:
    """Return the shares of the genes in each class."""
    sums = np.stack([cohort.dense()[cohort.classes() == name].sum(axis=0) for name in np.unique(cohort.classes())])
    return sums / sums.sum(axis=1, keepdims=True)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean Hellinger distance of the rows."""
    return float(np.linalg.norm(np.sqrt(one) - np.sqrt(other), axis=1).mean())


def test_sums_against_plain_ones(cells, monkeypatch):
    monkeypatch.setattr("twinseq.generators._segments.SEGMENT", 700)
    monkeypatch.setattr("twinseq.generators._pseudobulk.BLOCK", 5000)
    codes = np.unique(cells.classes(), return_inverse=True)[1]
    bulk = Pseudobulk.of(cells, codes, 4)
    donors = pd.factorize(cells.donors())[0]
    x, totals = cells.dense(), cells.dense().sum(axis=1)
    blocks = list(bulk.blocks())
    assert len(blocks) == 10
    units = np.concatenate([bulk.unit_profiles(block) for block in blocks])
    for donor in (0, 17, 39):
        for code in range(4):
            own = (donors == donor) & (codes == code)
            group = 4 * donor + code
            np.testing.assert_allclose(bulk.sums.squares[group].toarray()[0], (x[own] ** 2).sum(axis=0))
            assert bulk.sums.squared_depths[group] == (totals[own] ** 2).sum()
            assert bulk.roots()[donor, code] == pytest.approx(np.sqrt(own.sum() / (donors == donor).sum()))
            if own.any():
                np.testing.assert_allclose(units[donor, code] ** 2, x[own].sum(axis=0) / x[own].sum())
            else:
                assert not units[donor, code].any()
    # What is asked in the first round has length 1 for every donor, and nothing is cut.
    np.testing.assert_allclose(np.linalg.norm(bulk.roots()[:, :, None] * units, axis=(1, 2)), 1.0)


def test_shrinking_finds_levels_and_says_how_far_off_it_is():
    rng = np.random.default_rng(0)
    level = np.exp(rng.normal(-4, 1, 2000))
    true = level * np.maximum(1 + 0.4 * rng.standard_normal((3, 2000)) * (rng.random(2000) < 0.2), 0)
    noise = np.array([0.01, 0.02, 0.05])
    noisy = true + noise[:, None] * rng.standard_normal(true.shape)
    found = shrunk_levels(noisy, noise)
    errors = ((found.mean - true) ** 2).mean(axis=1)
    assert (errors < 0.7 * noise**2).all()
    # The class with most noise is told by the others.
    assert errors[2] < 0.05 * noise[2] ** 2
    np.testing.assert_allclose(found.variance.mean(axis=1), errors, rtol=0.35)
    assert found.square.sum(axis=1) == pytest.approx((true**2).sum(axis=1), rel=0.1)


def test_with_much_budget_profiles_depths_and_dispersions_are_found(cells):
    model = fitted(cells, 3000.0)
    truth = cells.adata.uns["truth"]
    shares = pooled(cells)
    assert distance(model.shares_, shares) < 0.03
    logs = np.log10(cells.dense().sum(axis=1))
    by_class = pd.Series(logs).groupby(cells.classes())
    np.testing.assert_allclose(model.depths_[0], by_class.mean(), atol=0.08)
    np.testing.assert_allclose(model.depths_[1], by_class.std(), rtol=0.4)
    # Programmes add to the dispersion of their own genes.
    plain = (cells.adata.var["module"] == "none").to_numpy() & (shares.mean(axis=0) > 1e-3)
    planted = cells.adata.var["dispersion"].to_numpy()[plain]
    found = model.dispersions_[:, plain].mean(axis=0)
    assert np.corrcoef(np.log(found), np.log(planted))[0, 1] > 0.6
    assert np.median(found / planted) == pytest.approx(1.15, abs=0.25)
    assert (truth["composition"].to_numpy() > 0).all()
    np.testing.assert_allclose(
        model.counts_ / model.counts_.sum(), by_class.size() / len(logs), atol=0.03
    )  # fmt: skip


def test_a_twin_has_means_zeros_and_variances_of_the_cells(cells):
    twin = fitted(cells, 3000.0).sample(n=cells.n_samples, seed=1)
    assert sp.issparse(twin.adata.X)
    name = "case / type1"
    real, made = (cohort.dense()[cohort.classes() == name] for cohort in (cells, twin))
    assert (made == 0).mean() == pytest.approx((real == 0).mean(), abs=0.02)
    often = real.mean(axis=0) > 1
    assert np.corrcoef(np.log(real.mean(axis=0)[often]), np.log(made.mean(axis=0)[often]))[0, 1] > 0.98
    ratio = made.var(axis=0)[often] / real.var(axis=0)[often]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.25)


def test_less_budget_is_more_noise(cells):
    shares = pooled(cells)
    found = [np.mean([distance(fitted(cells, epsilon).shares_, shares) for _ in range(2)]) for epsilon in (2, 20, 200)]
    assert found[0] > 1.5 * found[1] > 2.25 * found[2]


def test_a_basis_makes_small_budgets_useful(cells, basis):
    plain = without_label(cells)
    shares = pooled(plain)
    on_basis, alone = fitted(plain, 1.0, basis=basis), fitted(plain, 1.0)
    assert distance(on_basis.shares_, shares) < 0.3 * distance(alone.shares_, shares)
    assert "the basis, built from" in " ".join(on_basis.ledger_.public)
    assert not len(alone.loadings_)
    assert len(on_basis.loadings_)
    np.testing.assert_allclose(on_basis.depths_[0], np.log10(plain.dense().sum(axis=1)).mean(), atol=0.25)


def test_genes_move_together_on_a_basis_only(cells, basis):
    """Without a basis, cells of a type share nothing but their depth: its documented weakness."""
    plain = without_label(cells)
    genes = np.flatnonzero((plain.adata.var["module"] == "PROGRAMME_type1").to_numpy())
    genes = genes[np.argsort(-plain.dense()[:, genes].mean(axis=0))][:5]

    def together(cohort: Cohort) -> float:
        own = cohort.dense()[cohort.classes() == "type1"]
        logs = np.log1p(1e3 * own / np.maximum(own.sum(axis=1, keepdims=True), 1))[:, genes]
        return float(np.corrcoef(logs.T)[np.triu_indices(5, 1)].mean())

    twins = [fitted(plain, 300.0, **more).sample(n=3000, seed=1) for more in ({}, {"basis": basis})]
    real, alone, on_basis = map(together, (plain, *twins))
    assert real > 0.1
    assert alone < 0.3 * real
    assert on_basis > 0.4 * real


def test_types_of_other_names_are_found_along_the_axes(cells, basis):
    public = read_cell_basis(basis)
    levels = PublicLevels.of(public, ["TYPE1", "unheard of"])
    np.testing.assert_array_equal(levels.centre[0], public.roots[0])
    np.testing.assert_allclose(levels.centre[1], public.roots.mean(axis=0))
    assert (levels.along[0] < levels.along[1]).all()
    coordinates = (public.roots[1] - levels.centre) @ levels.axes.T
    near = levels.moved(coordinates, np.array([1e-6, 1e-6]))
    np.testing.assert_allclose(near.centre[1], public.roots[1], atol=1e-6)
    far = levels.moved(coordinates, np.array([1e6, 1e6]))
    np.testing.assert_allclose(far.centre, levels.centre, atol=1e-6)


@pytest.mark.parametrize("epsilon", [0.3, 30.0])
def test_one_type_rare_types_and_single_cells(epsilon):
    rng = np.random.default_rng(0)
    x = rng.poisson(rng.gamma(2, 1, (61, 12))) + 1
    columns = {
        "who": [f"p{row // 2}" for row in range(61)],
        "type": pd.Categorical(["t"] * 60 + ["once"], categories=["t", "once", "never"]),
    }
    adata = AnnData(x, obs=pd.DataFrame(columns, index=[f"c{row}" for row in range(61)]))
    model = generators.create("dp-scdesign", epsilon=epsilon, delta=1e-3)
    twin = model.fit(Cohort(adata, donor="who", cell_type="type")).sample(n=50, seed=0)
    assert np.isfinite(twin.dense()).all()
    assert twin.obs["type"].cat.categories.tolist() == ["t", "once", "never"]
    assert len(model.sample(design={"never": 5}).obs) == 5
    one = Cohort(AnnData(x[:60], obs=pd.DataFrame(columns, index=adata.obs_names).iloc[:60]), donor="who")
    # Without cell types, a twin has about as many samples as there are donors; at a small budget, very roughly so.
    assert model.fit(one).sample(seed=0).n_samples == pytest.approx(30, abs=15 if epsilon > 1 else 100)


def test_the_number_of_cells_is_public(cells):
    model = fitted(cells, 50.0, cells=7)
    assert model.class_sizes_.sum() == pytest.approx(7 * 40, abs=60)
    assert "the number of cells for each donor of the twin, 7" in model.ledger_.public


def test_cells_are_likeliest_in_their_own_class(cells):
    model = fitted(without_label(cells), 500.0)
    plain = without_label(cells)
    own = model.log_likelihood(plain)
    obs = plain.obs.assign(cell_type=np.where(plain.obs["cell_type"] == "type1", "type2", "type1"))
    swapped = plain.with_adata(AnnData(plain.adata.X, obs=obs, var=plain.adata.var))
    assert (own > model.log_likelihood(swapped)).mean() > 0.95
    np.testing.assert_allclose(model.losses(plain)[:, 0], -own / 300)


def test_settings_that_mean_nothing_are_refused(cells, tmp_path):
    for params, words in (({"cells": 0}, "cells must be at least 1"), ({"depths": "5:2"}, "low and high")):
        with pytest.raises(ConfigError, match=words):
            generators.create("dp-scdesign", epsilon=1.0, delta=1e-3, **params)
    other = build_cell_basis(simulate_cells(4, 4, 100, cells_per_donor=60, n_cell_types=2)).save(tmp_path / "b")
    with pytest.raises(CohortError, match="genes are not in the basis"):
        fitted(cells, 1.0, basis=str(other))
    with pytest.raises(CohortError):
        read_cell_basis(cells_file(tmp_path))
    few = simulate_cells(2, 2, 50, cells_per_donor=5, n_cell_types=2)
    with pytest.raises(CohortError, match="a basis needs 20"):
        build_cell_basis(few)
    with pytest.raises(CohortError, match="with the cell types stated"):
        build_cell_basis(Cohort(few.adata, donor="donor"))


def cells_file(folder) -> str:
    path = folder / "no.basis"
    path.write_bytes(b"no basis at all")
    return str(path)
