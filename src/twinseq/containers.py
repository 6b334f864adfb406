"""``.h5ad`` and ``.zarr``: read whole or left on disk, and written."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import anndata as ad
import h5py
import pandas as pd
import scipy.sparse as sp

from .cohort import ROLES_KEY, Cohort
from .errors import CohortError, OutputError, shorten
from .files import atomic_path
from .memory import LAZY_SHARE, memory_bytes
from .partswriter import PartsWriter, Progress
from .stored import StoredAnnData, StoredMatrix, opened
from .tables import first_line, table_suffix
from .validation import check_unique

CONTAINERS = (".h5ad", ".zarr")
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)


def read_container(path: Path, lazy: bool | None) -> ad.AnnData:
    """Read an ``.h5ad`` or ``.zarr``; left on disk where that is asked for, or where it would fill the memory.

    Raises
    ------
    CohortError
        It cannot be read, or holds no profiles.
    """
    what = table_suffix(path)
    try:
        on_disk = _is_large(path) if lazy is None else lazy
        adata = _left_on_disk(path) if on_disk else _read_whole(path)
    except CohortError:
        raise
    except Exception as error:
        raise CohortError(
            f"{path}: not a readable {what} {'folder' if what == '.zarr' else 'file'} ({first_line(error)}). "
            "Check that it was copied whole and was written by anndata."
        ) from error
    adata.obs_names = adata.obs_names.astype(str)
    adata.var_names = adata.var_names.astype(str)
    return adata


def _is_large(path: Path) -> bool:
    """Tell whether the profiles would take more than a quarter of the memory."""
    with contextlib.suppress(CohortError, *UNREADABLE):  # the reader says what is wrong
        return StoredMatrix.of(path).n_bytes > LAZY_SHARE * memory_bytes()
    return False


def _left_on_disk(path: Path) -> StoredAnnData:
    stored = StoredMatrix.of(path)
    with opened(path) as root:
        obs, var = ad.io.read_elem(root["obs"]), ad.io.read_elem(root["var"])
        uns = ad.io.read_elem(root["uns"]) if "uns" in root else {}
    if stored.shape != (len(obs), len(var)):
        raise CohortError(
            f"{path}: X has {stored.shape[0]:,} × {stored.shape[1]:,} values for {len(obs):,} samples and {len(var):,} "
            "genes. Write the file again."
        )
    return StoredAnnData(stored, obs, var, dict(uns))


def _read_whole(path: Path) -> ad.AnnData:
    if table_suffix(path) == ".zarr":
        StoredMatrix.of(path)  # zarr reads lost chunks as zeros
        adata = ad.read_zarr(path)
    else:
        adata = ad.read_h5ad(path)
    if adata.X is None:
        raise CohortError(f"{path}: the file has no X. Put the profiles into X, samples × genes.")
    if sp.issparse(adata.X):
        adata.X = adata.X.tocsr()
    return adata


def write_container(cohort: Cohort, path: Path) -> None:
    """Write a cohort as ``.h5ad`` or ``.zarr``; one that lies on disk, a part at a time.

    Raises
    ------
    OutputError
        Something in it cannot be stored.
    """
    if cohort.lazy:
        _append_all(parts_of(cohort), path, None)
    elif table_suffix(path) == ".zarr":
        import zarr

        with _storing(path):
            root = zarr.open_group(str(path), mode="w", zarr_format=2)
            ad.io.write_elem(root, "/", _storable(cohort))
    else:
        # Through memory: the HDF5 library crashes the process when the disk fills up under it.
        buffer = io.BytesIO()
        with _storing(path), h5py.File(buffer, "w") as file:
            ad.io.write_elem(
                file, "/", _storable(cohort), dataset_kwargs={"compression": "gzip", "compression_opts": 1}
            )
        path.write_bytes(buffer.getbuffer())


def parts_of(cohort: Cohort, size: int = 4096) -> Iterator[Cohort]:
    """Yield a cohort in parts of up to ``size`` samples, each in memory."""
    for rows, x in cohort.chunks(size):
        yield cohort.with_adata(
            ad.AnnData(x, obs=cohort.obs.iloc[rows].copy(), var=cohort.adata.var.copy(), uns=dict(cohort.adata.uns))
        )


def write_parts(parts: Iterable[Cohort], path: str | Path, progress: Progress | None = None) -> list[Path]:
    """Write a cohort that comes in parts as one ``.h5ad`` or ``.zarr``, whole or not at all.

    Parameters
    ----------
    parts
        Cohorts of the same genes, columns and roles, in order; each is forgotten once it is written.
    path
        File to write; its name tells the format.
    progress
        Called with the number of samples written so far.

    Returns
    -------
    The paths written.

    Raises
    ------
    CohortError
        There is no part, the parts do not belong together, or a sample name occurs twice.
    OutputError
        The place cannot be written, or the disk is full; nothing is left behind. What the parts themselves raise is
        passed on, and nothing is left behind either.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        _append_all(parts, temporary, progress)
    return [path]


