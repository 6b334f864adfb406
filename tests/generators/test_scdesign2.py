"""`scdesign2`: margins and copula against closed forms, general optimisers and the R program."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from scipy.optimize import minimize
from scipy.stats import kstest, multivariate_normal, nbinom, norm, poisson

from twinseq import generators
from twinseq.cohort import Cohort
from twinseq.errors import CohortError, ConfigError
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


@pytest.mark.parametrize("library", ["none", "offset"])
@pytest.mark.parametrize("n", [2, 3, 6, 25])
def test_few_cells(n, library):
    """A type with 2 or 3 cells, and one with fewer cells than genes under the copula."""
    twin = generators.create("scdesign2", library=library).fit(cells(n, types=("b",))).sample(200, seed=0)
    assert twin.n_samples == 200
    assert twin.dense().sum() > 0


def test_library_sizes_scale_means():
    """Cells of very different depth: an offset brings back the spread of library sizes and unties the genes."""
    rng = np.random.default_rng(0)
    depth = np.exp(rng.normal(0, 0.7, 1500))
    counts = rng.poisson(depth[:, None] * np.geomspace(0.2, 8, 40)) + (np.arange(40) == 39)
    obs = pd.DataFrame({"kind": ["b"] * 1500}, index=[f"c{row}" for row in range(1500)])
    real = Cohort(AnnData(sp.csr_matrix(counts), obs=obs), cell_type="kind")
    model = ScDesign2(library="offset").fit(real, seed=0)
    spread = [np.log(side.dense().sum(axis=1)).std() for side in (real, model.sample(seed=1))]
    assert spread[1] == pytest.approx(spread[0], rel=0.08)
    off_diagonal = model.types_[0].correlation[np.triu_indices(len(model.types_[0].together), 1)]
    assert np.abs(off_diagonal).mean() < 0.03
    assert np.abs(ScDesign2().fit(real).types_[0].correlation[-10:, -10:]).mean() > 0.3
    deeper = ScDesign2(library="offset", depth=2.0).fit(real).sample(seed=1).dense().sum()
    assert deeper / model.sample(seed=1).dense().sum() == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("library", ["none", "offset"])
def test_parts_and_threads_change_nothing_that_matters(library, monkeypatch):
    real = cells(700)
    whole = ScDesign2(library=library).fit(real, seed=3, jobs=2)
    read = Cohort.chunks
    monkeypatch.setattr(Cohort, "chunks", lambda self, size=97: read(self, size))
    parts = ScDesign2(library=library).fit(real, seed=3)
    for one, other in zip(whole.types_, parts.types_, strict=True):
        assert np.array_equal(one.margins.mean, other.margins.mean)
        assert one.correlation == pytest.approx(other.correlation, abs=1e-10)
    assert np.array_equal(whole.sample(seed=1).dense(), parts.sample(seed=1, jobs=2).dense())


def test_no_part_of_a_cohort_is_made_dense(monkeypatch):
    """Only genes under the copula are; the rest of a part stays sparse."""
    real = cells(500)
    wide = sp.hstack([real.adata.X, sp.csr_matrix((500, 5000), dtype=np.int32)], format="csr")
    largest = []
    dense = sp.csr_matrix.toarray
    monkeypatch.setattr(sp.csr_matrix, "toarray", lambda x: largest.append(x.shape[1]) or dense(x))
    ScDesign2(library="offset").fit(Cohort(AnnData(wide, obs=real.obs), cell_type="kind"))
    assert max(largest) < 31


def test_families_are_counted():
    table = ScDesign2().fit(cells(400)).families_
    assert table.index.tolist() == ["b", "t"]
    assert (table[["poisson", "zip", "nb", "zinb", "zero"]].sum(axis=1) == 30).all()
    assert (table["nb"] > 5).all()


def test_nasty_genes_sink_no_run(tmp_path):
    x = np.zeros((60, 6), dtype=np.int64)
    x[0, 0] = 10**6
    x[:, 1] = np.arange(60) % 2
    x[:, 2] = 7
    x[5, 3] = 1
    x[:, 4] = np.r_[np.zeros(36), np.full(12, 4), np.full(12, 5)]
    obs = pd.DataFrame({"kind": ["b"] * 60}, index=[f"c{row}" for row in range(60)])
    real = Cohort(AnnData(x, obs=obs), cell_type="kind")
    for library in ("none", "offset"):
        model = ScDesign2(library=library).fit(real)
        assert model.families_["fallbacks"].iloc[0] >= 1
        assert np.isfinite(model.sample(300).dense()).all()
        again = generators.load(model.save(tmp_path / f"{library}.npz"))
        pd.testing.assert_frame_equal(again.families_, model.families_)
        assert np.array_equal(again.sample(50, seed=2).dense(), model.sample(50, seed=2).dense())


def test_counts_beyond_the_tables_are_refused():
    real = cells(20)
    x = real.dense().astype(np.int64)
    x[3, 2] = 2**24 + 1
    with pytest.raises(CohortError, match=r"16,777,217; UMI"):
        ScDesign2().fit(real.with_adata(AnnData(x, obs=real.obs)))


def test_likelihood_prefers_cells_like_those_learnt_from():
    real = cells(1500, types=("b",))
    model = ScDesign2(library="offset").fit(real)
    likely = model.log_likelihood(cells(300, seed=1, types=("b",)))
    shuffled = real.dense()[:300]
    rng = np.random.default_rng(0)
    for gene in range(shuffled.shape[1]):
        shuffled[:, gene] = rng.permutation(shuffled[:, gene])
    untied = Cohort(AnnData(shuffled, obs=real.obs[:300], var=real.adata.var), cell_type="kind")
    assert likely.mean() > model.log_likelihood(untied).mean() + 3
    assert model.losses(untied).shape == (300, 5)
    # The same cell, whatever comes along.
    assert model.log_likelihood(untied.subset(np.arange(5))) == pytest.approx(model.log_likelihood(untied)[:5])


def test_likelihood_by_hand():
    """Two genes, no shrinkage: margins by scipy, dependence by the bivariate normal density."""
    real = cells(400, n_genes=2, types=("b",))
    model = ScDesign2().fit(real)
    kind = model.types_[0]
    x = real.dense()[:6].astype(np.int64)
    expected = np.zeros(6)
    scores = np.zeros((6, 2))
    k = len(kind.together)
    for gene in range(2):
        size, extra, mean = kind.margins.size[gene], kind.margins.inflation[gene], kind.margins.mean[gene]
        law = poisson(mean) if np.isinf(size) else nbinom(size, size / (size + mean))
        at = (1 - extra) * law.pmf(x[:, gene]) + extra * (x[:, gene] == 0)
        expected += np.log(at)
        scores[:, gene] = norm.ppf((1 - extra) * law.cdf(x[:, gene] - 1) + extra * (x[:, gene] > 0) + at / 2)
    scores = scores[:, kind.together]
    joint = multivariate_normal(np.zeros(k), kind.correlation + 0.01 * np.eye(k)).logpdf(scores)
    expected += joint - norm.logpdf(scores).sum(axis=1)
    assert model.log_likelihood(real.subset(np.arange(6))) == pytest.approx(expected, rel=1e-6)


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
    for params in ({"shrinkage": 2.0}, {"depth": 0.0}, {"library": "offsets"}):
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
