"""Distribution functions and quantiles of many count distributions, by tables of their probabilities."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..kernels import kernel, over_genes
from ._count_margins import CountMargins

Floats = NDArray[np.float64]
TAIL = 1e-12
"""Levels nearer to 1 than this are cut."""
VANISHED = -60.0


def distributional_transform(counts: NDArray[np.int64], margins: CountMargins, draws: Floats, jobs: int = 1) -> Floats:
    """Return ``F(x − 1) + v (F(x) − F(x − 1))``: uniform where x comes from F and v is uniform.

    Parameters
    ----------
    counts
        ``n × n_genes``.
    margins
        F of each gene.
    draws
        v, ``n × n_genes``; ½ gives the middle of the step.
    jobs
        Number of threads.

    References
    ----------
    Rüschendorf 2009, Journal of Statistical Planning and Inference 139:3921.
    """
    levels = np.empty(counts.shape)
    parts = (margins.inflation, margins.size, margins.mean)
    over_genes(_levels, counts.shape[1], jobs, np.asfortranarray(counts), draws, *parts, levels)
    return levels


def quantiles(levels: Floats, margins: CountMargins, jobs: int = 1) -> NDArray[np.int64]:
    """Return the smallest counts with ``F(x) ≥ level``, ``n × n_genes``, for levels between 0 and 1."""
    counts = np.empty(levels.shape, dtype=np.int64)
    parts = (margins.inflation, margins.size, margins.mean)
    over_genes(_quantiles, levels.shape[1], jobs, np.asfortranarray(levels), *parts, counts)
    return counts


@kernel
def _log_step(count: int, size: float, mean: float) -> float:
    """Return the log-probability of ``count + 1`` less that of ``count``, without extra zeros."""
    if math.isinf(size):
        return math.log(mean / (count + 1))
    return math.log((count + size) / (count + 1) * (mean / (size + mean)))


@kernel
def _log_zero(size: float, mean: float) -> float:
    """Return the log-probability of 0 without extra zeros."""
    return -mean if math.isinf(size) else -size * math.log1p(mean / size)


@kernel
def _levels(
    start: int, stop: int, counts: NDArray[np.int64], draws: Floats, inflation: Floats, size: Floats, mean: Floats,
    levels: Floats,
) -> None:  # fmt: skip
    n = counts.shape[0]
    for gene in range(start, stop):
        largest = 0
        for row in range(n):
            largest = max(largest, counts[row, gene])
        below = np.zeros(largest + 2)
        log_probability = _log_zero(size[gene], mean[gene])
        kept = 1.0 - inflation[gene]
        total = inflation[gene]
        for count in range(largest + 1):
            total += kept * math.exp(log_probability)
            below[count + 1] = min(total, 1.0)
            if mean[gene] > 0.0:
                log_probability += _log_step(count, size[gene], mean[gene])
        for row in range(n):
            at = counts[row, gene]
            levels[row, gene] = below[at] + draws[row, gene] * (below[at + 1] - below[at])


@kernel
def _quantiles(
    start: int, stop: int, levels: Floats, inflation: Floats, size: Floats, mean: Floats, counts: NDArray[np.int64]
) -> None:
    for gene in range(start, stop):
        order = np.argsort(levels[:, gene])
        count = 0
        log_probability = _log_zero(size[gene], mean[gene])
        kept = 1.0 - inflation[gene]
        reached = inflation[gene] + kept * math.exp(log_probability)
        for place in order:
            level = min(levels[place, gene], 1.0 - TAIL)
            # Past the mean, a probability that has vanished will not come back: what is left of a level is rounding.
            while reached < level and mean[gene] > 0.0 and not (count > mean[gene] and log_probability < VANISHED):
                log_probability += _log_step(count, size[gene], mean[gene])
                count += 1
                reached += kept * math.exp(log_probability)
            counts[place, gene] = count
