"""Kernel distance of the community benchmark, whose bandwidth knows the number of genes and not their scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import rbf_kernel

from .._registry import NotComputableError, register
from ._entry import SHARED

Floats = NDArray[np.floating[Any]]
BLOCK = 1024

_WEAKNESS = (
    "0 or slightly negative: no difference. Weakness: the bandwidth ignores the scale of the data, so that on log "
    "expression nearly every kernel value is 0 and most twins score near 0; `mmd` takes its bandwidth from the data."
)


@register(
    name="paper_mmd",
    question="How far is the twin from the training data (the benchmark's kernel distance)?",
    reading=_WEAKNESS,
    formula="unbiased MMD² of S and T, exp(−d² / n_genes), unscaled log2(CPM + 1), all genes",
    direction="lower",
    ideal=0.0,
    bounds=(-1.0, 2.0),
    fields=("train.log", "twin.log"),
    against="train",
    floor="mean profile",
    **SHARED,
)
@register(
    name="paper_mmd_holdout",
    question="How far is the twin from unseen real samples (the benchmark's kernel distance)?",
    reading=_WEAKNESS,
    formula="unbiased MMD² of S and H, exp(−d² / n_genes), unscaled log2(CPM + 1), all genes",
    direction="lower",
    ideal=0.0,
    bounds=(-1.0, 2.0),
    fields=("holdout.log", "twin.log"),
    against="holdout",
    floor="mean profile",
    **SHARED,
)
def paper_mmd(real: Floats, twin: Floats) -> float:
    """Return the unbiased squared maximum mean discrepancy with kernel width 1 / n_genes.

    Parameters
    ----------
    real, twin
        Profiles, ``n_samples × n_genes``.

    Raises
    ------
    NotComputableError
        A side has fewer than two samples.
    """
    n, m = len(real), len(twin)
    if min(n, m) < 2:
        raise NotComputableError("needs at least two samples on each side")
    # The diagonal of a kernel matrix is 1, and pairs of a sample with itself do not count.
    within = (_total(real, real) - n) / (n * (n - 1)) + (_total(twin, twin) - m) / (m * (m - 1))
    return within - 2 * _total(real, twin) / (n * m)


def _total(a: Floats, b: Floats) -> float:
    """Return the sum of all kernel values, in blocks of rows."""
    gamma = 1.0 / a.shape[1]
    return float(sum(rbf_kernel(a[start : start + BLOCK], b, gamma).sum() for start in range(0, len(a), BLOCK)))
