"""Cohorts in and out of files: h5ad, csv/tsv/parquet tables and 10x matrices.

Tables hold numbers only; what is known of the samples stands in a second table (``--obs``), or beside the
counts as ``NAME.samples.csv``, which is where `write` puts it.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse as sp

from .cohort import ROLES_KEY, Cohort, Kind, from_anndata, shorten
from .errors import CohortError, ConfigError, OutputError
from .files import atomic_path
from .tables import SEPARATORS, read_annotation, read_table, table_suffix

TABLES = (*SEPARATORS, ".parquet")
FORMATS = ".h5ad, .csv, .tsv, .txt, .parquet (.gz allowed), or a folder with a 10x matrix (.mtx)"


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
) -> Cohort:
    """Read and check a cohort.

    Parameters
    ----------
    path
        ``.h5ad``; a table ``.csv/.tsv/.parquet`` (``.gz`` allowed), genes × samples or samples × genes,
        told apart by the sample names; or a folder with ``matrix.mtx``, ``features.tsv``, ``barcodes.tsv``.
    obs
        Sample table indexed by sample name. Default for tables and folders: ``NAME.samples.csv`` beside them.
    label, donor, cell_type, covariates, kind, paired
        See `twinseq.cohort.Cohort`. Left out, the roles kept in an ``.h5ad`` are used.
    min_per_class
        Smallest class that is accepted.

    Raises
    ------
    CohortError
        The file cannot be read, or what it holds is not a usable cohort; the message says where and why.
    """
    path = Path(path)
    if not path.exists():
        raise CohortError(f"{path}: no such file.")
    adata = _read_profiles(path, Path(obs) if obs is not None else None)
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


def _read_profiles(path: Path, obs: Path | None) -> ad.AnnData:
    if path.is_dir():
        return _join_obs(_read_10x(path), path, obs)
    suffix = table_suffix(path)
    if suffix == ".h5ad":
        adata = _read_h5ad(path)
        return adata if obs is None else _join_obs(adata, path, obs)
    if suffix in TABLES:
        return _read_oriented(path, obs)
    raise CohortError(f"{path}: not a table that can be read. Known formats: {FORMATS}.")


def _read_h5ad(path: Path) -> ad.AnnData:
    try:
        adata = ad.read_h5ad(path)
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CohortError(f"{path}: not a readable .h5ad file ({first[:200]}).") from error
    if adata.X is None:
        raise CohortError(f"{path}: the file has no X. Put the profiles into X, samples × genes.")
    if sp.issparse(adata.X):
        adata.X = adata.X.tocsr()
    adata.obs_names = adata.obs_names.astype(str)
    adata.var_names = adata.var_names.astype(str)
    return adata


def _read_oriented(path: Path, obs: Path | None) -> ad.AnnData:
    """Read a table and turn it samples × genes, by the names in its sample table."""
    try:
        table = read_table(path)
    except (OSError, ValueError) as error:
        raise CohortError(f"{path}: not a readable table ({str(error).splitlines()[0][:200]}).") from error
    beside = samples_beside(path)
    if obs is None and not beside.is_file():
        raise CohortError(
            f"{path}: no sample table. Give one with --obs (first column: sample names), or put it at {beside}."
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
            "The names must match, so that the table can be turned the right way."
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
        var = pd.read_csv(features, sep="\t", header=None, dtype=str, quoting=3, keep_default_na=False)
        names = pd.read_csv(barcodes, sep="\t", header=None, dtype=str, quoting=3, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise CohortError(f"{folder}: not a readable 10x matrix ({str(error).splitlines()[0][:200]}).") from error
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


def _join_obs(adata: ad.AnnData, path: Path, obs: Path | None) -> ad.AnnData:
    """Put the rows of the sample table ``obs`` beside the profiles."""
    if obs is None:
        obs = samples_beside(path)
        if not obs.is_file():
            return adata
    annotation = read_annotation(obs)
    _check_names(annotation.index, obs)
    if not adata.obs_names.is_unique:
        return adata  # reported by validate, with the names
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
        first = names[names.duplicated()][0]
        raise CohortError(f"{path}: the sample '{shorten(first, 40)}' has two rows. Each sample must have one.")


def samples_beside(path: Path) -> Path:
    """Return where the sample table of ``path`` is looked for: ``twin.csv.gz`` → ``twin.samples.csv``."""
    name = path.name
    for suffix in (".gz", *TABLES, ".mtx"):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return path.with_name(f"{name}.samples.csv")


def check_writable_format(path: str | Path) -> None:
    """Refuse an output name whose format is unknown, before any work is done.

    Raises
    ------
    ConfigError
        The suffix names no format that can be written.
    """
    suffix = table_suffix(Path(path))
    if suffix not in (".h5ad", ".mtx", *TABLES) or (suffix in (".h5ad", ".mtx") and str(path).endswith(".gz")):
        raise ConfigError(f"{path}: cannot tell the format from the name. Known: {FORMATS}.")


def write(cohort: Cohort, path: str | Path) -> list[Path]:
    """Write a cohort, whole or not at all; the format follows from the name.

    Tables are written genes × samples, with the sample table as ``NAME.samples.csv`` beside them; ``NAME.mtx``
    becomes a folder in 10x layout. The same cohort gives the same bytes.

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
    if suffix == ".h5ad":
        with atomic_path(path) as temporary:
            _write_h5ad(cohort, temporary)
        return [path]
    beside = samples_beside(path)
    with atomic_path(beside) as annotation, atomic_path(path) as temporary:
        cohort.obs.to_csv(annotation)
        if suffix == ".mtx":
            _write_10x(cohort, temporary)
        else:
            _write_table(cohort, temporary)
    return [path, beside]


