import functools
import hashlib
import http.server
import threading

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from twinseq import datasets, io
from twinseq.cohort import Cohort, validate
from twinseq.datasets import public
from twinseq.errors import CohortError, ConfigError


def normalised(cohort: Cohort) -> np.ndarray:
    """Counts divided by the planted size factors."""
    return cohort.dense() / cohort.adata.uns["truth"]["samples"]["size_factor"].to_numpy()[:, None]


def residuals(cohort: Cohort, genes: np.ndarray) -> np.ndarray:
    """Log expression of ``genes`` without the mean of each condition."""
    logs = np.log(normalised(cohort)[:, genes] + 0.5)
    case = cohort.labels() == "case"
    logs[case] -= logs[case].mean(axis=0)
    logs[~case] -= logs[~case].mean(axis=0)
    return logs


def slope(x, y) -> float:
    return float(np.polyfit(x, y, 1)[0])


@pytest.fixture(scope="module")
def large() -> Cohort:
    return datasets.simulate_cohort(150, 150, 4_000, fraction_differential=0.1)


@pytest.fixture(scope="module")
def cells() -> Cohort:
    return datasets.simulate_cells(8, 8, 600, cells_per_donor=150)


# Bulk


def test_the_default_is_the_cohort_of_the_founding_study():
    cohort = datasets.simulate_cohort()
    validate(cohort)
    assert cohort.adata.shape == (136, 27_000)
    assert cohort.adata.X.dtype == np.int32
    assert pd.Series(cohort.labels()).value_counts().to_dict() == {"control": 80, "case": 56}
    assert cohort.roles() == {
        "kind": "counts",
        "paired": False,
        "label": "condition",
        "donor": "donor",
        "covariates": ["sex", "age", "crp"],
    }
    assert cohort.adata.X.sum(axis=1).mean() == pytest.approx(25e6, rel=0.1)
    assert 0.1 < (cohort.adata.X == 0).mean() < 0.35  # .14 in breast, .29 in whole blood
    assert len(datasets.gene_sets(cohort)) == 20


def test_means_are_those_of_controls(large):
    control = normalised(large)[large.labels() == "control"].mean(axis=0)
    truth = large.adata.var["mean"].to_numpy()
    seen = truth > 10
    assert np.corrcoef(np.log(control[seen]), np.log(truth[seen]))[0, 1] > 0.995
    assert np.median(control[seen] / truth[seen]) == pytest.approx(1, abs=0.02)


def test_fold_changes_are_those_planted(large):
    case = large.labels() == "case"
    var = large.adata.var
    counts = normalised(large)
    planted = var["log2_fold_change"]
    seen = (var["mean"] > 50).to_numpy()
    found = np.log2(counts[case][:, seen].mean(axis=0) / counts[~case][:, seen].mean(axis=0))
    differs = planted[seen] != 0
    assert np.corrcoef(found[differs], planted[seen][differs])[0, 1] > 0.98
    assert slope(planted[seen][differs], found[differs]) == pytest.approx(1, abs=0.05)
    others = (~differs & (var["sex_log2_fold_change"][seen] == 0)).to_numpy()
    assert np.abs(np.median(found[others])) < 0.02
    assert np.quantile(np.abs(found[others]), 0.95) < 0.3


def test_the_truth_is_told_by_name(large):
    truth, var = large.adata.uns["truth"], large.adata.var
    assert set(truth["differential"]) == set(var.index[var["log2_fold_change"] != 0])
    np.testing.assert_array_equal(truth["log2_fold_change"], var.loc[truth["differential"], "log2_fold_change"])
    assert set(truth["sex_genes"]) == set(var.index[var["sex_log2_fold_change"] != 0])
    assert set(truth["age_genes"]) == set(var.index[var["age_log2_slope"] != 0])
    for name, genes in datasets.gene_sets(large).items():
        assert set(var["module"][genes]) == {name}
        assert bool((var["log2_fold_change"][genes] != 0).all()) == (truth["module_shift"][name] != 0)
    # A third of the modules is shifted; the rest of the differential genes differ by themselves.
    assert sum(shift != 0 for shift in truth["module_shift"].values()) == 7
    alone = (var["log2_fold_change"] != 0) & (var["module"] == "none")
    assert alone.sum() == 400
    assert np.abs(var["log2_fold_change"][alone]).mean() == pytest.approx(1.0, abs=0.15)
    assert truth["settings"]["n_genes"] == 4_000


