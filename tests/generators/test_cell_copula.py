"""`cell-copula`: scores, factors, donors that never were, and what its knobs do to means."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from scipy.integrate import quad
from scipy.stats import nbinom, norm, poisson, spearmanr

from twinseq import generators
from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cells
from twinseq.errors import ConfigError
from twinseq.generators._cell_centres import centres
from twinseq.generators._cell_factors import cell_factors
from twinseq.generators._cell_scores import LEAST_TOLD, ScoreTable, interval_scores
from twinseq.generators._count_histograms import count_histograms, grid_sizes, library_places
from twinseq.generators._donor_effects import CellMix, DonorSums, GeneEffects, gene_effects, shared_part
from twinseq.generators._library_margins import fit_library_margins
from twinseq.generators.cell_copula import CellCopula


def tied_cells(n: int = 3000, n_genes: int = 80, seed: int = 0) -> tuple[Cohort, np.ndarray]:
    """Negative binomial counts of all frequencies under a copula of two factors; and the latent correlation."""
    rng = np.random.default_rng(seed)
    loadings = 0.6 * rng.standard_normal((2, n_genes))
    loadings /= np.maximum(1.0, np.sqrt((loadings**2).sum(axis=0)) / 0.9)
    correlation = loadings.T @ loadings
    np.fill_diagonal(correlation, 1.0)
    latent = rng.standard_normal((n, 2)) @ loadings
    latent += rng.standard_normal((n, n_genes)) * np.sqrt(1 - (loadings**2).sum(axis=0))
    mean = np.geomspace(0.05, 5, n_genes)[rng.permutation(n_genes)]
    depth = np.exp(rng.normal(0, 0.3, (n, 1)))
    counts = nbinom.ppf(norm.cdf(latent), 2.0, 2.0 / (2.0 + mean * depth)).astype(np.int64)
    # A last gene fills libraries up, so that their size is known to be the depth.
    rest = np.maximum(np.rint(2000 * depth[:, 0]).astype(np.int64) - counts.sum(axis=1), 0)
    counts = np.column_stack([counts, rest])
    obs = pd.DataFrame({"kind": ["b"] * n}, index=[f"c{row}" for row in range(n)])
    return Cohort(AnnData(sp.csr_matrix(counts), obs=obs), cell_type="kind"), correlation


def test_expected_scores_by_integration():
    for low, high in [(0.0, 0.3), (0.3, 0.35), (0.2, 0.999), (0.97, 1.0)]:
        mean = quad(lambda z: z * norm.pdf(z), norm.ppf(low), norm.ppf(high))[0] / (high - low)
        assert interval_scores(np.array([low]), np.array([high]))[0] == pytest.approx(mean, abs=1e-9)


def scores_of(cohort: Cohort):
    codes = np.zeros(cohort.n_samples, dtype=np.intp)
    histogram = count_histograms(cohort, codes, 1, by_library=True)[0]
    exposures = grid_sizes() / 2000
    margins, _ = fit_library_margins(histogram, exposures)
    return ScoreTable.of(histogram, margins, exposures), margins, exposures


def test_the_score_matrix_is_that_of_each_count():
    cohort, _ = tied_cells(300, 20)
    table, margins, exposures = scores_of(cohort)
    counts = sp.csr_matrix(cohort.adata.X)
    places = library_places(counts)
    part = table.part(counts, places)
    dense = part.times(np.eye(21))
    x = cohort.dense()
    for gene in (0, 7, 13):
        size, extra, expected = margins.size[gene], margins.inflation[gene], margins.mean[gene] * exposures[places]
        law = poisson(expected) if np.isinf(size) else nbinom(size, size / (size + expected))
        below = np.where(x[:, gene] > 0, extra + (1 - extra) * law.cdf(x[:, gene] - 1), 0.0)
        plain = interval_scores(below, extra + (1 - extra) * law.cdf(x[:, gene]))
        told = plain.var()
        assert table.told[gene] == pytest.approx(told, rel=1e-6)
        assert dense[:, gene] == pytest.approx((plain - plain.mean()) / np.sqrt(told + LEAST_TOLD), abs=1e-6)
    vectors = np.random.default_rng(0).standard_normal((300, 3))
    assert part.transposed_times(vectors) == pytest.approx(dense.T @ vectors, abs=1e-9)


def test_latent_correlations_come_back_for_rare_genes_too():
    cohort, planted = tied_cells()
    table, _, _ = scores_of(cohort)
    none = np.zeros(cohort.n_samples, dtype=np.intp)
    (loadings,) = cell_factors(cohort, none, none, [table], 10, np.random.default_rng(0), 1)
    # The gene that fills libraries up is tied to all others and may take a factor of its own.
    assert 2 <= len(loadings) <= 4
    found = (loadings.T @ loadings)[:80, :80]
    upper = np.triu_indices(80, 1)
    assert np.corrcoef(found[upper], planted[upper])[0, 1] > 0.95
    assert np.polyfit(planted[upper], found[upper], 1)[0] == pytest.approx(1.0, abs=0.15)
    rare = np.argsort(cohort.dense().mean(axis=0)[:80])[:40]
    inner = np.ix_(rare, rare)
    off = np.triu_indices(40, 1)
    assert np.polyfit(planted[inner][off], found[inner][off], 1)[0] == pytest.approx(1.0, abs=0.3)


def test_genes_without_ties_get_no_factor():
    rng = np.random.default_rng(1)
    counts = rng.negative_binomial(2.0, 0.5, (1500, 60))
    counts = np.column_stack([counts, 3000 - counts.sum(axis=1)])
    obs = pd.DataFrame({"kind": ["b"] * 1500}, index=[f"c{row}" for row in range(1500)])
    cohort = Cohort(AnnData(counts, obs=obs), cell_type="kind")
    loadings = CellCopula().fit(cohort).loadings_[0]
    # The last gene fills libraries up, and is tied to all others by that.
    assert (loadings[:, :-1] ** 2).sum(axis=0).max() < 0.08
    assert len(loadings) <= 1


@pytest.fixture(scope="module")
def people() -> Cohort:
    """Thirty donors of three cell types whose genes differ by a normal of sd 0.3 on the logarithm."""
    return simulate_cells(15, 15, 120, cells_per_donor=120, n_cell_types=3, donor_sd=0.3, effect_size=0.0, seed=1)


@pytest.fixture(scope="module")
def twin(people) -> Cohort:
    return generators.create("cell-copula").fit(people, seed=0).sample(seed=1)


def pseudobulk(cohort: Cohort, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Rates of genes in each donor's cells of a type, and these donors' library sizes."""
    rows = (cohort.obs["cell_type"] == kind).to_numpy()
    x, donors = cohort.dense()[rows], cohort.donors()[rows]
    sums = np.stack([x[donors == donor].sum(axis=0) for donor in np.unique(donors)])
    return sums / sums.sum(axis=1, keepdims=True), sums.sum(axis=1)


