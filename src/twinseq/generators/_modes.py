r"""Mode-specific normalisation of conditional tabular networks (Xu et al. 2019).

Each value :math:`x` of a gene belongs to one of a few normals :math:`N(\mu_k, \sigma_k^2)`, found by a Bayesian
Gaussian mixture, and becomes its place :math:`(x - \mu_k) / \sigma_k` there and a one-hot code of the mode. Xu et al.
count places in units of :math:`4 \sigma_k`, which leaves the critic little to see of them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture

from ._margins import under

Floats = NDArray[np.float64]
CONCENTRATION = 1e-3
"""Of the Dirichlet process: the lower, the fewer modes."""
LEAST_WEIGHT = 5e-3
"""Share of the samples below which a mode is left out."""
ITERATIONS = 20
TOLERANCE = 1e-2
LEAST_SPREAD = 1e-4
CLEAN = 2.0
"""Distance of two modes, in units of their root mean square spread, at which they are apart (Ashman's D)."""


@dataclass(frozen=True)
class Modes:
    """Normals of each value; NaN where it has fewer than the most.

    Parameters
    ----------
    centres, spreads, weights
        μ, σ and share of the samples, ``n_values × most``.
    """

    centres: Floats
    spreads: Floats
    weights: Floats

    @classmethod
    def fit(cls, values: Floats, most: int, apart: bool, rng: np.random.Generator) -> Modes:
        """Learn from values.

        Parameters
        ----------
        values
            ``n × n_values``.
        most
            Most modes of each.
        apart
            Give a single mode to values whose modes overlap: a maker places a sample before chance decides on the
            mode.
        rng
            Seeds the mixtures.
        """
        shape = (values.shape[1], most)
        centres, spreads, weights = (np.full(shape, np.nan) for _ in range(3))
        seed = int(rng.integers(2**31))
        for place, value in enumerate(values.T):
            if most == 1 or value.min() == value.max() or len(value) <= most:
                centres[place, 0], spreads[place, 0], weights[place, 0] = value.mean(), value.std(), 1.0
                continue
            mixture = BayesianGaussianMixture(
                n_components=most,
                weight_concentration_prior=CONCENTRATION,
                max_iter=ITERATIONS,
                tol=TOLERANCE,
                init_params="random_from_data",
                random_state=seed,
            )
            with warnings.catch_warnings():
                # A mixture on its way is as good a grid as one that has arrived.
                warnings.simplefilter("ignore", ConvergenceWarning)
                mixture.fit(value[:, None])
            kept = np.flatnonzero(mixture.weights_ > LEAST_WEIGHT)
            centre, spread = mixture.means_[kept, 0], np.sqrt(mixture.covariances_[kept, 0, 0])
            weight = mixture.weights_[kept]
            if apart and overlapping(centre, spread):
                centre, spread, weight = value.mean(keepdims=True), value.std(keepdims=True), np.ones(1)
            centres[place, : len(centre)] = centre
            spreads[place, : len(centre)] = spread
            weights[place, : len(centre)] = weight
        used = int(np.isfinite(weights).any(axis=0).sum())
        return cls(centres[:, :used], np.maximum(spreads[:, :used], LEAST_SPREAD), weights[:, :used])

    def columns(
        self, values: Floats, unit: float = 1.0, bound: float = math.inf, rng: np.random.Generator | None = None
    ) -> Floats:
        """Return the places of values, then one-hot codes of their modes, value by value, where there is a choice.

        Parameters
        ----------
        values
            ``n × n_values``.
        unit, bound
            What places are counted in, and where they are cut off, in standard deviations of the mode.
        rng
            Draws a mode by how likely the value belongs to it; without, it is the likeliest.
        """
        apart = (values[:, :, None] - self.centres) / self.spreads
        likely = np.log(self.weights) - np.log(self.spreads) - 0.5 * apart**2
        likely = np.where(np.isfinite(likely), likely, -np.inf)
        if rng is not None:
            likely = likely + rng.gumbel(size=likely.shape)
        mode = likely.argmax(axis=2)
        places = np.take_along_axis(apart, mode[:, :, None], axis=2)[:, :, 0]
        there = np.isfinite(self.centres)
        choice = there & (there.sum(axis=1, keepdims=True) > 1)
        codes = (mode[:, :, None] == np.arange(self.centres.shape[1]))[:, choice]
        return np.concatenate([np.clip(places, -bound, bound) / unit, codes.astype(np.float64)], axis=1)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the modes as plain arrays."""
        return {f"modes.{name}": value for name, value in vars(self).items()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> Modes:
        """Invert `state`."""
        return cls(**under("modes.", state))


def overlapping(centres: Floats, spreads: Floats) -> bool:
    """Whether two neighbours among normals are not apart."""
    order = np.argsort(centres)
    squares = spreads[order] ** 2
    together = np.sqrt((squares[1:] + squares[:-1]) / 2)
    return bool((np.diff(centres[order]) < CLEAN * together).any())
