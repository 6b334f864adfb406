"""Profiles that stay on disk: the matrix of an ``.h5ad`` or ``.zarr``, read a part at a time.

The layout is anndata's: ``X`` is an array, or a group with ``data``, ``indices`` and ``indptr``. The file is opened for
each part and closed again, so that a matrix can be handed to other threads and processes.

Source: https://anndata.readthedocs.io/en/stable/fileformat-prose.html
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from numpy.typing import NDArray

from .errors import CohortError
from .memory import LAZY_SHARE, check_fits, memory_bytes

SPAN = 2**22
"""Values that are read in one go to pick rows out of them."""
NEAR = 256
"""Rows between two wanted ones that are read along, rather than passed over by a read of its own."""
PART = 4096
HDF5_CACHE = 2**25


class NotInMemoryError(CohortError, AttributeError):
    """Something asked for the whole of a matrix that lies on disk."""


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open the root group of an ``.h5ad`` or ``.zarr`` for reading."""
    if path.suffix.lower() == ".zarr":
        import zarr

        yield zarr.open_group(str(path), mode="r")
        return
    with h5py.File(path, "r", rdcc_nbytes=HDF5_CACHE) as file:
        yield file


@dataclass
class _Kept:
    """What has been read of a file, shared by all selections from it.

    Parameters
    ----------
    pointers
        Where each row (csr) or column (csc) starts, ``n + 1``.
    band
        First row, row after the last, and profiles of the part of a csc matrix that was turned last.
    """

    pointers: NDArray[np.int64] | None = None
    band: tuple[int, int, sp.csr_matrix] | None = None


