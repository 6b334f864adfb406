"""The gene sets that change on each side, for every pair of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError
from ..biology.design import Pair
from ._gsea import prerank
from ._ora import over_represented
from ._panel import Panel

if TYPE_CHECKING:
    from .._profiles import Profiles

Floats = NDArray[np.float64]
Calls = NDArray[np.int8]

FDR = 0.05


@dataclass(frozen=True)
class Enrichment:
    """Enrichment of one side; each array is ``n_sets × n_pairs``.

    Parameters
    ----------
    pairs
        Tested and reference class of each column.
    nes, fdr
        Normalised enrichment score and false discovery rate; NaN where the null gives no scale.
    over_up, over_down
        Sets over-represented among the genes called up and down at stringency "moderate".
    """

    pairs: tuple[Pair, ...]
    nes: Floats
    fdr: Floats
    over_up: NDArray[np.bool_]
    over_down: NDArray[np.bool_]

    @property
    def calls(self) -> Calls:
        """Direction of the significant sets (1 up, −1 down), 0 for the others."""
        significant = np.nan_to_num(self.fdr, nan=1.0) < FDR
        return np.where(significant, np.sign(np.nan_to_num(self.nes)), 0).astype(np.int8)

    @property
    def over(self) -> NDArray[np.bool_]:
        """Over-represented sets, ``n_sets × 2 n_pairs``: up in every pair, then down."""
        return np.hstack([self.over_up, self.over_down])

    def of_pairs(self, pairs: tuple[Pair, ...]) -> Enrichment:
        """Return the columns of some pairs."""
        at = [self.pairs.index(pair) for pair in pairs]
        return Enrichment(pairs, self.nes[:, at], self.fdr[:, at], self.over_up[:, at], self.over_down[:, at])


def enrich(profiles: Profiles, panel: Panel) -> Enrichment:
    """Run pre-ranked GSEA and over-representation for every pair of classes that could be tested.

    Raises
    ------
    NotComputableError
        Differential expression could not be run.
    """
    contrasts, jobs = profiles.contrasts, profiles.space.jobs
    called, lfc = contrasts.moderate[panel.ranked], np.nan_to_num(contrasts.lfc[panel.ranked])
    found = [prerank(column, panel.members, panel.random_sets, jobs) for column in contrasts.stat[panel.ranked].T]

    def over(listed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.column_stack([over_represented(column, panel.members, FDR) for column in listed.T])

    return Enrichment(
        pairs=contrasts.pairs,
        nes=np.column_stack([one.nes for one in found]),
        fdr=np.column_stack([one.fdr for one in found]),
        over_up=over(called & (lfc > 0)),
        over_down=over(called & (lfc < 0)),
    )


@dataclass(frozen=True)
class PathwayAgreement:
    """Enrichment of the training data and of the twin, for the pairs of classes that both have."""

    real: Enrichment
    twin: Enrichment

    @classmethod
    def of(cls, real: Enrichment, twin: Enrichment) -> PathwayAgreement:
        """Align two sides.

        Raises
        ------
        NotComputableError
            No pair of classes could be tested on both.
        """
        pairs = tuple(pair for pair in real.pairs if pair in twin.pairs)
        if not pairs:
            raise NotComputableError("no pair of classes could be tested on every side")
        return cls(real.of_pairs(pairs), twin.of_pairs(pairs))
