"""Distribution functions and quantiles of many count distributions, by tables of their probabilities."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..kernels import kernel, over_genes
from ._count_margins import CountMargins
from ._segments import LARGEST

Floats = NDArray[np.float64]
TAIL = 1e-12
"""Levels nearer to 1 than this are cut."""
VANISHED = -60.0
FIRST_TABLE = 256


def distributional_transform(
    counts: NDArray[np.int64], margins: CountMargins, draws: Floats, jobs: int = 1, exposures: Floats | None = None
) -> Floats:
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
    exposures
        Library size of each cell, by which means are multiplied; ``None``: 1.

    References
    ----------
    Rüschendorf 2009, Journal of Statistical Planning and Inference 139:3921.
    """
    below, step = count_steps(counts, margins, jobs, exposures)
    step *= draws
    below += step
    return below


def count_steps(
    counts: NDArray[np.int64], margins: CountMargins, jobs: int = 1, exposures: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return ``F(x − 1)`` and the probability of x, ``n × n_genes`` each; parameters as above."""
    below, step = np.empty(counts.shape), np.empty(counts.shape)
    parts = (margins.inflation, margins.size, margins.mean)
    groups = _by_exposure(len(counts), exposures)
    over_genes(_steps, counts.shape[1], jobs, np.asfortranarray(counts), *groups, *parts, below, step)
    return below, step


def quantiles(
    levels: Floats, margins: CountMargins, jobs: int = 1, exposures: Floats | None = None
) -> NDArray[np.int64]:
    """Return the smallest counts with ``F(x) ≥ level``, ``n × n_genes``, at most `LARGEST`, for levels in (0, 1)."""
    counts = np.empty(levels.shape, dtype=np.int64)
    parts = (margins.inflation, margins.size, margins.mean)
    groups = _by_exposure(len(levels), exposures)
    over_genes(_quantiles, levels.shape[1], jobs, np.asfortranarray(levels), *groups, *parts, counts)
    return counts


def shifted_quantiles(
    levels: Floats, margins: CountMargins, exposures: Floats, groups: NDArray[np.intp], shifts: Floats, jobs: int = 1
) -> NDArray[np.int64]:
    """Return `quantiles` of cells whose means are those of their group: multiplied by ``shifts[groups]`` too.

    Parameters
    ----------
    levels, margins, exposures, jobs
        As for `quantiles`.
    groups
        Group of each cell, ``n``.
    shifts
        ``n_groups × n_genes``.
    """
    counts = np.empty(levels.shape, dtype=np.int64)
    parts = (margins.inflation, margins.size, margins.mean)
    own = np.asfortranarray(levels), exposures, groups, shifts
    over_genes(_shifted_quantiles, levels.shape[1], jobs, *own, *parts, counts)
    return counts


def _by_exposure(n: int, exposures: Floats | None) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Return cells ordered by library size, where each size begins and ends, and the sizes: a table serves one size."""
    if exposures is None:
        return np.arange(n), np.array([0, n]), np.ones(1)
    sizes, place = np.unique(exposures, return_inverse=True)
    ends = np.cumsum(np.bincount(place, minlength=len(sizes)))
    return np.argsort(place, kind="stable"), np.concatenate([[0], ends]), sizes


@kernel
def log_step(count: int, size: float, mean: float) -> float:
    """Return the log-probability of ``count + 1`` less that of ``count``, without extra zeros."""
    if math.isinf(size):
        return math.log(mean / (count + 1))
    return math.log((count + size) / (count + 1) * (mean / (size + mean)))


@kernel
def log_zero(size: float, mean: float) -> float:
    """Return the log-probability of 0 without extra zeros."""
    return -mean if math.isinf(size) else -size * math.log1p(mean / size)


@kernel
def _steps(
    start: int, stop: int, counts: NDArray[np.int64], order: NDArray[np.intp], bounds: NDArray[np.intp], sizes: Floats,
    inflation: Floats, size: Floats, mean: Floats, below: Floats, step: Floats,
) -> None:  # fmt: skip
    for gene in range(start, stop):
        kept = 1.0 - inflation[gene]
        for group in range(len(sizes)):
            rows = order[bounds[group] : bounds[group + 1]]
            largest = 0
            for row in rows:
                largest = max(largest, counts[row, gene])
            expected = mean[gene] * sizes[group]
            reached, probability = np.zeros(largest + 2), np.zeros(largest + 1)
            log_probability = log_zero(size[gene], expected)
            total = inflation[gene]
            for count in range(largest + 1):
                probability[count] = kept * math.exp(log_probability) + (inflation[gene] if count == 0 else 0.0)
                total += kept * math.exp(log_probability)
                reached[count + 1] = min(total, 1.0)
                log_probability += log_step(count, size[gene], expected) if expected > 0.0 else -math.inf
            for row in rows:
                at = counts[row, gene]
                below[row, gene] = reached[at]
                step[row, gene] = min(probability[at], 1.0 - reached[at])


@kernel
def _quantiles(
    start: int, stop: int, levels: Floats, order: NDArray[np.intp], bounds: NDArray[np.intp], sizes: Floats,
    inflation: Floats, size: Floats, mean: Floats, counts: NDArray[np.int64],
) -> None:  # fmt: skip
    table = np.empty(FIRST_TABLE)
    for gene in range(start, stop):
        kept = 1.0 - inflation[gene]
        for group in range(len(sizes)):
            rows = order[bounds[group] : bounds[group + 1]]
            expected = mean[gene] * sizes[group]
            log_probability = log_zero(size[gene], expected)
            table[0] = inflation[gene] + kept * math.exp(log_probability)
            filled = 1
            for row in rows:
                level = min(levels[row, gene], 1.0 - TAIL)
                if level <= table[0] or expected == 0.0:
                    counts[row, gene] = 0
                    continue
                # Past the mean, a probability that has vanished will not come back: what is left is rounding.
                while (
                    table[filled - 1] < level
                    and filled <= LARGEST
                    and not (filled - 1 > expected and log_probability < VANISHED)
                ):
                    log_probability += log_step(filled - 1, size[gene], expected)
                    if filled == len(table):
                        longer = np.empty(2 * len(table))
                        longer[:filled] = table
                        table = longer
                    table[filled] = table[filled - 1] + kept * math.exp(log_probability)
                    filled += 1
                low, high = 0, filled - 1
                while low < high:
                    middle = (low + high) // 2
                    if table[middle] < level:
                        low = middle + 1
                    else:
                        high = middle
                counts[row, gene] = low


@kernel
def _shifted_quantiles(
    start: int, stop: int, levels: Floats, exposures: Floats, groups: NDArray[np.intp], shifts: Floats,
    inflation: Floats, size: Floats, mean: Floats, counts: NDArray[np.int64],
) -> None:  # fmt: skip
    for gene in range(start, stop):
        kept = 1.0 - inflation[gene]
        for row in range(len(levels)):
            expected = mean[gene] * shifts[groups[row], gene] * exposures[row]
            level = min(levels[row, gene], 1.0 - TAIL)
            log_probability = log_zero(size[gene], expected)
            reached = inflation[gene] + kept * math.exp(log_probability)
            count = 0
            # No table: few cells share a mean, and most levels are reached after a step or two.
            while (
                reached < level
                and expected > 0.0
                and count < LARGEST
                and not (count > expected and log_probability < VANISHED)
            ):
                log_probability += log_step(count, size[gene], expected)
                reached += kept * math.exp(log_probability)
                count += 1
            counts[row, gene] = count
