r"""Poisson, negative binomial and their zero-inflated forms, fitted to all genes at once by maximum likelihood.

A gene's counts enter by their tail sums :math:`T_j = \#\{x > j\}` only, since

.. math:: \sum_i \log \frac{\Gamma(x_i + θ)}{\Gamma(θ)} = \sum_j T_j \log(θ + j),

so that a step costs as much as the largest count, whatever the number of cells. The mean of a negative binomial is the
sample mean, and θ solves one equation. With a free share of extra zeros, positive counts are a sample of the
*zero-truncated* distribution: μ and θ come from these alone, and the share of zeros is matched by the extra ones; where
that would take a negative share, there are none. Between the forms a likelihood ratio decides.

Source: the model choice is that of scDesign2 (Sun et al. 2021, *Genome Biology* 22:163); the algorithm is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import kernel, over_genes
from ._count_histograms import CountHistogram, histogram_of

Floats = NDArray[np.float64]
CRITICAL = 3.841458820694124
"""95 % quantile of χ² with one degree of freedom: zero inflation is kept where it gains more."""
LOWEST, HIGHEST = -14.0, 14.0
"""Bounds of log θ."""
STEPS = 200
NEAR = 1e-6
"""A log θ as near as this to its bounds is at them."""


@dataclass(frozen=True)
class CountMargins:
    """One distribution for each gene.

    Parameters
    ----------
    inflation
        Share of extra zeros, ``n_genes``.
    size
        θ of the negative binomial, its variance being μ + μ²/θ; infinite for a Poisson distribution.
    mean
        μ of the part without extra zeros; 0 for a gene without counts.
    """

    inflation: Floats
    size: Floats
    mean: Floats

    def zero(self) -> Floats:
        """Return the probability of a zero, ``n_genes``."""
        with np.errstate(divide="ignore", invalid="ignore"):
            negative = self.size * (np.log(self.size) - np.log(self.size + self.mean))
        without = np.exp(np.where(np.isinf(self.size), -self.mean, negative))
        probability: Floats = self.inflation + (1.0 - self.inflation) * without
        return probability

    def scaled(self, factor: float | Floats) -> CountMargins:
        """Return the margins with means multiplied by ``factor``."""
        return CountMargins(self.inflation, self.size, self.mean * factor)

    def take(self, genes: Any) -> CountMargins:
        """Return the margins of some genes."""
        return CountMargins(self.inflation[genes], self.size[genes], self.mean[genes])


def fit_count_margins(counts: Any, jobs: int = 1) -> CountMargins:
    """Fit each gene the distribution that scDesign2 would choose.

    Mean at least the variance: Poisson or zero-inflated Poisson; else negative binomial or, where there are zeros,
    zero-inflated negative binomial.

    Parameters
    ----------
    counts
        Whole numbers, ``n_cells × n_genes``; sparse or dense.
    jobs
        Number of threads; it changes no result.
    """
    return fit_histogram(histogram_of(counts), jobs)[0]


def fit_histogram(histogram: CountHistogram, jobs: int = 1) -> tuple[CountMargins, NDArray[np.int8]]:
    """Fit each gene of a histogram the distribution that scDesign2 would choose, library sizes left aside.

    Returns
    -------
    The margins, and for each gene how many steps it had to go to a simpler family, as a richer one could not be fitted.
    """
    n_genes = len(histogram.starts) - 1
    inflation, size, mean = np.zeros(n_genes), np.full(n_genes, np.inf), np.zeros(n_genes)
    fallen = np.zeros(n_genes, dtype=np.int8)
    entries = histogram.starts, histogram.values, histogram.weights
    over_genes(_fit, n_genes, jobs, *entries, histogram.n_cells, inflation, size, mean, fallen)
    return CountMargins(inflation, size, mean), fallen


@kernel
def _tails(values: NDArray[np.int64], weights: NDArray[np.int64], largest: int) -> Floats:
    """Return how many counts are above 0, 1, … largest − 1."""
    tails = np.zeros(largest)
    for place in range(len(values)):
        tails[values[place] - 1] += weights[place]
    for j in range(largest - 2, -1, -1):
        tails[j] += tails[j + 1]
    return tails


@kernel
def _negative_binomial(tails: Floats, n: float, mean: float) -> float:
    """Return log θ at which the score of a negative binomial with this mean is 0."""
    low, high = LOWEST, HIGHEST
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        theta = math.exp(middle)
        score = -n * math.log1p(mean / theta)
        for j in range(len(tails)):
            score += tails[j] / (theta + j)
        if score > 0.0:
            low = middle
        else:
            high = middle
        if high - low < 1e-12:
            break
    return 0.5 * (low + high)


@kernel
def _log_likelihood(tails: Floats, n: float, total: float, mean: float, theta: float) -> float:
    """Return the log-likelihood of ``n`` counts that add up to ``total``, without the factorials."""
    value = total * math.log(mean / (theta + mean)) - n * theta * math.log1p(mean / theta)
    for j in range(len(tails)):
        value += tails[j] * math.log(theta + j)
    return value


@kernel
def _truncated_mean(target: float, theta: float) -> float:
    """Return the μ at which the mean of positive counts is ``target`` (above 1); ``theta`` 0 stands for Poisson."""
    low, high = 0.0, target
    for _ in range(STEPS):
        mean = 0.5 * (low + high)
        log_zero = -mean if theta == 0.0 else -theta * math.log1p(mean / theta)
        if mean < target * -math.expm1(log_zero):
            low = mean
        else:
            high = mean
        if high - low < 1e-13 * high:
            break
    return 0.5 * (low + high)


@kernel
def _truncated_score(tails: Floats, n: float, total: float, mean: float, theta: float) -> float:
    """Return the derivative by θ of the log-likelihood of ``n`` positive counts, μ being at its best."""
    log_ratio = -math.log1p(mean / theta)
    zero = math.exp(theta * log_ratio)
    of_zero = zero * (log_ratio + mean / (theta + mean))
    score = n * log_ratio + n - (total + n * theta) / (theta + mean) + n * of_zero / (1.0 - zero)
    for j in range(len(tails)):
        score += tails[j] / (theta + j)
    return score


@kernel
def _usable(inflation: float, log_size: float, mean: float) -> bool:
    """Return whether a fit is a distribution, θ not at the end of its range."""
    if not (math.isfinite(mean) and mean > 0.0 and math.isfinite(inflation) and 0.0 <= inflation < 1.0):
        return False
    return LOWEST + NEAR < log_size < HIGHEST - NEAR


@kernel
def _fit(
    start: int, stop: int, starts: NDArray[np.int64], values: NDArray[np.int64], weights: NDArray[np.int64],
    n_cells: int, inflation: Floats, size: Floats, mean: Floats, fallen: NDArray[np.int8],
) -> None:  # fmt: skip
    """Write the distributions of genes ``start … stop − 1``."""
    n = float(n_cells)
    for gene in range(start, stop):
        own, many = values[starts[gene] : starts[gene + 1]], weights[starts[gene] : starts[gene + 1]]
        total, squares, positive, largest = 0.0, 0.0, 0.0, 0
        for place in range(len(own)):
            value = own[place]
            total += float(many[place]) * value
            squares += float(many[place]) * value * value
            positive += many[place]
            largest = max(largest, value)
        average = total / n
        mean[gene] = average
        if total == 0.0:
            continue
        variance = (squares - n * average * average) / max(n - 1.0, 1.0)
        zeros = n - positive
        # Log-likelihood of which samples are zero, if their share is matched exactly.
        matched = positive * math.log(positive / n)
        if zeros > 0.0:
            matched += zeros * math.log(zeros / n)
        if average >= variance:
            if zeros == 0.0 or total == positive:
                continue
            inner = _truncated_mean(total / positive, 0.0)
            extra = 1.0 - positive / n / -math.expm1(-inner)
            plain = total * math.log(average) - total
            inflated = matched + total * math.log(inner) - positive * (inner + math.log(-math.expm1(-inner)))
            if extra > 0.0 and 2.0 * (inflated - plain) > CRITICAL:
                inflation[gene], mean[gene] = extra, inner
            continue
        tails = _tails(own, many, largest)
        log_size = _negative_binomial(tails, n, average)
        theta = math.exp(log_size)
        if _usable(0.0, log_size, average):
            size[gene] = theta
        else:
            fallen[gene] += 1
        if zeros == 0.0 or total == positive:
            continue
        low, high = LOWEST, HIGHEST
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            trial = math.exp(middle)
            inner = _truncated_mean(total / positive, trial)
            if _truncated_score(tails, positive, total, inner, trial) > 0.0:
                low = middle
            else:
                high = middle
            if high - low < 1e-11:
                break
        log_size = 0.5 * (low + high)
        trial = math.exp(log_size)
        inner = _truncated_mean(total / positive, trial)
        log_zero = -trial * math.log1p(inner / trial)
        extra = 1.0 - positive / n / -math.expm1(log_zero)
        plain = _log_likelihood(tails, n, total, average, theta)
        inflated = matched + _log_likelihood(tails, positive, total, inner, trial)
        inflated -= positive * math.log(-math.expm1(log_zero))
        # NaN where a factor has vanished: such a fit is not taken.
        if not (extra > 0.0 and 2.0 * (inflated - plain) > CRITICAL) and math.isfinite(inflated):
            continue
        if _usable(extra, log_size, inner) and math.isfinite(inflated):
            inflation[gene], size[gene], mean[gene] = extra, trial, inner
            fallen[gene] = 0
            continue
        fallen[gene] += 1
        if log_size >= HIGHEST - NEAR and _usable(extra, 0.0, inner) and math.isfinite(inflated):
            inflation[gene], size[gene], mean[gene] = extra, math.inf, inner
