r"""Sums of cells by donor and class, gathered a part at a time: all that `dp-scdesign` looks at.

A donor's cells of a class make one pseudobulk profile, of which the square root of the shares of the genes is taken,

.. math:: r_g = \sqrt{x_g / \textstyle\sum_h x_h}, \qquad |r| = 1 .

On that scale counting noise is alike for all genes, and every profile is as long as any other without being cut. With
:math:`p_c` the share of class c among the donor's cells, the profiles times :math:`\sqrt{p_c}`, all classes together,
have length :math:`\sqrt{\sum_c p_c} = 1`: each donor weighs the same, whatever its number of cells, so that no cells
have to be left out, and rare classes get more weight than their cells have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from ..cohort import Cohort
from ..parallel import spread
from ._segments import Segment, segments

Floats = NDArray[np.float64]
BLOCK = 2**22
"""Values of dense profiles that are held at once."""


@dataclass(frozen=True, eq=False)
class GroupSums:
    """Sums over groups of cells.

    Parameters
    ----------
    counts, squares
        Sums of counts and of their squares, csr, ``n_groups × n_genes``.
    cells, squared_depths
        Number of cells of a group, and sum of the squares of their library sizes, ``n_groups``.
    totals, groups
        Library size and group of each cell, ``n_cells``.
    """

    counts: sp.csr_matrix
    squares: sp.csr_matrix
    cells: Floats
    squared_depths: Floats
    totals: Floats
    groups: NDArray[np.intp]


def summed(cohort: Cohort, groups: NDArray[np.intp], n_groups: int) -> GroupSums:
    """Add up the cells of ``cohort`` by group, a part of them at a time."""
    shape = (n_groups, cohort.n_genes)
    counts, squares = sp.csr_matrix(shape), sp.csr_matrix(shape)
    found = []
    for own_counts, own_squares, own_totals in spread(_segment_sums, segments(cohort, groups), n_groups):
        counts, squares = counts + own_counts, squares + own_squares
        found.append(own_totals)
    totals = np.concatenate(found)
    cells, squared = (np.bincount(groups, weights, n_groups).astype(np.float64) for weights in (None, totals**2))
    return GroupSums(counts.tocsr(), squares.tocsr(), cells, squared, totals, groups)


def _segment_sums(n_groups: int, segment: Segment) -> tuple[sp.csr_matrix, sp.csr_matrix, Floats]:
    """Return the sums of counts and of squares over each group of a segment, and the library size of each cell."""
    values = sp.csr_matrix(segment.profiles[:], dtype=np.float64)
    n = values.shape[0]
    member = sp.csr_matrix((np.ones(n), (segment.groups, np.arange(n))), shape=(n_groups, n))
    totals: Floats = np.asarray(values.sum(axis=1)).ravel()
    return member @ values, member @ values.multiply(values), totals


@dataclass(frozen=True, eq=False)
class Pseudobulk:
    """Sums over groups of cells, those of a donor in a class; group ``donor × n_classes + class``.

    Parameters
    ----------
    n_donors, n_classes
        Numbers.
    sums
        Of the groups.
    """

    n_donors: int
    n_classes: int
    sums: GroupSums

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return int(self.sums.counts.shape[1])

    @classmethod
    def of(cls, cohort: Cohort, codes: NDArray[np.intp], n_classes: int) -> Pseudobulk:
        """Add up the cells of ``cohort``, of classes ``codes``."""
        donors = pd.factorize(cohort.donors())[0].astype(np.intp)
        n_donors = int(donors.max()) + 1
        return cls(n_donors, n_classes, summed(cohort, donors * n_classes + codes, n_donors * n_classes))

    def roots(self) -> Floats:
        """Return the square root of the share of each class among a donor's cells, ``n_donors × n_classes``."""
        cells = self.sums.cells.reshape(self.n_donors, self.n_classes)
        roots: Floats = np.sqrt(cells / cells.sum(axis=1, keepdims=True))
        return roots

    def blocks(self) -> Iterator[slice]:
        """Yield donors, so many that their dense profiles may be held at once."""
        step = max(BLOCK // max(self.n_classes * self.n_genes, 1), 1)
        for start in range(0, self.n_donors, step):
            yield slice(start, min(start + step, self.n_donors))

    def groups_of(self, donors: slice) -> slice:
        """Return the groups of a block of donors."""
        return slice(donors.start * self.n_classes, donors.stop * self.n_classes)

    def unit_profiles(self, donors: slice) -> Floats:
        """Return the roots of the shares of the genes, ``donors × n_classes × n_genes``; zeros where no cell is."""
        profiles = self.sums.counts[self.groups_of(donors)].toarray()
        sums = profiles.sum(axis=1, keepdims=True)
        profiles = np.sqrt(profiles / np.maximum(sums, 1.0))
        unit: Floats = profiles.reshape(-1, self.n_classes, profiles.shape[1])
        return unit
