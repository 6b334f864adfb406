"""How often each gene shows each count in each class, gathered in one pass over parts of a cohort.

All that margins need to know of a cohort of cells is how many cells of a class show count ``x`` of gene ``g`` at
library size ``s``. Library sizes are rounded to a geometric grid whose steps are `STEP` of a logarithm, so that the
tables stay small whatever the number of cells; sums are whole numbers, so that no result hangs on how the cohort was
cut into parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..cohort import Cohort
from ..parallel import spread
from ._segments import Segment, segments

Floats = NDArray[np.float64]
STEP = 0.05
"""Step of the grid of library sizes, natural logarithm: an offset is wrong by 1.4 % in the mean square."""
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
        self._await(unique, weights.astype(np.int64))

    def take(self, table: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]) -> None:
        """Take in the `table` of further cells."""
        keys, weights, cells = table
        self.cells += cells
        self._await(keys, weights)

    def table(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return entries as sorted keys, their numbers of cells, and the number of cells at each place."""
        self._merge()
        return self._keys, self._weights, self.cells

    def _await(self, keys: NDArray[np.int64], weights: NDArray[np.int64]) -> None:
        self._waiting.append((keys, weights))
        if sum(len(key) for key, _ in self._waiting) > max(MERGE, len(self._keys)):
            self._merge()

    def _merge(self) -> None:
        if not self._waiting:
            return
        keys = np.concatenate([self._keys, *(key for key, _ in self._waiting)])
        weights = np.concatenate([self._weights, *(weight for _, weight in self._waiting)])
        order = np.argsort(keys, kind="stable")  # merges what is sorted already
        keys, weights = keys[order], weights[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        self._keys = keys[first]
        self._weights = np.add.reduceat(weights, first) if len(first) else weights
        self._waiting = []

    def finish(self) -> CountHistogram:
        """Return the histogram."""
        self._merge()
        place = self._keys >> 25
        starts = np.searchsorted(place // GRID, np.arange(self.n_genes + 1)).astype(np.int64)
        return CountHistogram(starts, place % GRID, self._keys & (2**25 - 1), self._weights, self.cells)


def count_histograms(
    cohort: Cohort, codes: NDArray[np.intp], n_classes: int, by_library: bool = False, jobs: int = 1
) -> list[CountHistogram]:
    """Return the histogram of each class, in one pass over the segments of ``cohort``."""
    builders = [HistogramBuilder(cohort.n_genes, by_library) for _ in range(n_classes)]
    for tables in spread(_tables, segments(cohort, codes), by_library, jobs):
        for code, table in tables:
            builders[code].take(table)
    return [builder.finish() for builder in builders]


def _tables(
    by_library: bool, segment: Segment
) -> list[tuple[int, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]]:
    """Return the table of each class in a segment."""
    builders: dict[int, HistogramBuilder] = {}
    for part in segment.parts():
        for code, _, counts in part:
            builders.setdefault(code, HistogramBuilder(segment.n_genes, by_library)).add(counts)
    return [(code, builder.table()) for code, builder in builders.items()]


def histogram_of(counts: Any) -> CountHistogram:
    """Return the histogram of one class that is at hand as a whole, ``n_cells × n_genes``, sparse or dense."""
    builder = HistogramBuilder(counts.shape[1], by_library=False)
    builder.add(sp.csr_matrix(counts))
    return builder.finish()
