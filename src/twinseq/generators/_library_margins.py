r"""Count distributions whose mean is proportional to the library size of the cell, fitted to all genes at once.

.. math:: x_{ig} \sim π_g δ_0 + (1 - π_g) \operatorname{NB}(s_i μ_g, θ_g), \qquad
          \operatorname{Var}_{\mathrm{NB}} = s μ + (s μ)^2 / θ,

a generalised linear model with :math:`\log s_i` as offset and only an intercept. Cells of one library size (a place of
the grid of `_count_histograms`) and one count enter together, so that a step costs as much as the table of the gene is
long, whatever the number of cells. Maxima are found by Newton steps in
:math:`(\log μ, \log θ, \operatorname{logit} π)`, damped until the likelihood rises, with the exact gradient and its
differences as Hessian.

Choice of family as in `_count_margins`: Poisson where the counts vary no more than a Poisson model would (Pearson's
statistic), else negative binomial; extra zeros where a likelihood ratio asks for them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..de.smallmatrix import cholesky, solve_in_place
from ..de.special import digamma, log_gamma
from ..kernels import kernel, over_genes
from ._count_histograms import CountHistogram
from ._count_margins import CRITICAL, HIGHEST, LOWEST, NEAR, CountMargins

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_STEPS = 100
DIFFERENCE = 1e-5
LONGEST_STEP = 2.0
FIRST_EXTRA = 0.1
"""Share of extra zeros from which the search starts."""
FURTHEST_LOGIT = 30.0


def fit_library_margins(
    histogram: CountHistogram, exposures: Floats, jobs: int = 1
) -> tuple[CountMargins, NDArray[np.int8]]:
    """Fit each gene a distribution with means per unit of library size.

    Parameters
    ----------
    histogram
        Counts of one class by library size.
    exposures
        Library size of each place of the grid, in the unit of the means.
    jobs
        Number of threads; it changes no result.

    Returns
    -------
    The margins, their means at library size 1, and for each gene how many steps it had to go to a simpler family, as a
    richer one could not be fitted.
    """
    n_genes = len(histogram.starts) - 1
    inflation, size, mean = np.zeros(n_genes), np.full(n_genes, np.inf), np.zeros(n_genes)
    fallen = np.zeros(n_genes, dtype=np.int8)
    used = np.flatnonzero(histogram.cells)
    places = np.zeros(len(histogram.cells), dtype=np.int64)
    places[used] = np.arange(len(used))
    entries = histogram.starts, places[histogram.levels], histogram.values, histogram.weights
    cells = histogram.cells[used].astype(np.float64)
    over_genes(_fit, n_genes, jobs, *entries, cells, exposures[used], inflation, size, mean, fallen)
    return CountMargins(inflation, size, mean), fallen


@kernel
def _objective(
    at: Floats, poisson: bool, inflated: bool, levels: Ints, values: Ints, weights: Ints, zeros: Floats,
    exposures: Floats, slope: Floats,
) -> float:  # fmt: skip
    """Return the log-likelihood at log μ, log θ and logit π, without factorials; write its gradient to ``slope``."""
    rate, theta = math.exp(at[0]), math.exp(at[1])
    extra = 1.0 / (1.0 + math.exp(-at[2])) if inflated else 0.0
    value = 0.0
    slope[:] = 0.0
    for level in range(len(zeros)):
        mean = rate * exposures[level]
        if poisson:
            log_zero, by_rate, by_theta = -mean, -mean, 0.0
        else:
            log_zero = -theta * math.log1p(mean / theta)
            by_rate = -theta * mean / (theta + mean)
            by_theta = theta * (mean / (theta + mean) - math.log1p(mean / theta))
        zero = math.exp(log_zero)
        both = extra + (1.0 - extra) * zero
        value += zeros[level] * (math.log(both) if inflated else log_zero)
        share = zeros[level] * (1.0 - extra) * zero / both if inflated else zeros[level]
        slope[0] += share * by_rate
        slope[1] += share * by_theta
        if inflated:
            slope[2] += zeros[level] * extra * (1.0 - extra) * (1.0 - zero) / both
    log_gamma_theta, digamma_theta = log_gamma(theta), digamma(theta)
    for place in range(len(values)):
        count, many = values[place], weights[place]
        mean = rate * exposures[levels[place]]
        if poisson:
            value += many * (count * math.log(mean) - mean)
            slope[0] += many * (count - mean)
        else:
            log_ratio = -math.log1p(mean / theta)
            value += many * (
                log_gamma(count + theta) - log_gamma_theta + theta * log_ratio + count * math.log(mean / (theta + mean))
            )
            slope[0] += many * theta * (count - mean) / (theta + mean)
            slope[1] += (
                many * theta * (digamma(count + theta) - digamma_theta + log_ratio + (mean - count) / (theta + mean))
            )
        if inflated:
            value += many * math.log1p(-extra)
            slope[2] -= many * extra
    return value


@kernel
def _maximise(
    at: Floats, poisson: bool, inflated: bool, levels: Ints, values: Ints, weights: Ints, zeros: Floats,
    exposures: Floats,
) -> float:  # fmt: skip
    """Move ``at`` to the maximum; return the log-likelihood there, or NaN where none was found within bounds."""
    free = np.array([0, 1, 2])
    if poisson:
        free = np.array([0, 2])
    if not inflated:
        free = free[:-1]
    k = len(free)
    slope, ahead = np.empty(3), np.empty(3)
    curvature = np.empty((k, k))
    best = _objective(at, poisson, inflated, levels, values, weights, zeros, exposures, slope)
    damping = 1e-3
    n = zeros.sum() + weights.sum()
    for _ in range(MOST_STEPS):
        if not math.isfinite(best):
            return math.nan
        for column in range(k):
            moved = at.copy()
            moved[free[column]] += DIFFERENCE
            _objective(moved, poisson, inflated, levels, values, weights, zeros, exposures, ahead)
            for row in range(k):
                curvature[row, column] = -(ahead[free[row]] - slope[free[row]]) / DIFFERENCE
        curvature = 0.5 * (curvature + curvature.T)
        rose = False
        gain = 0.0
        for _ in range(40):
            damped = curvature.copy()
            for row in range(k):
                damped[row, row] += damping * (abs(curvature[row, row]) + 1e-8 * n)
            step = slope[free]
            if cholesky(damped, k):
                solve_in_place(damped, step, k)
                longest = np.abs(step).max()
                trial = at.copy()
                trial[free] += step * min(1.0, LONGEST_STEP / max(longest, 1e-300))
                trial[1] = min(max(trial[1], LOWEST), HIGHEST)
                trial[2] = min(max(trial[2], -FURTHEST_LOGIT), FURTHEST_LOGIT)
                value = _objective(trial, poisson, inflated, levels, values, weights, zeros, exposures, ahead)
                if value >= best:
                    gain = value - best
                    at[:] = trial
                    slope[:] = ahead
                    best = value
                    damping = max(damping * 0.1, 1e-12)
                    rose = True
                    break
            damping = max(damping, 1e-6) * 10.0
        if not rose or gain < 1e-9 * (1.0 + 1e-3 * abs(best)):
            break
    if not poisson and at[1] <= LOWEST + NEAR:
        return math.nan
    if inflated and not -FURTHEST_LOGIT + NEAR < at[2] < FURTHEST_LOGIT - NEAR:
        return math.nan
    return best if math.isfinite(best) and math.isfinite(at[0]) else math.nan


@kernel
def _fit(
    start: int, stop: int, starts: Ints, all_levels: Ints, all_values: Ints, all_weights: Ints, cells: Floats,
    exposures: Floats, inflation: Floats, size: Floats, mean: Floats, fallen: NDArray[np.int8],
) -> None:  # fmt: skip
    """Write the distributions of genes ``start … stop − 1``."""
    exposure = (cells * exposures).sum()
    n = cells.sum()
    for gene in range(start, stop):
        own = slice(starts[gene], starts[gene + 1])
        levels, values, weights = all_levels[own], all_values[own], all_weights[own]
        total = 0.0
        zeros = cells.copy()
        for place in range(len(values)):
            total += float(values[place]) * weights[place]
            zeros[levels[place]] -= weights[place]
        rate = total / exposure
        mean[gene] = rate
        if total == 0.0:
            continue
        # Pearson: squares beyond those of a Poisson model, and the part of them that one unit of 1 / θ explains.
        beyond, squares = -total, 0.0
        for place in range(len(values)):
            beyond += weights[place] * (values[place] - rate * exposures[levels[place]]) ** 2
        for level in range(len(cells)):
            expected = rate * exposures[level]
            beyond += zeros[level] * expected**2
            squares += cells[level] * expected**2
        poisson = beyond <= 0.0
        at = np.array([math.log(rate), 0.0, 0.0])
        slope = np.empty(3)
        if poisson:
            best = _objective(at, True, False, levels, values, weights, zeros, exposures, slope)
        else:
            at[1] = min(max(math.log(squares / beyond), LOWEST + 1.0), HIGHEST - 1.0)
            best = _maximise(at, False, False, levels, values, weights, zeros, exposures)
            if math.isnan(best) or at[1] >= HIGHEST - NEAR:
                fallen[gene] += 1
                at = np.array([math.log(rate), 0.0, 0.0])
                poisson = True
                best = _objective(at, True, False, levels, values, weights, zeros, exposures, slope)
            else:
                mean[gene], size[gene] = math.exp(at[0]), math.exp(at[1])
        if zeros.sum() == 0.0:
            continue
        # Where the first extra zero does not raise the likelihood, none are needed.
        first = -n
        for level in range(len(zeros)):
            expected = math.exp(at[0]) * exposures[level]
            log_zero = -expected if poisson else -math.exp(at[1]) * math.log1p(expected / math.exp(at[1]))
            first += zeros[level] * math.exp(-log_zero)
        if first <= 0.0:
            continue
        richer = at.copy()
        richer[0] -= math.log1p(-FIRST_EXTRA)
        richer[2] = math.log(FIRST_EXTRA / (1.0 - FIRST_EXTRA))
        found = _maximise(richer, poisson, True, levels, values, weights, zeros, exposures)
        if math.isnan(found):
            fallen[gene] += 1
        elif 2.0 * (found - best) > CRITICAL:
            mean[gene], inflation[gene] = math.exp(richer[0]), 1.0 / (1.0 + math.exp(-richer[2]))
            # A θ beyond all bounds is a zero-inflated Poisson distribution.
            endless = not poisson and richer[1] >= HIGHEST - NEAR
            size[gene] = math.inf if poisson or endless else math.exp(richer[1])
            fallen[gene] = 1 if endless else 0
