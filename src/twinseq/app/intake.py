"""What comes in through the browser: files under names of our own, and the columns they have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from ..containers import CONTAINERS, read_container
from ..errors import CohortError, ConfigError, shorten
from ..io import FORMATS, TABLES
from ..tables import is_gzipped, read_annotation, table_suffix

PIECE = 1 << 20
SHOWN = 4
"""Values of a column that are named beside it."""


class Upload(Protocol):
    """A file that a browser sent."""

    filename: str | None

    async def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        ...


@dataclass(frozen=True)
class Column:
    """A column of the samples, as it is offered for a role.

    Parameters
    ----------
    name
        As in the file.
    n_values
        Distinct values, missing ones not counted.
    words
        How many values there are, and which where they are few and each is shared by several samples.
    """

    name: str
    n_values: int
    words: str


@dataclass(frozen=True)
class Arrived:
    """The files of a cohort that have come in.

    Parameters
    ----------
    cohort, samples, basis
        Where they lie; ``None`` where there is none.
    title
        Name that the user's file has; for display only.
    n_samples
        Rows of the sample table.
    columns
        What is known of the samples.
    """

    cohort: Path
    samples: Path | None
    basis: Path | None
    title: str
    n_samples: int
    columns: tuple[Column, ...]


def suffix_of(filename: str) -> str:
    """Return the suffix of a cohort's file; nothing else of a name from outside is used.

    Raises
    ------
    ConfigError
        No format that is read here.
    """
    path = Path(filename)
    suffix = table_suffix(path)
    if suffix not in (".h5ad", *TABLES):
        raise ConfigError(
            f"{shorten(filename, 60)}: not a file that can be read here. Known formats: .h5ad, "
            f"{', '.join(TABLES)}, tables also with .gz."
        )
    return f"{suffix}.gz" if is_gzipped(path) else suffix


async def keep(upload: Upload, path: Path) -> Path:
    """Write what was sent to a file, a piece at a time."""
    with path.open("wb") as file:
        while piece := await upload.read(PIECE):
            file.write(piece)
    return path


def arrived(cohort: Path, samples: Path | None, basis: Path | None, title: str) -> Arrived:
    """Look at the columns of a cohort; of its profiles nothing is read.

    Raises
    ------
    CohortError
        A file cannot be read, or a table of profiles came without one of samples.
    """
    if samples is not None:
        table = read_annotation(samples)
    elif table_suffix(cohort) in CONTAINERS:
        table = read_container(cohort, lazy=True).obs
    else:
        raise CohortError(
            f"{shorten(title, 60)}: a table of profiles needs a table of samples beside it (first column: sample "
            f"names). Other formats: {FORMATS}."
        )
    columns = tuple(_described(str(name), table[name]) for name in table.columns)
    return Arrived(cohort, samples, basis, title, len(table), columns)


def _described(name: str, column: pd.Series[Any]) -> Column:
    """Describe a column; values that single samples have are not named."""
    counts = column.astype(str)[column.notna()].value_counts()
    words = "1 value" if len(counts) == 1 else f"{len(counts):,} values"
    if 0 < len(counts) <= SHOWN and counts.min() > 1:
        words += ": " + ", ".join(shorten(value, 30) for value in sorted(counts.index))
    return Column(name, len(counts), words)