def test_dispersions_follow_the_trend():
    cohort = datasets.simulate_cohort(
        150, 150, 4_000, factor_sd=0, n_modules=0, dispersion_a0=0.1, dispersion_a1=2.0, fraction_differential=0
    )
    var = cohort.adata.var
    counts = normalised(cohort)
    factors = cohort.adata.uns["truth"]["samples"]["size_factor"].to_numpy()
    mean = counts.mean(axis=0)
    plain = ((mean > 5) & (var["sex_log2_fold_change"] == 0) & (var["age_log2_slope"] == 0)).to_numpy()
    found = (counts.var(axis=0, ddof=1) - mean * (1 / factors).mean())[plain] / mean[plain] ** 2
    assert np.corrcoef(np.log(np.maximum(found, 1e-3)), np.log(var["dispersion"][plain]))[0, 1] > 0.9
    assert np.median(found / var["dispersion"][plain]) == pytest.approx(1, abs=0.05)
    assert np.median(var["dispersion"] / (2.0 / var["mean"] + 0.1)) == pytest.approx(1, abs=0.1)
    scatter = np.log(var["dispersion"] / (2.0 / var["mean"] + 0.1))[plain]
    assert scatter.std() == pytest.approx(0.5, abs=0.03)


def test_genes_of_a_module_move_together(large):
    modules = large.adata.var["module"].to_numpy()
    within, across = [], []
    for name in list(datasets.gene_sets(large))[:6]:
        genes = np.flatnonzero(modules == name)
        between = np.corrcoef(residuals(large, genes), rowvar=False)
        within.append(between[np.triu_indices(len(genes), 1)].mean())
        alone = np.flatnonzero((modules == "none") & (large.adata.var["mean"] > 100))[: len(genes)]
        across.append(np.corrcoef(residuals(large, alone), rowvar=False)[np.triu_indices(len(alone), 1)].mean())
        factor = large.adata.uns["truth"]["samples"][name]
        assert np.corrcoef(residuals(large, genes).mean(axis=1), factor)[0, 1] > 0.95
    assert min(within) > 0.35
    assert max(np.abs(across)) < 0.1


def test_library_sizes_are_log_normal():
    cohort = datasets.simulate_cohort(200, 200, 500, library_size=1e6, library_sd=0.5)
    factors = np.log(cohort.adata.uns["truth"]["samples"]["size_factor"])
    assert factors.std() == pytest.approx(0.5, abs=0.05)
    assert np.corrcoef(factors, np.log(cohort.dense().sum(axis=1)))[0, 1] > 0.85


def test_batches_shift_genes_and_are_balanced():
    cohort = datasets.simulate_cohort(60, 60, 1_000, n_batches=3, batch_sd=0.5)
    assert cohort.covariates[-1] == "batch"
    table = pd.crosstab(cohort.obs["condition"], cohort.obs["batch"])
    assert (table == 20).all(axis=None)
    seen = np.flatnonzero((cohort.adata.var["mean"] > 50) & (cohort.adata.var["module"] == "none"))
    logs = residuals(cohort, seen)
    means = pd.DataFrame(logs).groupby(cohort.obs["batch"].to_numpy(), observed=True).mean()
    # Three values about their own mean: the sd is √(2/3) of the planted one.
    assert means.to_numpy().std() == pytest.approx(0.5 * np.sqrt(2 / 3), rel=0.1)
    assert "batch" not in datasets.simulate_cohort(5, 5, 50).obs


