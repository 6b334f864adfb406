"""Twins drawn in blocks, cohorts learnt from disk, and files written a part at a time."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import twinseq as ts
from twinseq import memory
from twinseq.cohort import Cohort
from twinseq.errors import CohortError, ConfigError, NotFittedError, OutputError
from twinseq.generators import _frame
from twinseq.io import write_parts

CELLS = {"n_cases": 3, "n_controls": 3, "n_genes": 50, "cells_per_donor": 40, "n_cell_types": 2}


@pytest.fixture(scope="module")
def cells() -> Cohort:
    return ts.datasets.simulate_cells(**CELLS)


@pytest.fixture(scope="module")
def stored(cells, tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "c.h5ad"
    ts.write(cells, path)
    return ts.read(path, lazy=True)


@pytest.mark.parametrize("name", ["scdesign2", "copula", "independent", "bootstrap"])
def test_blocks_are_the_twin(cells, name, monkeypatch):
    model = ts.generators.create(name).fit(cells, seed=0)
    whole = model.sample(500, seed=1)
    (only,) = model.sample_chunks(500, seed=1, size=500)
    np.testing.assert_array_equal(only.dense(), whole.dense())
    pd.testing.assert_frame_equal(only.obs, whole.obs)
    monkeypatch.setattr(_frame, "BLOCK_VALUES", 1)
    monkeypatch.setattr(_frame, "FEWEST", 150)
    blocks = list(model.sample_chunks(500, seed=1, jobs=2))
    assert [block.n_samples for block in blocks] == [125] * 4
    twin = model.sample(500, seed=1)
    np.testing.assert_array_equal(np.concatenate([block.dense() for block in blocks]), twin.dense())
    pd.testing.assert_frame_equal(pd.concat([block.obs for block in blocks]), twin.obs)
    assert twin.adata.obs_names.tolist() == whole.adata.obs_names.tolist()
    assert (twin.classes() == whole.classes()).all()
    assert twin.adata.X.format == "csr"
    # Blocks are draws of the same model, no copies of each other.
    means = [one.dense().mean() for one in (twin, whole)]
    assert abs(means[0] - means[1]) < 0.1 * means[1]
    assert len(np.unique(twin.dense()[:, :20], axis=0)) > 100


def test_designs_come_in_blocks(cells):
    model = ts.generators.create("scdesign2").fit(cells, seed=0)
    design = {("case", "type1"): 30, ("control", "type2"): 40}
    parts = list(model.sample_chunks(design=design, seed=1, size=32))
    assert [part.n_samples for part in parts] == [24, 23, 23]
    classes = np.concatenate([part.classes() for part in parts])
    assert dict(zip(*np.unique(classes, return_counts=True), strict=True)) == {
        "case / type1": 30,
        "control / type2": 40,
    }


def test_a_bad_call_is_refused_before_anything_is_drawn(cells):
    model = ts.generators.create("scdesign2")
    with pytest.raises(NotFittedError):
        model.sample_chunks()
    model.fit(cells)
    for bad in ({"n": 0}, {"size": 0}, {"size": 1.5}, {"n": 5, "design": {"x": 1}}, {"seed": -1}):
        with pytest.raises(ConfigError):
            model.sample_chunks(**bad)


@pytest.mark.parametrize("name", ["scdesign2", "copula", "cell-copula", "independent"])
def test_a_fit_is_the_same_from_disk(cells, stored, name):
    one, other = (ts.generators.create(name).fit(cohort, seed=5) for cohort in (cells, stored))
    for key, value in one._state().items():
        assert value.tobytes() == other._state()[key].tobytes(), key
    assert one.frame_.sparse is other.frame_.sparse is True
    assert one.frame_.dtype == other.frame_.dtype
    np.testing.assert_array_equal(one.sample(seed=6).dense(), other.sample(seed=6).dense())


def test_only_who_learns_in_parts_takes_more_than_fits(stored, monkeypatch):
    monkeypatch.setattr(memory, "memory_bytes", lambda: 1000)
    for name in ("scdesign2", "copula"):  # of cells
        assert ts.generators.create(name).fit(stored).sample(10).n_samples == 10
    with pytest.raises(CohortError, match=r"would take .* GiB at once.*generators that learn in parts"):
        ts.generators.create("independent").fit(stored)


def cohort_of(values, first: int = 0, genes: int = 3) -> Cohort:
    obs = pd.DataFrame({"batch": ["a"] * values.shape[0]}, index=[f"s{first + i}" for i in range(values.shape[0])])
    var = pd.DataFrame(index=[f"g{number}" for number in range(genes)])
    return Cohort(ad.AnnData(values, obs=obs, var=var), covariates=("batch",))


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
@pytest.mark.parametrize("make", [sp.csr_matrix, np.asarray])
def test_values_that_need_more_room_get_it(tmp_path, suffix, make):
    small, large = np.array([[1, 0, 100], [0, 7, 1]], dtype=np.int8), np.array([[0, 2**40, 3]])
    done = []
    path = tmp_path / f"c{suffix}"
    assert write_parts([cohort_of(make(small)), cohort_of(make(large), 2)], path, done.append) == [path]
    assert done == [2, 3]
    for lazy in (True, False):
        back = ts.read(path, lazy=lazy)
        assert back.adata.X.dtype == np.int64
        np.testing.assert_array_equal(back.dense(), np.concatenate([small, large]))
        assert back.sparse is (make is sp.csr_matrix)
    assert back.covariates == ("batch",)
    assert back.obs["batch"].tolist() == ["a"] * 3


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_parts_that_make_no_cohort_leave_nothing(tmp_path, suffix):
    values = np.ones((2, 3), dtype=np.int32)
    slashed = cohort_of(values)
    slashed.adata.obs["a/b"] = 1

    def broken():
        yield cohort_of(values)
        raise CohortError("broke off")

    for parts, error, words in (
        ([], CohortError, "nothing to write"),
        ([cohort_of(values), cohort_of(values)], CohortError, r"2 duplicate sample name\(s\): 's0', 's1'"),
        ([cohort_of(values), cohort_of(np.ones((1, 2)), 2, 2)], CohortError, "other genes or roles"),
        ([slashed], OutputError, "'a/b' has a '/'"),
        (broken(), CohortError, "broke off"),
    ):
        with pytest.raises(error, match=words):
            write_parts(parts, tmp_path / "new" / f"c{suffix}")
        assert not list(tmp_path.iterdir())


def test_a_cohort_on_disk_is_written_in_every_format(stored, tmp_path):
    part = stored.subset(np.arange(0, stored.n_samples, 7))
    for name in ("c.h5ad", "c.zarr", "c.csv", "c.mtx"):
        ts.write(part, tmp_path / name)
        roles = {} if name in ("c.h5ad", "c.zarr") else {"label": "condition", "cell_type": "cell_type"}
        np.testing.assert_array_equal(ts.read(tmp_path / name, **roles).dense(), stored.dense()[::7])
    first = (tmp_path / "c.h5ad").read_bytes()
    ts.write(part, tmp_path / "c.h5ad")
    assert (tmp_path / "c.h5ad").read_bytes() == first