def test_donors_of_the_twin_differ_as_real_ones_do(people, twin):
    for kind in ("type1", "type2", "type3"):
        spread = []
        for cohort in (people, twin):
            rates, sizes = pseudobulk(cohort, kind)
            frequent = pseudobulk(people, kind)[0].mean(axis=0) > 0.003
            kept = sizes > np.quantile(sizes, 0.2)
            rates = rates[kept][:, frequent]
            spread.append((rates.std(axis=0, ddof=1) / rates.mean(axis=0)) ** 2)
        # 24 donors know a variance to 29 %, and 40 genes its mean to a twentieth.
        assert np.median(spread[1]) == pytest.approx(np.median(spread[0]), rel=0.2)
        assert np.mean(spread[1]) == pytest.approx(np.mean(spread[0]), rel=0.2)


def test_the_planted_donor_effect_is_found(people):
    codes = np.unique(people.classes(), return_inverse=True)[1]
    donors = np.unique(people.donors(), return_inverse=True)[1]
    sums = DonorSums.of(people, codes, donors, 1000.0)
    flat = [gene_effects(sums, code, np.full(people.n_genes, 0.3)) for code in range(6)]
    for found in flat:
        common = found.rates > np.quantile(found.rates, 0.5)
        assert np.sqrt(np.median(found.variance[common])) == pytest.approx(0.3, abs=0.06)
    # Effects were drawn anew for each cell type.
    assert shared_part(sums, flat, np.array([0, 0, 0, 1, 1, 1])) < 0.15


def test_effects_that_all_cell_types_share_are_found_to_be_shared():
    rng = np.random.default_rng(0)
    n_donors, n_genes = 30, 150
    effect = 0.4 * rng.standard_normal((n_donors, n_genes))
    rates = rng.gamma(2.0, 2.0, n_genes)
    codes, donors = np.divmod(np.repeat(np.arange(2 * n_donors), 20), n_donors)
    counts = rng.poisson(rates * np.exp(effect[donors]))
    obs = pd.DataFrame({"kind": codes.astype(str)}, index=[f"c{row}" for row in range(len(codes))])
    cohort = Cohort(AnnData(counts, obs=obs), cell_type="kind")
    sums = DonorSums.of(cohort, codes, donors, float(counts.sum(axis=1).mean()))
    effects = [gene_effects(sums, code, np.zeros(n_genes)) for code in (0, 1)]
    assert shared_part(sums, effects, np.zeros(2, dtype=np.intp)) > 0.85


