r"""Profiles of cell types from noisy ones: empirical Bayes over the genes.

Noisy root shares of K classes, of known noise, are draws around true ones :math:`a_g` (K numbers a gene), which lie
about a level that all classes share,

.. math:: z_g = a_g + e_g, \quad e_g \sim N(0, E), \qquad a_g \sim \sum_{jk} \pi_{jk} N(l_j 1, l_j^2 s_k^2 U).

Genes have any level :math:`l_j` of a fixed ladder, and deviate between classes by :math:`s_k` times the level: most
hardly, markers by far. Shares :math:`π` and shape :math:`U` are fitted to all genes by EM. All of it is computed from
noisy figures alone, hence free under differential privacy.

Source: adaptive shrinkage, Stephens 2017, *Biostatistics* 18:275, as in `_offsets`; the ladder of levels is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEVELS = np.geomspace(2e-4, 0.8, 28)
SIZES = np.array([0.05, 0.2, 0.5, 1.0, 2.0])
TELLING = 0.2
"""Least size of a deviation from which the shape is learnt."""
ROUNDS = 4
STEPS = 25
LEAST = 1e-9
UNRELATED = 0.02
"""Share of the identity in the shape, so that it stays invertible."""
START = 0.3


@dataclass(frozen=True)
class Levels:
    """Posterior of the root shares, ``n_classes × n_genes``.

    Parameters
    ----------
    mean
        Expected values.
    square
        Expected squares: shares of the genes.
    """

    mean: Floats
    square: Floats

    @property
    def variance(self) -> Floats:
        """What is still unknown."""
        variance: Floats = np.maximum(self.square - self.mean**2, 0.0)
        return variance


def shrunk_levels(noisy: Floats, noise: Floats) -> Levels:
    """Return what noisy root shares say of the true ones.

    Parameters
    ----------
    noisy
        ``n_classes × n_genes``.
    noise
        Standard deviation of the noise of each class, ``n_classes``, the same for all genes.
    """
    n_classes = len(noisy)
    errors = np.diag(noise**2)
    components = [(level, level * size) for level in LEVELS for size in SIZES]
    telling = np.tile(SIZES >= TELLING, len(LEVELS))
    shares = np.full(len(components), 1.0 / len(components))
    shape = (1.0 - START) * np.eye(n_classes) + START
    for _ in range(ROUNDS):
        likelihoods = np.stack(
            [_log_density(noisy - level, spread**2 * shape + errors) for level, spread in components]
        )
        likelihoods = np.exp(likelihoods - likelihoods.max(axis=0))
        for _ in range(STEPS):
            belonging = likelihoods * shares[:, None]
            belonging /= belonging.sum(axis=0)
            shares = np.maximum(belonging.mean(axis=1), LEAST)
        mean, square = np.zeros_like(noisy), np.zeros_like(noisy)
        update, told = np.zeros((n_classes, n_classes)), LEAST
        for (level, spread), belongs, tells in zip(components, belonging, telling, strict=True):
            prior = spread**2 * shape
            gain = np.linalg.solve(prior + errors, prior).T
            away, left = gain @ (noisy - level), prior - gain @ prior
            mean += belongs * (level + away)
            square += belongs * ((level + away) ** 2 + np.diag(left)[:, None])
            if tells:
                update += ((away * belongs) @ away.T + belongs.sum() * left) / spread**2
                told += belongs.sum()
        shape = update / told
        shape *= n_classes / max(float(np.trace(shape)), LEAST)
        shape = (1.0 - UNRELATED) * shape + UNRELATED * np.eye(n_classes)
    return Levels(mean, square)


def _log_density(values: Floats, covariance: Floats) -> Floats:
    """Return the log-density of the columns of ``values`` under N(0, covariance), but for a constant."""
    root = np.linalg.cholesky(covariance)
    density: Floats = -0.5 * (np.linalg.solve(root, values) ** 2).sum(axis=0) - np.log(np.diag(root)).sum()
    return density
