r"""Genes made normal by their ranks, and the two ways back.

Both transforms send the :math:`i`-th smallest of :math:`n` training values to the normal score
:math:`\Phi^{-1}((i - ½) / n)`, tied values to the middle of theirs. `ExactQuantiles` comes back by the inverse of the
empirical distribution, so that every value it gives is a training value, to the last digit. `SmoothQuantiles` comes
back by a curve for each gene that is fitted to many ranks at a time and bends at no single value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ._margins import balanced_levels, under

Floats = NDArray[np.float64]
KNOTS = 65
BANDWIDTH = 0.3
"""Normal scores over which a quantile function is smoothed, with `ENOUGH` samples or more."""
ENOUGH = 100
EXTREME = 6.0
"""Normal score beyond which nothing is looked up."""


@dataclass(frozen=True)
class ExactQuantiles:
    """The empirical distribution of each gene; gives back training values and nothing else.

    Parameters
    ----------
    ordered
        Training values in ascending order, ``n_samples × n_genes``.
    """

    ordered: Floats

    @classmethod
    def fit(cls, values: Floats) -> ExactQuantiles:
        """Learn from ``n_samples × n_genes`` values."""
        return cls(np.sort(values, axis=0))

    def normal(self, values: Floats) -> Floats:
        """Return the normal scores of values, ``n × n_genes``."""
        n = len(self.ordered)
        pairs = zip(values.T, self.ordered.T, strict=True)
        ranks = [np.searchsorted(known, new) + np.searchsorted(known, new, side="right") for new, known in pairs]
        scores: Floats = norm.ppf(np.clip(np.column_stack(ranks) / (2 * n), 0.5 / n, 1 - 0.5 / n))
        return scores

    def values(self, scores: Floats) -> Floats:
        """Return the training value at each normal score."""
        n = len(self.ordered)
        ranks = np.minimum((norm.cdf(scores) * n).astype(np.intp), n - 1)
        return np.take_along_axis(self.ordered, ranks, axis=0)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the distributions as plain arrays."""
        return {"exact_quantiles.ordered": self.ordered}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> ExactQuantiles:
        """Invert `state`."""
        return cls(**under("exact_quantiles.", state))


@dataclass(frozen=True)
class SmoothQuantiles:
    """A smooth quantile function of each gene over normal scores, with a step where many values are the lowest.

    Parameters
    ----------
    scores
        Evenly spaced normal scores, ``n_knots``.
    knots
        Values there, ascending, ``n_knots × n_genes``.
    floor
        Lowest value of each gene in training.
    step
        Normal score of each gene below which it is at its floor; minus infinity where a single value was.
    """

    scores: Floats
    knots: Floats
    floor: Floats
    step: Floats

    @classmethod
    def fit(cls, values: Floats) -> SmoothQuantiles:
        """Learn from ``n_samples × n_genes`` values."""
        n = len(values)
        known = norm.ppf(balanced_levels(n))
        scores = np.linspace(known[0], known[-1], KNOTS)
        ordered = np.sort(values, axis=0)
        lowest = (ordered <= ordered[0]).sum(axis=0)
        lowest[lowest == 1] = 0
        # The next value stands in for the floor, so that smoothing sees no step.
        first = np.take_along_axis(ordered, np.minimum(lowest, n - 1)[None, :], 0)
        ordered = np.where(np.arange(n)[:, None] < lowest, first, ordered)
        knots = np.maximum.accumulate(_local_lines(known, scores) @ ordered, axis=0)
        return cls(scores, knots, values.min(axis=0), norm.ppf(lowest / n))

    def normal(self, values: Floats) -> Floats:
        """Return the normal scores of values, ``n × n_genes``; the middle of those that have the same value."""
        scores = np.empty_like(values)
        for gene, (new, curve) in enumerate(zip(values.T, self.knots.T, strict=True)):
            upper = np.interp(new, curve, self.scores)
            lower = -np.interp(-new, -curve[::-1], -self.scores[::-1])
            scores[:, gene] = np.maximum((upper + lower) / 2, self.step[gene])
        at_floor = (values <= self.floor) & np.isfinite(self.step)
        middle = norm.ppf(norm.cdf(self.step) / 2)
        return np.clip(np.where(at_floor, middle, scores), -EXTREME, EXTREME)

    def values(self, scores: Floats) -> Floats:
        """Return the value at each normal score, on straight lines beyond the outermost knots."""
        width = (self.scores[-1] - self.scores[0]) / (KNOTS - 1)
        position = (np.clip(scores, -EXTREME, EXTREME) - self.scores[0]) / width
        below = np.clip(position.astype(np.intp), 0, KNOTS - 2)
        lower = np.take_along_axis(self.knots, below, axis=0)
        upper = np.take_along_axis(self.knots, below + 1, axis=0)
        smooth = lower + (position - below) * (upper - lower)
        return np.where(scores < self.step, self.floor, smooth)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the curves as plain arrays."""
        return {f"smooth_quantiles.{name}": value for name, value in vars(self).items()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> SmoothQuantiles:
        """Invert `state`."""
        return cls(**under("smooth_quantiles.", state))


def _local_lines(known: Floats, wanted: Floats) -> Floats:
    """Return the ``n_wanted × n_known`` weights of a local-linear regression with a Gaussian kernel.

    Unlike an average it does not pull the extremes inwards.
    """
    width = BANDWIDTH * max(1.0, (ENOUGH / len(known)) ** 0.4)
    distance = known[None, :] - wanted[:, None]
    kernel = np.exp(-0.5 * (distance / width) ** 2)
    s0, s1, s2 = ((kernel * distance**power).sum(axis=1, keepdims=True) for power in (0, 1, 2))
    weights: Floats = kernel * (s2 - s1 * distance) / (s0 * s2 - s1**2)
    return weights
