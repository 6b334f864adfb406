"""Cells that cannot be worked with are refused, in Python and at the command line, left on disk or not."""

import h5py
import numpy as np
import pytest

import twinseq as ts
from twinseq.errors import TwinseqError

ROLES = {"label": "condition", "donor": "donor", "cell_type": "cell_type"}
OPTIONS = ("--label", "condition", "--donor", "donor", "--cell-type", "cell_type")


def plain_cells(seed: int = 0):
    """Return cells as others would have them in a file: no roles, no truth."""
    adata = ts.datasets.simulate_cells(3, 3, 40, cells_per_donor=25, n_cell_types=2, seed=seed).adata.copy()
    del adata.uns["truth"]
    return adata


def log_normalised(adata):
    totals = np.asarray(adata.X.sum(axis=1)).ravel()
    adata.X = adata.X.multiply(1e4 / totals[:, None]).log1p().tocsr().astype(np.float32)


def scaled(adata):
    x = adata.X.toarray().astype(float)
    adata.X = np.minimum((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9), 1.0)


def capped(adata):
    adata.X = np.minimum(adata.X.toarray() * 20, 255).astype(np.uint8)


def without(column):
    def change(adata):
        del adata.obs[column]

    return change


def gap(column):
    def change(adata):
        adata.obs[column] = adata.obs[column].astype(object)
        adata.obs.iloc[7, adata.obs.columns.get_loc(column)] = None

    return change


def twice(adata):
    names = adata.obs_names.to_numpy(dtype=object)
    names[5] = names[4]
    adata.obs_names = names


CASES = {
    "log-normalised": (log_normalised, ("not a whole number", "log-normalised values", "10,000", "Raw counts")),
    "scaled": (scaled, ("negative value", "scaled or centred", "capped at 1", "Raw counts")),
    "capped": (capped, ("no count is above 255", "capped")),
    "no donors": (without("donor"), ("no column 'donor' (donor)",)),
    "no cell types": (without("cell_type"), ("no column 'cell_type' (cell_type)",)),
    "a cell of no donor": (gap("donor"), ("(donor) is missing for 1 sample", "Fill it in or drop")),
    "a cell of no type": (gap("cell_type"), ("(cell_type) is missing for 1 sample", "Fill it in or drop")),
    "a barcode twice": (twice, ("1 duplicate sample name(s)", "must occur once")),
}


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("lazy", [False, True])
def test_bad_cells(twinseq, tmp_path, case, lazy):
    change, words = CASES[case]
    adata = plain_cells()
    change(adata)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(TwinseqError) as refused:
        ts.read(tmp_path / "cells.h5ad", lazy=lazy, **ROLES)
    ended = twinseq(
        "generate", tmp_path / "cells.h5ad", *OPTIONS, "--lazy" if lazy else "--no-lazy", "-o", tmp_path / "twin.h5ad"
    )
    assert ended.code == 2
    assert not (tmp_path / "twin.h5ad").exists()
    for message in (str(refused.value), ended.err):
        assert "cells.h5ad" in message
        for word in words:
            assert word in message


def test_a_backed_file_that_cannot_be_read(twinseq, tmp_path):
    """Damage that shows only once values are asked for."""
    path = tmp_path / "cells.h5ad"
    plain_cells().write_h5ad(path, compression="gzip")
    with h5py.File(path) as file:
        data = file["X/data"]
        chunk = data.id.get_chunk_info(0)
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(bytes(chunk.size))
    with pytest.raises(TwinseqError, match=r"cells\.h5ad.*cannot be read.*copied whole"):
        ts.read(path, lazy=True, **ROLES)
    ended = twinseq("generate", path, *OPTIONS, "--lazy", "-o", tmp_path / "twin.h5ad")
    assert ended.code == 2
    assert "cannot be read" in ended.err
    assert not (tmp_path / "twin.h5ad").exists()


@pytest.mark.parametrize("generator", ["cell-copula", "scdesign2"])
def test_donors_of_one_cell_type_each(twinseq, tmp_path, generator):
    """Nothing tells donors from types then: twins are made, and donors are split whole."""
    adata = plain_cells()
    number = adata.obs["donor"].cat.codes
    adata = adata[(number % 2 == 0) == (adata.obs["cell_type"] == "type1")].copy()
    assert (adata.obs.groupby("donor", observed=True)["cell_type"].nunique() == 1).all()
    adata.write_h5ad(tmp_path / "cells.h5ad")
    ended = twinseq("generate", tmp_path / "cells.h5ad", *OPTIONS, "-g", generator, "-o", tmp_path / "twin.h5ad")
    assert ended.code == 0, ended.err
    twin = ts.read(tmp_path / "twin.h5ad", **(ROLES if generator == "cell-copula" else {**ROLES, "donor": None}))
    assert twin.n_samples == len(adata)
    assert set(twin.obs["cell_type"]) == {"type1", "type2"}
