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
FLOOR = 0.004


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
        # Evenly over the samples in the order of their mean standardised gene: neither their place in the file nor the
        # units of a gene matter.
        values = side.on_log[rows]
        deviation = values.std(axis=0)
        varying = deviation > 1e-9 * np.abs(values.mean(axis=0))
        weights = np.where(varying, 1.0 / np.where(varying, deviation, 1.0), 0.0)
        rows = rows[np.argsort(values @ weights, kind="stable")]
        rows = rows[np.linspace(0, len(rows) - 1, MOST_SAMPLES).round().astype(int)]
    chosen: Floats = side.on_log[rows]
    return chosen


def per_gene(values: Floats, deviation: Floats, varying: NDArray[np.bool_]) -> Floats:
    """Return the genes that vary in units of their deviation, genes × samples."""
    return np.ascontiguousarray((values[:, varying] / deviation[varying]).T)


@kernel
def _running_sums(values: Floats) -> Floats:
    """Return ``Σ 1``, ``Σ s`` and ``Σ s²`` up to each of the ordered ``values``, ``3 × (n + 1)``."""
    sums = np.zeros((3, len(values) + 1))
    for index in range(len(values)):
        value = values[index]
        sums[0, index + 1] = sums[0, index] + 1.0
        sums[1, index + 1] = sums[1, index] + value
        sums[2, index + 1] = sums[2, index] + value * value
    return sums


@kernel
def _density(x: float, values: Floats, sums: Floats, width: float) -> float:
    """Return the mean of parabolic kernels of deviation ``width`` around ``values`` at ``x``.

    A parabola summed over all values within reach is a matter of three running sums, whatever their number.
    """
    reach = math.sqrt(5.0) * width
    first, last = np.searchsorted(values, x - reach), np.searchsorted(values, x + reach)
    if last <= first:
        return 0.0
    number = sums[0, last] - sums[0, first]
    total = sums[1, last] - sums[1, first]
    squares = sums[2, last] - sums[2, first]
    spread = squares - 2.0 * x * total + number * x * x
    density: float = max(0.75 * (number - spread / (reach * reach)) / (reach * (len(sums[0]) - 1)), 0.0)
    return density


@kernel
def kernel_ratios(own: Floats, other: Floats, targets: Floats, widths: Floats, share: float) -> Floats:
    """Return the mean over genes of a log ratio of kernel densities (Epanechnikov's kernel).

    Parameters
    ----------
    own, other
        Values behind the numerator and the denominator, ``G × n`` and ``G × m``.
    targets
        Values at which the ratio is taken, ``G × n_targets``.
    widths
        Deviations of the two kernels.
    share
        Share of the numerator's density that is mixed into the denominator's.
    """
    n_genes, n_targets = targets.shape
    scores = np.zeros(n_targets)
    for gene in range(n_genes):
        # Around their mean, sums of squares keep their digits.
        centre = own[gene].mean()
        first, second = np.sort(own[gene] - centre), np.sort(other[gene] - centre)
        first_sums, second_sums = _running_sums(first), _running_sums(second)
        for target in range(n_targets):
            x = targets[gene, target] - centre
            above = _density(x, first, first_sums, widths[0])
            below = _density(x, second, second_sums, widths[1])
            scores[target] += math.log(above + FLOOR) - math.log(share * above + (1.0 - share) * below + FLOOR)
    mean: Floats = scores / n_genes
    return mean
