"""Counts and sample tables brought together and checked."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import CohortError

Floats = npt.NDArray[np.float64]


def matched(
    counts: pd.DataFrame | npt.NDArray[np.generic], metadata: pd.DataFrame
) -> tuple[pd.DataFrame, "pd.Index[Any]"]:
    """Return the metadata in the order of the counts, and the genes."""
    if not isinstance(counts, pd.DataFrame):
        if counts.ndim != 2 or counts.shape[0] != len(metadata):
            raise CohortError(
                f"counts of shape {counts.shape} do not fit {len(metadata)} samples; pass samples × genes"
            )
        return metadata, pd.RangeIndex(counts.shape[1])
    for what, index in (("counts", counts.index), ("metadata", metadata.index)):
        if not index.is_unique:
            raise CohortError(f"sample {index[index.duplicated()][0]!r} occurs twice in the {what}")
    missing = counts.index.difference(metadata.index, sort=False)
    if len(missing):
        raise CohortError(
            f"{len(missing)} of {len(counts)} samples have no row in the metadata, first {missing[0]!r}; "
            "counts must be samples × genes, with the metadata's row names"
        )
    return metadata.loc[counts.index], counts.columns


def checked_counts(
    counts: pd.DataFrame | npt.NDArray[np.generic], samples: "pd.Index[Any]", genes: "pd.Index[Any]"
) -> Floats:
    """Return counts as contiguous ``n_genes × n_samples`` floats, or say which entry is no count."""
    try:
        table = np.ascontiguousarray(np.asarray(counts).T, dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise CohortError("counts hold something that is not a number") from problem
    if not table.size:
        raise CohortError("counts are empty")
    wrong = ~(np.isfinite(table) & (table >= 0) & (table == np.floor(table)))
    if wrong.any():
        gene, sample = np.argwhere(wrong)[0]
        raise CohortError(
            f"count of gene {genes[gene]!r} in sample {samples[sample]!r} is {table[gene, sample]}; "
            "counts must be whole numbers of 0 or more"
        )
    if not table.any():
        raise CohortError("every count is zero")
    return table
