r"""Expected normal scores of counts, as a matrix that is never written out.

Under a Gaussian copula a count stands for an interval of a standard normal. Its expected score

.. math:: s = E[z \mid a < z < b] = \frac{φ(a) - φ(b)}{Φ(b) - Φ(a)}

varies less than z does: the variance :math:`v_g` of a gene's scores is the share of its latent normal that counts tell.
To first order of Mehler's series the covariance of two genes' scores is :math:`v_g ρ_{gh} v_h`, so that latent
correlations can be had back from frequent and rare genes alike.

All cells of one library size without a count have the same score, so the scores of a class are a table of zeros
(``n_places × n_genes``) and a sparse correction; products with a few vectors need nothing else. Cells are seen as
deviations from the mean of their donor, as what tells donors apart is modelled on its own (`_donor_effects`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import ndtri

from ..kernels import kernel, over_genes
from ._count_histograms import GRID, CountHistogram
from ._count_margins import CountMargins
from ._count_tables import log_step, log_zero

Floats = NDArray[np.float64]
EXTREME = 1e-10
LEAST_TOLD = 0.02
"""Added to what counts tell of a gene before scores are divided by its root, lest the few cells in which a rare gene is
seen outvote all others."""
SEEN = 3
"""Cells in which a gene has to be seen to tell anything of other genes."""


@dataclass(frozen=True)
class ScoreTable:
    """Scores of one class, divided by ``√(told + LEAST_TOLD)`` to a variance of nearly 1.

    Parameters
    ----------
    starts
        Where the entries of each gene and place that occurs begin in the class's histogram, ``n_genes × n_places + 1``.
    counts, corrections
        Count of each entry, and its score less that of zero.
    zeros
        Score of a zero at each place that occurs, ``n_places × n_genes``.
    row_of_place
        Row of ``zeros`` for each place of the grid.
    told
        Variance of the scores before they were standardised, ``n_genes``; 0 for genes that tell nothing.
    """

    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    corrections: Floats
    zeros: Floats
    row_of_place: NDArray[np.intp]
    told: Floats

    @classmethod
    def of(cls, histogram: CountHistogram, margins: CountMargins, exposures: Floats, jobs: int = 1) -> ScoreTable:
        """Return the scores of the cells behind a histogram.

        Parameters
        ----------
        histogram
            Counts of one class.
        margins
            Their distributions.
        exposures
            Library size of each place of the grid in the unit of the means.
        jobs
            Number of threads.
        """
        n_genes = len(margins.mean)
        places = np.flatnonzero(histogram.cells)
        row_of_place = np.zeros(GRID, dtype=np.intp)
        row_of_place[places] = np.arange(len(places))
        below, above = np.zeros(len(histogram.values)), np.ones(len(histogram.values))
        parts = (margins.inflation, margins.size, margins.mean, exposures, below, above)
        entries = histogram.starts, histogram.levels, histogram.values
        over_genes(_bounds, n_genes, jobs, *entries, *parts)
        counts = interval_scores(below, above)
        chance = np.stack([margins.scaled(exposures[place]).zero() for place in places])
        zeros = interval_scores(np.zeros_like(chance), chance)
        genes, rows, cells = histogram.genes, row_of_place[histogram.levels], histogram.cells[places]
        empty = np.repeat(cells[:, None].astype(float), n_genes, axis=1)
        np.subtract.at(empty, (rows, genes), histogram.weights)
        n = histogram.n_cells
        mean = ((empty * zeros).sum(axis=0) + histogram.totals(histogram.weights * counts)) / n
        square = ((empty * zeros**2).sum(axis=0) + histogram.totals(histogram.weights * counts**2)) / n
        told = np.where(histogram.seen() >= SEEN, np.maximum(square - mean**2, 0.0), 0.0)
        scale = np.where(told > 0, 1.0 / np.sqrt(told + LEAST_TOLD), 0.0)
        corrections = (counts - zeros[rows, genes]) * scale[genes]
        many = np.bincount(genes * len(places) + rows, minlength=n_genes * len(places))
        starts = np.concatenate([[0], np.cumsum(many)]).astype(np.int64)
        return cls(starts, histogram.values, corrections, (zeros - mean) * scale, row_of_place, told)

    def part(self, counts: sp.csr_matrix, places: NDArray[np.int64]) -> ScorePart:
        """Return the scores of some cells of the class, ``n × n_genes``."""
        rows = self.row_of_place[places]
        values = np.zeros(len(counts.data))
        entries = counts.indptr, counts.indices, counts.data.astype(np.int64)
        _look_up(*entries, rows, len(self.zeros), self.starts, self.counts, self.corrections, values)
        sparse = sp.csr_matrix((values, counts.indices, counts.indptr), shape=counts.shape)
        return ScorePart(self.zeros, rows, sparse)


@dataclass(frozen=True)
class ScorePart:
    """Scores of some cells: rows of a table of zeros, and a sparse correction."""

    zeros: Floats
    rows: NDArray[np.intp]
    sparse: sp.csr_matrix

    def times(self, vectors: Floats) -> Floats:
        """Return the scores times ``vectors``, ``n × k``."""
        product: Floats = (self.zeros @ vectors)[self.rows] + self.sparse @ vectors
        return product

    def transposed_times(self, vectors: Floats) -> Floats:
        """Return the transposed scores times ``vectors`` (``n × k``), ``n_genes × k``."""
        by_place = np.zeros((len(self.zeros), vectors.shape[1]))
        np.add.at(by_place, self.rows, vectors)
        product: Floats = self.zeros.T @ by_place + self.sparse.T @ vectors
        return product


def interval_scores(below: Any, above: Any) -> Floats:
    """Return the expectation of a standard normal between two of its quantiles, given as probabilities."""
    low, high = np.clip(below, 0.0, 1.0), np.clip(above, 0.0, 1.0)
    width = high - low
    with np.errstate(divide="ignore"):
        densities = [np.exp(-0.5 * ndtri(level) ** 2) / np.sqrt(2 * np.pi) for level in (low, high)]
    middle = ndtri(np.clip(0.5 * (low + high), EXTREME, 1 - EXTREME))
    wide = width > 1e-6
    scores: Floats = np.where(wide, (densities[0] - densities[1]) / np.where(wide, width, 1.0), middle)
    return scores


@kernel
def _look_up(
    pointers: NDArray[Any], genes: NDArray[Any], values: NDArray[np.int64], rows: NDArray[np.intp], n_places: int,
    starts: NDArray[np.int64], counts: NDArray[np.int64], corrections: Floats, found: Floats,
) -> None:  # fmt: skip
    """Write the correction of each count of some cells; that of a zero is 0."""
    for cell in range(len(pointers) - 1):
        for at in range(pointers[cell], pointers[cell + 1]):
            if values[at] <= 0:
                continue
            run = genes[at] * n_places + rows[cell]
            low, high = starts[run], starts[run + 1] - 1
            while low < high:
                middle = (low + high) // 2
                if counts[middle] < values[at]:
                    low = middle + 1
                else:
                    high = middle
            found[at] = corrections[low]


@kernel
def _bounds(
    start: int, stop: int, starts: NDArray[np.int64], levels: NDArray[np.int64], values: NDArray[np.int64],
    inflation: Floats, size: Floats, mean: Floats, exposures: Floats, below: Floats, above: Floats,
) -> None:  # fmt: skip
    """Write ``F(x − 1)`` and ``F(x)`` of each entry; entries of a gene and place come by rising counts."""
    for gene in range(start, stop):
        place, count, log_probability, reached, kept, expected = -1, 0, 0.0, 0.0, 1.0, 0.0
        for entry in range(starts[gene], starts[gene + 1]):
            if levels[entry] != place:
                place, count = levels[entry], 0
                expected = mean[gene] * exposures[place]
                kept = 1.0 - inflation[gene]
                log_probability = log_zero(size[gene], expected)
                reached = inflation[gene] + kept * np.exp(log_probability)
            while count < values[entry]:
                log_probability += log_step(count, size[gene], expected)
                count += 1
                below[entry] = reached
                reached += kept * np.exp(log_probability)
            above[entry] = reached
