"""Cohorts in and out of files: h5ad and zarr, csv/tsv/parquet tables and 10x matrices.

Tables hold numbers only; what is known of the samples stands in a second table (``--obs``), or beside the
counts as ``NAME.samples.csv``, which is where `write` puts it.
"""

from __future__ import annotations

import csv
import gzip
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse as sp

from .cohort import Cohort, Kind, check_unique, from_anndata
from .containers import CONTAINERS, read_container, write_container
from .containers import write_parts as write_parts
from .errors import CohortError, ConfigError, OutputError, shorten
from .files import atomic_path, check_writable
from .tables import SEPARATORS, first_line, is_gzipped, read_annotation, read_table, table_suffix

TABLES = (*SEPARATORS, ".parquet")
# Level 4 takes a tenth of the time of 9 on count matrices, for files 5 % larger.
ZIP_LEVEL = 4
FORMATS = ".h5ad, .zarr, .csv, .tsv, .txt, .parquet (.gz allowed), or a folder with a 10x matrix (.mtx)"


def read(
    path: str | Path,
    *,
    obs: str | Path | None = None,
    label: str | None = None,
    donor: str | None = None,
    cell_type: str | None = None,
    covariates: Sequence[str] | None = None,
    kind: Kind | None = None,
    paired: bool | None = None,
    min_per_class: int = 2,
    lazy: bool | None = None,
) -> Cohort:
    """Read and check a cohort.

    Parameters
    ----------
    path
        ``.h5ad`` or ``.zarr``; a table ``.csv/.tsv/.parquet`` (``.gz`` allowed), genes × samples or samples × genes,
        told apart by the sample names; or a folder with ``matrix.mtx``, ``features.tsv``, ``barcodes.tsv``.
    obs
        Sample table indexed by sample name. Default for tables and folders: ``NAME.samples.csv`` beside them.
    label, donor, cell_type, covariates, kind, paired
        See `twinseq.cohort.Cohort`. Left out, the roles kept in an ``.h5ad`` or ``.zarr`` are used.
    min_per_class
        Smallest class that is accepted.
    lazy
        Whether the profiles of an ``.h5ad`` or ``.zarr`` stay on disk and are read a part at a time. Default: where
        they would take more than a quarter of the memory (`twinseq.memory`). Layers, ``obsm`` and the like are left out
        then. No result depends on it.

    Raises
    ------
    ConfigError
        A table or 10x matrix is to be left on disk.
    CohortError
        The file cannot be read, or what it holds is not a usable cohort; the message says where and why.
    """
    path = Path(path)
    if not path.exists():
        raise CohortError(f"{path}: no such file. Check the name and the folder.")
    with warnings.catch_warnings():
        # Repeated names are refused below, with the names; integer names become text as they should.
        warnings.filterwarnings("ignore", message=".* names are not unique")
        warnings.filterwarnings("ignore", message="Transforming to str index")
        adata = _read_profiles(path, Path(obs) if obs is not None else None, lazy)
    return from_anndata(
        adata,
        label=label,
        donor=donor,
        cell_type=cell_type,
        covariates=covariates,
        kind=kind,
        paired=paired,
        source=str(path),
        min_per_class=min_per_class,
    )


def _read_profiles(path: Path, obs: Path | None, lazy: bool | None) -> ad.AnnData:
    suffix = table_suffix(path)
    if suffix in CONTAINERS:
        adata = read_container(path, lazy)
        return adata if obs is None else _join_obs(adata, path, obs)
    if lazy:
        raise ConfigError(f"{path}: only .h5ad and .zarr can be read in parts. Write it as one of them first.")
    if path.is_dir():
        return _join_obs(_read_10x(path), path, obs)
    if suffix in TABLES:
        return _read_oriented(path, obs)
    raise CohortError(f"{path}: not a table that can be read. Known formats: {FORMATS}.")


def _read_oriented(path: Path, obs: Path | None) -> ad.AnnData:
    """Read a table and turn it samples × genes, by the names in its sample table."""
    table = read_table(path)
    beside = samples_beside(path)
    if obs is None and not beside.is_file():
        raise CohortError(
            f"{path}: no sample table. For REAL, give one with --obs (first column: sample names); for any table, "
            f"it is found at {beside}."
        )
    where = obs if obs is not None else beside
    annotation = read_annotation(where)
    _check_names(annotation.index, where)
    in_columns = int(table.columns.isin(annotation.index).sum())
    in_rows = int(table.rows.isin(annotation.index).sum())
    if in_columns == 0 and in_rows == 0:
        raise CohortError(
            f"{path}: neither its columns (first '{shorten(table.columns[0], 40)}') nor its rows "
            f"(first '{shorten(table.rows[0], 40)}') are samples of {where} "
            f"(first '{shorten(annotation.index[0], 40) if len(annotation) else ''}'). "
            "The names must match, letter by letter, so that the table can be turned the right way."
        )
    if in_columns == in_rows:
        raise CohortError(
            f"{path}: {in_rows} rows and as many columns are named like samples of {where}, so it cannot be told "
            "which are the samples. Rename the genes or the samples."
        )
    values, samples, genes = table.values.T, table.columns, table.rows
    if in_rows > in_columns:
        values, samples, genes = table.values, table.rows, table.columns
    adata = ad.AnnData(
        np.ascontiguousarray(values),
        obs=pd.DataFrame(index=pd.Index(samples, dtype=str)),
        var=pd.DataFrame(index=pd.Index(genes, dtype=str)),
    )
    return _join_obs(adata, path, where)