def _append_all(parts: Iterable[Cohort], path: Path, progress: Progress | None) -> None:
    writer: PartsWriter | None = None
    first: Cohort | None = None
    tables: list[pd.DataFrame] = []
    done = 0
    try:
        for part in parts:
            if first is None or writer is None:
                first = part
                _check_columns(part, path)
                writer = PartsWriter(path, part.n_genes, part.adata.X.dtype, part.sparse)
            elif not part.genes.equals(first.genes) or part.roles() != first.roles():
                raise CohortError(f"{path.name}: parts have other genes or roles than the first, and make no cohort.")
            writer.append(part.adata.X)
            tables.append(part.obs)
            done += part.n_samples
            if progress is not None:
                progress(done)
        if first is None or writer is None:
            raise CohortError(f"{path.name}: there is nothing to write.")
        obs = pd.concat(tables) if len(tables) > 1 else tables[0].copy()
        check_unique(obs.index, "sample", path.name)
        with _storing(path):
            writer.finish(_prepared(ad.AnnData(obs=obs, var=first.adata.var.copy(), uns=dict(first.adata.uns)), first))
    finally:
        if writer is not None:
            writer.close()


@contextlib.contextmanager
def _storing(path: Path) -> Iterator[None]:
    """Say what to do where something cannot be stored."""
    try:
        yield
    except (OSError, OutputError):
        raise
    except Exception as error:
        raise OutputError(
            f"{path.name}: cannot be stored as {table_suffix(path)} ({first_line(error)}). "
            "Drop or convert what cannot be stored, or write a table (.csv)."
        ) from error


def _storable(cohort: Cohort) -> ad.AnnData:
    """Return an AnnData over the same arrays that can be written, with tables and ``uns`` of its own.

    Raises
    ------
    OutputError
        A column name cannot be stored.
    """
    _check_columns(cohort, Path("the cohort"))
    adata = cohort.adata
    fields = ("obsm", "varm", "obsp", "varp", "layers")
    copied = ad.AnnData(
        adata.X,
        obs=adata.obs.copy(),
        var=adata.var.copy(),
        uns=dict(adata.uns),
        raw=adata.raw,
        **{field: dict(getattr(adata, field)) for field in fields},
    )
    return _prepared(copied, cohort)


def _prepared(adata: ad.AnnData, cohort: Cohort) -> ad.AnnData:
    """Put the roles into ``adata``, and its columns into a form that can be stored."""
    adata.uns[ROLES_KEY] = cohort.roles()
    adata.strings_to_categoricals()
    for name, column in adata.obs.items():
        if column.dtype.kind == "O" and column.isna().any():  # there is no text column with gaps
            adata.obs[name] = pd.Categorical(column)
    return adata


def _check_columns(cohort: Cohort, path: Path) -> None:
    slashed = [name for name in (*cohort.obs.columns, *cohort.adata.var.columns) if "/" in str(name)]
    if slashed:
        raise OutputError(
            f"{path.name}: the column '{shorten(slashed[0])}' has a '/' in its name, which HDF5 and zarr cannot store. "
            "Rename the column, or write a table (.csv)."
        )