def test_columns_of_synthetic_donors(people, twin):
    assert twin.donor == "donor"
    names = twin.obs["donor"]
    assert names.cat.categories.tolist() == [f"twin_donor_{number:02d}" for number in range(1, 31)]
    assert names.notna().all()
    for column in ("condition", "sex", "age"):
        assert (twin.obs.groupby("donor", observed=True)[column].nunique() == 1).all()
    assert twin.obs.groupby("donor", observed=True)["condition"].first().value_counts().tolist() == [15, 15]
    assert set(twin.obs["sex"]) == {"female", "male"}


def test_twin_cells_are_like_the_cells(people, twin):
    for kind in ("type1", "type2", "type3"):
        x, y = (side.dense()[(side.obs["cell_type"] == kind).to_numpy()] for side in (people, twin))
        frequent = x.mean(axis=0) > 0.2
        assert spearmanr(x.mean(axis=0), y.mean(axis=0)).statistic > 0.97
        assert y.mean(axis=0)[frequent] == pytest.approx(x.mean(axis=0)[frequent], rel=0.35)
        assert np.abs((y == 0).mean(axis=0) - (x == 0).mean(axis=0)).max() < 0.1
        sizes = np.log(x.sum(axis=1)), np.log(y.sum(axis=1))
        assert sizes[1].mean() == pytest.approx(sizes[0].mean(), abs=0.1)
        assert sizes[1].std() == pytest.approx(sizes[0].std(), rel=0.15)


def test_composition_of_donors_varies_as_planted():
    """Shares of five types with a known logistic normal come back with its spread."""
    rng = np.random.default_rng(0)
    ratios = np.array([1.0, 0.5, 0.0, -0.5, -1.0]) + rng.standard_normal((400, 5)) * np.array([0.2, 0.4, 0.6, 0.4, 0.2])
    shares = np.exp(ratios) / np.exp(ratios).sum(axis=1, keepdims=True)
    counts = np.stack([rng.multinomial(300, share) for share in shares]).astype(float)
    mix = CellMix.fit(counts, np.arange(5))
    drawn = np.stack([mix.draw(rng) for _ in range(2000)])
    again = np.log(drawn / drawn.sum(axis=1, keepdims=True))
    again -= again.mean(axis=1, keepdims=True)
    ratios -= ratios.mean(axis=1, keepdims=True)
    assert again.mean(axis=0) == pytest.approx(ratios.mean(axis=0), abs=0.05)
    assert again.std(axis=0) == pytest.approx(ratios.std(axis=0), rel=0.1)


def test_number_of_donors_can_be_asked_for(people):
    many = generators.create("cell-copula", donors=44).fit(people, seed=0).sample(seed=1)
    assert len(many.obs["donor"].cat.categories) == 44
    none = generators.create("cell-copula", donors=0).fit(people, seed=0).sample(seed=1)
    assert none.donor is None
    assert none.obs["donor"].isna().all()


def test_another_draw_is_of_the_same_donors(people, twin):
    model = generators.create("cell-copula").fit(people, seed=0)
    other = model.sample(seed=2)
    first, second = (pseudobulk(cohort, "type1") for cohort in (twin, other))
    frequent = first[0].mean(axis=0) > 0.01
    tied = [np.corrcoef(first[0][:, gene], second[0][:, gene])[0, 1] for gene in np.flatnonzero(frequent)]
    assert np.median(tied) > 0.5


def test_parts_threads_and_files_change_nothing_that_matters(people, monkeypatch, tmp_path):
    whole = CellCopula(donors=5).fit(people, seed=3, jobs=2)
    read = Cohort.chunks
    monkeypatch.setattr(Cohort, "chunks", lambda self, size=500: read(self, size))
    parts = CellCopula(donors=5).fit(people, seed=3)
    for one, other in zip(whole.margins_, parts.margins_, strict=True):
        assert one.mean == pytest.approx(other.mean, rel=1e-9)
        assert one.size == pytest.approx(other.size, rel=1e-6)
    for one, other in zip(whole.loadings_, parts.loadings_, strict=True):
        assert one.T @ one == pytest.approx(other.T @ other, abs=1e-6)
    again = generators.load(whole.save(tmp_path / "model.npz")).sample(seed=5, jobs=2)
    assert np.array_equal(again.dense(), whole.sample(seed=5).dense())
    pd.testing.assert_frame_equal(again.obs, whole.sample(seed=5).obs)


