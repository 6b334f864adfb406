r"""A normal of each class in the span of metagenes, and a residual beside it.

.. math::  x = Q w + d_c + \psi^{1/2} e, \qquad w \sim N(\mu_c, \Sigma_c),\; e \sim N(0, I)

Q: orthonormal axes of the span of the metagenes H of a factorisation :math:`X \approx W H`; :math:`\mu_c`,
:math:`\Sigma_c`: mean and covariance of the profiles' coordinates in the class, the covariance shrunk to the pooled
one; :math:`d_c`: what the class means have outside the span, shrunk by the share of it that is sampling error;
:math:`\psi`: what each gene lacks of its variance.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

from ._likelihood import factor_log_density, floored
from ._margins import stratum_rows, under

Floats = NDArray[np.float64]
TRUST = 10.0
"""Samples' worth of trust in the covariance pooled over classes, against that of the class."""
LEAST_RESIDUAL = 0.05
"""Smallest share of a gene's variance that stays its own."""
PER_FACTOR = 4
"""Samples needed for each metagene: with as many metagenes as samples nothing would be left for the residual."""


@dataclass(frozen=True, eq=False)
class FactorModel:
    r"""The span of metagenes, with a normal of each class in it.

    Parameters
    ----------
    basis
        H, ``rank × n_genes``.
    centres
        :math:`Q \mu_c + d_c`, ``n_classes × n_genes``.
    loadings
        Square root of :math:`\Sigma_c` in the coordinates of genes, ``n_classes × rank × n_genes``.
    residual
        :math:`\psi`, ``n_genes``.
    """

    basis: Floats
    centres: Floats
    loadings: Floats
    residual: Floats

    @classmethod
    def fit(cls, x: Floats, codes: NDArray[np.intp], rank: int, rng: np.random.Generator) -> FactorModel:
        """Learn from non-negative profiles, ``n × n_genes``."""
        rank = max(min(rank, len(x) // PER_FACTOR, x.shape[1]), 1)
        factorisation = NMF(rank, init="nndsvda", random_state=int(rng.integers(2**31)))
        with warnings.catch_warnings():
            # One that still moves is a factorisation too: the residual holds whatever it misses.
            warnings.simplefilter("ignore", ConvergenceWarning)
            factorisation.fit(x)
        basis = np.asarray(factorisation.components_, dtype=np.float64)
        # Coordinates in the metagenes' span, and not the weights, which hardly ever converge: co-expression inside the
        # span comes out whatever state they are in.
        axes = np.linalg.qr(basis.T)[0]
        weights = x @ axes
        members = [rows for _, rows in stratum_rows(codes)]
        freedom = max(len(x) - len(members), 1)
        means = np.stack([weights[rows].mean(axis=0) for rows in members])
        apart = weights - means[codes]
        pooled = apart.T @ apart / freedom
        loadings = []
        for rows in members:
            covariance = (apart[rows].T @ apart[rows] + TRUST * pooled) / (len(rows) - 1 + TRUST)
            strengths, turn = np.linalg.eigh(covariance)
            loadings.append((turn * np.sqrt(np.maximum(strengths, 0.0))).T @ axes.T)
        left = x - weights @ axes.T
        offsets = shrunk_means(left, codes)
        centres = means @ axes.T + offsets
        variance = ((x - centres[codes]) ** 2).sum(axis=0) / freedom
        explained = ((axes @ pooled) * axes).sum(axis=1)
        residual = np.maximum(variance - explained, LEAST_RESIDUAL * variance)
        return cls(basis, centres, np.stack(loadings), residual)

    def draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        """Return profiles of classes ``codes``, ``n × n_genes``."""
        profiles = self.centres[codes] + rng.standard_normal((len(codes), len(self.residual))) * np.sqrt(self.residual)
        for code, rows in stratum_rows(codes):
            profiles[rows] += rng.standard_normal((len(rows), len(self.basis))) @ self.loadings[code]
        return profiles

    def log_density(self, x: Floats, codes: NDArray[np.intp], ridges: tuple[float, ...]) -> Floats:
        """Return the log-density at each share of the residual variance, ``n × n_ridges``."""
        noise = floored(self.residual)
        density = np.empty((len(codes), len(ridges)))
        for code, rows in stratum_rows(codes):
            density[rows] = factor_log_density(x[rows] - self.centres[code], self.loadings[code], noise, ridges)
        return density

    def reconstruction_error(self, x: Floats) -> Floats:
        """Return each profile's mean squared distance to the nearest mixture of metagenes."""
        axes, triangle = np.linalg.qr(self.basis.T)
        along = x @ axes
        left = (x**2).sum(axis=1) - (along**2).sum(axis=1)
        missed = np.array([nnls(triangle, one)[1] for one in along])
        return np.asarray((np.maximum(left, 0.0) + missed**2) / x.shape[1])

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the model as plain arrays."""
        return {f"factors.{name}": value for name, value in vars(self).items()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> FactorModel:
        """Invert `state`."""
        return cls(**under("factors.", state))


def shrunk_means(left: Floats, codes: NDArray[np.intp]) -> Floats:
    """Return the class means of residuals, shrunk to their overall mean, ``n_classes × n_genes``.

    Over all genes of a class, the mean square of (class mean − overall mean), in units of the gene's residual standard
    deviation, is signal τ² and sampling error s² = 1/n_c − 1/n. Each is multiplied by τ² / (τ² + s²).

    References
    ----------
    Efron & Morris 1973, JASA 68:117 (empirical Bayes for many means).
    """
    overall = left.mean(axis=0)
    means = np.stack([left[rows].mean(axis=0) for _, rows in stratum_rows(codes)])
    sizes = np.bincount(codes)
    variance = floored(((left - means[codes]) ** 2).sum(axis=0) / max(len(left) - len(means), 1))
    found = ((means - overall) ** 2 / variance).mean(axis=1)
    error = 1.0 / sizes - 1.0 / len(left)
    share = np.maximum(1.0 - error / np.maximum(found, 1e-12), 0.0)
    return np.asarray(overall + share[:, None] * (means - overall))
