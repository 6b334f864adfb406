"""`quantile_replay`: values that reappear to the last digit were copied from somebody.

A generator that ends in the inverse of an empirical distribution, or resamples, gives out training values as they
are. One equal value means little, least of all in counts; a profile full of them means a member.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kernels import kernel
from ._base import Floats, NotApplicableError, View
from ._calibration import calibrated
from ._registry import register

NEIGHBOURS = 5
"""Twin values on either side of a value from which the chance of meeting it is told."""
ROUNDING = 1e-9
"""Continuous values are equal where they differ by no more than this share of the gene's range in the twin."""


@register(
    name="quantile_replay",
    levels=("T0", "T1"),
    threat="Looks for the target's very values among those of the twin, gene by gene, beyond what chance would repeat.",
    formula="(repeats − expected) / √(1 + Σ p(1−p)) over genes, p from the spacing of neighbouring twin values",
    reference="twinseq; after the inverse quantile transform of tabular diffusion models",
)
@calibrated
def quantile_replay(view: View) -> Floats:
    """Return how many more values of each target reappear in the twin's class than chance would have it.

    Raises
    ------
    NotApplicableError
        The twin lacks a class, or repeats no value of any target.
    """
    twin, targets = view.twin, view.targets
    scores = np.zeros(len(targets))
    repeated = 0
    for name in np.unique(targets.labels):
        rows = targets.labels == name
        values = twin.values[twin.labels == name]
        if not len(values):
            raise NotApplicableError(f"the twin has no sample of class '{name}'")
        if len(values) < 2 * NEIGHBOURS:
            values = twin.values
        ordered = np.sort(values.astype(np.float64), axis=0)
        span = ordered[-1] - ordered[0]
        varying = span > 0
        if not varying.any():
            continue
        grain = np.full(int(varying.sum()), 0.5) if twin.kind == "counts" else ROUNDING * span[varying]
        hits, expected, variance = _repeats(
            np.ascontiguousarray(ordered[:, varying].T),
            np.ascontiguousarray(targets.values[rows][:, varying].T.astype(np.float64)),
            grain,
        )
        repeated += int(hits.sum())
        scores[rows] = (hits - expected) / np.sqrt(1.0 + variance)
    if not repeated:
        raise NotApplicableError("the twin repeats no value of any target")
    return scores


@kernel
def _repeats(ordered: Floats, targets: Floats, grain: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return repeats, their expectation and its variance for each target, from ``G × n`` and ``G × n_targets``."""
    n_genes, n_targets = targets.shape
    n = ordered.shape[1]
    hits = np.zeros(n_targets, dtype=np.int64)
    expected, variance = np.zeros(n_targets), np.zeros(n_targets)
    for gene in range(n_genes):
        values, half = ordered[gene], grain[gene]
        for target in range(n_targets):
            x = targets[gene, target]
            first = np.searchsorted(values, x - half)
            last = np.searchsorted(values, x + half)
            below, above = max(first - NEIGHBOURS, 0), min(last + NEIGHBOURS, n) - 1
            near = (first - below) + (above + 1 - last)
            width = max(values[above] - values[below], x - values[below], values[above] - x)
            density = (near + 1.0) / (width + 2.0 * half)
            chance = 1.0 - np.exp(-density * 2.0 * half)
            hits[target] += last > first
            expected[target] += chance
            variance[target] += chance * (1.0 - chance)
    return hits, expected, variance
