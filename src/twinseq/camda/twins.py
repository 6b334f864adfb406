"""What the teams of the challenge's first track hand in: twins of the blue team, predictions of the red team.

Twins are samples × genes without sample names; predictions have a row for each sample of the expression table, in its
order. Source: github.com/PMBio/Health-Privacy-Challenge, its starter kit.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from ..cohort import Cohort, from_anndata
from ..errors import CohortError, ConfigError, shorten, suggest
from .tables import read_csv

MEMBERSHIP = "membership_label"


def read_profiles(data: Path, cohort: Cohort, *, whole: bool = True) -> pd.DataFrame:
    """Read the profiles of a twin, ``synthetic_data_split_k.csv``: samples × genes, gene names in the first row.

    Parameters
    ----------
    data
        The file; genes in any order, no sample names.
    cohort
        Real cohort, for the names of the genes.
    whole
        Whether all genes of the cohort have to be there.

    Returns
    -------
    ``n_samples × n_genes``, genes in the order of the cohort.

    Raises
    ------
    CohortError
        It cannot be read, holds what is no number, or its genes are not those of the cohort.
    """
    frame = read_csv(data, None)
    unknown = frame.columns.difference(cohort.genes, sort=False)
    if len(unknown):
        raise CohortError(
            f"{data}: {len(unknown)} column(s) are no genes of {cohort.source}, first '{shorten(unknown[0], 40)}'. "
            "A twin is samples × genes, gene names in the first row and no column of sample names."
        )
    lacking = cohort.genes.difference(frame.columns, sort=False)
    if whole and len(lacking):
        raise CohortError(f"{data}: lacks {len(lacking)} gene(s) of {cohort.source}, first '{lacking[0]}'.")
    for name, column in frame.items():
        if not pd.api.types.is_numeric_dtype(column):
            row = int(np.argmax(pd.to_numeric(column, errors="coerce").isna()))
            raise CohortError(f"{data}, row {row + 2}, column '{shorten(name, 40)}': '{column[row]}' is not a number.")
    return frame[cohort.genes[cohort.genes.isin(frame.columns)]].astype(np.float64)


def read_labels(path: Path, n_samples: int, cohort: Cohort) -> NDArray[np.str_]:
    """Read the classes of a twin, ``synthetic_labels_split_k.csv``: one column, a row for each sample.

    Raises
    ------
    CohortError
        It cannot be read, has more columns or other rows, or a class is not in the cohort.
    """
    table = read_csv(path)
    if table.shape != (n_samples, 1):
        raise CohortError(
            f"{path}: {table.shape[0]} row(s) and {table.shape[1]} column(s); one column is needed, and a row for each "
            f"of the twin's {n_samples} samples."
        )
    classes = table.iloc[:, 0]
    known = sorted(set(cohort.labels().tolist()))
    for name in classes.unique():
        if name not in known:
            raise CohortError(f"{path}: class '{shorten(name, 40)}' is not in {cohort.source}{suggest(name, known)}")
    return classes.to_numpy(dtype=str)


def twin_of(profiles: pd.DataFrame, classes: NDArray[np.str_], cohort: Cohort, source: Path) -> Cohort:
    """Dress the profiles and classes of a twin as a cohort with the roles of the real one.

    Raises
    ------
    CohortError
        A value is missing or infinite, or there is one class only.
    """
    names = [f"twin_{row}" for row in range(1, len(profiles) + 1)]
    adata = AnnData(
        profiles.to_numpy(),
        obs=pd.DataFrame({cohort.label: classes}, index=names),
        var=pd.DataFrame(index=profiles.columns.astype(str)),
    )
    return from_anndata(adata, label=cohort.label, kind="continuous", source=str(source), min_per_class=1)


def read_twin(data: Path, cohort: Cohort, labels: Path | None = None) -> Cohort:
    """Read a twin with all genes of the cohort, its labels by default from the file that `labels_beside` names.

    Raises
    ------
    CohortError
        As `read_profiles`, `read_labels` and `twin_of`.
    """
    profiles = read_profiles(data, cohort)
    classes = read_labels(labels_beside(data) if labels is None else labels, len(profiles), cohort)
    return twin_of(profiles, classes, cohort, data)


def labels_beside(data: Path) -> Path:
    """Return where the labels of a twin stand: ``synthetic_labels_split_1.csv`` for ``synthetic_data_split_1.csv``.

    Raises
    ------
    ConfigError
        The name has no ``_data_`` in it.
    """
    if "_data_" not in data.name:
        raise ConfigError(f"{data}: cannot tell the file with its labels; they stand beside synthetic_data_*.csv.")
    return data.with_name(data.name.replace("_data_", "_labels_"))


def number_of(path: Path) -> int:
    """Return the number in the name of a twin or of predictions: 2 of ``synthetic_data_split_2.csv``.

    Raises
    ------
    ConfigError
        There is none.
    """
    found = re.findall(r"\d+", path.stem)
    if not found:
        raise ConfigError(
            f"{path}: no number in the name; the challenge's files are synthetic_data_split_1.csv and on."
        )
    return int(found[-1])


def write_twin(twin: Cohort, folder: Path, number: int) -> list[Path]:
    """Write a twin as the challenge's two tables, and return their paths."""
    data, labels = folder / f"synthetic_data_split_{number}.csv", folder / f"synthetic_labels_split_{number}.csv"
    pd.DataFrame(twin.dense(), columns=twin.genes).to_csv(data, index=False)
    twin.obs[[twin.label]].to_csv(labels, index=False)
    return [data, labels]


def write_predictions(values: NDArray[np.float64], folder: Path, number: int) -> Path:
    """Write one number for each sample of the cohort, in its order, and return the path."""
    path = folder / f"synthetic_data_{number}_predictions.csv"
    pd.DataFrame({MEMBERSHIP: values}).to_csv(path, index=False)
    return path
