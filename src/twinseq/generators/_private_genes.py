r"""Location, spread and class means of genes from three noisy sums.

What a gene's location costs hangs on how far samples lie from where they are thought to be. So a rough location is
asked for first, with rows centred at the middle of the bounds, and the rows are then centred there and cut much
shorter. Sums are taken over rows in the L2 norm over all genes, each sample with its weight, so that a donor changes
them by at most the length C to which rows are cut; C hangs on the bounds, the number of genes and the noise alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..dp.budget import Spending
from ..dp.mechanisms import clipped, gaussian

Floats = NDArray[np.float64]
ROUGH_LENGTH = 0.3
"""Root mean square to which rows about the middle are cut, as a share of the bounds' distance."""
LENGTH = 0.07
"""The same about the rough location: 1.4 where bounds are 0 and 20, somewhat above what a log scale holds."""
LEAST_SPREAD = 0.01
LOCATION, CLASSES, SPREAD = 0.15, 0.63, 0.22
"""Shares of the three sums."""


@dataclass(frozen=True)
class PrivateGenes:
    """Noisy moments of genes on the bounded scale.

    Parameters
    ----------
    location, spread
        Of each gene over all donors, ``n_genes``.
    offsets
        Class means less location, in units of the spread, ``n_classes × n_genes``; noise and all.
    noise
        Mean variance of the noise of a class's offsets, ``n_classes``.
    """

    location: Floats
    spread: Floats
    offsets: Floats
    noise: Floats


def noisy_genes(
    x: Floats,
    codes: NDArray[np.intp],
    counts: Floats,
    weights: Floats,
    bounds: tuple[float, float],
    spending: Spending,
    share: float,
) -> PrivateGenes:
    """Ask for location, class means and spread of all genes, for ``share`` of the budget.

    Parameters
    ----------
    x
        Values within ``bounds``, ``n_samples × n_genes``.
    codes, counts
        Class of each sample, and noisy number of donors of each class.
    weights
        Of samples; those of each donor add up to 1.
    bounds
        Stated lowest and highest value.
    spending, share
        Budget and the part of it to spend.
    """
    low, high = bounds
    n_genes, wide, sizes = x.shape[1], high - low, class_sizes(counts)
    n = sizes.sum()
    length = ROUGH_LENGTH * wide * np.sqrt(n_genes)
    multiplier = spending.take(LOCATION * share)
    rows = weights[:, None] * clipped(x - (low + high) / 2, length)
    answer = gaussian(rows.sum(axis=0), length, multiplier, spending.ledger, "sums of genes")
    rough, unsure = _towards_common(answer / n + (low + high) / 2, (length * multiplier / n) ** 2)
    rough = np.clip(rough, low, high)

    length = float(np.sqrt(n_genes * ((LENGTH * wide) ** 2 + unsure)))
    multiplier = spending.take(CLASSES * share)
    sums = np.zeros((len(sizes), n_genes))
    np.add.at(sums, codes, weights[:, None] * clipped(x - rough, length))
    sums = gaussian(sums, length, multiplier, spending.ledger, "sums of genes in each class")
    shift = sums.sum(axis=0) / n
    location = np.clip(rough + shift, low, high)
    noise = (length * multiplier) ** 2 * offset_noise(sizes)

    length = LENGTH * wide * np.sqrt(n_genes)
    multiplier = spending.take(SPREAD * share)
    away = weights[:, None] * clipped(np.abs(x - location), length)
    answer = gaussian(away.sum(axis=0), length, multiplier, spending.ledger, "absolute deviations of genes")
    deviation, _ = _towards_common(answer / n, (length * multiplier / n) ** 2)
    # Of a normal distribution, the mean absolute deviation is √(2/π) standard deviations.
    spread = np.sqrt(np.pi / 2) * np.clip(deviation, LEAST_SPREAD * wide, wide / 2)
    return PrivateGenes(location, spread, (sums / sizes[:, None] - shift) / spread, noise * np.mean(spread**-2.0))


def class_sizes(counts: Floats) -> Floats:
    """Return noisy numbers of donors fit to divide by."""
    return np.maximum(counts, 1.0)


def offset_noise(sizes: Floats) -> Floats:
    """Return the variance of class means less the common mean, from sums with noise of variance 1."""
    n = sizes.sum()
    own: Floats = (1.0 / sizes - 1.0 / n) ** 2 + (len(sizes) - 1) / n**2
    return own


def kept_share(squares: Floats, noise: Floats) -> Floats:
    """Return by how much vectors of these mean squares are to be multiplied, part of them being noise (James–Stein)."""
    kept: Floats = np.maximum(0.0, 1.0 - noise / np.maximum(squares, 1e-300))
    return kept


def _towards_common(values: Floats, noise: float) -> tuple[Floats, float]:
    """Return values moved towards their mean by as much as noise calls for, and their variance about the true ones."""
    varied = max(float(values.var()) - noise, 0.0)
    trust = varied / (varied + noise)
    return values.mean() + trust * (values - values.mean()), trust * noise
