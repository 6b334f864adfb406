"""`cell-copula` on a public model: what comes from the private cohort, and what does not."""

import numpy as np
import pytest
import scipy.sparse as sp
from anndata import AnnData

from twinseq import generators
from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cells
from twinseq.errors import CohortError, ConfigError


def cells_of(seed: int, n: int = 6, **settings) -> Cohort:
    """Cells of one population without a label, other donors for each seed."""
    effects = {"fraction_differential": 0.0, "programme_sd": 0.0, "donor_sd": 0.2}
    cohort = simulate_cells(n // 2, n // 2, 120, seed=seed, cells_per_donor=120, n_cell_types=2, **effects, **settings)
    return Cohort(cohort.adata, donor="donor", cell_type="cell_type", covariates=("sex",), source="cells")


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    """File of a model of open cells, its types and genes in another order."""
    cohort = cells_of(1)
    adata = cohort.adata[:, ::-1].copy()
    adata.obs["cell_type"] = adata.obs["cell_type"].cat.reorder_categories(["type2", "type1"])
    model = generators.create("cell-copula").fit(cohort.with_adata(adata), seed=0)
    return model.save(tmp_path_factory.mktemp("public") / "open.model")


def rates(model, code):
    """Expected shares of the genes in a class."""
    margins = model.margins_[code]
    expected = (1 - margins.inflation) * margins.mean
    return expected / expected.sum()


def fitted(cohort, public, **settings):
    return generators.create("cell-copula", public=str(public), **settings).fit(cohort, seed=2)


def test_people_of_one_population_change_no_mean(public):
    one, other = (fitted(cells_of(seed), public, beyond=4.0) for seed in (2, 3))
    for code in range(2):
        seen = rates(one, code) > 0  # of the public cells
        ratio = rates(one, code)[seen] / rates(other, code)[seen]
        ratio /= np.median(ratio)
        assert (np.abs(ratio - 1) < 1e-9).mean() > 0.97
    assert not np.array_equal(one.cells_, other.cells_)


def test_means_that_truly_differ_are_kept(public):
    cohort = cells_of(2)
    adata = cohort.adata.copy()
    x = sp.lil_matrix(adata.X)
    common = np.argsort(-np.asarray(adata.X.mean(axis=0)).ravel())[10:13]
    x[:, common] = x[:, common] * 4
    adata.X = sp.csr_matrix(x)
    plain, moved = (fitted(each, public) for each in (cohort, cohort.with_adata(adata)))
    for code in range(2):
        seen = rates(plain, code) > 0
        change = np.where(seen, rates(moved, code) / np.where(seen, rates(plain, code), 1.0), 1.0)
        others = np.setdiff1d(np.flatnonzero(seen), common)
        assert (change[common] > 2.0 * np.median(change[others])).all()


def test_nothing_is_kept_beyond_all_and_everything_beyond_none(public):
    cohort = cells_of(2)
    model = generators.load(public)
    nothing, everything = (fitted(cohort, public, beyond=value) for value in (1e6, 0.0))
    place = model.frame_.var.index.get_indexer(cohort.genes)
    own = [str(name) for name in model.classes_["cell_type"]]
    for code, name in enumerate(nothing.classes_["cell_type"]):
        open_rates = rates(model, own.index(name))[place]
        np.testing.assert_allclose(rates(nothing, code), open_rates, rtol=1e-12)
        np.testing.assert_array_equal(nothing.loadings_[code], model.loadings_[own.index(name)][:, place])
        rows = (cohort.obs["cell_type"] == name).to_numpy()
        real = np.asarray(cohort.adata.X[rows].sum(axis=0)).ravel()
        frequent = real > 200
        assert np.corrcoef(np.log(rates(everything, code)[frequent]), np.log(real[frequent]))[0, 1] > 0.999


def test_twins_have_the_mix_and_donors_of_the_cohort_and_survive_a_file(public, tmp_path):
    cohort = cells_of(2, depth=3000.0)
    model = fitted(cohort, public)
    twin = model.sample(seed=1)
    assert twin.obs["cell_type"].value_counts().to_dict() == cohort.obs["cell_type"].value_counts().to_dict()
    assert set(twin.obs["donor"]) == {f"twin_donor_{number:02d}" for number in range(1, 7)}
    assert np.median(twin.dense().sum(axis=1)) == pytest.approx(np.median(cohort.dense().sum(axis=1)), rel=0.15)
    again = generators.load(model.save(tmp_path / "m.model")).sample(seed=1)
    np.testing.assert_array_equal(again.dense(), twin.dense())


def test_public_models_that_do_not_fit(public, tmp_path):
    cohort = cells_of(2)
    genes = cohort.adata.copy()
    genes.var_names = ["ODD", *genes.var_names[1:]]
    with pytest.raises(CohortError, match=r"1 of the 120 genes .* not in the public model, such as 'ODD'"):
        fitted(cohort.with_adata(genes), public)
    types = cohort.adata.copy()
    types.obs["cell_type"] = types.obs["cell_type"].cat.rename_categories({"type2": "odd"})
    with pytest.raises(CohortError, match=r"Cell type 'odd' .* which has type2, type1"):
        fitted(cohort.with_adata(types), public)
    labelled = simulate_cells(2, 2, 40, cells_per_donor=20)
    by_label = generators.create("cell-copula").fit(labelled).save(tmp_path / "label.model")
    with pytest.raises(ConfigError, match="without a label"):
        fitted(cohort, by_label)
    other = generators.create("scdesign2").fit(cohort).save(tmp_path / "other.model")
    with pytest.raises(ConfigError, match="holds a model of 'scdesign2'"):
        fitted(cohort, other)
    bulk = Cohort(AnnData(cohort.dense().astype(int), obs=cohort.obs.copy(), var=cohort.adata.var.copy()))
    with pytest.raises(ConfigError, match="with cell types"):
        fitted(bulk, public)
    with pytest.raises(ConfigError, match="beyond must be 0 or more"):
        generators.create("cell-copula", beyond=-1.0)
