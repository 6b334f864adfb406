"""Profiles appended to an ``.h5ad`` or ``.zarr`` a part at a time, in anndata's layout.

Source: https://anndata.readthedocs.io/en/stable/fileformat-prose.html
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Progress = Callable[[int], None]
CHUNK = 2**16
"""Values in a chunk of the file."""
EMPTY = ("obsm", "varm", "obsp", "varp", "layers")


class PartsWriter:
    """Write an AnnData whose profiles come in parts.

    Parameters
    ----------
    path
        New file; its suffix tells the format.
    n_genes
        Number of genes.
    dtype
        Type of the values; widened where a later part needs it.
    sparse
        Whether to write a csr matrix or an array.

    Raises
    ------
    OSError
        The disk is full, or the place cannot be written.
    """

    def __init__(self, path: Path, n_genes: int, dtype: np.dtype[Any], sparse: bool) -> None:
        self._n_genes = n_genes
        self._sparse = sparse
        self._n_samples = 0
        self._pointers: list[NDArray[np.int64]] = [np.zeros(1, dtype=np.int64)]
        self._file: _WatchedFile | None = None
        if path.suffix.lower() == ".zarr":
            import zarr

            self._root: Any = zarr.open_group(str(path), mode="w", zarr_format=2)
        else:
            self._file = _WatchedFile(path)
            self._root = h5py.File(self._file, "w")
        if sparse:
            self._home = self._root.create_group("X")
            self._values = self._array("data", np.dtype(dtype), (0,))
            self._indices = self._array("indices", np.dtype(np.int32), (0,))
        else:
            self._home = self._root
            self._values = self._array("X", np.dtype(dtype), (0, n_genes))

    def append(self, part: Any) -> None:
        """Add profiles, ``n × n_genes``, below those that are there."""
        self._widen(np.promote_types(self._values.dtype, part.dtype))
        self._n_samples += part.shape[0]
        if self._sparse:
            part = sp.csr_matrix(part)
            part.sort_indices()
            start = int(self._pointers[-1][-1])
            stop = start + part.nnz
            for array, values in ((self._values, part.data), (self._indices, part.indices)):
                array.resize((stop,))
                array[start:stop] = values
            self._pointers.append(start + part.indptr[1:].astype(np.int64))
        else:
            self._values.resize((self._n_samples, self._n_genes))
            self._values[self._n_samples - part.shape[0] :] = np.asarray(part)
        self._check()

    def finish(self, tables: ad.AnnData) -> None:
        """Write the tables of all samples and genes, and close the file."""
        if self._sparse:
            pointers = np.concatenate(self._pointers)
            self._array("indptr", pointers.dtype, pointers.shape)[:] = pointers
            self._home.attrs["shape"] = [self._n_samples, self._n_genes]
        self._described(self._root["X"], *(("csr_matrix", "0.1.0") if self._sparse else ("array", "0.2.0")))
        self._described(self._root, "anndata", "0.1.0")
        for name in ("obs", "var", "uns"):
            value = getattr(tables, name)
            ad.io.write_elem(self._root, name, dict(value) if name == "uns" else value)
        for name in EMPTY:
            ad.io.write_elem(self._root, name, {})
        self.close()
        self._check()

    def close(self) -> None:
        """Close the file, whatever state it is in."""
        if self._file is None or self._file.closed:
            return
        with contextlib.suppress(Exception):  # after a failed write, of which `append` told already
            self._root.close()
        self._file.close()

    def _array(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
        if len(shape) == 1:
            chunks: tuple[int, ...] = (CHUNK,)
        else:
            chunks = (max(1, 4 * CHUNK // max(self._n_genes, 1)), max(self._n_genes, 1))
        if self._file is None:
            return self._home.create_array(
                name, shape=shape, chunks=chunks, dtype=dtype, config={"write_empty_chunks": True}
            )
        return self._home.create_dataset(
            name,
            shape=shape,
            maxshape=(None, *shape[1:]),
            chunks=chunks,
            dtype=dtype,
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )

    def _widen(self, dtype: np.dtype[Any]) -> None:
        """Store the values as ``dtype`` from now on, those that are there included."""
        if dtype == self._values.dtype:
            return
        name = "data" if self._sparse else "X"
        spare = self._array("wider", dtype, self._values.shape)
        _copy(self._values, spare)
        del self._home[name]
        self._values = self._array(name, dtype, spare.shape)
        _copy(spare, self._values)
        del self._home["wider"]

    def _described(self, element: Any, kind: str, version: str) -> None:
        element.attrs["encoding-type"] = kind
        element.attrs["encoding-version"] = version

    def _check(self) -> None:
        if self._file is not None and self._file.error is not None:
            raise self._file.error


def _copy(source: Any, target: Any) -> None:
    each = max(1, 16 * CHUNK // int(np.prod(source.shape[1:], initial=1)))
    for start in range(0, source.shape[0], each):
        target[start : start + each] = source[start : start + each]


class _WatchedFile(io.RawIOBase):
    """A new file that remembers why a write failed and goes on: the HDF5 library crashes the process where one does.

    Parameters
    ----------
    path
        File to make.
    """

    def __init__(self, path: Path) -> None:
        self._raw = open(path, "w+b", buffering=0)  # noqa: SIM115 - closed by `close`
        self.error: OSError | None = None

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer``, with zeros where nothing could be written."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view):
            read = self._raw.readinto(view[done:])
            if not read:
                view[done:] = bytes(len(view) - done)
                break
            done += read
        return len(view)

    def write(self, data: Any) -> int:
        """Write all of ``data``, or remember why that failed."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view) and self.error is None:
                done += self._raw.write(view[done:])
        except OSError as error:
            self.error = error
        return len(view)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the file."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._raw.tell()

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file, or remember why that failed."""
        try:
            return self._raw.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def seekable(self) -> bool:
        """Tell that places in it can be gone to."""
        return True

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._raw.close()
        super().close()