def test_samples_of_a_donor_share_an_effect():
    cohort = datasets.simulate_cohort(
        60, 60, 800, samples_per_donor=2, donor_sd=0.5, factor_sd=0, n_modules=0, dispersion_a0=0.1
    )
    assert cohort.n_samples == 240
    assert cohort.obs["donor"].value_counts().eq(2).all()
    for column in ("sex", "age", "condition"):
        assert cohort.obs.groupby("donor", observed=True)[column].nunique().eq(1).all()
    plain = (cohort.adata.var["mean"] > 200) & (cohort.adata.var["sex_log2_fold_change"] == 0)
    logs = residuals(cohort, np.flatnonzero(plain))
    first, second = logs[::2], logs[1::2]
    icc = (first * second).mean() / logs.var()
    assert icc == pytest.approx(0.25 / (0.25 + 0.1 * np.exp(0.125)), abs=0.06)
    assert np.sqrt((first * second).mean()) == pytest.approx(0.5, abs=0.03)
    # Strangers share nothing.
    assert abs((first[:-1] * second[1:]).mean()) / logs.var() < 0.02


def test_sex_and_age_show_in_their_genes(large):
    var = large.adata.var
    female = (large.obs["sex"] == "female").to_numpy()
    counts = normalised(large)
    found = np.log2((counts[female].mean(axis=0) + 1e-9) / (counts[~female].mean(axis=0) + 1e-9))
    linked = var["sex_log2_fold_change"].to_numpy() != 0
    assert linked.sum() == 10
    assert np.corrcoef(found[linked], var["sex_log2_fold_change"][linked])[0, 1] > 0.98
    seen = (var["mean"] > 100).to_numpy()
    assert np.abs(found[~linked & seen]).max() < 0.6
    aged = np.flatnonzero((var["age_log2_slope"] != 0).to_numpy() & seen)
    assert len(aged) > 10
    decades = (large.obs["age"].to_numpy() - 55) / 10
    slopes = np.polyfit(decades, residuals(large, aged) / np.log(2), 1)[0]
    assert np.corrcoef(slopes, var["age_log2_slope"].iloc[aged])[0, 1] > 0.95


def test_clinical_covariates_have_kinds_and_gaps(large):
    obs = large.obs
    assert obs["sex"].dtype == "category"
    assert obs["age"].between(18, 90).all()
    assert obs["crp"].isna().mean() == pytest.approx(0.1, abs=0.06)
    logs = np.log(obs["crp"])
    assert logs[obs["condition"] == "case"].mean() - logs[obs["condition"] == "control"].mean() > 1
    assert pd.crosstab(obs["condition"], obs["sex"]).to_numpy().tolist() == [[75, 75], [75, 75]]
    assert datasets.simulate_cohort(5, 5, 50, missing_rate=0).obs["crp"].notna().all()


def same(one: Cohort, other: Cohort) -> bool:
    x, y = one.adata.X, other.adata.X
    equal = x.shape == y.shape and ((x != y).nnz == 0 if sp.issparse(x) else x.tobytes() == y.tobytes())
    return equal and one.obs.equals(other.obs) and one.adata.var.equals(other.adata.var)


@pytest.mark.parametrize(
    "simulate",
    [
        functools.partial(datasets.simulate_cohort, 10, 10, 400, samples_per_donor=2, n_batches=2),
        functools.partial(datasets.simulate_cells, 3, 3, 200, cells_per_donor=30),
    ],
)
def test_seeds(simulate):
    first = simulate(seed=1)
    assert same(first, simulate(seed=1))
    # Another seed: other donors of the same population.
    second = simulate(seed=2)
    assert not set(first.donors()) & set(second.donors())
    assert not set(first.adata.obs_names) & set(second.adata.obs_names)
    pd.testing.assert_frame_equal(first.adata.var, second.adata.var)
    assert datasets.gene_sets(first) == datasets.gene_sets(second)
    assert (first.dense()[:5] != second.dense()[:5]).any(axis=1).all()
    # Another population: another truth.
    third = simulate(seed=1, population_seed=1)
    assert datasets.gene_sets(first) != datasets.gene_sets(third)


