"""`twinseq generate`: every format, the same bytes again, roles and columns as in the real cohort."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import twinseq as ts

from .conftest import identities

ROLES = ("--label", "condition", "--donor", "donor", "--covariate", "sex", "--covariate", "age")


@pytest.mark.parametrize("source", ["c.h5ad", "c.csv", "c.csv.gz", "c.tsv", "c.parquet", "c.mtx"])
@pytest.mark.parametrize("target", ["twin.h5ad", "twin.csv"])
def test_every_format_gives_the_same_twin(twinseq, files, tmp_path, cohort, source, target):
    ended = twinseq("generate", files / source, "-o", tmp_path / target, *ROLES, "--seed", 5)
    assert (ended.code, ended.err) == (0, "")
    assert "40 samples × 300 genes by Low-rank Gaussian copula" in ended.out
    twin = ts.read(tmp_path / target, label="condition", covariates=["sex", "age"])
    expected = ts.generators.create("copula", preset="faithful").fit(cohort, seed=5).sample(seed=6)
    assert (twin.dense() == expected.dense()).all()
    assert twin.labels().tolist() == expected.labels().tolist()
    assert list(twin.obs.columns) == list(cohort.obs.columns)
    assert twin.obs[["donor", "note"]].isna().all(axis=None)
    assert not identities(cohort) & set(twin.adata.obs_names)


@pytest.mark.parametrize("target", ["twin.csv", "twin.csv.gz", "twin.tsv", "twin.parquet", "twin.mtx"])
def test_the_sample_table_lies_beside_the_twin(twinseq, files, tmp_path, target):
    ended = twinseq("generate", files / "c.h5ad", "-o", tmp_path / target)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([target, "twin.samples.csv"])
    for path in (tmp_path / target, tmp_path / "twin.samples.csv"):
        assert str(path) in ended.out
    assert ts.read(tmp_path / target, label="condition").n_samples == 40


def test_csv_out_reads_back_identically(twinseq, files, tmp_path):
    """The tables hold what the h5ad holds, for readers that know nothing of twinseq."""
    twinseq("generate", files / "c.csv", *ROLES, "-o", tmp_path / "twin.csv")
    twinseq("generate", files / "c.csv", *ROLES, "-o", tmp_path / "twin.h5ad")
    counts = pd.read_csv(tmp_path / "twin.csv", index_col=0)
    samples = pd.read_csv(tmp_path / "twin.samples.csv", index_col=0)
    twin = ts.read(tmp_path / "twin.h5ad")
    assert (counts.dtypes == np.int64).all()
    assert (twin.dense() == counts.to_numpy().T).all()
    assert counts.index.tolist() == twin.genes.tolist()
    assert counts.columns.tolist() == samples.index.tolist() == twin.adata.obs_names.tolist()
    assert samples["condition"].tolist() == twin.labels().tolist()
    assert samples["age"].tolist() == twin.obs["age"].tolist()


def test_roles_kept_in_h5ad_are_used_and_kept(twinseq, files, tmp_path, cohort):
    twinseq("generate", files / "c.h5ad", "-o", tmp_path / "twin.h5ad")
    twin = ts.read(tmp_path / "twin.h5ad")
    assert (twin.label, twin.covariates, twin.kind) == ("condition", ("sex", "age"), "counts")
    assert twin.donor is None
    assert pd.Series(twin.labels()).value_counts().to_dict() == {"case": 20, "control": 20}
    assert twin.obs.dtypes["condition"] == cohort.obs.dtypes["condition"]


def test_the_h5ad_goes_through_scanpy(twinseq, files, tmp_path):
    scanpy = pytest.importorskip("scanpy")
    twinseq("generate", files / "c.h5ad", "-o", tmp_path / "twin.h5ad")
    adata = scanpy.read_h5ad(tmp_path / "twin.h5ad")
    scanpy.pp.normalize_total(adata)
    scanpy.pp.log1p(adata)
    scanpy.pp.highly_variable_genes(adata, n_top_genes=100)
    scanpy.pp.pca(adata, n_comps=5)
    assert adata.obsm["X_pca"].shape == (40, 5)
    assert np.isfinite(adata.obsm["X_pca"]).all()


@pytest.mark.parametrize("target", ["twin.h5ad", "twin.csv.gz", "twin.parquet"])
def test_same_seed_same_bytes_whatever_the_workers(twinseq, files, tmp_path, target):
    written = []
    for jobs, seed in ((1, 7), (2, 7), (2, 8)):
        twinseq("generate", files / "c.h5ad", "-o", tmp_path / target, "--jobs", jobs, "--seed", seed)
        written.append((tmp_path / target).read_bytes())
    assert written[0] == written[1] != written[2]


PLAIN = [name for name in ts.generators.names() if ts.generators.info(name).family != "dp" and name != "basis-copula"]


@pytest.fixture(scope="module")
def shallow(tmp_path_factory) -> Path:
    """A cohort whose counts are small enough for generators of cells, which go through them one by one."""
    path = tmp_path_factory.mktemp("shallow") / "c.h5ad"
    ts.write(ts.datasets.simulate_cohort(20, 20, 100, library_size=2e4), path)
    return path


@pytest.mark.parametrize("generator", PLAIN)
def test_ten_times_the_cohort(twinseq, shallow, tmp_path, generator):
    quick = ("--set", "steps=40") if "steps" in ts.generators.defaults(generator) else ()
    ended = twinseq("generate", shallow, "-o", tmp_path / "twin.h5ad", "--n", 400, "-g", generator, "--json", *quick)
    twin = ts.read(tmp_path / "twin.h5ad")
    assert ended.json["samples"] == twin.n_samples == 400
    assert pd.Series(twin.labels()).value_counts().to_dict() == {"case": 200, "control": 200}


def test_settings_reach_the_generator(twinseq, files, tmp_path):
    words = ["--set", "factors=3", "--set", "balanced=false", "--set", "smoothing=0.5"]
    ended = twinseq("generate", files / "c.h5ad", "-o", tmp_path / "twin.h5ad", *words, "--json")
    assert ended.json["parameters"] == {"factors": 3, "balanced": False, "smoothing": 0.5, "pooling": 10.0}
    assert ended.json["preset"] == "faithful"
    ended = twinseq("generate", files / "c.h5ad", "-o", tmp_path / "twin.h5ad", "--set", "factors=none", "--json")
    assert ended.json["parameters"]["factors"] is None


def test_json_is_all_of_the_output(twinseq, files, tmp_path):
    ended = twinseq("generate", files / "c.h5ad", "-o", tmp_path / "t.csv", "--seed", 2, "--json")
    result = json.loads(ended.out)
    assert result["twin"] == [str(tmp_path / "t.csv"), str(tmp_path / "t.samples.csv")]
    assert (result["genes"], result["seed"], result["generator"]) == (300, 2, "copula")
    assert result["empty_columns"] == ["donor", "crp", "note"]
    assert ended.err == ""


def test_names_in_json_are_as_they_are(twinseq, cohort, tmp_path):
    adata = cohort.adata.copy()
    adata.obs = adata.obs.rename(columns={"note": ":smile: [red]β\n"})
    ts.write(cohort.with_adata(adata), tmp_path / "c.h5ad")
    ended = twinseq("generate", tmp_path / "c.h5ad", "-o", tmp_path / "t.h5ad", "--json")
    assert ended.json["empty_columns"] == ["donor", "crp", ":smile: [red]β\n"]


def test_a_10x_folder_is_read_from_within(twinseq, files, tmp_path, monkeypatch):
    monkeypatch.chdir(files / "c.mtx")
    ended = twinseq("generate", ".", "--label", "condition", "-o", tmp_path / "t.h5ad")
    assert (ended.code, ended.err) == (0, "")
    assert set(ts.read(tmp_path / "t.h5ad").labels()) == {"case", "control"}


def test_generators_that_copy_warn_on_standard_error(twinseq, files, tmp_path):
    for words in ([], ["--json"]):
        ended = twinseq("generate", files / "c.h5ad", "-o", tmp_path / "t.h5ad", "-g", "bootstrap", *words)
        assert "Never share" in ended.err
        assert "Never share" not in ended.out


def test_quiet_prints_nothing(twinseq, files, tmp_path):
    ended = twinseq("generate", files / "c.h5ad", "-o", tmp_path / "t.h5ad", "-g", "bootstrap", "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert (tmp_path / "t.h5ad").is_file()


def test_an_output_folder_is_made(twinseq, files, tmp_path):
    twinseq("generate", files / "c.h5ad", "-o", tmp_path / "new" / "folder" / "t.h5ad")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["t.h5ad"]


def test_continuous_values_stay_continuous(twinseq, cohort, tmp_path):
    adata = cohort.adata.copy()
    adata.X = np.log2(cohort.dense() + 1)
    ts.write(cohort.with_adata(adata, kind="continuous"), tmp_path / "vst.csv")
    ended = twinseq("generate", tmp_path / "vst.csv", *ROLES, "--kind", "continuous", "-o", tmp_path / "t.h5ad")
    assert ended.code == 0
    twin = ts.read(tmp_path / "t.h5ad")
    assert twin.kind == "continuous"
    assert abs(twin.dense().mean() - adata.X.mean()) < 0.1


def test_single_cells_stay_sparse(twinseq, tmp_path):
    cells = ts.datasets.simulate_cells(n_cases=3, n_controls=3, n_genes=200, cells_per_donor=20)
    ts.write(cells, tmp_path / "cells.h5ad")
    ended = twinseq("generate", tmp_path / "cells.h5ad", "-o", tmp_path / "t.h5ad")
    assert ended.code == 0
    twin = ts.read(tmp_path / "t.h5ad")
    assert twin.cell_type == cells.cell_type
    assert twin.adata.X.format == "csr"
    assert set(twin.obs[twin.cell_type]) == set(cells.obs[cells.cell_type])
