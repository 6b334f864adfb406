"""`scdesign2`: margins and copula against closed forms, general optimisers and the R program."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from scipy.optimize import minimize
from scipy.stats import kstest, nbinom, poisson

from twinseq import generators
from twinseq.cohort import Cohort
from twinseq.errors import ConfigError
from twinseq.generators._count_margins import CountMargins, fit_count_margins
from twinseq.generators._count_tables import distributional_transform, quantiles
from twinseq.generators.scdesign2 import ScDesign2


def draws(mean: float, size: float, inflation: float, n: int = 3000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(mean, n) if np.isinf(size) else rng.negative_binomial(size, size / (size + mean), n)
    return np.where(rng.random(n) < inflation, 0, counts)


CASES = [(0.3, np.inf, 0.0), (3.0, np.inf, 0.4), (2.0, 0.7, 0.0), (5.0, 3.0, 0.3), (40.0, 2.0, 0.0), (0.02, 0.05, 0.0)]


def log_likelihood(x: np.ndarray, inflation: float, size: float, mean: float) -> float:
    """Naive log-likelihood by scipy."""
    probability = poisson.pmf(x, mean) if np.isinf(size) else nbinom.pmf(x, size, size / (size + mean))
    with np.errstate(divide="ignore"):
        return float(np.log(inflation * (x == 0) + (1 - inflation) * probability).sum())


@pytest.mark.parametrize(("mean", "size", "inflation"), CASES)
def test_no_optimiser_finds_a_better_fit(mean, size, inflation):
    x = draws(mean, size, inflation)
    found = fit_count_margins(x[:, None])
    own = log_likelihood(x, found.inflation[0], found.size[0], found.mean[0])
    with_zeros = found.inflation[0] > 0

    def loss(parameters):
        extra = 1 / (1 + np.exp(-parameters[2])) if with_zeros else 0.0
        shape = np.inf if np.isinf(found.size[0]) else np.exp(parameters[1])
        return -log_likelihood(x, extra, shape, np.exp(parameters[0]))

    best = max(-minimize(loss, start, method="Nelder-Mead").fun for start in ([0.0, 0.0, -1.0], [np.log(mean), 1, -2]))
    assert own >= best - 1e-3


@pytest.mark.parametrize(("mean", "size", "inflation"), CASES[1:5])
def test_planted_parameters_come_back(mean, size, inflation):
    found = fit_count_margins(draws(mean, size, inflation, n=20_000)[:, None])
    assert found.mean[0] == pytest.approx(mean, rel=0.05)
    assert found.inflation[0] == pytest.approx(inflation, abs=0.03)
    # Extra zeros make the variance larger than the mean, so that the family is negative binomial, nearly Poisson.
    assert found.size[0] == pytest.approx(size, rel=0.15) if np.isfinite(size) else found.size[0] > 200


def test_sparse_dense_and_threads_agree():
    x = np.column_stack([draws(*case, n=200, seed=seed) for seed, case in enumerate(CASES)])
    dense = fit_count_margins(x)
    for other in (fit_count_margins(sp.csr_matrix(x)), fit_count_margins(sp.csc_matrix(x), jobs=2)):
        for name in ("inflation", "size", "mean"):
            assert np.array_equal(getattr(dense, name), getattr(other, name))


def test_odd_genes():
    x = np.zeros((5, 5), dtype=np.int64)
    x[0, 1] = 1  # seen once
    x[:, 2] = 7  # always the same
    x[:, 3] = [0, 0, 0, 0, 90_000]
    x[:, 4] = [1, 2, 1, 2, 1]
    found = fit_count_margins(x)
    assert found.mean * (1 - found.inflation) == pytest.approx([0, 0.2, 7, 18_000, 1.4], rel=1e-6)
    assert np.isfinite(found.mean).all()
    assert ((found.inflation >= 0) & (found.inflation < 1)).all()
    assert (found.size > 0).all()


@pytest.mark.parametrize(("mean", "size", "inflation"), [*CASES, (2000.0, np.inf, 0.1), (5000.0, 30.0, 0.0)])
def test_transform_and_quantiles(mean, size, inflation):
    x = draws(mean, size, inflation, n=2000)
    margins = CountMargins(np.array([inflation]), np.array([size]), np.array([mean]))
    rng = np.random.default_rng(1)
    levels = distributional_transform(x[:, None], margins, rng.random((2000, 1)))
    assert kstest(levels[:, 0], "uniform").pvalue > 1e-3
    assert np.array_equal(quantiles(levels, margins)[:, 0], x)
    asked = np.array([[1e-9], [0.1], [0.5], [0.9], [1 - 1e-9]])
    inner = np.clip((asked[:, 0] - inflation) / (1 - inflation), 0, 1)
    expected = poisson.ppf(inner, mean) if np.isinf(size) else nbinom.ppf(inner, size, size / (size + mean))
    assert quantiles(asked, margins)[:, 0] == pytest.approx(np.maximum(expected, 0), abs=0 if mean < 100 else 1)


def cells(n: int = 800, n_genes: int = 30, seed: int = 0, types: tuple[str, ...] = ("b", "t")) -> Cohort:
    """Cells of some types, genes tied by one factor and of all frequencies."""
    rng = np.random.default_rng(seed)
    kinds = np.resize(types, n)
    means = np.geomspace(0.02, 20, n_genes)
    factor = rng.standard_normal((n, 1)) * np.where(np.arange(n_genes) % 2, 0.6, -0.6)
    x = rng.poisson(means * np.exp(factor - 0.18) * np.where(kinds == "b", 1.0, 1.5)[:, None]).astype(np.int32)
    x[:, -1] += 1
    obs = pd.DataFrame({"kind": pd.Categorical(kinds)}, index=[f"c{row}" for row in range(n)])
    names = pd.DataFrame(index=[f"g{gene}" for gene in range(n_genes)])
    return Cohort(AnnData(sp.csr_matrix(x), obs=obs, var=names), cell_type="kind")


def test_a_twin_has_the_means_zeros_and_correlations_of_the_cells():
    real = cells(4000)
    twin = generators.create("scdesign2").fit(real, seed=0).sample(seed=1)
    assert sp.issparse(twin.adata.X)
    for kind in ("b", "t"):
        x, y = (side.dense()[(side.obs["kind"] == kind).to_numpy()] for side in (real, twin))
        assert y.mean(axis=0) == pytest.approx(x.mean(axis=0), rel=0.15, abs=0.02)
        assert (y == 0).mean(axis=0) == pytest.approx((x == 0).mean(axis=0), abs=0.04)
        frequent = (x == 0).mean(axis=0) < 0.5
        upper = np.triu_indices(frequent.sum(), 1)
        ties = [np.corrcoef(np.log1p(side[:, frequent]).T)[upper] for side in (x, y)]
        assert np.corrcoef(*ties)[0, 1] > 0.95


def test_rare_genes_are_drawn_alone_and_the_rarest_not_at_all():
    real = cells(300, types=("b",))
    model = ScDesign2().fit(real).types_[0]
    zeros = (real.dense() == 0).mean(axis=0)
    assert model.together.tolist() == np.flatnonzero(zeros < 0.8).tolist()
    assert model.alone.tolist() == np.flatnonzero((zeros >= 0.8) & (zeros < 1 - 2 / 300)).tolist()


@pytest.mark.parametrize("n", [3, 6, 25])
def test_few_cells(n):
    """A type with 3 cells, and one with fewer cells than genes under the copula."""
    twin = generators.create("scdesign2").fit(cells(n, types=("b",))).sample(200, seed=0)
    assert twin.n_samples == 200
    assert twin.dense().sum() > 0


def test_depth_multiplies_means():
    real = cells(2000)
    totals = [
        generators.create("scdesign2", depth=depth).fit(real).sample(seed=0).dense().sum() for depth in (0.5, 1.0, 2.0)
    ]
    assert np.array(totals) / totals[1] == pytest.approx([0.5, 1, 2], rel=0.1)


def test_full_shrinkage_unties_genes():
    real = cells(1500, types=("b",))
    x = np.log1p(generators.create("scdesign2", shrinkage=1.0).fit(real).sample(seed=0).dense()[:, -8:])
    assert np.abs(np.corrcoef(x.T) - np.eye(8)).max() < 0.12


def test_settings():
    for params in ({"shrinkage": 2.0}, {"depth": 0.0}):
        with pytest.raises(ConfigError, match="scdesign2"):
            generators.create("scdesign2", **params)


@pytest.fixture(scope="module")
def two_types(data_dir) -> Cohort:
    adata = anndata.read_h5ad(data_dir / "onek1k-40donors" / "cells.h5ad")
    chosen = adata[adata.obs["cell_type"].isin(["cd4nc", "bmem"])].copy()
    return Cohort(chosen, cell_type="cell_type", donor="indiv")


@pytest.mark.real
def test_against_the_r_program(two_types, reference_dir):
    model = ScDesign2().fit(two_types, seed=0, jobs=2)
    genes = two_types.genes
    for code, (name, partition) in enumerate([("bmem", (147, 706, 147)), ("cd4nc", (125, 764, 111))]):
        own = model.types_[code]
        sizes = len(own.together), len(own.alone)
        assert (*sizes, 1000 - sum(sizes)) == partition
        theirs = {
            part: pd.read_csv(reference_dir / f"scdesign2_marginal_{part}_{name}.csv.gz")
            for part in ("copula", "indep")
        }
        both = pd.concat(theirs.values())
        margins = own.margins.take(genes.get_indexer(both["gene"]))
        extra, size, mean = (both[column].to_numpy() for column in ("zero_inflation", "dispersion", "mean"))
        family = [
            (part[0] > 0) + 2 * np.isfinite(part[1]) for part in ((extra, size), (margins.inflation, margins.size))
        ]
        assert (family[0] == family[1]).mean() >= 0.99
        assert np.isclose(margins.mean, mean, rtol=0.01).mean() >= 0.98
        assert np.isclose(margins.inflation, extra, rtol=0.01).mean() >= 0.98
        assert np.isclose(margins.size, size, rtol=0.01).mean() >= 0.98
        correlation = pd.read_csv(reference_dir / f"scdesign2_copula_cor_{name}.csv.gz").to_numpy()
        order = genes[own.together].get_indexer(theirs["copula"]["gene"])
        upper = np.triu_indices(len(order), 1)
        apart = np.abs(own.correlation[np.ix_(order, order)] - correlation)[upper]
        # Two runs differ by the random transform alone; R's and ours do not differ by more.
        assert apart.mean() < 0.02