def test_a_hold_out_may_have_another_size():
    train = datasets.simulate_cohort(20, 20, 300)
    holdout = datasets.simulate_cohort(5, 9, 300, seed=1)
    pd.testing.assert_frame_equal(train.adata.var, holdout.adata.var)


def test_small_cohorts_work():
    for n_genes in (1, 7, 39, 40, 100):
        assert datasets.simulate_cohort(2, 2, n_genes, library_size=1e5).n_genes == n_genes


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_cases": 1}, "n_cases must be at least 2, not 1"),
        ({"n_genes": 0}, "n_genes must be at least 1"),
        ({"n_genes": 10.5}, "n_genes must be a whole number"),
        ({"n_genes": "many"}, "n_genes must be a finite number"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"population_seed": True}, "population_seed must be a finite number"),
        ({"samples_per_donor": 0}, "samples_per_donor must be at least 1"),
        ({"library_sd": -0.1}, "library_sd must be at least 0"),
        ({"library_size": float("nan")}, "library_size must be a finite number"),
        ({"library_size": 1e12}, "between 1 and 1e9"),
        ({"missing_rate": 1.5}, "missing_rate is a share"),
        ({"missing_rate": 1}, "missing_rate must be below 1"),
        ({"dispersion_a0": 0}, "dispersion_a0 must be above 0"),
        ({"n_batches": 11}, "11 batches need as many samples in each condition, not 10"),
        ({"fraction_differential": 1}, "more than n_genes = 200"),
        ({"n_modules": 30, "module_size": 10}, "30 modules of 10 genes.*more than n_genes"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        datasets.simulate_cohort(**({"n_cases": 10, "n_controls": 10, "n_genes": 200} | settings))


def test_modules_are_written_as_gmt(large):
    sets = datasets.gene_sets(large)
    lines = datasets.gmt_lines(sets)
    assert len(lines) == len(sets)
    name, description, *genes = lines[0].split("\t")
    assert (name, description) == ("MODULE_01", "planted module")
    assert genes == sets["MODULE_01"]
    with pytest.raises(CohortError, match="only a simulated cohort has them"):
        datasets.gene_sets(Cohort(AnnData(np.ones((2, 2)))))


# Single cells


def test_cells_are_sparse_counts_of_donors_and_types(cells):
    validate(cells)
    assert isinstance(cells.adata.X, sp.csr_matrix)
    assert cells.adata.X.dtype == np.int32
    assert cells.roles()["cell_type"] == "cell_type"
    assert cells.obs["donor"].nunique() == 16
    assert cells.n_samples == pytest.approx(16 * 150, rel=0.1)
    assert cells.obs.groupby("donor", observed=True)["condition"].nunique().eq(1).all()
    assert np.median(cells.dense().sum(axis=1)) == pytest.approx(1_500, rel=0.15)
    assert 0.4 < 1 - cells.adata.X.nnz / np.prod(cells.adata.shape) < 0.95


def test_a_real_looking_panel_is_mostly_zeros():
    cells = datasets.simulate_cells(2, 2, 5_000, cells_per_donor=20, depth=800)
    assert 1 - cells.adata.X.nnz / np.prod(cells.adata.shape) > 0.85


def _shares(cells: Cohort) -> pd.DataFrame:
    depth = cells.adata.uns["truth"]["samples"]["depth"].to_numpy()
    return pd.DataFrame(cells.dense() / depth[:, None], columns=cells.genes)


def test_profiles_and_markers_of_cell_types(cells):
    shares = _shares(cells)
    control = cells.labels() == "control"
    truth = cells.adata.uns["truth"]
    means = shares[control].groupby(cells.obs["cell_type"].to_numpy()[control], observed=True).mean().T
    for name in truth["profiles"]:
        seen = truth["profiles"][name] > 1e-4
        assert np.corrcoef(np.log(means[name][seen] + 1e-7), np.log(truth["profiles"][name][seen]))[0, 1] > 0.9
        marked = cells.adata.var["marker"] == name
        assert marked.sum() == 24
        assert (means[name] > means.drop(columns=name).max(axis=1))[marked & seen].mean() > 0.9


def test_differences_belong_to_cell_types(cells):
    shares = _shares(cells)
    planted = cells.adata.uns["truth"]["log2_fold_change"]
    case = cells.labels() == "case"
    for name in planted:
        here = (cells.obs["cell_type"] == name).to_numpy()
        found = np.log2((shares[here & case].mean() + 1e-6) / (shares[here & ~case].mean() + 1e-6))
        seen = cells.adata.uns["truth"]["profiles"][name] > 3e-4
        differs = seen & (planted[name] != 0)
        assert np.corrcoef(found[differs], planted[name][differs])[0, 1] > 0.75
        assert np.abs(np.median(found[seen & ~differs])) < 0.15
    assert not (planted != 0).all(axis=1).any()


def test_programmes_vary_in_their_own_cell_type_only(cells):
    shares = _shares(cells)
    factor = cells.adata.uns["truth"]["samples"]["programme"]
    for name, genes in datasets.gene_sets(cells).items():
        cell_type = name.removeprefix("PROGRAMME_")
        score = np.log(shares[genes].sum(axis=1) + 1e-4)
        here = (cells.obs["cell_type"] == cell_type).to_numpy()
        assert np.corrcoef(score[here], factor[here])[0, 1] > 0.4
        assert abs(np.corrcoef(score[~here], factor[~here])[0, 1]) < 0.12


def test_donors_differ_in_composition_and_expression(cells):
    truth = cells.adata.uns["truth"]
    found = pd.crosstab(cells.obs["donor"], cells.obs["cell_type"], normalize="index")
    np.testing.assert_allclose(found.loc[truth["composition"].index], truth["composition"], atol=0.15)
    assert truth["composition"].std().min() > 0.02
    even = datasets.simulate_cells(2, 2, 50, cells_per_donor=5, composition_spread=0).adata.uns["truth"]
    assert even["composition"].nunique().eq(1).all()


def test_donor_effects_have_the_planted_size():
    cells = datasets.simulate_cells(
        10, 10, 200, cells_per_donor=400, n_cell_types=1, donor_sd=0.4, fraction_differential=0, depth=5_000
    )
    means = _shares(cells).groupby(cells.obs["donor"].to_numpy(), observed=True).mean()
    plain = (cells.adata.uns["truth"]["profiles"]["type1"] > 2e-3) & (cells.adata.var["module"] == "none")
    assert np.log(means.loc[:, plain]).std().mean() == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"depth": 10}, "depth must be at least 100"),
        ({"n_cell_types": 0}, "n_cell_types must be at least 1"),
        ({"fraction_markers": 0.3}, "Lower fraction_markers"),
        ({"composition_spread": 2}, "composition_spread is a share"),
        ({"cells_per_donor": 0}, "cells_per_donor must be at least 1"),
        ({"n_genes": 5}, "n_genes must be at least 20"),
        ({"dispersion_a0": 0}, "dispersion_a0 must be above 0"),
    ],
)
def test_impossible_cell_settings_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        datasets.simulate_cells(**settings)


