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
    level = np.repeat(LEVELS, len(SIZES))
    spread = np.outer(LEVELS, SIZES).ravel()
    telling = np.flatnonzero(np.tile(SIZES >= TELLING, len(LEVELS)))
    shares = np.full(len(level), 1.0 / len(level))
    shape = (1.0 - START) * np.eye(n_classes) + START
    for _ in range(ROUNDS):
        turned = _Turned.of(noisy, noise, shape)
        likelihoods = turned.likelihoods(level, spread)
        for _ in range(STEPS):
            belonging = likelihoods * shares[:, None]
            belonging /= belonging.sum(axis=0)
            shares = np.maximum(belonging.mean(axis=1), LEAST)
        levels = turned.posterior(level, spread, belonging)
        shape = turned.shape(level[telling], spread[telling], belonging[telling])
        shape *= n_classes / max(float(np.trace(shape)), LEAST)
        shape = (1.0 - UNRELATED) * shape + UNRELATED * np.eye(n_classes)
    return levels


@dataclass(frozen=True)
class _Turned:
    """Noisy values in coordinates in which noise is the identity and the shape is diagonal, whatever its size.

    Parameters
    ----------
    values
        ``n_classes × n_genes``.
    one
        What a level of 1 in all classes is in these coordinates, ``n_classes``.
    strengths
        Diagonal of the shape.
    back
        Matrix that leads back.
    """

    values: Floats
    one: Floats
    strengths: Floats
    back: Floats

    @classmethod
    def of(cls, noisy: Floats, noise: Floats, shape: Floats) -> _Turned:
        strengths, vectors = np.linalg.eigh(shape / np.outer(noise, noise))
        there = vectors.T / noise
        return cls(there @ noisy, there.sum(axis=1), np.maximum(strengths, LEAST), noise[:, None] * vectors)

    def likelihoods(self, level: Floats, spread: Floats) -> Floats:
        """Return the likelihood of each component, ``n_components × n_genes``, in units of that of the likeliest."""
        variances = 1.0 + np.outer(spread**2, self.strengths)
        away = level[:, None] * self.one
        squares = (1.0 / variances) @ self.values**2 - 2.0 * (away / variances) @ self.values
        constant = (away**2 / variances + np.log(variances)).sum(axis=1, keepdims=True)
        logs = -0.5 * (squares + constant)
        likelihoods: Floats = np.exp(logs - logs.max(axis=0))
        return likelihoods

    def posterior(self, level: Floats, spread: Floats, belonging: Floats) -> Levels:
        """Return means and squares, components weighted by how much a gene belongs to them."""
        gain = self._gain(spread)
        origin = (1.0 - gain) * level[:, None] * self.one
        mean, square = np.empty_like(self.values), np.empty_like(self.values)
        for row, way in enumerate(self.back):
            expected = (origin @ way)[:, None] + (gain * way) @ self.values
            mean[row] = (belonging * expected).sum(axis=0)
            square[row] = (belonging * (expected**2 + (gain @ way**2)[:, None])).sum(axis=0)
        return Levels(mean, square)

    def shape(self, level: Floats, spread: Floats, belonging: Floats) -> Floats:
        """Return the mean square of the deviations in units of their spread, ``n_classes × n_classes``."""
        gain, sums = self._gain(spread), np.zeros((len(self.one), len(self.one)))
        for one, size, kept, belongs in zip(level, spread, gain, belonging, strict=True):
            deviations = kept[:, None] * (self.values - one * self.one[:, None])
            sums += ((deviations * belongs) @ deviations.T + belongs.sum() * np.diag(kept)) / size**2
        shape: Floats = self.back @ sums @ self.back.T / max(float(belonging.sum()), LEAST)
        return shape

    def _gain(self, spread: Floats) -> Floats:
        """Return the share of a value that is taken for true, ``n_components × n_classes``."""
        signal = np.outer(spread**2, self.strengths)
        gain: Floats = signal / (1.0 + signal)
        return gain