def _write_h5ad(cohort: Cohort, path: Path) -> None:
    adata = cohort.adata.copy()
    adata.uns[ROLES_KEY] = cohort.roles()
    slashed = [name for name in (*adata.obs.columns, *adata.var.columns) if "/" in str(name)]
    if slashed:
        raise OutputError(
            f"{path.name}: the column '{shorten(slashed[0])}' has a '/' in its name, which HDF5 cannot store. "
            "Rename the column, or write a table (.csv)."
        )
    blank = [name for name, column in adata.obs.items() if column.dtype.kind == "O" and column.isna().all()]
    for column in blank:  # h5ad has no text column without a text
        adata.obs[column] = pd.Categorical(adata.obs[column])
    adata.write_h5ad(path, compression="gzip", compression_opts=1)


def _write_table(cohort: Cohort, path: Path) -> None:
    frame = pd.DataFrame(
        cohort.dense(dtype=cohort.adata.X.dtype).T,
        index=cohort.genes,
        columns=cohort.adata.obs_names,
    )
    suffix = table_suffix(path)
    if suffix == ".parquet":
        frame.to_parquet(path)
        return
    zipped: Any = {"method": "gzip", "mtime": 0, "compresslevel": 6} if path.suffix == ".gz" else None
    frame.to_csv(path, sep=SEPARATORS[suffix], compression=zipped)


def _write_10x(cohort: Cohort, folder: Path) -> None:
    folder.mkdir()

    def zipped(name: str) -> Any:
        return gzip.GzipFile(folder / name, "wb", mtime=0)

    with zipped("matrix.mtx.gz") as file:
        scipy.io.mmwrite(file, sp.coo_matrix(cohort.adata.X).T)
    with zipped("barcodes.tsv.gz") as file:
        file.write("".join(f"{name}\n" for name in cohort.adata.obs_names).encode())
    symbols = cohort.adata.var.get("symbol", pd.Series(cohort.genes, index=cohort.genes))
    types = cohort.adata.var.get("feature_type", pd.Series("Gene Expression", index=cohort.genes))
    with zipped("features.tsv.gz") as file:
        rows = zip(cohort.genes, symbols, types, strict=True)
        file.write("".join("\t".join(map(str, row)) + "\n" for row in rows).encode())
