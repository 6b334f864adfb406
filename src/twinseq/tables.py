"""Tables of text or Parquet: numbers with a name for each row and column, and sample tables."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .errors import CohortError

SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
# Spellings of a missing value in a sample table. "None" is not among them: it is a class ("treatment: None").
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "<NA>", "#N/A")
# A leading zero belongs to a name (plate "007"), not to a number.
WHOLE = r"[+-]?(?:0|[1-9]\d*)"
NUMBER = rf"{WHOLE}(?:\.\d*)?(?:[eE][+-]?\d+)?|[+-]?\.\d+(?:[eE][+-]?\d+)?|[+-]?inf"
TRUTH = {"True": True, "False": False, "TRUE": True, "FALSE": False}


@dataclass(frozen=True)
class Table:
    """Numbers, ``n_rows × n_columns``, with their names."""

    values: NDArray[Any]
    rows: pd.Index[str]
    columns: pd.Index[str]


def table_suffix(path: Path) -> str:
    """Return the suffix that tells the format, ``.gz`` left aside: ``counts.csv.gz`` → ``.csv``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def is_gzipped(path: Path) -> bool:
    """Tell whether ``path`` is named like a compressed file."""
    return path.suffix.lower() == ".gz"


def read_table(path: Path) -> Table:
    """Read a table of numbers whose first column and first row are names.

    Raises
    ------
    CohortError
        The file cannot be read, is empty or ragged, has duplicate column names, or a cell that is not a number.
    """
    table = _read_parquet(path) if table_suffix(path) == ".parquet" else _read_text(path)
    if table.num_columns < 2:
        separator = SEPARATORS.get(table_suffix(path))
        hint = f" Its separator has to be {separator!r}, by its name." if separator else ""
        raise CohortError(f"{path}: no column of values; names are needed in the first column and the first row.{hint}")
    if table.num_rows == 0:
        raise CohortError(f"{path}: empty: {table.num_columns} columns and no row.")
    rows = pd.Index(table.column(0).to_pylist(), dtype=object)
    table = _numeric(table, path, rows)
    columns = table.columns[1:]
    whole = all(pa.types.is_integer(column.type) and column.null_count == 0 for column in columns)
    values = np.empty((table.num_rows, len(columns)), dtype=np.int64 if whole else np.float64)
    for index, column in enumerate(columns):
        values[:, index] = column.to_numpy()
    limits = np.iinfo(np.int32)
    if whole and limits.min <= values.min() and values.max() <= limits.max:
        values = values.astype(np.int32)
    return Table(values, rows, pd.Index(table.column_names[1:], dtype=object))


def read_annotation(path: Path) -> pd.DataFrame:
    """Read a sample table indexed by its first column.

    In text tables, columns of numbers and of True/False become such, leading zeros make a name, and the
    spellings in `MISSING` are missing values.

    Raises
    ------
    CohortError
        The file is missing, empty, ragged, has duplicate column names, or is no table.
    """
    if not path.is_file():
        raise CohortError(f"{path}: no such file. It is needed as the sample table.")
    suffix = table_suffix(path)
    if suffix == ".parquet":
        with _readable(path):
            frame = pd.read_parquet(path)
        if isinstance(frame.index, pd.RangeIndex) and frame.shape[1]:
            frame = frame.set_index(frame.columns[0])
    elif suffix in SEPARATORS:
        table = _read_text(path, pa.string())
        columns = zip(table.column_names[1:], table.columns[1:], strict=True)
        frame = pd.DataFrame(
            {name: _typed(column.to_pandas()) for name, column in columns}, index=range(table.num_rows)
        ).set_index(pd.Index(table.column(0).to_pylist(), dtype=object))
    else:
        raise CohortError(f"{path}: unknown format. A sample table is .csv, .tsv or .parquet (.gz allowed).")
    if not len(frame):
        raise CohortError(f"{path}: empty: no row. One row for each sample is needed.")
    frame.index = frame.index.astype(str)
    frame.index.name = None
    return frame


def _typed(column: pd.Series[Any]) -> pd.Series[Any]:
    """Turn a column of text into numbers or truth values where every cell is one."""
    missing = column.isin(MISSING)
    present = column[~missing]
    if present.empty:
        return pd.Series(np.nan, index=column.index)
    if not missing.any() and present.isin(TRUTH).all():
        return column.map(TRUTH).astype(bool)
    if not missing.any() and present.str.fullmatch(WHOLE).all():
        try:
            return column.astype(np.int64)
        except OverflowError:
            return column  # an accession made of digits
    if present.str.fullmatch(NUMBER).all():
        return column.mask(missing, "nan").map(float)
    return column.mask(missing, np.nan)


