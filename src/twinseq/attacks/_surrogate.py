"""A stand-in for a generator nobody knows: class-wise, of few factors, with a residual of its own for every gene.

Generators keep class means and leading directions within classes; some keep the distribution of each gene as well.
An attacker who does not know which kind made the twin practises on both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._base import Floats, NotApplicableError, Samples
from ._whitening import Axes, residuals

SHARE = 0.25
"""Factors as a share of the degrees of freedom within classes."""
LARGEST = 60.0
"""Log2 values beyond what any count reaches are cut, so that powers of two stay finite."""


class SurrogateModel:
    """Fitted surrogate (`Model`); it states neither losses nor a likelihood."""

    def __init__(self, samples: Samples, keeps_margins: bool) -> None:
        self.training = samples if keeps_margins else None
        self.kind = samples.kind
        log = samples.on_log
        self.names = np.unique(samples.labels)
        self.means = np.stack([log[samples.labels == name].mean(axis=0) for name in self.names])
        left = residuals(log, samples.labels)
        freedom = max(len(left) - len(self.names), 1)
        axes = Axes.of(left, freedom)
        n_factors = max(int(SHARE * freedom), 1)
        self.loadings = axes.axes[:, :n_factors] * np.sqrt(axes.values[:n_factors])
        variances = (left**2).sum(axis=0) / freedom
        self.residual = np.sqrt(np.maximum(variances - (self.loadings**2).sum(axis=1), 0.0))
        # What turns a value on the log scale back into counts of a sample as deep as one of those seen.
        self.factors = _factors(samples)

    def draw(self, labels: NDArray[np.str_], seed: int) -> Samples:
        """Draw a sample of each class in ``labels``."""
        rng = np.random.default_rng(seed)
        log = self.means[np.searchsorted(self.names, labels)]
        log = log + rng.standard_normal((len(labels), self.loadings.shape[1])) @ self.loadings.T
        log += rng.standard_normal(log.shape) * self.residual
        if self.training is not None:
            for name in np.unique(labels):
                rows = labels == name
                log[rows] = _with_margins(log[rows], self.training.on_log[self.training.labels == name])
        if self.kind == "continuous":
            return Samples(log, np.asarray(labels), self.kind)
        counts = (
            np.maximum(np.exp2(np.minimum(log, LARGEST)) - 1.0, 0.0) * rng.choice(self.factors, len(labels))[:, None]
        )
        return Samples(np.rint(counts).astype(np.int64), np.asarray(labels), self.kind)

    def losses(self, samples: Samples) -> Floats:
        """Raise: the surrogate has none."""
        raise NotApplicableError("the surrogate has no loss")

    def log_likelihood(self, samples: Samples) -> Floats:
        """Raise: the surrogate states none."""
        raise NotApplicableError("the surrogate states no likelihood")


class Surrogate:
    """The surrogate's definition (`Definition`).

    Parameters
    ----------
    keeps_margins
        Whether each gene's smoothed quantiles are kept in each class, or its mean and variance only.
    """

    def __init__(self, keeps_margins: bool) -> None:
        self.keeps_margins = keeps_margins

    def fit(self, samples: Samples, seed: int) -> SurrogateModel:
        """Fit to ``samples``; nothing in it is random."""
        return SurrogateModel(samples, self.keeps_margins)

    def public_axes(self) -> None:
        """Return ``None``: it uses no basis."""


def _with_margins(drawn: Floats, seen: Floats) -> Floats:
    """Return quantiles of the values ``seen`` (``m × G``), each the mean of neighbours, in the order of ``drawn``."""
    ordered = np.sort(seen, axis=0)
    padded = np.concatenate([ordered[:1], ordered, ordered[-1:]])
    smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    place = np.argsort(np.argsort(drawn, axis=0), axis=0)
    position = np.clip((place + 0.5) / len(drawn) * len(seen) - 0.5, 0, len(seen) - 1)
    below = position.astype(np.intp)
    above = np.minimum(below + 1, len(seen) - 1)
    low, high = np.take_along_axis(smooth, below, 0), np.take_along_axis(smooth, above, 0)
    out: Floats = low + (position - below) * (high - low)
    return out


def _factors(samples: Samples) -> Floats:
    """Return the size factors that lie between the counts of samples and their log scale, ``n``."""
    if samples.kind == "continuous":
        return np.ones(len(samples))
    linear = np.exp2(samples.on_log) - 1.0
    factors: Floats = samples.values.sum(axis=1) / np.maximum(linear.sum(axis=1), np.finfo(float).tiny)
    return factors
