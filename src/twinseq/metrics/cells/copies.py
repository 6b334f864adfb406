"""Are cells of the training data in the twin? Descriptive: passing is no evidence of safety."""

from __future__ import annotations

import hashlib

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ...cohort import Cohort
from .._registry import register
from ..privacy.nearest import NO_EVIDENCE


@register(
    name="copied_cells",
    group="cells",
    question="What share of the twin's cells are training cells, count for count?",
    reading=f"Beside the ceiling, anything above 0 publishes cells of donors. {NO_EVIDENCE}",
    formula="share of S that occurs in T, all genes",
    direction="lower",
    ideal=0.0,
    bounds=(0.0, 1.0),
    reference="Spec of the project",
    fields=("twin.digests", "train.digests"),
    against="train",
    floor="bootstrap",
    needs=("cells",),
    unit="cells",
)
def copied_cells(twin: NDArray[np.bytes_], train: NDArray[np.bytes_]) -> float:
    """Return the share of twin cells that equal a training cell.

    Parameters
    ----------
    twin, train
        One fingerprint per cell, equal for equal cells (`cell_digests`).
    """
    return float(np.isin(twin, train).mean())


def cell_digests(cohort: Cohort) -> NDArray[np.bytes_]:
    """Return a 128-bit digest of each cell, the same for sparse and dense cohorts and for any type of number."""
    digests: list[bytes] = []
    for _, part in cohort.chunks():
        cells = sp.csr_matrix(part, dtype=np.float64)
        cells.sum_duplicates()
        cells.eliminate_zeros()
        places = cells.indices.astype(np.int64)
        digests.extend(
            hashlib.blake2b(places[a:b].tobytes() + cells.data[a:b].tobytes(), digest_size=16).hexdigest().encode()
            for a, b in zip(cells.indptr[:-1], cells.indptr[1:], strict=True)
        )
    return np.array(digests)
