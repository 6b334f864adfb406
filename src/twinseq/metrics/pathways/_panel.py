"""The gene sets as the tested genes see them: which take part, and the random sets they are held against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...geneids import Matched
from .._registry import NotComputableError
from ._gsea import RandomSets

SMALLEST, LARGEST = 10, 2500
"""Sets from ten tested genes up to the widest of Reactome (Immune System, Disease) take part."""
PERMUTATIONS = 300
"""Two seeds then give scores that correlate above .999; more would cost time in proportion."""


@dataclass(frozen=True)
class Panel:
    """Gene sets among the tested genes.

    Parameters
    ----------
    names
        Names of the sets.
    ranked
        Places, among the tested genes, of those that are ranked: one row a gene.
    members
        Places of each set's genes among the ranked ones.
    rng
        Source of the random sets.
    """

    names: tuple[str, ...]
    ranked: NDArray[np.intp]
    members: tuple[NDArray[np.intp], ...]
    rng: np.random.Generator

    @classmethod
    def of(cls, matched: Matched, expressed: NDArray[np.intp], rng: np.random.Generator) -> Panel:
        """Restrict matched sets to the tested genes, and to sets of 10 to 2,500 of them.

        Raises
        ------
        NotComputableError
            No set has that many tested genes.
        """
        ranked = np.flatnonzero(np.isin(expressed, matched.kept))
        place = np.full(matched.n_genes, -1, dtype=np.intp)
        place[expressed[ranked]] = np.arange(len(ranked))
        names, members = [], []
        for name, one in zip(matched.names, matched.members, strict=True):
            tested = place[one]
            tested = np.sort(tested[tested >= 0])
            if SMALLEST <= len(tested) <= min(LARGEST, len(ranked) - 1):
                names.append(name)
                members.append(tested)
        if not names:
            raise NotComputableError(f"no gene set has {SMALLEST} to {LARGEST:,} of the tested genes")
        return cls(tuple(names), ranked, tuple(members), rng)

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """Number of ranked genes in each set."""
        return np.array([len(one) for one in self.members], dtype=np.intp)

    @cached_property
    def random_sets(self) -> RandomSets:
        """Random sets, the same for every side, so that chance in the null does not tell sides apart."""
        return RandomSets.draw(len(self.ranked), int(self.sizes.max()), PERMUTATIONS, self.rng)
