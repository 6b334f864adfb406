"""Normals of few factors by class: the model that `dp-copula` and `basis-copula` end in, each by its own road."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from ._likelihood import LADDER, factor_log_density, floored
from ._margins import stratum_rows, under

Floats = NDArray[np.float64]
LEAST_RESIDUAL = 0.05
MOST_SHARED = 0.9
LEAST_DRAWS = 10


@dataclass(frozen=True)
class FactorNormals:
    r"""Normals :math:`N(m_c, L^\top L + \operatorname{diag} ψ)` of the classes.

    Parameters
    ----------
    means
        ``n_classes × n_genes``.
    loadings
        L, ``n_factors × n_genes``.
    noise
        ψ, ``n_genes``, all above zero.
    """

    means: Floats
    loadings: Floats
    noise: Floats

    @classmethod
    def of(cls, means: Floats, loadings: Floats, variance: Floats) -> FactorNormals:
        """Return the model with these class means and variances of genes within classes.

        Loadings that take more than `MOST_SHARED` of a gene's variance are shortened: every gene keeps some of its own.
        """
        shared = (loadings**2).sum(axis=0)
        kept = loadings * np.sqrt(np.minimum(1.0, MOST_SHARED * variance / np.maximum(shared, 1e-12)))
        return cls(means, kept, np.maximum(variance - (kept**2).sum(axis=0), LEAST_RESIDUAL * variance))

    def on_scale(self, origin: float, unit: float) -> FactorNormals:
        """Return the model of ``origin + unit × x``."""
        return FactorNormals(origin + unit * self.means, unit * self.loadings, unit**2 * self.noise)

    def draw(self, codes: NDArray[np.intp], balanced: bool, rng: np.random.Generator) -> Floats:
        """Return samples of classes ``codes``, ``n × n_genes``.

        Balanced draws are spread evenly over each gene's distribution in each class, in the order in which they were
        drawn. Of a class of which few are asked, `LEAST_DRAWS` are drawn and some of them returned.
        """
        drawn = self.means[codes]
        spread = np.sqrt((self.loadings**2).sum(axis=0) + self.noise)
        for _, rows in stratum_rows(codes):
            n = max(len(rows), LEAST_DRAWS) if balanced else len(rows)
            factors = rng.standard_normal((n, len(self.loadings)))
            within = factors @ self.loadings + np.sqrt(self.noise) * rng.standard_normal((n, len(self.noise)))
            if balanced:
                within = ndtri((rankdata(within, axis=0) - 0.5) / n) * spread
            drawn[rows] += within[: len(rows)]
        return drawn

    def losses(self, x: Floats, codes: NDArray[np.intp]) -> Floats:
        """Return negative log-densities by gene at a ladder of residuals, ``n × n_features``."""
        density = factor_log_density(x - self.means[codes], self.loadings, floored(self.noise), LADDER)
        losses: Floats = -density / x.shape[1]
        return losses

    def log_likelihood(self, x: Floats, codes: NDArray[np.intp]) -> Floats:
        """Return log-densities, ``n``."""
        density: Floats = factor_log_density(x - self.means[codes], self.loadings, floored(self.noise))[:, 0]
        return density

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the model as plain arrays."""
        return {f"normals.{name}": value for name, value in vars(self).items()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> FactorNormals:
        """Invert `state`."""
        return cls(**under("normals.", state))
