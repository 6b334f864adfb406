r"""What a network leaves out of each gene, given back.

A decoder that gives expected values only has too little variance: what it cannot predict is missing, and what is
missing is correlated. A draw becomes

.. math::  x_g = m_{cg} + a_{cg} (\mu_g(z, c) - \bar\mu_{cg})
                 + r_{cg} \Big( \ell_g^\top f + \sqrt{1 - |\ell_g|^2}\, e \Big),
           \qquad f \sim N(0, I_k),\; e \sim N(0, 1)

with :math:`m` the class means, and :math:`a, r` such that each gene has its variance of training in each class: all
that the decoder lacks of it is residual, at least `LEAST_RESIDUAL`, and where the decoder has more it is toned down.
The factors :math:`\ell` are the leading directions of what the covariance of training has beyond that of the decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._margins import stratum_rows, under

Floats = NDArray[np.floating[Any]]
DRAWS = 1024
"""Draws by which the decoder's own mean and covariance are measured, at least `LEAST_DRAWS` of each class."""
LEAST_DRAWS = 64
LEAST_RESIDUAL = 0.05
MOST_SHARED = 0.95
TRUST = 10.0
"""Samples' worth of trust in the variance pooled over classes, against that of the class."""
PER_FACTOR = 4
"""Degrees of freedom needed for each factor of the residuals, and directions among which each is sought."""


@dataclass(frozen=True)
class Residual:
    """The residual model of a network's draws.

    Parameters
    ----------
    centre, own, gain, spread
        m, the decoder's own mean, a and r of each class; ``n_classes × n_genes``.
    loadings
        ℓ, ``n_factors × n_genes``.
    """

    centre: Floats
    own: Floats
    gain: Floats
    spread: Floats
    loadings: Floats

    @classmethod
    def fit(
        cls, x: Floats, codes: NDArray[np.intp], draw: Callable[[NDArray[np.intp]], Floats], factors: int
    ) -> Residual:
        """Learn from training samples.

        Parameters
        ----------
        x
            Standardised genes, ``n × n_genes``.
        codes
            Class of each sample.
        draw
            Gives the network's expected genes for new samples of the classes asked for.
        factors
            Largest number of factors; few samples allow fewer.
        """
        sizes = np.bincount(codes)
        freedom = max(len(x) - len(sizes), 1)
        centre = np.stack([x[rows].mean(axis=0) for _, rows in stratum_rows(codes)])
        apart = x - centre[codes]
        pooled = (apart**2).sum(axis=0) / freedom
        drawn_codes = np.repeat(np.arange(len(sizes)), np.maximum(LEAST_DRAWS, DRAWS * sizes // len(x)))
        drawn = draw(drawn_codes)
        own, gain, spread = (np.empty_like(centre) for _ in range(3))
        for code, rows in stratum_rows(drawn_codes):
            own[code] = drawn[rows].mean(axis=0, dtype=np.float64)
            variance = drawn[rows].var(axis=0, dtype=np.float64)
            wanted = ((apart[codes == code] ** 2).sum(axis=0) + TRUST * pooled) / (sizes[code] - 1 + TRUST)
            gain[code] = np.sqrt(np.minimum(1.0, (1.0 - LEAST_RESIDUAL) * wanted / np.maximum(variance, 1e-12)))
            spread[code] = np.sqrt(wanted - gain[code] ** 2 * variance)
        weight = np.sqrt(sizes / len(x) / np.bincount(drawn_codes))[:, None] * gain
        of_decoder = (drawn - own.astype(np.float32)[drawn_codes]) * weight.astype(np.float32)[drawn_codes]
        lacking = np.sqrt((sizes / len(x)) @ spread**2)
        loadings = missing_factors(apart / np.sqrt(freedom), of_decoder, lacking, min(factors, freedom // PER_FACTOR))
        return cls(*(part.astype(np.float32) for part in (centre, own, gain, spread, loadings)))

    def add(self, expected: Floats, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        """Return draws of classes ``codes`` for the network's expected genes, ``n × n_genes``."""
        factors = rng.standard_normal((len(codes), len(self.loadings)))
        alone = np.sqrt(1.0 - (self.loadings**2).sum(axis=0))
        noise = factors @ self.loadings + alone * rng.standard_normal(expected.shape)
        drawn: Floats = (
            self.centre[codes] + self.gain[codes] * (expected - self.own[codes]) + self.spread[codes] * noise
        )
        return drawn

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the model as plain arrays."""
        return {f"residual.{name}": value for name, value in vars(self).items()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> Residual | None:
        """Invert `state`; ``None`` where there is nothing."""
        found = under("residual.", state)
        return cls(**found) if found else None


def missing_factors(real: Floats, drawn: Floats, lacking: Floats, factors: int) -> NDArray[np.float64]:
    """Return the leading directions of ``realᵀ real − drawnᵀ drawn``, genes in units of ``lacking``.

    They are sought among the leading directions of the real data, so that no gene × gene matrix is formed. What
    sampling noise alone adds to each of these, the mean of the directions that are left, is taken off.

    Parameters
    ----------
    real, drawn
        Deviations within classes, ``n × n_genes`` and ``n' × n_genes``, scaled so that their squares add up to
        variances.
    lacking
        Standard deviation of each gene that the draws lack.
    factors
        Most directions.

    Returns
    -------
    ``k × n_genes``, of at most `MOST_SHARED` squared for each gene.
    """
    unit = np.where(lacking > 1e-9, lacking, np.inf)
    real, drawn = real / unit, drawn / unit.astype(drawn.dtype)
    values, vectors = np.linalg.eigh(real @ real.T)
    sought = min(PER_FACTOR * factors, int((values > 1e-9 * max(values[-1], 1e-12)).sum()))
    chosen = slice(len(values) - sought, None)
    axes = (vectors[:, chosen] / np.sqrt(values[chosen])).T @ real
    strength, turn = np.linalg.eigh(np.diag(values[chosen]) - squares(drawn @ axes.T))
    noise = values[: len(values) - sought].mean() if sought < len(values) else 0.0
    strength, turn = np.maximum(strength[::-1][:factors] - noise, 0.0), turn[:, ::-1][:, :factors]
    loadings = np.sqrt(strength)[:, None] * (turn.T @ axes)
    shared = (loadings**2).sum(axis=0)
    bounded: NDArray[np.float64] = loadings * np.sqrt(MOST_SHARED / np.maximum(shared, MOST_SHARED))
    return bounded


def squares(x: Floats) -> Floats:
    """Return ``xᵀ x``."""
    product: Floats = x.T @ x
    return product
