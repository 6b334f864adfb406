"""Cohorts that stay on disk: the same as in memory, in every layout, and clear words where they cannot be used."""

import pickle
import shutil
import warnings
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import twinseq as ts
from twinseq import containers, memory, stored
from twinseq.cohort import Cohort
from twinseq.errors import CohortError, ConfigError
from twinseq.stored import StoredMatrix

LAYOUTS = ("csr", "csc", "dense")
FILES = [f"{layout}{suffix}" for layout in LAYOUTS for suffix in (".h5ad", ".zarr")]


@pytest.fixture(scope="module")
def cells() -> Cohort:
    return ts.datasets.simulate_cells(4, 4, 90, cells_per_donor=40)


@pytest.fixture(scope="module")
def folder(cells, tmp_path_factory) -> Path:
    """The cohort in every layout, as anndata itself writes it."""
    place = tmp_path_factory.mktemp("stored")
    adata = cells.adata.copy()
    adata.uns["twinseq"] = cells.roles()
    for layout in LAYOUTS:
        adata.X = adata.X.toarray() if layout == "dense" else adata.X.asformat(layout)
        adata.write_h5ad(place / f"{layout}.h5ad")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of versions of the zarr format
            adata.write_zarr(place / f"{layout}.zarr")
    return place


def as_array(part):
    return part.toarray() if sp.issparse(part) else part


@pytest.mark.parametrize("name", FILES)
def test_on_disk_is_the_same_as_in_memory(cells, folder, name):
    lazy, eager = ts.read(folder / name, lazy=True), ts.read(folder / name)
    assert (lazy.lazy, eager.lazy) == (True, False)
    assert lazy.sparse == eager.sparse == (not name.startswith("dense"))
    assert lazy.roles() == eager.roles() == cells.roles()
    pd.testing.assert_frame_equal(lazy.obs, eager.obs)
    pd.testing.assert_frame_equal(lazy.adata.var, eager.adata.var)
    assert lazy.adata.X.dtype == eager.adata.X.dtype
    np.testing.assert_array_equal(lazy.dense(), eager.dense())
    assert [rows for rows, _ in lazy.chunks(100)] == [rows for rows, _ in eager.chunks(100)]
    for (_, one), (_, other) in zip(lazy.chunks(100), eager.chunks(100), strict=True):
        assert sp.issparse(one) == sp.issparse(other)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(as_array(one), as_array(other))
    loaded = lazy.in_memory()
    assert not loaded.lazy
    assert type(loaded.adata.X) is type(eager.adata.X)
    np.testing.assert_array_equal(loaded.dense(), eager.dense())
    assert (lazy.classes() == eager.classes()).all()
    assert (lazy.donors() == eager.donors()).all()


