"""Where a private maker's columns lie among the genes, and what they leave of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ._margins import under

Floats = NDArray[np.float64]
LEAST_RESIDUAL = 0.05


@dataclass(frozen=True)
class Places:
    r"""Columns :math:`y` of genes :math:`x`: :math:`y = (x - m_c) P`, :math:`x = m_c + y B + ψ^{1/2} e`.

    Parameters
    ----------
    centres
        Where the classes lie, ``n_classes × n_genes``.
    forth, back
        P and B, ``n_genes × n_columns`` and ``n_columns × n_genes``; ``n_genes`` numbers each where every gene is a
        column of its own.
    noise
        ψ, ``n_genes``.
    """

    centres: Floats
    forth: Floats
    back: Floats
    noise: Floats

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self.back)

    def columns(self, x: Floats, codes: NDArray[np.intp]) -> Floats:
        """Return the columns of samples ``n × n_genes`` of classes ``codes``."""
        apart = x - self.centres[codes]
        columns: Floats = apart * self.forth if self.forth.ndim == 1 else apart @ self.forth
        return columns

    def about_centres(self, columns: Floats) -> Floats:
        """Return what columns, ``n × n_columns``, move genes by."""
        moved: Floats = columns * self.back if self.back.ndim == 1 else columns @ self.back
        return moved

    def with_noise(self, columns: Floats, shares: Floats, within: Floats) -> Self:
        """Return the same with what is left of the variance of genes.

        Parameters
        ----------
        columns
            As they are drawn, ``n × n_columns``.
        shares
            Weights of the draws, which add up to 1 and whose classes are those of donors.
        within
            Variance of genes within classes.
        """
        moved = self.about_centres(columns)
        explained = shares @ (moved - shares @ moved) ** 2
        noise = np.maximum(within - explained, LEAST_RESIDUAL * within)
        return type(self)(self.centres, self.forth, self.back, noise)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the model as plain arrays."""
        return {f"places.{name}": value for name, value in vars(self).items()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Invert `state`."""
        return cls(**under("places.", state))
