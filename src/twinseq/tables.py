"""Count tables: text and Parquet files of numbers with a name for each row and column."""

from __future__ import annotations

import csv
import gzip
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


def open_text(path: Path) -> TextIO:
    """Open a text file, unpacking ``.gz``."""
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def read_table(path: Path) -> Table:
    """Read a table of numbers whose first column and first row are names.

    Raises
    ------
    CohortError
        The file is empty, ragged, has duplicate column names, or a cell that is not a number.
    """
    table = _read_parquet(path) if table_suffix(path) == ".parquet" else _read_text(path)
    if table.num_rows == 0 or table.num_columns < 2:
        raise CohortError(
            f"{path}: empty: {table.num_rows} row(s) and {max(table.num_columns - 1, 0)} column(s) of values. "
            "A table with names in its first column and first row is needed."
        )
    rows = pd.Index(table.column(0).to_pylist(), dtype=object)
    columns = pd.Index(table.column_names[1:], dtype=object)
    _check_numeric(table, path, rows)
    all_whole = all(pa.types.is_integer(field.type) for field in list(table.schema)[1:])
    dtype = np.int64 if all_whole and not any(c.null_count for c in table.columns[1:]) else np.float64
    values = np.empty((table.num_rows, len(columns)), dtype=dtype)
    for index in range(len(columns)):
        values[:, index] = table.column(index + 1).to_numpy()
    if dtype == np.int64 and values.size and np.abs(values).max() <= np.iinfo(np.int32).max:
        values = values.astype(np.int32)
    return Table(values, rows, columns)


def _read_parquet(path: Path) -> pa.Table:
    table = pq.read_table(path)
    pandas_index = (table.schema.pandas_metadata or {}).get("index_columns") or []
    names = [name for name in pandas_index if isinstance(name, str) and name in table.column_names]
    if names:
        others = [name for name in table.column_names if name not in names]
        table = table.select(names[:1] + others)
    elif not table.num_columns or not (
        pa.types.is_string(table.schema.types[0]) or pa.types.is_large_string(table.schema.types[0])
    ):
        raise CohortError(f"{path}: no column of names. Write the table with its index, or names first.")
    return table


def _read_text(path: Path) -> pa.Table:
    separator = SEPARATORS[table_suffix(path)]
    header, first = _first_rows(path, separator)
    if len(first) == len(header) + 1:  # R's write.table leaves the corner out
        header = ["", *header]
    columns = header[1:]
    if len(set(columns)) != len(columns):
        seen: set[str] = set()
        repeated = next(name for name in columns if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise CohortError(
            f"{path}, row 1: the column name '{repeated[:60]}' occurs twice. Each sample and gene must occur once."
        )
    # Arrow wants unique names and blocks that hold a whole row; the real names are put back afterwards.
    plain = [f"c{index}" for index in range(len(header))]
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
                column_types={"c0": pa.string()}, strings_can_be_null=False, quoted_strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise CohortError(
            f"{path}: not a table: {_first_line(error)}. Every row needs as many columns as the header."
        ) from error
    return table.rename_columns(header)


def _first_rows(path: Path, separator: str) -> tuple[list[str], list[str]]:
    csv.field_size_limit(1 << 27)
    try:
        with open_text(path) as file:
            reader = csv.reader(file, delimiter=separator)
            header = next(reader, [])
            return header, next(reader, [])
    except (UnicodeDecodeError, csv.Error, gzip.BadGzipFile, EOFError) as error:
        raise CohortError(f"{path}: not a table of text ({error}).") from error


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200].rstrip(". ")


def _check_numeric(table: pa.Table, path: Path, rows: pd.Index[Any]) -> None:
    for index in range(1, table.num_columns):
        column = table.column(index)
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            continue
        if pa.types.is_null(column.type):
            where, value = 0, ""
        else:
            text = pc.cast(column, pa.string())
            numbers = pd.to_numeric(text.to_pandas(), errors="coerce")
            where = int(np.argmax(numbers.isna().to_numpy()))
            value = str(text[where])
        raise CohortError(
            f"{path}, row {where + 2} ('{str(rows[where])[:40]}'), column {index + 1} "
            f"('{table.column_names[index][:40]}'): '{value[:40]}' is not a number. "
            "Columns other than the first must hold numbers only; sample annotation belongs in --obs."
        )


def read_annotation(path: Path) -> pd.DataFrame:
    """Read a sample table indexed by its first column.

    Raises
    ------
    CohortError
        Missing, empty, or not a table.
    """
    if not path.is_file():
        raise CohortError(f"{path}: no such file.")
    suffix = table_suffix(path)
    if suffix == ".parquet":
        frame = pd.read_parquet(path)
    elif suffix in SEPARATORS:
        header, _ = _first_rows(path, SEPARATORS[suffix])
        try:
            frame = pd.read_csv(path, sep=SEPARATORS[suffix], index_col=0, dtype={0: str}, encoding="utf-8-sig")
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise CohortError(f"{path}: not a sample table: {_first_line(error)}.") from error
        if len(set(header[1:])) != len(header[1:]):
            raise CohortError(f"{path}, row 1: two columns have the same name. Rename one.")
    else:
        raise CohortError(f"{path}: unknown format. A sample table is .csv, .tsv or .parquet (.gz allowed).")
    frame.index = frame.index.astype(str)
    frame.index.name = None
    return frame
