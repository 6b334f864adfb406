"""What the challenge's first track hands out: expression, subtypes and splits, in the layout of its starter kit.

Source: github.com/PMBio/Health-Privacy-Challenge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from anndata import AnnData
from numpy.typing import NDArray

from ..cohort import Cohort, from_anndata
from ..errors import CohortError, ConfigError, shorten
from ..tables import MISSING, first_line, read_table
from .classes import told_classes
from .tables import read_csv

SAMPLE = "samplesID"
LABELS = ("Subtype", "cancer_type")
SHOWN = 5


@dataclass(frozen=True, eq=False)
class Split:
    """One division of the cohort.

    Parameters
    ----------
    name
        ``split_1``.
    number
        Its number, which the names of the files carry.
    train, test
        Rows of the cohort.
    """

    name: str
    number: int
    train: NDArray[np.intp]
    test: NDArray[np.intp]


def read_cohort(expression: Path, subtypes: Path, label: str | None = None) -> Cohort:
    """Read a cohort of the challenge.

    Parameters
    ----------
    expression
        ``{DATASET}_primary_tumor_star_deseq_VST_lmgenes.tsv``: genes × samples, tabs, values of VST.
    subtypes
        ``{DATASET}_primary_tumor_subtypes.csv``: a row for each sample, its barcode in column ``samplesID``. Further
        samples may be in it.
    label
        Column with the classes; by default ``Subtype`` or ``cancer_type``, whichever is there.

    Returns
    -------
    The cohort, samples in the order of ``expression``; its values are continuous.

    Raises
    ------
    CohortError
        A file cannot be read, the classes of a sample are missing, or the values are no usable cohort.
    ConfigError
        Both columns are there, and neither is chosen.
    """
    values = _read_expression(expression)
    column, classes = _read_subtypes(subtypes, label)
    lacking = values.obs_names.difference(classes.index, sort=False)
    if len(lacking):
        raise CohortError(
            f"{subtypes}: {len(lacking)} sample(s) of {expression} have no row, first '{shorten(lacking[0], 40)}'. "
            f"Add their rows; column '{SAMPLE}' must hold the names letter by letter."
        )
    values.obs[column] = pd.Categorical(classes.loc[values.obs_names].to_numpy())
    return from_anndata(values, label=column, kind="continuous", source=str(expression), min_per_class=1)


def read_reference(expression: Path, subtypes: Path, cohort: Cohort) -> Cohort:
    """Read samples of other people in the layout of `read_cohort`.

    The class of those without a row in ``subtypes`` is told by a classifier trained on the cohort.

    Raises
    ------
    CohortError
        As `read_cohort`; a gene of the cohort is missing, or a sample is in the cohort as well.
    """
    values = _read_expression(expression)
    shared = values.obs_names.intersection(cohort.adata.obs_names)
    if len(shared):
        raise CohortError(
            f"{expression}: {len(shared)} sample(s) are in {cohort.source} too, first '{shorten(shared[0], 40)}'. "
            "A reference holds other people."
        )
    lacking = cohort.genes.difference(values.var_names, sort=False)
    if len(lacking):
        raise CohortError(f"{expression}: lacks {len(lacking)} gene(s) of {cohort.source}, first '{lacking[0]}'.")
    values = values[:, cohort.genes].copy()
    column, stated = _read_subtypes(subtypes, cohort.label)
    classes = stated.reindex(values.obs_names).to_numpy(dtype=object)
    without = pd.isna(classes)
    if without.any():
        classes[without] = told_classes(cohort.dense(), cohort.labels(), values.X[without])
    values.obs[column] = classes.astype(str)
    return from_anndata(values, label=column, kind="continuous", source=str(expression), min_per_class=1)


def read_splits(path: Path, cohort: Cohort) -> tuple[Split, ...]:
    """Read ``{DATASET}_splits.yaml``: ``splits: split_k: {train_index: [barcode, …], test_index: [barcode, …]}``.

    Raises
    ------
    CohortError
        It cannot be read or has another layout, a barcode is unknown to the cohort, occurs twice or on both sides.
    """
    return splits_of(path, cohort.adata.obs_names, cohort.source)


def splits_of(path: Path, names: pd.Index[str], source: str) -> tuple[Split, ...]:
    """Read splits of samples of these names, which are those of the file ``source``; raises as `read_splits`."""
    try:
        with path.open(encoding="utf-8") as file:
            document = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CohortError(f"{path}: cannot be read as YAML ({first_line(error)}).") from error
    splits = document.get("splits") if isinstance(document, dict) else None
    if not isinstance(splits, dict) or not splits:
        raise CohortError(f"{path}: no 'splits' at the top. It must read splits: split_1: {{train_index, test_index}}.")
    return tuple(_split(path, str(name), sides, names, source) for name, sides in splits.items())


def _split(path: Path, name: str, sides: Any, names: pd.Index[str], source: str) -> Split:
    number = re.fullmatch(r"split_(\d+)", name)
    if number is None:
        raise CohortError(f"{path}: '{shorten(name, 40)}' is no name of a split; they are split_1, split_2, …")
    rows = {}
    for side in ("train_index", "test_index"):
        barcodes = sides.get(side) if isinstance(sides, dict) else None
        if not isinstance(barcodes, list) or not barcodes:
            raise CohortError(f"{path}, {name}: no list of barcodes '{side}'.")
        found = names.get_indexer(pd.Index([str(barcode) for barcode in barcodes]))
        if (found < 0).any():
            unknown = barcodes[int(np.argmax(found < 0))]
            raise CohortError(
                f"{path}, {name}, {side}: {int((found < 0).sum())} barcode(s) are not in {source}, first "
                f"'{shorten(unknown, 40)}'. Splits and expression must be of one data set."
            )
        rows[side] = np.sort(found)
    both = np.concatenate(list(rows.values()))
    if len(np.unique(both)) < len(both):
        twice = pd.Series(both)[pd.Series(both).duplicated()].iloc[0]
        barcode = shorten(names[twice], 40)
        raise CohortError(f"{path}, {name}: barcode '{barcode}' occurs twice, or on both sides.")
    return Split(name, int(number[1]), rows["train_index"], rows["test_index"])


def _read_expression(path: Path) -> AnnData:
    if not path.is_file():
        raise CohortError(f"{path}: no such file. It is needed as the expression table.")
    table = read_table(path)
    return AnnData(
        np.ascontiguousarray(table.values.T, dtype=np.float64),
        obs=pd.DataFrame(index=pd.Index(table.columns, dtype=str)),
        var=pd.DataFrame(index=pd.Index(table.rows, dtype=str)),
    )


def _read_subtypes(path: Path, label: str | None) -> tuple[str, pd.Series[Any]]:
    """Return the column with the classes, and the class of each barcode."""
    table = read_csv(path)
    if SAMPLE not in table.columns:
        raise CohortError(f"{path}: no column '{SAMPLE}' with the barcodes. It has: {_listed(table.columns)}.")
    there = [name for name in LABELS if name in table.columns] if label is None else [label]
    if len(there) > 1:
        raise ConfigError(f"{path}: has both columns {' and '.join(there)}. Say with --label which holds the classes.")
    if not there or there[0] not in table.columns:
        wanted = " nor ".join(f"'{name}'" for name in (there or LABELS))
        neither = "no" if there else "neither"
        raise CohortError(f"{path}: {neither} column {wanted} with the classes. It has: {_listed(table.columns)}.")
    classes = table.set_index(SAMPLE)[there[0]]
    if not classes.index.is_unique:
        raise CohortError(f"{path}: '{classes.index[classes.index.duplicated()][0]}' has two rows in '{SAMPLE}'.")
    missing = classes.isin(MISSING)
    return there[0], classes.mask(missing, np.nan)


def _listed(names: Sequence[Any] | pd.Index[Any]) -> str:
    return ", ".join(f"'{shorten(name, 30)}'" for name in names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
