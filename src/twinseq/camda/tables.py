"""Tables of the challenge: names in the first row, none in the first column."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from ..errors import CohortError, shorten
from ..tables import first_line, open_text


def read_csv(path: Path, dtype: type | None = str) -> pd.DataFrame:
    """Read a table with names in its first row only, cells as text or, with ``dtype=None``, as what they look like.

    Raises
    ------
    CohortError
        It is missing, no table, without rows, or names a column twice.
    """
    if not path.is_file():
        raise CohortError(f"{path}: no such file. Check the name and the folder.")
    try:
        with open_text(path) as file:
            header = next(csv.reader(file), [])
        frame = pd.read_csv(
            path, dtype=dtype, keep_default_na=dtype is None, index_col=False, encoding="utf-8-sig",
            float_precision="round_trip",
        )  # fmt: skip
    except (OSError, ValueError, csv.Error) as error:
        raise CohortError(f"{path}: not a readable table ({first_line(error)}). Check that it is complete.") from error
    repeated = pd.Index(header)[pd.Index(header).duplicated()]
    if len(repeated):
        raise CohortError(f"{path}, row 1: duplicate column name '{shorten(repeated[0], 60)}'.")
    if frame.empty:
        raise CohortError(f"{path}: empty: names, and no row below them.")
    return frame