def _read_10x(folder: Path) -> ad.AnnData:
    def find(*stems: str) -> Path:
        for stem in stems:
            for name in (f"{stem}.gz", stem):
                if (folder / name).is_file():
                    return folder / name
        raise CohortError(f"{folder}: no {stems[0]}(.gz) in this folder; a 10x matrix has one.")

    matrix, features, barcodes = (
        find("matrix.mtx"),
        find("features.tsv", "genes.tsv"),
        find("barcodes.tsv"),
    )
    try:
        x = sp.csr_matrix(scipy.io.mmread(matrix).T)
        var, names = _read_10x_names(features), _read_10x_names(barcodes)
    except (OSError, EOFError, ValueError, OverflowError, zlib.error) as error:
        raise CohortError(
            f"{folder}: not a readable 10x matrix ({first_line(error)}). Check that its files were copied whole."
        ) from error
    if x.shape != (len(names), len(var)):
        raise CohortError(
            f"{folder}: matrix.mtx has {x.shape[1]} genes × {x.shape[0]} cells, but there are {len(var)} features "
            f"and {len(names)} barcodes."
        )
    if (x.data == np.rint(x.data)).all() and np.abs(x.data).max(initial=0) <= np.iinfo(np.int32).max:
        x = x.astype(np.int32)
    table = pd.DataFrame(index=pd.Index(var[0].to_numpy(), dtype=str))
    for number, name in ((1, "symbol"), (2, "feature_type")):
        if number in var.columns:
            table[name] = var[number].to_numpy()
    return ad.AnnData(x, obs=pd.DataFrame(index=pd.Index(names[0].to_numpy(), dtype=str)), var=table)


def _read_10x_names(path: Path) -> pd.DataFrame:
    return pd.read_csv(
        path, sep="\t", header=None, dtype=str, quoting=csv.QUOTE_NONE, keep_default_na=False, skip_blank_lines=False
    )


def _join_obs(adata: ad.AnnData, path: Path, obs: Path | None) -> ad.AnnData:
    """Put the rows of the sample table ``obs`` beside the profiles."""
    if obs is None:
        obs = samples_beside(path)
        if not obs.is_file():
            return adata
    annotation = read_annotation(obs)
    _check_names(annotation.index, obs)
    check_unique(adata.obs_names, "sample", str(path))
    unknown = adata.obs_names.difference(annotation.index)
    spare = annotation.index.difference(adata.obs_names)
    if len(unknown) or len(spare):
        lines = []
        if len(unknown):
            lines.append(f"{len(unknown)} sample(s) of {path} are not in {obs}, first '{shorten(unknown[0], 40)}'")
        if len(spare):
            lines.append(f"{len(spare)} sample(s) of {obs} are not in {path}, first '{shorten(spare[0], 40)}'")
        raise CohortError(f"{'; '.join(lines)}. Both files must name the same samples.")
    adata.obs = annotation.loc[adata.obs_names]
    return adata


def _check_names(names: pd.Index[Any], path: Path) -> None:
    if not names.is_unique:
        second = int(np.argmax(names.duplicated()))
        raise CohortError(
            f"{path}, row {second + 2}: the sample '{shorten(names[second], 40)}' has two rows. Each sample must "
            "have one: drop the repeat."
        )


def samples_beside(path: Path) -> Path:
    """Return where the sample table of ``path`` is looked for: ``twin.csv.gz`` → ``twin.samples.csv``."""
    if path.name in ("", ".."):  # a folder given from within, as "."
        path = path.resolve()
    name = path.name
    for suffix in (".gz", *TABLES, ".mtx"):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return path.parent / f"{name}.samples.csv"


def check_writable_format(path: str | Path) -> None:
    """Refuse an output name whose format is unknown, before any work is done.

    Raises
    ------
    ConfigError
        The suffix names no format that can be written.
    """
    suffix = table_suffix(Path(path))
    zipped = is_gzipped(Path(path)) and suffix not in TABLES
    if suffix not in (*CONTAINERS, ".mtx", *TABLES) or zipped:
        raise ConfigError(f"{path}: cannot tell the format from the name. Known: {FORMATS}.")


