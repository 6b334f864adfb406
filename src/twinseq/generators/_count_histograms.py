"""How often each gene shows each count in each class, gathered in one pass over parts of a cohort.

All that margins need to know of a cohort of cells is how many cells of a class show count ``x`` of gene ``g`` at
library size ``s``. Library sizes are rounded to a geometric grid whose steps are `STEP` of a logarithm, so that the
tables stay small whatever the number of cells; sums are whole numbers, so that no result hangs on how the cohort was
cut into parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..cohort import Cohort
from ..errors import CohortError
from ._margins import stratum_rows

Floats = NDArray[np.float64]
STEP = 0.05
"""Step of the grid of library sizes, natural logarithm: an offset is wrong by 1.4 % in the mean square."""
LARGEST = 2**24
"""Largest count: a distribution is tabulated up to there."""
GRID = 1024
"""Places of the grid, enough for libraries of e⁵¹ counts."""
MERGE = 1 << 20
"""New entries that wait before they are sorted in."""


@dataclass(frozen=True)
class CountHistogram:
    """Positive counts of one class.

    Parameters
    ----------
    starts
        Where the entries of each gene begin, ``n_genes + 1``.
    levels, values, weights
        Of each entry, its place on the grid of library sizes, the count, and the number of cells; sorted by gene,
        then level, then count.
    cells
        Number of cells at each place of the grid, ``GRID``.
    """

    starts: NDArray[np.int64]
    levels: NDArray[np.int64]
    values: NDArray[np.int64]
    weights: NDArray[np.int64]
    cells: NDArray[np.int64]

    @property
    def n_cells(self) -> int:
        """Number of cells of the class."""
        return int(self.cells.sum())

    @property
    def genes(self) -> NDArray[np.intp]:
        """Gene of each entry."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def seen(self) -> Floats:
        """Return in how many cells each gene is seen, ``n_genes``."""
        return self.totals(self.weights)

    def totals(self, entries: NDArray[Any]) -> Floats:
        """Return the sum of ``entries`` over each gene, ``n_genes``."""
        sums = np.bincount(self.genes, weights=entries, minlength=len(self.starts) - 1)
        return sums.astype(np.float64, copy=False)


def library_places(counts: sp.csr_matrix) -> NDArray[np.int64]:
    """Return the place on the grid of each cell's library, ``n``; ``counts`` is ``n × n_genes``."""
    sizes = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    places: NDArray[np.int64] = np.rint(np.log(np.maximum(sizes, 1.0)) / STEP).astype(np.int64)
    return places


def grid_sizes() -> Floats:
    """Return the library size of each place of the grid, ``GRID``."""
    sizes: Floats = np.exp(STEP * np.arange(GRID))
    return sizes


def class_parts(cohort: Cohort, codes: NDArray[np.intp]) -> Iterator[list[tuple[int, NDArray[np.intp], sp.csr_matrix]]]:
    """Yield parts of a cohort: of each class that occurs there, its number, the rows of its cells, and their counts.

    Raises
    ------
    CohortError
        A count is too large for a table.
    """
    for rows, part in cohort.chunks():
        counts = sp.csr_matrix(part)
        if counts.nnz and counts.data.max() > LARGEST:
            raise CohortError(
                f"{cohort.source}: the largest count is {counts.data.max():,.0f}; UMI counts of cells are expected, of "
                f"at most {LARGEST:,}. For bulk profiles take copula and state no cell type."
            )
        yield [(code, own + rows.start, counts[own]) for code, own in stratum_rows(codes[rows])]


def draw_places(cells: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw places on the grid as they occur in a class, smoothed by a normal kernel that keeps their variance."""
    occupied = np.flatnonzero(cells)
    if len(occupied) == 1:
        return np.full(n, occupied[0])
    shares = cells[occupied] / cells.sum()
    mean = shares @ occupied
    variance = shares @ (occupied - mean) ** 2
    width2 = variance * 0.81 * cells.sum() ** -0.4
    drawn = rng.choice(occupied, size=n, p=shares) + np.sqrt(width2) * rng.standard_normal(n)
    drawn = mean + (drawn - mean) / np.sqrt(1.0 + width2 / variance)
    places: NDArray[np.int64] = np.clip(np.rint(drawn), 0, len(cells) - 1).astype(np.int64)
    return places


class HistogramBuilder:
    """Entries of one class on their way to a `CountHistogram`.

    Parameters
    ----------
    n_genes
        Number of genes.
    by_library
        Whether counts are told apart by library size.
    """

    def __init__(self, n_genes: int, by_library: bool) -> None:
        self.n_genes = n_genes
        self.by_library = by_library
        self.cells = np.zeros(GRID, dtype=np.int64)
        self._keys = np.zeros(0, dtype=np.int64)
        self._weights = np.zeros(0, dtype=np.int64)
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def add(self, counts: sp.csr_matrix) -> None:
        """Take in cells, ``n × n_genes``."""
        places = np.zeros(counts.shape[0], dtype=np.int64)
        if self.by_library:
            places = library_places(counts)
        self.cells += np.bincount(places, minlength=GRID)
        positive = counts.data > 0
        cell = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))[positive]
        gene = counts.indices[positive].astype(np.int64)
        # Gene, place and count in one number: 2^24 is the largest count, and the grid has 2^10 places.
        keys = ((gene * GRID + places[cell]) << 25) | counts.data[positive].astype(np.int64)
        unique, weights = np.unique(keys, return_counts=True)
        self._waiting.append((unique, weights.astype(np.int64)))
        if sum(len(key) for key, _ in self._waiting) > max(MERGE, len(self._keys)):
            self._merge()

    def _merge(self) -> None:
        keys = np.concatenate([self._keys, *(key for key, _ in self._waiting)])
        weights = np.concatenate([self._weights, *(weight for _, weight in self._waiting)])
        self._keys, place = np.unique(keys, return_inverse=True)
        self._weights = np.zeros(len(self._keys), dtype=np.int64)
        np.add.at(self._weights, place, weights)
        self._waiting = []

    def finish(self) -> CountHistogram:
        """Return the histogram."""
        self._merge()
        place = self._keys >> 25
        starts = np.searchsorted(place // GRID, np.arange(self.n_genes + 1)).astype(np.int64)
        return CountHistogram(starts, place % GRID, self._keys & (2**25 - 1), self._weights, self.cells)


def count_histograms(
    cohort: Cohort, codes: NDArray[np.intp], n_classes: int, by_library: bool = False
) -> list[CountHistogram]:
    """Return the histogram of each class, in one pass over parts of ``cohort``."""
    builders = [HistogramBuilder(cohort.n_genes, by_library) for _ in range(n_classes)]
    for part in class_parts(cohort, codes):
        for code, _, counts in part:
            builders[code].add(counts)
    return [builder.finish() for builder in builders]


def histogram_of(counts: Any) -> CountHistogram:
    """Return the histogram of one class that is at hand as a whole, ``n_cells × n_genes``, sparse or dense."""
    builder = HistogramBuilder(counts.shape[1], by_library=False)
    builder.add(sp.csr_matrix(counts))
    return builder.finish()
