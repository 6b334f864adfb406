"""The strongest of several attacks, corrected for there being several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from .roc import Floats, auc_bounds, auc_covariance, check_scores

SIMULATED = 10_000
"""Draws for the quantile of the largest deviation: its own error is then about 1 %."""


@dataclass(frozen=True)
class Headline:
    """The strongest attack.

    Parameters
    ----------
    index
        Column of the attack with the largest area under the curve.
    auc
        That area, as estimated.
    interval
        Interval for the area of whichever attack is truly strongest, simultaneous over all.
    p_value
        Probability of areas as large, in any attack, if membership had nothing to do with the scores.
    """

    index: int
    auc: float
    interval: tuple[float, float]
    p_value: float


def headline(
    members: Floats,
    nonmembers: Floats,
    strata_members: NDArray[Any],
    strata_nonmembers: NDArray[Any],
    rng: np.random.Generator,
    n_permutations: int = 2000,
    level: float = 0.95,
) -> Headline:
    """Return the strongest attack with an interval and a p-value that allow for the choice among attacks.

    The interval comes from simultaneous ones, each of as many standard errors as the largest deviation of all attacks
    stays within; its ends are the highest of their lower and the highest of their upper ends. The p-value is that of
    the largest standardised area when membership is permuted within strata, exact where donors of a stratum are
    exchangeable. A stratum of members only, or of non-members only, has nothing to permute.

    Parameters
    ----------
    members, nonmembers
        Scores, ``n_members × n_attacks`` and ``n_nonmembers × n_attacks``.
    strata_members, strata_nonmembers
        Stratum of each donor, such as its class.
    rng
        Source of the permutations and of the deviations.
    n_permutations
        Number of permutations.
    level
        Coverage of the interval.

    References
    ----------
    Westfall & Young 1993, "Resampling-based multiple testing" (the maximum); DeLong et al. 1988, Biometrics 44:837.
    """
    members, nonmembers = check_scores(members, nonmembers)
    n, m = len(members), len(nonmembers)
    ranks = rankdata(np.concatenate([members, nonmembers]), axis=0)
    areas = (ranks[:n].sum(axis=0) - n * (n + 1) / 2) / (n * m)
    covariance = np.zeros((len(areas), len(areas)))
    if min(n, m) > 1:
        covariance = auc_covariance(members, nonmembers)[1]
    reach = _simultaneous_reach(covariance, rng, level)
    bounds = [
        auc_bounds(float(area), float(variance), n, m, reach)
        for area, variance in zip(areas, np.diag(covariance), strict=True)
    ]
    strata = np.concatenate([strata_members, strata_nonmembers])
    index = int(np.argmax(areas))
    return Headline(
        index=index,
        auc=float(areas[index]),
        interval=(max(low for low, _ in bounds), max(high for _, high in bounds)),
        p_value=_permuted_p_value(ranks, n, strata, rng, n_permutations),
    )


def _simultaneous_reach(covariance: Floats, rng: np.random.Generator, level: float) -> float:
    """Return how many standard errors the largest of the deviations stays within, with probability ``level``."""
    spread = np.sqrt(np.diag(covariance))
    known = spread > 1e-12
    correlation = np.eye(len(spread))
    # Attacks without an estimated spread are taken for independent, the least favourable case.
    correlation[np.ix_(known, known)] = covariance[np.ix_(known, known)] / np.outer(spread[known], spread[known])
    values, vectors = np.linalg.eigh(correlation)
    deviations = rng.standard_normal((SIMULATED, len(spread))) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    return float(np.quantile(np.abs(deviations).max(axis=1), level))


def _permuted_p_value(
    ranks: Floats, n_members: int, strata: NDArray[Any], rng: np.random.Generator, n_permutations: int
) -> float:
    """Return how often the largest standardised rank sum reaches the observed one when membership is permuted."""
    # Ranks are half-integers, which add up without rounding: equal sums stay equal and count against the attack.
    rank_sums = np.zeros((1 + n_permutations, ranks.shape[1]))
    expected, variance = np.zeros(ranks.shape[1]), np.zeros(ranks.shape[1])
    is_member = np.arange(len(ranks)) < n_members
    for stratum in np.unique(strata):
        inside = strata == stratum
        here, size, n = is_member[inside], int(inside.sum()), int(is_member[inside].sum())
        if n in (0, size):
            continue
        labels = np.tile(here.astype(np.float64), (1 + n_permutations, 1))
        labels[1:] = rng.permuted(labels[1:], axis=1)
        rank_sums += labels @ ranks[inside]
        expected += n * ranks[inside].mean(axis=0)
        variance += n * (size - n) / size * ranks[inside].var(axis=0, ddof=1)
    # Scores that all tie have no variance but for rounding; a single untied pair has 1/4.
    varies = variance > 1e-6
    standardised = (rank_sums - expected) / np.sqrt(np.where(varies, variance, np.inf))
    largest = standardised.max(axis=1)
    return float((1 + (largest[1:] >= largest[0]).sum()) / (1 + n_permutations))