def check_target(path: str | Path) -> list[Path]:
    """Refuse, before any work is done, a place where a cohort cannot be written; return the paths to be written.

    Raises
    ------
    ConfigError
        The suffix names no format that can be written.
    OutputError
        A folder stands where a file is to be written, or the other way round, or the place is not writable.
    """
    path = Path(path)
    check_writable_format(path)
    suffix = table_suffix(path)
    paths = [path] if suffix in CONTAINERS else [path, samples_beside(path)]
    for target in paths:
        folder = suffix in (".mtx", ".zarr") and target is path
        if target.exists() and target.is_dir() != folder:
            standing, wanted = ("a file", "a folder") if folder else ("a folder", "a file")
            raise OutputError(f"{target}: is {standing}, where {wanted} is to be written. Give another name.")
        check_writable(target)
    return paths


def same_format(name: str, like: Path) -> str:
    """Return the file ``name`` in the format of ``like``, a table or ``.zarr``; anything else gives ``.h5ad``."""
    suffix = table_suffix(like)
    if suffix == ".zarr":
        return f"{name}.zarr"
    if like.is_dir() or suffix not in TABLES:
        return f"{name}.h5ad"
    return f"{name}{suffix}{'.gz' if is_gzipped(like) else ''}"


def write(cohort: Cohort, path: str | Path) -> list[Path]:
    """Write a cohort, whole or not at all; the format follows from the name.

    Tables are written genes × samples, with the sample table as ``NAME.samples.csv`` beside them; ``NAME.mtx``
    becomes a folder in 10x layout. A cohort whose profiles lie on disk goes into ``.h5ad`` and ``.zarr`` a part at a
    time. The same cohort gives the same bytes.

    Returns
    -------
    The paths written.

    Raises
    ------
    ConfigError
        The suffix names no known format.
    OutputError
        The place cannot be written, the disk is full, or a column name cannot be stored.
    """
    path = Path(path)
    check_writable_format(path)
    suffix = table_suffix(path)
    if suffix in CONTAINERS:
        with atomic_path(path) as temporary:
            write_container(cohort, temporary)
        return [path]
    cohort = cohort.in_memory()
    beside = samples_beside(path)
    with atomic_path(beside) as annotation, atomic_path(path) as temporary:
        _write_csv(cohort.obs, annotation)
        if suffix == ".mtx":
            _write_10x(cohort, temporary)
        else:
            _write_table(cohort, temporary)
    return [path, beside]


def _write_table(cohort: Cohort, path: Path) -> None:
    frame = pd.DataFrame(
        cohort.dense(dtype=cohort.adata.X.dtype).T,
        index=cohort.genes,
        columns=cohort.adata.obs_names,
    )
    if table_suffix(path) == ".parquet":
        frame.to_parquet(path)
    else:
        _write_csv(frame, path)


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    texts = [column for _, column in frame.items() if column.dtype.kind not in "iufb"]
    # A bare carriage return ends a line for most readers, but does not make pandas quote.
    returns = any("\r" in str(cell) for cells in (frame.index, frame.columns, *texts) for cell in cells)
    frame.to_csv(
        path,
        sep=SEPARATORS[table_suffix(path)],
        compression={"method": "gzip", "mtime": 0, "compresslevel": ZIP_LEVEL} if is_gzipped(path) else None,
        quoting=csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL,
    )


def _write_10x(cohort: Cohort, folder: Path) -> None:
    symbols = cohort.adata.var.get("symbol", pd.Series(cohort.genes, index=cohort.genes))
    types = cohort.adata.var.get("feature_type", pd.Series("Gene Expression", index=cohort.genes))
    features = [tuple(map(str, row)) for row in zip(cohort.genes, symbols, types, strict=True)]
    for name in (*cohort.adata.obs_names, *(field for row in features for field in row)):
        if not name or any(sign in name for sign in "\t\n\r"):
            raise OutputError(
                f"{folder.name}: the name '{shorten(name)}' is empty or has a tab or a line break in it, which a 10x "
                "matrix cannot store. Rename it, or write .h5ad."
            )
    folder.mkdir()

    def zipped(name: str) -> Any:
        return gzip.GzipFile(folder / name, "wb", mtime=0, compresslevel=ZIP_LEVEL)

    with zipped("matrix.mtx.gz") as file:
        scipy.io.mmwrite(file, sp.coo_matrix(cohort.adata.X).T, symmetry="general")
    with zipped("barcodes.tsv.gz") as file:
        file.write("".join(f"{name}\n" for name in cohort.adata.obs_names).encode())
    with zipped("features.tsv.gz") as file:
        file.write("".join("\t".join(row) + "\n" for row in features).encode())
