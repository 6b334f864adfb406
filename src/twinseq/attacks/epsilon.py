"""What attacks prove about differential privacy: lower bounds on ε and μ, and how high they could reach.

A mechanism that is (ε, δ)-private lets no test between member and non-member have error rates with
``FNR + e^ε FPR < 1 − δ``, nor with the two exchanged. Error rates that are surely lower than that refute a claimed ε.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit
from scipy.stats import binom, norm

from .roc import Floats, check_scores

Bound = Callable[[Any, Any], Any]
"""A privacy bound from upper bounds of two error rates, the rarer error second."""


def epsilon_lower(
    members: Floats,
    nonmembers: Floats,
    rng: np.random.Generator,
    delta: float = 0.0,
    alpha: float = 0.05,
) -> float:
    """Return a lower bound on ε from the error rates of one threshold on the scores.

    The bound is ``log((1 − δ − FNR) / FPR)``, or the same with the rates exchanged, of Clopper–Pearson upper bounds,
    each at ``α / 2``. Threshold and direction are chosen on one half of the donors and read on the other, then the
    halves change places and both readings are pooled; a pooled pair of rates obeys the inequality because each pair
    does, and in simulated audits of known ε the bound was too high in 2.5 % at most (α = 5 %). A bound from one twin
    takes its donors for independent; :func:`one_run_epsilon` does not need that.

    Parameters
    ----------
    members, nonmembers
        Scores, one a donor.
    rng
        Deals the donors into halves.
    delta
        δ of the claim.
    alpha
        Probability of a bound above the true ε.

    Returns
    -------
    ε, at least 0, which always holds.

    References
    ----------
    Jagielski, Ullman & Oprea 2020, "Auditing differentially private machine learning", NeurIPS.
    """
    return _cross_fitted(members, nonmembers, rng, alpha, _log_ratio(delta))


def gdp_mu_lower(members: Floats, nonmembers: Floats, rng: np.random.Generator, alpha: float = 0.05) -> float:
    """Return a lower bound on the μ of Gaussian differential privacy, ``Φ⁻¹(1 − FPR) − Φ⁻¹(FNR)``.

    Rates are upper bounds and thresholds are chosen as for :func:`epsilon_lower`.

    Parameters
    ----------
    members, nonmembers
        Scores, one a donor.
    rng
        Deals the donors into halves.
    alpha
        Probability of a bound above the true μ.

    References
    ----------
    Dong, Roth & Su 2022, JRSS B 84:3; Nasr et al. 2023, "Tight auditing of differentially private machine learning".
    """
    return _cross_fitted(members, nonmembers, rng, alpha, lambda missed, rare: -norm.ppf(rare) - norm.ppf(missed))


def largest_epsilon(n_members: int, n_nonmembers: int, delta: float = 0.0, alpha: float = 0.05) -> float:
    """Return the largest ε that :func:`epsilon_lower` can certify, from an attack without a single error.

    Parameters
    ----------
    n_members, n_nonmembers
        Numbers of donors; an odd one counts as one less, since halves are of one size.
    delta, alpha
        As in :func:`epsilon_lower`.
    """
    missed, false = (float(_at_most(0, n - n % 2, alpha / 2)) for n in (n_members, n_nonmembers))
    bound = _log_ratio(delta)
    return max(0.0, float(bound(missed, false)), float(bound(false, missed)))


def auc_half_width(n_members: int, n_nonmembers: int) -> float:
    """Return half the width of the 95 % interval of an area of 0.5: areas nearer to 0.5 cannot be told from it.

    The variance of the rank-sum statistic without ties gives ``1.96 √((n + m + 1) / (12 n m))``.

    Parameters
    ----------
    n_members, n_nonmembers
        Numbers of donors.
    """
    variance = (n_members + n_nonmembers + 1) / (12 * n_members * n_nonmembers)
    return float(norm.ppf(0.975) * np.sqrt(variance))


def one_run_epsilon(
    scores: Floats,
    included: NDArray[np.bool_],
    n_guesses: int | None = None,
    delta: float = 0.0,
    alpha: float = 0.05,
) -> float:
    """Return a lower bound on ε from one run in which each canary was included by the toss of a fair coin.

    The highest scores are guessed in, as many of the lowest out, the rest not guessed. If the mechanism is
    (ε, δ)-private, ``v`` or more of ``r`` guesses are right with probability at most ``β + 2 m δ a``, where
    ``q = e^ε / (1 + e^ε)``, ``X ~ Binomial(r, q)``, ``β = P(X ≥ v)`` and ``a = max_i P(v − i ≤ X < v) / i``; ε is the
    largest at which that is below α. Canaries need not be independent of each other.

    Parameters
    ----------
    scores
        Scores, one a canary.
    included
        Whether each canary was in the training data.
    n_guesses
        Number of guesses, even, fixed before the scores are seen; by default a third of the canaries.
    delta
        δ of the claim.
    alpha
        Probability of a bound above the true ε.

    Raises
    ------
    ValueError
        Where lengths differ, a score is missing, or the number of guesses is odd or not from 2 to that of canaries.

    References
    ----------
    Steinke, Nasr & Jagielski 2023, "Privacy auditing with one (1) training run", NeurIPS, Theorem 5.2.
    """
    scores, included = np.asarray(scores, dtype=np.float64), np.asarray(included, dtype=np.bool_)
    n = len(scores)
    if included.shape != scores.shape or np.isnan(scores).any():
        raise ValueError("each canary needs a score and whether it was included")
    if n_guesses is None:
        # In simulations a third came near the best share for weak and strong attacks on 50 to 1,000 canaries.
        n_guesses = max(2, 2 * (n // 6))
    if n_guesses % 2 or not 2 <= n_guesses <= n:
        raise ValueError(f"{n_guesses} guesses among {n} canaries: take an even number from 2 to that of canaries")
    # A score that ties across the boundary is a guess not made, and counted as wrong: to break the tie by place in the
    # array would use the order in which canaries are listed, which may well be by inclusion.
    rising = np.sort(scores)
    half = n_guesses // 2
    right = int(included[scores > rising[n - half - 1]].sum() + (~included[scores < rising[half]]).sum())

    def refuted(epsilon: float) -> bool:
        rate = expit(epsilon)
        just_below = np.cumsum(binom.pmf(np.arange(right)[::-1], n_guesses, rate))
        steepest = float((just_below / np.arange(1, right + 1)).max(initial=0.0))
        return bool(binom.sf(right - 1, n_guesses, rate) + 2 * n * delta * steepest < alpha)

    low, high = 0.0, 1.0
    while refuted(high):
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low


def _log_ratio(delta: float) -> Bound:
    def bound(other: Any, rare: Any) -> Any:
        # The floor keeps the order of hopeless thresholds defined; it is far below the 0 that is reported instead.
        return np.log(np.maximum(1 - delta - other, 1e-300)) - np.log(rare)

    return bound


def _at_most(wrong: Any, n: int, alpha: float) -> Any:
    """Return the Clopper–Pearson upper bound of an error rate, at one-sided α."""
    wrong = np.asarray(wrong, dtype=np.float64)
    some_right = wrong < n
    return np.where(some_right, betaincinv(wrong + 1, np.where(some_right, n - wrong, 1.0), 1 - alpha), 1.0)


def _between(scores: Floats) -> Floats:
    """Return the middles between neighbouring distinct scores, and the lowest score, at which all are positive."""
    levels = np.unique(scores)
    lower, upper = levels[:-1], levels[1:]
    # There is no middle between a finite score and an infinite one; the upper one parts them as well.
    finite = np.isfinite(lower) & np.isfinite(upper)
    middles = np.where(finite, 0.5 * np.where(finite, lower, 0) + 0.5 * np.where(finite, upper, 0), upper)
    return np.concatenate([levels[:1], middles])


def _errors(positives: Floats, negatives: Floats, threshold: Any) -> tuple[Any, Any]:
    """Return the numbers of positives below a threshold and of negatives at or above it."""
    missed = np.searchsorted(np.sort(positives), threshold)
    false = len(negatives) - np.searchsorted(np.sort(negatives), threshold)
    return missed, false


def _cross_fitted(members: Floats, nonmembers: Floats, rng: np.random.Generator, alpha: float, bound: Bound) -> float:
    """Return the bound at thresholds chosen on either half of the donors and read on the other, at least 0."""
    members, nonmembers = check_scores(members, nonmembers)
    if min(len(members), len(nonmembers)) < 2:
        return 0.0
    # Sorted first, so that the halves do not depend on the order in which donors are listed.
    in_a, in_b = np.array_split(rng.permutation(np.sort(members)), 2)
    out_a, out_b = np.array_split(rng.permutation(np.sort(nonmembers)), 2)
    readings = (
        _read(in_b, out_b, *_choose(in_a, out_a, alpha / 2, bound)),
        _read(in_a, out_a, *_choose(in_b, out_b, alpha / 2, bound)),
    )
    rates = []
    for kind in (0, 1):
        (wrong_a, n_a), (wrong_b, n_b) = (reading[kind] for reading in readings)
        # The mean of both halves' rates. Where the halves differ in size, as they do when they chose different
        # directions, it is only as certain as two of the smaller.
        n = 2 * min(n_a, n_b)
        rates.append(_at_most(n * (wrong_a / n_a + wrong_b / n_b) / 2, n, alpha / 2))
    return max(0.0, float(bound(*rates)))


def _choose(members: Floats, nonmembers: Floats, error: float, bound: Bound) -> tuple[bool, float]:
    """Return the direction and the threshold with the highest bound."""
    best = (-np.inf, False, 0.0)
    for exchanged in (False, True):
        positives, negatives = (-nonmembers, -members) if exchanged else (members, nonmembers)
        thresholds = _between(np.concatenate([positives, negatives]))
        missed, false = _errors(positives, negatives, thresholds)
        bounds = bound(_at_most(missed, len(positives), error), _at_most(false, len(negatives), error))
        place = int(np.argmax(bounds))
        best = max(best, (float(bounds[place]), exchanged, float(thresholds[place])))
    return best[1:]


def _read(
    members: Floats, nonmembers: Floats, exchanged: bool, threshold: float
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return wrong calls and donors, first of the frequent error, then of the rare one."""
    positives, negatives = (-nonmembers, -members) if exchanged else (members, nonmembers)
    missed, false = _errors(positives, negatives, threshold)
    return (int(missed), len(positives)), (int(false), len(negatives))