@pytest.mark.parametrize("name", FILES)
def test_rows_and_genes_are_picked_on_disk(cells, folder, name, monkeypatch):
    rng = np.random.default_rng(0)
    whole = cells.dense()
    n = cells.n_samples
    cohort = ts.read(folder / name, lazy=True)
    for span, near in ((2**22, 256), (400, 3)):  # small ones cut the reading into many pieces
        monkeypatch.setattr(stored, "SPAN", span)
        monkeypatch.setattr(stored, "NEAR", near)
        np.testing.assert_array_equal(as_array(cohort.adata.X[[5, 5, 9, 2]]), whole[[5, 5, 9, 2]])
        for rows in (rng.permutation(n)[:70], np.sort(rng.choice(n, 50, replace=False)), np.arange(n) % 3 == 0):
            part = cohort.subset(rows)
            assert part.lazy
            np.testing.assert_array_equal(part.dense(), whole[rows])
            assert part.adata.obs_names.tolist() == cohort.adata.obs_names[rows].tolist()
    rows, again, genes = rng.permutation(n)[:70], np.array([3, 60, 7]), rng.permutation(90)[:11]
    part = cohort.subset(rows).subset(again).take_genes(genes)
    np.testing.assert_array_equal(part.dense(), whole[rows[again]][:, genes])
    assert part.genes.tolist() == cells.genes[genes].tolist()
    np.testing.assert_array_equal(as_array(cohort.adata.X[rows, 3:9]), whole[rows, 3:9])
    np.testing.assert_array_equal(as_array(cohort.adata[rows][:, genes].X), whole[rows][:, genes])


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_a_matrix_stored_by_gene_is_turned_in_bands(cells, folder, monkeypatch, suffix):
    each = cells.adata.X.nnz / cells.n_samples * (4 + 16)
    monkeypatch.setattr(stored, "memory_bytes", lambda: int(each * 50 / stored.LAZY_SHARE * 4))
    monkeypatch.setattr(stored, "SPAN", 1000)
    turned = []
    whole = StoredMatrix._turned_band
    monkeypatch.setattr(
        StoredMatrix, "_turned_band", lambda self, low, high: turned.append((low, high)) or whole(self, low, high)
    )
    x = StoredMatrix.of(folder / f"csc{suffix}")
    parts = [x[start : start + 33] for start in range(0, cells.n_samples, 33)]
    np.testing.assert_array_equal(sp.vstack(parts).toarray(), cells.dense())
    heights = {high - low for low, high in turned[:-1]}
    assert heights == {turned[0][1]}
    assert 45 <= turned[0][1] <= 50
    assert len(turned) == -(-cells.n_samples // turned[0][1])  # each band once


def test_large_files_are_left_on_disk(folder, monkeypatch):
    size = StoredMatrix.of(folder / "csr.h5ad").n_bytes
    for available, lazy in ((5 * size, False), (3 * size, True)):
        monkeypatch.setattr(containers, "memory_bytes", lambda size=available: size)
        assert ts.read(folder / "csr.h5ad").lazy is lazy
        assert not ts.read(folder / "csr.h5ad", lazy=False).lazy


def test_what_does_not_fit_is_not_loaded(folder, monkeypatch):
    cohort = ts.read(folder / "csr.h5ad", lazy=True)
    monkeypatch.setattr(memory, "memory_bytes", lambda: 2 * cohort.adata.X.n_bytes - 2)
    for load in (cohort.dense, cohort.in_memory, cohort.adata.copy):
        with pytest.raises(CohortError, match=r"csr\.h5ad: .* would take .* GiB at once, more than half .* take fewer"):
            load()
    few = cohort.subset(np.arange(20))
    assert few.in_memory().n_samples == 20
    assert few.dense().shape == (20, 90)


def test_memory_is_known():
    assert 2**28 < memory.memory_bytes() < 2**50


def test_what_needs_the_whole_matrix_says_so(folder):
    x = ts.read(folder / "csr.h5ad", lazy=True).adata.X
    assert not hasattr(x, "tocsr")
    with pytest.raises(CohortError, match=r"works on the whole matrix \('max'\).*--no-lazy"):
        x.max()


def test_handed_to_another_process(folder, cells):
    for name in FILES:
        cohort = ts.read(folder / name, lazy=True).subset(np.arange(30, 60))
        list(cohort.chunks())
        sent = pickle.dumps(cohort.adata.X)
        assert len(sent) < 20_000
        np.testing.assert_array_equal(pickle.loads(sent).dense(), cells.dense()[30:60])  # noqa: S301


@pytest.mark.parametrize("name", ["csr.h5ad", "dense.zarr"])
def test_splits_are_those_in_memory(folder, name):
    lazy, eager = ts.read(folder / name, lazy=True), ts.read(folder / name)
    for one, other in zip(lazy.split((0.5, 0.5), seed=3), eager.split((0.5, 0.5), seed=3), strict=True):
        assert one.lazy
        pd.testing.assert_frame_equal(one.obs, other.obs)
        np.testing.assert_array_equal(one.dense(), other.dense())


def test_cells_of_unstated_donors_are_not_split(folder):
    cohort = ts.read(folder / "csr.h5ad", lazy=True)
    with pytest.raises(CohortError, match=r"cells have no donor stated.*--donor"):
        Cohort(cohort.adata, cell_type="cell_type").split()


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 0.5])
@pytest.mark.parametrize("layout", ["csr", "dense"])
def test_bad_values_are_found_wherever_they_are(tmp_path, layout, value, monkeypatch):
    monkeypatch.setattr("twinseq.validation.PART", 7)
    x = np.ones((50, 6), dtype=np.float32)
    x[33, 4] = x[40, 1] = value
    obs = pd.DataFrame(index=[f"cell{number}" for number in range(50)])
    adata = ad.AnnData(sp.csr_matrix(x) if layout == "csr" else x, obs=obs)
    adata.write_h5ad(tmp_path / "c.h5ad")
    messages = []
    for lazy in (True, False):
        with pytest.raises(CohortError, match=r"at sample 'cell33', gene '4'; 2 such value\(s\) in all") as raised:
            ts.read(tmp_path / "c.h5ad", lazy=lazy)
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