class StoredMatrix:
    """A matrix on disk, ``n_samples × n_genes``; rows and genes may be a selection of those in the file.

    Slices (``x[10:20]``, ``x[rows]``, ``x[rows, genes]``) are read into memory: csr where the file is sparse, else an
    array. A csc matrix is turned in bands of rows, each of which takes a pass over the file.

    Raises
    ------
    CohortError
        The file is damaged, or more is asked for than fits into memory.
    """

    ndim = 2

    def __init__(self, path: Path, layout: str, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self.path = path
        self.layout = layout
        self.dtype = dtype
        self._whole = shape
        self._rows: NDArray[np.intp] | None = None
        self._columns: NDArray[np.intp] | None = None
        self._kept = _Kept()

    @classmethod
    def of(cls, path: Path) -> StoredMatrix:
        """Describe the ``X`` of a file; nothing but its size is read.

        Raises
        ------
        CohortError
            There is none, or it is neither an array nor a csr or csc matrix.
        """
        with opened(path) as root:
            x = root.get("X")
            if x is None or x.attrs.get("encoding-type") == "null":
                raise CohortError(f"{path}: the file has no X. Put the profiles into X, samples × genes.")
            if hasattr(x, "dtype"):
                layout, shape, dtype = "dense", x.shape, x.dtype
            else:
                layout = str(x.attrs.get("encoding-type", x.attrs.get("h5sparse_format"))).removesuffix("_matrix")
                shape = x.attrs.get("shape", x.attrs.get("h5sparse_shape"))
                if layout not in ("csr", "csc") or shape is None or "data" not in x:
                    raise CohortError(f"{path}: X is neither an array nor a csr or csc matrix, so it cannot be read.")
                dtype = x["data"].dtype
                _check_complete(path, x, int(shape[0]))
        if len(shape) != 2:
            raise CohortError(f"{path}: X has {len(shape)} dimension(s); samples × genes are needed.")
        return cls(path, layout, (int(shape[0]), int(shape[1])), np.dtype(dtype))

    @property
    def sparse(self) -> bool:
        """Whether parts are csr matrices."""
        return self.layout != "dense"

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and genes."""
        rows, columns = self._whole
        return (
            rows if self._rows is None else len(self._rows),
            columns if self._columns is None else len(self._columns),
        )

    @property
    def n_bytes(self) -> int:
        """Memory that the profiles would take, sparse where the file is; of a selection of a csc matrix, roughly."""
        rows, columns = self.shape
        share = columns / max(self._whole[1], 1)
        if not self.sparse:
            return rows * columns * self.dtype.itemsize
        pointers = self._pointers()
        if self.layout == "csr" and self._rows is not None:
            values = int((pointers[self._rows + 1] - pointers[self._rows]).sum())
        else:
            values = int(pointers[-1] * rows / max(self._whole[0], 1))
        return int(values * share) * (self.dtype.itemsize + 4) + 8 * rows

    def select(self, rows: Any = None, columns: Any = None) -> StoredMatrix:
        """Return a selection of rows and columns (indices, masks or slices); nothing is read."""
        part = copy.copy(self)
        part._rows = _chosen(self._rows, rows, self._whole[0])
        part._columns = _chosen(self._columns, columns, self._whole[1])
        return part

    def to_memory(self) -> Any:
        """Return the profiles as a csr matrix or an array.

        Raises
        ------
        CohortError
            They would take more than half of the memory.
        """
        check_fits(self.n_bytes, f"{self.path}: the profiles of {self.shape[0]:,} samples")
        parts = [self._read(start, min(start + PART, self.shape[0])) for start in range(0, self.shape[0], PART)]
        if self.sparse:
            return sp.vstack(parts, format="csr") if parts else sp.csr_matrix(self.shape, dtype=self.dtype)
        return np.concatenate(parts) if parts else np.empty(self.shape, dtype=self.dtype)

    def dense(self, dtype: Any = None) -> NDArray[Any]:
        """Return the profiles as an array.

        Raises
        ------
        CohortError
            They would take more than half of the memory.
        """
        dtype = np.dtype(self.dtype if dtype is None else dtype)
        n_samples, n_genes = self.shape
        check_fits(n_samples * n_genes * dtype.itemsize, f"{self.path}: a dense table of {n_samples:,} × {n_genes:,}")
        values = np.empty(self.shape, dtype=dtype)
        for start in range(0, n_samples, PART):
            stop = min(start + PART, n_samples)
            part = self._read(start, stop)
            values[start:stop] = part.toarray() if sp.issparse(part) else part
        return values

    def copy(self) -> Any:
        """Return the profiles in memory."""
        return self.to_memory()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        rows, columns = index if isinstance(index, tuple) else (index, None)
        if isinstance(columns, slice) and columns == slice(None):
            columns = None
        if columns is None and isinstance(rows, slice):
            start, stop, step = rows.indices(self.shape[0])
            if step == 1 and stop - start <= PART:
                return self._read(start, max(start, stop))
        return self.select(rows, columns).to_memory()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.dense(dtype)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotInMemoryError(
            f"{self.path}: this works on the whole matrix ('{name}'), which lies on disk and is read in parts. "
            "Read it whole (lazy=False, --no-lazy) where it fits into memory, or load a part of it (Cohort.in_memory)."
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": _Kept()}  # large, and quick to be read again

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def _read(self, start: int, stop: int) -> Any:
        """Return rows ``start … stop − 1`` of the selection."""
        if self._rows is None:
            part = self._span(start, stop)
        else:
            rows = self._rows[start:stop]
            together = len(rows) > 0 and bool((np.diff(rows) == 1).all())
            part = self._span(int(rows[0]), int(rows[-1]) + 1) if together else self._picked(rows)
        return part if self._columns is None else part[:, self._columns]

    def _picked(self, rows: NDArray[np.intp]) -> Any:
        """Return rows of the file, in the order in which they are named."""
        ordered, back = np.unique(rows, return_inverse=True)
        parts, first = [], 0
        most = max(1, SPAN // max(self._whole[1], 1)) if not self.sparse else 0
        pointers = self._pointers() if self.layout == "csr" else None
        for place in range(1, len(ordered) + 1):
            if place < len(ordered) and ordered[place] - ordered[place - 1] <= NEAR:
                start, stop = ordered[first], ordered[place] + 1
                if pointers is not None and pointers[stop] - pointers[start] <= SPAN:
                    continue
                if pointers is None and (self.sparse or stop - start <= most):
                    continue
            near = ordered[first:place]
            parts.append(self._span(int(near[0]), int(near[-1]) + 1)[near - near[0]])
            first = place
        if not parts:
            return self._span(0, 0)
        found = sp.vstack(parts, format="csr") if self.sparse else np.concatenate(parts)
        return found if len(back) == len(ordered) and (np.diff(back) > 0).all() else found[back]

    def _span(self, start: int, stop: int) -> Any:
        """Return rows ``start … stop − 1`` of the file, all columns.

        Raises
        ------
        CohortError
            They cannot be read, or are damaged.
        """
        try:
            if self.layout == "csc":
                return self._turned(start, stop)
            with opened(self.path) as root:
                if self.layout == "dense":
                    return np.asarray(root["X"][start:stop])
                pointers = self._pointers()[start : stop + 1]
                data, indices = _entries(root["X"], int(pointers[0]), int(pointers[-1]), self._whole[1])
            return sp.csr_matrix((data, indices, pointers - pointers[0]), shape=(stop - start, self._whole[1]))
        except CohortError:
            raise
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise CohortError(
                f"{self.path}: the profiles of samples {start + 1:,} to {stop:,} cannot be read ({reason}). "
                "Check that the file was copied whole."
            ) from error

    def _pointers(self) -> NDArray[np.int64]:
        if self._kept.pointers is None:
            with opened(self.path) as root:
                pointers = np.asarray(root["X"]["indptr"][:], dtype=np.int64)
                n_values = root["X"]["data"].shape[0]
            major = self._whole[0 if self.layout == "csr" else 1]
            ends = (int(pointers[0]), int(pointers[-1])) if len(pointers) == major + 1 else (-1, -1)
            if ends[0] != 0 or ends[1] > n_values or (np.diff(pointers) < 0).any():
                raise CohortError(f"{self.path}: X is damaged (its indptr makes no sense). Write the file again.")
            self._kept.pointers = pointers
        return self._kept.pointers

    def _turned(self, start: int, stop: int) -> sp.csr_matrix:
        """Return rows of a csc matrix, turned a band at a time."""
        rows = self._whole[0]
        each = max(float(self._pointers()[-1]) / max(rows, 1) * (self.dtype.itemsize + 16), 1.0)
        height = int(min(max(LAZY_SHARE / 4 * memory_bytes() / each, 1), max(rows, 1)))
        parts = []
        for number in range(start // height, -(-stop // height)):
            kept = self._kept.band
            if kept is None or kept[0] != number * height:
                low, high = number * height, min((number + 1) * height, rows)
                kept = low, high, self._turned_band(low, high)
                self._kept.band = kept
            low, high, band = kept
            parts.append(band[max(start, low) - low : min(stop, high) - low])
        if not parts:
            return sp.csr_matrix((0, self._whole[1]), dtype=self.dtype)
        return parts[0] if len(parts) == 1 else sp.vstack(parts, format="csr")

    def _turned_band(self, low: int, high: int) -> sp.csr_matrix:
        """Return rows ``low … high − 1`` of a csc matrix; takes a pass over the file."""
        pointers = self._pointers()
        found: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
        with opened(self.path) as root:
            for first in range(0, int(pointers[-1]), SPAN):
                last = min(first + SPAN, int(pointers[-1]))
                data, indices = _entries(root["X"], first, last, self._whole[0])
                inside = np.flatnonzero((indices >= low) & (indices < high))
                columns = np.searchsorted(pointers, first + inside, side="right") - 1
                found.append((data[inside], indices[inside] - low, columns))
        shape = (high - low, self._whole[1])
        if not found:
            return sp.csr_matrix(shape, dtype=self.dtype)
        data, rows, columns = (np.concatenate(each) for each in zip(*found, strict=True))
        return sp.coo_matrix((data, (rows, columns)), shape=shape).tocsr()


class StoredAnnData(AnnData):  # type: ignore[misc]
    """An AnnData whose ``X`` stays on disk; its tables are in memory. Copies and views of rows load their ``X``.

    Parameters
    ----------
    stored
        Profiles.
    obs, var, uns
        As for AnnData.
    """

    def __init__(self, stored: StoredMatrix, obs: pd.DataFrame, var: pd.DataFrame, uns: dict[str, Any]) -> None:
        self._stored = stored
        super().__init__(X=None, obs=obs, var=var, uns=uns, shape=stored.shape)

    @property
    def X(self) -> StoredMatrix:
        """Profiles, on disk."""
        return self._stored

    def taken(self, rows: Any = None, columns: Any = None) -> StoredAnnData:
        """Return some of the samples and genes; no profile is read."""
        obs = self.obs if rows is None else self.obs.iloc[rows]
        var = self.var if columns is None else self.var.iloc[columns]
        return StoredAnnData(self._stored.select(rows, columns), obs.copy(), var.copy(), dict(self.uns))


def _chosen(before: NDArray[np.intp] | None, wanted: Any, total: int) -> NDArray[np.intp] | None:
    """Return the indices, in the file, of what is ``wanted`` of what was chosen before."""
    if wanted is None or (isinstance(wanted, slice) and wanted == slice(None)):
        return before
    if not isinstance(wanted, slice):
        wanted = np.asarray(wanted).ravel()
        if wanted.dtype != bool:
            wanted = wanted.astype(np.intp)
    every = np.arange(total) if before is None else before
    return np.asarray(every[wanted], dtype=np.intp)


def _entries(x: Any, first: int, last: int, minor: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return values and indices ``first … last − 1`` of a sparse matrix."""
    data, indices = np.asarray(x["data"][first:last]), np.asarray(x["indices"][first:last])
    if len(data) != last - first or len(indices) != last - first:
        raise ValueError("values are missing")
    if len(indices) and (int(indices.min()) < 0 or int(indices.max()) >= minor):
        raise ValueError("indices beyond the matrix")
    return data, indices


def _check_complete(path: Path, x: Any, n_rows: int) -> None:
    """Refuse a ``.zarr`` that lost chunks: zarr would read them as zeros."""
    indices = x["indices"]
    there = getattr(indices, "nchunks_initialized", None)
    # With several values in a row, a chunk that is all gene 0 does not happen.
    if there is not None and there < indices.nchunks and indices.shape[0] > n_rows:
        raise CohortError(
            f"{path}: {indices.nchunks - there} of {indices.nchunks} chunks of X are missing. Copy the folder again."
        )
