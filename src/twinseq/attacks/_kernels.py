"""Kernel densities of every gene, held against each other at the values of targets."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..kernels import kernel
from ._base import NotApplicableError, Samples

Floats = NDArray[np.float64]
MOST_SAMPLES = 400
"""Samples of a class whose values are used, drawn evenly over them where there are more."""
FLOOR = 0.01
REACH = 4.0


def of_class(side: Samples, name: str, whose: str) -> Floats:
    """Return the log-scale profiles of a class, at most `MOST_SAMPLES`.

    Raises
    ------
    NotApplicableError
        There are fewer than two.
    """
    rows = np.flatnonzero(side.labels == name)
    if len(rows) < 2:
        raise NotApplicableError(f"the {whose} has {len(rows)} sample(s) of class '{name}'; two are needed")
    if len(rows) > MOST_SAMPLES:
        # Evenly over the samples ordered by content, so that their order in the file does not matter.
        rows = rows[np.argsort(side.on_log[rows].mean(axis=1), kind="stable")]
        rows = rows[np.linspace(0, len(rows) - 1, MOST_SAMPLES).round().astype(int)]
    chosen: Floats = side.on_log[rows]
    return chosen


def per_gene(values: Floats, deviation: Floats, varying: NDArray[np.bool_]) -> Floats:
    """Return the genes that vary in units of their deviation, genes × samples."""
    return np.ascontiguousarray((values[:, varying] / deviation[varying]).T)


@kernel
def kernel_ratios(own: Floats, other: Floats, targets: Floats, widths: Floats, share: float) -> Floats:
    """Return the mean over genes of a log ratio of kernel densities.

    Parameters
    ----------
    own, other
        Values behind the numerator and the denominator, ``G × n`` and ``G × m``.
    targets
        Values at which the ratio is taken, ``G × n_targets``.
    widths
        Kernel widths of the two.
    share
        Share of the numerator's density that is mixed into the denominator's.
    """
    n_genes, n_targets = targets.shape
    n, m = own.shape[1], other.shape[1]
    scores = np.zeros(n_targets)
    for gene in range(n_genes):
        for target in range(n_targets):
            x = targets[gene, target]
            above, below = 0.0, 0.0
            for sample in range(n):
                away = (x - own[gene, sample]) / widths[0]
                if abs(away) < REACH:
                    above += math.exp(-0.5 * away * away)
            for sample in range(m):
                away = (x - other[gene, sample]) / widths[1]
                if abs(away) < REACH:
                    below += math.exp(-0.5 * away * away)
            above /= widths[0] * n
            below /= widths[1] * m
            scores[target] += math.log(above + FLOOR) - math.log(share * above + (1.0 - share) * below + FLOOR)
    mean: Floats = scores / n_genes
    return mean