# Public cohorts


def test_every_public_cohort_is_described():
    assert datasets.names() == sorted(public.COHORTS)
    for name in datasets.names():
        entry = public.COHORTS[name]
        assert entry.name == name
        assert all((entry.title, entry.accession, entry.origin, entry.licence, entry.reference))
        assert all(len(file.sha256) == 64 for file in entry.files)
    assert datasets.listing().index.tolist() == datasets.names()


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match="Unknown dataset 'tb-blood'; did you mean 'tb-blood-"):
        datasets.load("tb-blood")


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No cohort at hand: empty folders for data and cache."""
    monkeypatch.setenv("TWINSEQ_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(public, "CHECKOUT", tmp_path / "src" / "twinseq")
    return tmp_path


def test_data_that_are_not_at_hand_are_explained(nowhere):
    with pytest.raises(CohortError, match=r"no public address.*GSE101705.*TBSignatureProfiler.*TWINSEQ_DATA"):
        datasets.load("tb-blood-44")


def test_a_wrong_file_is_refused(nowhere):
    folder = nowhere / "data" / "tb-blood-44"
    folder.mkdir(parents=True)
    (folder / "counts.csv.gz").write_bytes(b"other")
    with pytest.raises(CohortError, match=r"not the file that is known as tb-blood-44.*SHA-256"):
        datasets.load("tb-blood-44")


@pytest.fixture
def served(nowhere, monkeypatch):
    """A small cohort behind a local web address."""
    folder = nowhere / "www"
    folder.mkdir()
    (folder / "counts.csv").write_text(",s1,s2,s3,s4\ng1,1,2,3,4\n")
    (folder / "samples.csv").write_text(",group\ns1,a\ns2,a\ns3,b\ns4,b\n")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    files = tuple(
        public.PublicFile(name, hashlib.sha256((folder / name).read_bytes()).hexdigest(), f"{address}/{name}")
        for name in ("counts.csv", "samples.csv")
    )
    entry = public.PublicCohort("toy", "t", "a", "o", "l", "r", files=files, label="group")
    monkeypatch.setitem(public.COHORTS, "toy", entry)
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_public_file_is_fetched_once_and_kept(served):
    assert datasets.load("toy").labels().tolist() == ["a", "a", "b", "b"]
    for path in served.iterdir():
        path.unlink()
    assert datasets.load("toy").n_samples == 4


def test_a_fetched_file_is_checked(served):
    (served / "counts.csv").write_text(",s1,s2,s3,s4\ng1,9,9,9,9\n")
    with pytest.raises(CohortError, match=r"counts\.csv could not be fetched.*TWINSEQ_DATA"):
        datasets.load("toy")


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("tb-blood-44", (44, 25_368), {"TB": 28, "LTBI": 16}),
        ("tb-blood-75", (75, 25_368), {"TB": 43, "nonTB": 32}),
        ("brca-tumour-normal-100", (100, 20_531), {"tumour": 50, "normal": 50}),
        ("brca-pam50-1172", (1_172, 1_354), {"tumour": 1_052, "normal": 113, "metastasis": 7}),
        ("onek1k-40donors", (7_811, 1_000), {"all": 7_811}),
    ],
)
def test_public_cohorts_load_with_their_roles(data_dir, name, shape, classes):
    cohort = datasets.load(name)
    assert cohort.adata.shape == shape
    assert pd.Series(cohort.labels()).value_counts().to_dict() == classes
    entry = public.COHORTS[name]
    assert (cohort.donor, cohort.cell_type, cohort.covariates) == (entry.donor, entry.cell_type, entry.covariates)


@pytest.mark.parametrize("name", ["cells.h5ad", "cells.zarr"])
def test_cells_written_in_parts_are_those_in_memory(tmp_path, name, monkeypatch):
    monkeypatch.setattr("twinseq.datasets.cells.CHUNK", 50)
    settings = {"n_cases": 3, "n_controls": 3, "n_genes": 60, "cells_per_donor": 30, "seed": 4}
    whole = datasets.simulate_cells(**settings)
    datasets.write_cells(tmp_path / name, **settings)
    stored = io.read(tmp_path / name, lazy=True)
    assert stored.roles() == whole.roles()
    np.testing.assert_array_equal(stored.dense(), whole.dense())
    pd.testing.assert_frame_equal(stored.obs, whole.obs)
    pd.testing.assert_frame_equal(
        stored.adata.uns["truth"]["composition"], whole.adata.uns["truth"]["composition"], check_names=False
    )
    with pytest.raises(ConfigError, match=r"no setting 'n_cels'"):
        datasets.write_cells(tmp_path / "c.h5ad", n_cels=3)