def test_contrast_and_blur():
    rng = np.random.default_rng(0)
    common = rng.gamma(2.0, 1.0, 400)
    marker = np.r_[np.full(20, 5.0), np.ones(380)]
    error = np.full(400, 0.01)
    effects = [
        GeneEffects(common * np.exp(0.05 * rng.standard_normal(400)) * m, error, error, error) for m in (1, marker)
    ]
    exposures = np.array([1000.0, 1000.0])
    plain = centres(effects, exposures, 0.0, 0.0, rng)
    assert np.array_equal(plain[1], effects[1].rates)
    shrunk = np.log(centres(effects, exposures, 3.0, 0.0, rng))
    apart = shrunk[1] - shrunk[0]
    # Markers stay apart, all other genes move with the library's sum alone.
    assert np.abs(apart[20:] - apart[20]).max() < 1e-9
    # Each side keeps 1 − (0.3 / |log ratio to the mean of both|)⁴ of its deviation.
    kept = [np.log(ratio) * (1 - (0.3 / np.log(ratio)) ** 4) for ratio in (1 / 3, 5 / 3)]
    assert (apart[:20] - apart[20]).mean() == pytest.approx(kept[1] - kept[0], abs=0.05)
    noisy = np.log(centres(effects, exposures, 3.0, 2.0, rng))
    moved = (noisy - shrunk)[0, 20:]
    assert moved.std() == pytest.approx(0.2, rel=0.15)


def test_the_limited_preset_hides_the_means(people):
    rates = {}
    for preset in ("faithful", "leakage-limited"):
        model = generators.create("cell-copula", preset=preset).fit(people, seed=0)
        rates[preset] = np.concatenate([m.mean * (1 - m.inflation) for m in model.margins_])
    known = rates["faithful"] > np.quantile(rates["faithful"], 0.5)
    apart = np.log(rates["leakage-limited"][known] / rates["faithful"][known])
    # Fifteen donors to a class, with a spread of 0.3 and counting beside it: a standard error of 0.08 or more.
    assert apart.std() > 0.07
    assert np.corrcoef(np.log(rates["leakage-limited"][known]), np.log(rates["faithful"][known]))[0, 1] > 0.9


def test_copula_takes_cells_for_what_they_are(people, tmp_path):
    model = generators.create("copula", factors=4).fit(people, seed=0)
    assert model.cells_ is not None
    twin = model.sample(seed=1)
    assert twin.obs["donor"].astype(str).str.startswith("twin_donor_").all()
    again = generators.load(model.save(tmp_path / "model.npz"))
    assert np.array_equal(again.sample(seed=1).dense(), twin.dense())
    assert again.log_likelihood(people.subset(np.arange(20))) == pytest.approx(
        model.log_likelihood(people.subset(np.arange(20)))
    )


@pytest.mark.parametrize("n", [2, 3, 12])
def test_few_cells_of_a_single_type(n):
    cohort, _ = tied_cells(n, 30)
    twin = CellCopula().fit(cohort).sample(60, seed=0)
    assert twin.n_samples == 60
    assert twin.dense().sum() > 0


def test_a_type_that_a_donor_does_not_have(people):
    """The rarest type in two donors only, one of them with a single cell."""
    rows = (people.obs["cell_type"] != "type3").to_numpy()
    donors = people.donors()
    rare = np.flatnonzero(~rows & (people.obs["condition"] == "case").to_numpy())
    kept = [rare[donors[rare] == np.unique(donors[rare])[0]][:5], rare[donors[rare] == np.unique(donors[rare])[1]][:1]]
    few = people.subset(np.sort(np.concatenate([np.flatnonzero(rows), *kept])))
    twin = CellCopula().fit(few, seed=0).sample(seed=1)
    assert (twin.obs["cell_type"] == "type3").sum() == 6
    assert np.isfinite(twin.dense()).all()


def test_likelihood_prefers_tied_genes():
    cohort, _ = tied_cells(1500, 40)
    model = CellCopula().fit(cohort)
    fresh, _ = tied_cells(200, 40, seed=0)
    shuffled = fresh.dense()
    rng = np.random.default_rng(0)
    for gene in range(40):
        shuffled[:, gene] = rng.permutation(shuffled[:, gene])
    untied = fresh.with_adata(AnnData(shuffled, obs=fresh.obs, var=fresh.adata.var))
    assert model.log_likelihood(fresh).mean() > model.log_likelihood(untied).mean() + 2
    assert np.isfinite(model.losses(untied)).all()


@pytest.mark.parametrize(
    "params", [{"factors": -1}, {"donors": -1}, {"contrast": -1.0}, {"blur": -0.5}, {"trend": 1.5}, {"trend": -0.1}]
)
def test_settings(params):
    with pytest.raises(ConfigError, match="cell-copula"):
        generators.create("cell-copula", **params)