def _read_parquet(path: Path) -> pa.Table:
    with _readable(path):
        table = pq.read_table(path)
    pandas_index = (table.schema.pandas_metadata or {}).get("index_columns") or []
    names = [name for name in pandas_index if isinstance(name, str) and name in table.column_names]
    if names:
        table = table.select([names[0], *(name for name in table.column_names if name not in names)])
    elif not table.num_columns or not _is_text(table.schema.types[0]):
        raise CohortError(f"{path}: no column of names. Write the table with its index, or names first.")
    return table


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))


def _read_text(path: Path, column_type: pa.DataType | None = None) -> pa.Table:
    """Read delimited text; columns after the first are of ``column_type``, or of what they look like."""
    separator = SEPARATORS[table_suffix(path)]
    with _readable(path), open_text(path) as file:
        reader = csv.reader(file, delimiter=separator)
        header, first = next(reader, []), next((row for row in reader if row), [])
    if not header:
        raise CohortError(f"{path}: empty. A table with names in its first column and first row is needed.")
    if not first:
        raise CohortError(f"{path}: empty: a header of {len(header)} column(s) and no row below it.")
    if len(first) == len(header) + 1:  # R's write.table leaves the corner out
        header = ["", *header]
    repeated = pd.Index(header[1:])[pd.Index(header[1:]).duplicated()]
    if len(repeated):
        raise CohortError(
            f"{path}, row 1: duplicate column name '{repeated[0][:60]}'. Each sample, gene or column must occur once: "
            "rename, drop or sum the repeats."
        )
    # Arrow wants blocks that hold a whole row, and no name twice; the real names are put back afterwards.
    plain = [f"c{index}" for index in range(len(header))]
    types = dict.fromkeys(plain, column_type) if column_type is not None else {}
    with _readable(path):
        try:
            table = pacsv.read_csv(
                path,
                read_options=pacsv.ReadOptions(
                    column_names=plain,
                    skip_rows_after_names=1,
                    block_size=max(1 << 24, 8 * sum(map(len, header)), 64 * len(header)),
                ),
                parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=True),
                convert_options=pacsv.ConvertOptions(
                    column_types={**types, "c0": pa.string()},
                    strings_can_be_null=False,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:
            _refuse_ragged(path, separator, len(header))
            raise
    return table.rename_columns(header)


def open_text(path: Path) -> TextIO:
    """Open a text file, unpacking ``.gz``."""
    if is_gzipped(path):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what the readers raise for rubbish into one message; names may be longer than csv's limit."""
    limit = csv.field_size_limit(1 << 27)
    try:
        yield
    except (OSError, EOFError, ValueError, csv.Error, zlib.error) as error:
        raise CohortError(
            f"{path}: not a readable table ({first_line(error)}). Check that it is complete and is what its name says."
        ) from error
    finally:
        csv.field_size_limit(limit)


def first_line(error: BaseException) -> str:
    """Return the first line of a message of another library, cut to a readable length."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200].rstrip(". ")


def _refuse_ragged(path: Path, separator: str, width: int) -> None:
    """Raise for the first row that has not ``width`` columns, if there is one."""
    with open_text(path) as file:
        for number, row in enumerate(csv.reader(file, delimiter=separator), start=1):
            if number > 1 and row and len(row) != width:
                raise CohortError(
                    f"{path}, row {number} ('{row[0][:40]}'): {len(row)} columns, where the header has {width}. "
                    "Every row needs as many columns as the header."
                )


def _numeric(table: pa.Table, path: Path, rows: pd.Index[Any]) -> pa.Table:
    """Return ``table`` with numbers in every column after the first, or raise for the first cell that is none."""
    for index in range(1, table.num_columns):
        column = table.column(index)
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            continue
        text = pc.cast(column, pa.string()).to_pandas()
        numbers = pd.to_numeric(text, errors="coerce")
        bad = (numbers.isna() & ~text.isin(MISSING) & text.notna()).to_numpy()
        if bad.any():
            where = int(np.argmax(bad))
            raise CohortError(
                f"{path}, row {where + 2} ('{str(rows[where])[:40]}'), column {index + 1} "
                f"('{table.column_names[index][:40]}'): '{text[where][:40]}' is not a number. "
                "Columns other than the first must hold numbers only; sample annotation belongs in --obs."
            )
        table = table.set_column(index, table.column_names[index], pa.array(numbers, type=pa.float64()))
    return table
