r"""A linear latent space with noisy moments: what DP-SGD has learnt, brought to scale.

The directions of a decoder come out well under noise, their strengths do not. So a few noisy sums are asked for in
the latent space, which has k numbers for a donor instead of thousands: class means :math:`a_c` and the second moment
within classes. A sample of class c is

.. math::  x = m + s \circ \big( Q a_c + b_c + L^\top z + \sqrt{\psi} \circ e \big)

with z and e standard normal, Q the decoder's orthonormal directions and :math:`b_c` what the noise leaves of
class means outside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dp.budget import Spending
from ..dp.mechanisms import clipped, gaussian, symmetric
from ._margins import under
from ._private_genes import PrivateGenes, class_sizes, kept_share, offset_noise

Floats = NDArray[np.float64]
LENGTH = 0.8
"""Length to which scores are cut, in units of the square root of the number of genes."""
MEANS = 0.75
"""Share of the class means; the rest is for the second moment."""
LEAST_RESIDUAL = 0.1


@dataclass(frozen=True)
class LatentModel:
    """Normal model of each class, in few directions.

    Parameters
    ----------
    centres
        Class means on the bounded scale, ``n_classes × n_genes``.
    spread
        Of each gene, ``n_genes``.
    loadings, residual
        L and ψ in units of the spread, ``k × n_genes`` and ``n_genes``.
    """

    centres: Floats
    spread: Floats
    loadings: Floats
    residual: Floats

    @classmethod
    def fit(
        cls,
        x: Floats,
        scores: Floats,
        directions: Floats,
        codes: NDArray[np.intp],
        counts: Floats,
        weights: Floats,
        genes: PrivateGenes,
        spending: Spending,
        share: float,
    ) -> LatentModel:
        """Ask for moments of scores, for ``share`` of the budget.

        Parameters
        ----------
        x
            Values on the bounded scale, ``n × n_genes``.
        scores
            Of the samples along the directions, ``n × k``; each hangs on its own sample only.
        directions
            Orthonormal, ``n_genes × k``; private already.
        codes, counts, weights
            Classes of samples, noisy numbers of donors, weights of samples.
        genes
            Moments of genes.
        spending, share
            Budget and the part of it to spend.
        """
        sizes = class_sizes(counts)
        n, (n_genes, k) = sizes.sum(), directions.shape
        length = LENGTH * float(np.sqrt(n_genes))
        multiplier = spending.take(MEANS * share)
        sums = np.zeros((len(sizes), k))
        np.add.at(sums, codes, weights[:, None] * clipped(scores, length))
        sums = gaussian(sums, length, multiplier, spending.ledger, "sums of latent scores in each class")
        middle = sums.sum(axis=0) / n
        noise = (length * multiplier) ** 2 * offset_noise(sizes)
        # Two looks at the class means along the directions, of independent noise.
        trust = genes.noise / np.maximum(genes.noise + noise, 1e-300)
        along = genes.offsets @ directions
        means = trust[:, None] * (sums / sizes[:, None] - middle) + (1.0 - trust[:, None]) * along
        means *= kept_share((means**2).mean(axis=1), trust * noise)[:, None]
        beside = genes.offsets - along @ directions.T
        beside *= kept_share((beside**2).mean(axis=1), genes.noise)[:, None]

        multiplier = spending.take((1.0 - MEANS) * share)
        within = np.sqrt(weights)[:, None] * clipped(scores - middle - means[codes], length)
        second = symmetric(within.T @ within, length**2, multiplier, spending.ledger, "second moment of latent scores")
        # Of one unit of variance in every direction, the residual takes its part.
        strength, turn = np.linalg.eigh(second / n)
        loadings = (turn * np.sqrt(np.maximum(strength - 1.0, 0.0))).T @ directions.T
        offsets = means @ directions.T + beside
        explained = (loadings**2).sum(axis=0) + (sizes / n) @ offsets**2
        location = genes.location + genes.spread * (directions @ middle)
        return cls(
            location + genes.spread * offsets,
            genes.spread,
            loadings,
            np.maximum(1.0 - explained, LEAST_RESIDUAL),
        )

    def draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        """Return values of new samples of classes ``codes``."""
        z = rng.standard_normal((len(codes), len(self.loadings)))
        noise = z @ self.loadings + np.sqrt(self.residual) * rng.standard_normal((len(codes), len(self.residual)))
        drawn: Floats = self.centres[codes] + self.spread * noise
        return drawn

    def standard(self, x: Floats, codes: NDArray[np.intp]) -> Floats:
        """Return deviations from the class mean in units of the spread."""
        return (x - self.centres[codes]) / self.spread

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the model as plain arrays."""
        return {f"latent.{name}": value for name, value in vars(self).items()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> LatentModel:
        """Invert `state`."""
        return cls(**under("latent.", state))
