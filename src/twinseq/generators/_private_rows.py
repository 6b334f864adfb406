"""Genes on an even scale around noisy class means: where private generators with a network start from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..dp.budget import Spending
from ..dp.ledger import Ledger
from ._offsets import Offsets
from ._private_moments import NoisyScale, noisy_offsets, noisy_scale

Floats = NDArray[np.float64]
LOG_SCALE = 20.0
"""Width of the bounds for which lengths of rows were chosen; others are stretched to it."""
MIDDLE = 0.4
"""Where on the bounded scale genes are looked for first."""
EVENING = 0.5
"""Power of a gene's spread by which it is divided before rows are cut; between equal say and equal units."""
LEAST_WITHIN = 0.3
"""Least share of a gene's variance that is taken to lie within classes."""
MOST_STRETCH = 1.1
"""By how much shrunk class means are at most stretched to have the size that the true ones have."""
ASKED = ("first location", "second location", "spread", "spread kept", "sums", "kept")
"""Shares of the budget that `EvenRows.measured` needs."""


@dataclass(frozen=True)
class EvenRows:
    """Noisy moments of genes, and the scale on which each gene has about the same say.

    Parameters
    ----------
    genes
        Location and spread of genes.
    even
        Factors of the genes, ``n_genes``; on that scale, rows have a variance of about 1 for each gene.
    offsets
        Class means about the location, on that scale.
    """

    genes: NoisyScale
    even: Floats
    offsets: Offsets

    @classmethod
    def measured(
        cls, x: Floats, codes: NDArray[np.intp], weights: Floats, counts: Floats, bounds: tuple[float, float],
        bought: Mapping[str, float], ledger: Ledger,
    ) -> EvenRows:  # fmt: skip
        """Ask for location, spread and class means.

        Parameters
        ----------
        x
            Values within ``bounds``, ``n × n_genes``.
        codes, weights, counts
            Class and weight of each sample, noisy number of donors of each class.
        bounds
            Stated lowest and highest value.
        bought
            Noise multipliers of `ASKED`.
        ledger
            Account.
        """
        *scale, sums, kept = (bought[name] for name in ASKED)
        genes = scaled_moments(
            x, weights, float(counts.sum()), bounds, (scale[0], scale[1], scale[2], scale[3]), ledger
        )
        even = genes.spread**-EVENING
        even /= math.sqrt(float((even**2 * (genes.spread**2 + genes.error**2)).mean()))
        rows = (x - genes.location) * even
        reach = math.sqrt(x.shape[1])
        return cls(genes, even, noisy_offsets(rows, codes, weights, counts, reach, (sums, kept), ledger))

    @property
    def reach(self) -> float:
        """Length to which rows are cut."""
        return math.sqrt(len(self.even))

    def rows(self, x: Floats, codes: NDArray[np.intp]) -> Floats:
        """Return values on the even scale, around the means of their classes."""
        rows: Floats = (x - self.genes.location) * self.even - self.offsets.mean[codes]
        return rows

    def within(self, counts: Floats) -> Floats:
        """Return the variance of genes within classes, in the units of the values."""
        apart = (self.offsets.mean - counts @ self.offsets.mean / counts.sum()) / self.even
        within: Floats = np.maximum(
            self.genes.spread**2 - counts @ apart**2 / counts.sum(), LEAST_WITHIN * self.genes.spread**2
        )
        return within

    def centres(self, axes: Floats, along: Floats) -> Floats:
        """Return class means in the units of the values: offsets along axes corrected, those beside them stretched.

        Parameters
        ----------
        axes
            ``n_axes × n_genes``, orthonormal.
        along
            What is to be added to the means along the axes, ``n_classes × n_genes``.
        """
        offsets = self.offsets
        size = np.maximum((offsets.mean**2).mean(axis=1, keepdims=True), 1e-12)
        stretch = np.clip(np.sqrt(offsets.size[:, None] / size), 1.0, MOST_STRETCH)
        inside = offsets.mean @ axes.T @ axes
        centres: Floats = self.genes.location + (inside + along + (offsets.mean - inside) * stretch) / self.even
        return centres


def scaled_moments(
    x: Floats, weights: Floats, n_donors: float, bounds: tuple[float, float],
    multipliers: tuple[float, float, float, float], ledger: Ledger,
) -> NoisyScale:  # fmt: skip
    """Return location and spread of genes, asked for on a scale from 0 to `LOG_SCALE`; see `noisy_scale`."""
    unit = (bounds[1] - bounds[0]) / LOG_SCALE
    genes = noisy_scale((x - bounds[0]) / unit, weights, n_donors, MIDDLE * LOG_SCALE, multipliers, ledger)
    return NoisyScale(bounds[0] + unit * genes.location, unit * genes.spread, unit * genes.error)


def bought(spending: Spending, shares: Mapping[str, float]) -> dict[str, float]:
    """Return the noise multipliers that named shares of what is left of a budget buy."""
    left = spending.left
    return {name: spending.take(share * left) for name, share in shares.items()}