def test_empty_cells_are_found_wherever_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr("twinseq.validation.PART", 7)
    x = np.ones((50, 6), dtype=np.int32)
    x[[20, 45]] = 0
    ad.AnnData(sp.csr_matrix(x)).write_h5ad(tmp_path / "c.h5ad")
    with pytest.raises(CohortError, match=r"2 sample\(s\) without a single count: '20', '45'"):
        ts.read(tmp_path / "c.h5ad", lazy=True)


@pytest.mark.parametrize("lazy", [True, False, None])
class TestDamage:
    def test_a_truncated_file(self, folder, tmp_path, lazy):
        whole = (folder / "csr.h5ad").read_bytes()
        for share in (0.0, 0.3, 0.9):
            (tmp_path / "c.h5ad").write_bytes(whole[: int(share * len(whole))])
            with pytest.raises(CohortError, match=r"c\.h5ad: .*copied whole"):
                ts.read(tmp_path / "c.h5ad", lazy=lazy)

    @pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
    def test_no_profiles(self, tmp_path, lazy, suffix):
        obs = pd.DataFrame(index=["a", "b"])
        adata = ad.AnnData(obs=obs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            getattr(adata, f"write_{suffix[1:]}")(tmp_path / f"c{suffix}")
        with pytest.raises(CohortError, match=r"the file has no X"):
            ts.read(tmp_path / f"c{suffix}", lazy=lazy)

    def test_a_folder_that_is_no_zarr(self, tmp_path, lazy):
        (tmp_path / "c.zarr").mkdir()
        with pytest.raises(CohortError, match=r"c\.zarr: not a readable \.zarr folder"):
            ts.read(tmp_path / "c.zarr", lazy=lazy)

    def test_a_lost_chunk(self, folder, tmp_path, lazy):
        """zarr would read it as zeros."""
        shutil.copytree(folder / "csr.zarr", tmp_path / "c.zarr")
        (tmp_path / "c.zarr" / "X" / "indices" / "0").unlink()
        with pytest.raises(CohortError, match=r"chunks of X are missing"):
            ts.read(tmp_path / "c.zarr", lazy=lazy)


def test_indices_beyond_the_matrix(folder, tmp_path):
    for entry, at, words in (("indices", 5, "beyond the matrix"), ("indptr", 3, "indptr makes no sense")):
        shutil.copy(folder / "csr.h5ad", tmp_path / "c.h5ad")
        with h5py.File(tmp_path / "c.h5ad", "r+") as file:
            file["X"][entry][at] = 2**30
        with pytest.raises(CohortError, match=words):
            ts.read(tmp_path / "c.h5ad", lazy=True)


def test_tables_are_not_read_in_parts(cells, tmp_path):
    ts.write(cells, tmp_path / "c.csv")
    with pytest.raises(ConfigError, match=r"only \.h5ad and \.zarr can be read in parts"):
        ts.read(tmp_path / "c.csv", lazy=True)
