r"""Profiles of cell types from noisy ones and a public basis: where a type is expected, and how far from there.

A class whose cell type bears the name of a public one is expected at its profile, any other at the mean of all public
types. First coordinates along the axes of the public types are asked for, a few numbers a class; what is left beside
them is expected to vary as the genes do between public types, in a size that is fitted to the noisy figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..cell_basis import CellBasis
from ._levels import Levels
from ._private_depths import Depths

Floats = NDArray[np.float64]
SAME = 0.2
"""How far a type lies from the public one of its name, in units of how far public types lie from their mean."""
BESIDE = 0.5
"""How far a type of another name lies from the span of the public types, in the same units."""
LEAST_SPREAD = 1e-3
STUDIES_DIFFER = 0.3
"""Decades by which library sizes of two studies differ."""
SIZES = (0.05, 4.0)
"""Least and largest variance beside the axes, in units of what is expected."""


def usual_depths(basis: CellBasis, types: Sequence[str]) -> Depths:
    """Return what a basis says of the library sizes of classes with these cell types."""
    rows = _of_same_name(basis, types)
    mean, spread = np.where(rows >= 0, basis.depths[:, rows], basis.depths.mean(axis=1, keepdims=True))
    return Depths(mean, spread, STUDIES_DIFFER)


def _of_same_name(basis: CellBasis, types: Sequence[str]) -> NDArray[np.intp]:
    """Return the public type that bears the name of each type, or -1."""
    place = {name.casefold(): row for row, name in enumerate(basis.types)}
    return np.array([place.get(name.casefold(), -1) for name in types], dtype=np.intp)


@dataclass(frozen=True)
class PublicLevels:
    """What a basis says of the classes of a private cohort.

    Parameters
    ----------
    centre
        Expected root shares, ``n_classes × n_genes``.
    axes
        Directions in which public types differ, ``n_axes × n_genes``, orthonormal.
    along, beside
        Variance of the true root shares about the expected ones, along the axes, ``n_classes × n_axes``, and of each
        gene beside them, ``n_classes × n_genes``.
    """

    centre: Floats
    axes: Floats
    along: Floats
    beside: Floats

    @classmethod
    def of(cls, basis: CellBasis, types: Sequence[str]) -> PublicLevels:
        """Return what ``basis``, of the genes of the cohort, says of classes with these cell types."""
        mean = basis.roots.mean(axis=0)
        away = basis.roots - mean
        rows = _of_same_name(basis, types)
        same = (rows >= 0)[:, None]
        n_axes = max(min(len(away) - 1, basis.roots.shape[1]), 1)
        _, strengths, axes = np.linalg.svd(away, full_matrices=False)
        variances = strengths[:n_axes] ** 2 / max(len(away) - 1, 1)
        spread = np.maximum((away**2).mean(axis=0), LEAST_SPREAD**2)
        return cls(
            np.where(same, basis.roots[rows], mean),
            axes[:n_axes],
            np.where(same, SAME**2, 1.0) * variances,
            np.where(same, SAME**2, BESIDE**2) * spread,
        )

    def far_along(self, shares: Floats, apart: float) -> float:
        """Return the length to be expected of a donor's coordinates about the centres.

        Parameters
        ----------
        shares
            Of the classes among the cells, ``n_classes``.
        apart
            Length by which donors lie from the profiles of their types.
        """
        return min(math.hypot(apart, math.sqrt(float(shares @ self.along.sum(axis=1)))), 1.0)

    def far(self, shares: Floats, apart: float) -> float:
        """Return the length to be expected of a donor's profiles about the centres; see `far_along`."""
        return min(math.hypot(self.far_along(shares, apart), math.sqrt(float(shares @ self.beside.sum(axis=1)))), 1.0)

    def moved(self, noisy: Floats, noise: Floats) -> PublicLevels:
        """Return the same about centres moved along the axes.

        Parameters
        ----------
        noisy
            Coordinates of the classes about their centres, ``n_classes × n_axes``.
        noise
            Standard deviation of their noise, ``n_classes``.
        """
        gain = self.along / (self.along + noise[:, None] ** 2)
        return replace(self, centre=self.centre + (gain * noisy) @ self.axes, along=(1.0 - gain) * self.along)

    def shrunk(self, noisy: Floats, noise: Floats) -> Levels:
        """Return what noisy root shares say of the true ones.

        Parameters
        ----------
        noisy
            ``n_classes × n_genes``.
        noise
            Standard deviation of the noise of each class, ``n_classes``.
        """
        errors, away = noise[:, None] ** 2, noisy - self.centre
        expected = self.beside + self.along @ self.axes**2
        weights = expected / (errors + expected) ** 2
        size = (weights * (away**2 - errors)).sum(axis=1) / (weights * expected).sum(axis=1)
        real = np.clip(size, *SIZES)[:, None] * expected
        mean = self.centre + real / (real + errors) * away
        return Levels(mean, mean**2 + real * errors / (real + errors))
