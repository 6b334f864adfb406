r"""The model of one class of cells: count margins, a Gaussian copula over the frequent genes, and library sizes.

.. math:: u = F(x - 1) + v f(x),\; v \sim U(0, 1), \qquad R = \operatorname{corr} Φ^{-1}(u), \qquad
          x = F^{-1}(Φ(z)),\; z \sim N(0, R),

with F that of the cell's library size where margins have an offset. Fitting takes two passes over parts of a cohort:
one for tables of counts (`_count_histograms`), one for the second moments of normal scores. The uniform v are drawn
in the order of the cells of a class, so that they do not hang on how the cohort is cut.

Source: Sun, Song, Li & Li 2021, *Genome Biology* 22:163.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from sklearn.covariance import ledoit_wolf_shrinkage

from ..cohort import Cohort
from ..parallel import spread
from ._count_histograms import CountHistogram, draw_places, grid_sizes, library_places
from ._count_margins import CountMargins, fit_histogram
from ._count_tables import count_steps, distributional_transform, quantiles
from ._library_margins import fit_library_margins
from ._segments import Segment, segments

Floats = NDArray[np.float64]
RARE = 0.8
"""Share of zeros from which on a gene is drawn on its own."""
SEEN = 3
"""Cells in which a gene has to be seen to be drawn at all; of a type with fewer cells, all of them."""
EXTREME = 1e-10


@dataclass(frozen=True)
class CellType:
    """Model of one class.

    Parameters
    ----------
    together, alone
        Genes under the copula, and genes on their own; all others are zero.
    margins
        Of all genes, at library size ``unit``.
    correlation
        Of the normal scores of the genes under the copula, ``k × k``.
    cells
        Number of cells at each place of the grid of library sizes; all at the first place without an offset.
    unit
        Library size to which means belong; 1 without an offset.
    """

    together: NDArray[np.intp]
    alone: NDArray[np.intp]
    margins: CountMargins
    correlation: Floats
    cells: NDArray[np.int64]
    unit: float

    @cached_property
    def root(self) -> Floats:
        """A matrix whose product with its transpose is the correlation; found once for all draws."""
        eigenvalues, axes = np.linalg.eigh(self.correlation)
        scaled: Floats = (axes * np.sqrt(np.maximum(eigenvalues, 0.0))).T
        return scaled

    @property
    def has_libraries(self) -> bool:
        """Whether means are proportional to library sizes."""
        return bool(self.cells[1:].any())

    def exposures(self, places: NDArray[np.int64]) -> Floats:
        """Return what means are multiplied by in cells at these places of the grid."""
        return grid_sizes()[places] / self.unit

    def draw(self, n: int, depth: float, rng: np.random.Generator, jobs: int, values: NDArray[np.int64]) -> None:
        """Write the counts of ``n`` cells into ``values``, ``n × n_genes`` zeros."""
        exposures = depth * self.exposures(draw_places(self.cells, n, rng))
        levels = ndtr(rng.standard_normal((n, len(self.root))) @ self.root)
        values[:, self.together] = quantiles(levels, self.margins.take(self.together), jobs, exposures)
        apart = rng.random((n, len(self.alone)))
        values[:, self.alone] = quantiles(apart, self.margins.take(self.alone), jobs, exposures)

    def densities(self, counts: Any, ridges: tuple[float, ...], jobs: int = 1) -> tuple[Floats, Floats]:
        """Return the log-probability of cells under the margins, and what the copula adds to it at each ridge.

        Normal scores lie in the middle of the range that a count stands for. A count of a gene that the type never
        shows has the probability of half a cell.

        Parameters
        ----------
        counts
            ``n × n_genes``, csr.
        ridges
            Added to the diagonal of the correlation.
        jobs
            Number of threads.

        Returns
        -------
        ``n`` and ``n × n_ridges``.
        """
        places = library_places(counts) if self.has_libraries else np.zeros(counts.shape[0], dtype=np.int64)
        exposures = self.exposures(places)
        modelled = np.concatenate([self.together, self.alone])
        dense = counts[:, modelled].toarray().astype(np.int64)
        below, step = count_steps(dense, self.margins.take(modelled), jobs, exposures)
        margin = np.log(np.maximum(step, EXTREME)).sum(axis=1)
        absent = np.setdiff1d(np.arange(counts.shape[1]), modelled)
        surprises = np.asarray((counts[:, absent] > 0).sum(axis=1)).ravel()
        margin += surprises * np.log(0.5 / self.cells.sum())
        k = len(self.together)
        middle = below[:, :k] + 0.5 * step[:, :k]
        scores = ndtri(np.clip(middle, EXTREME, 1 - EXTREME))
        eigenvalues, axes = np.linalg.eigh(self.correlation)
        along, plain = (scores @ axes) ** 2, (scores**2).sum(axis=1)
        dependence = np.empty((len(scores), len(ridges)))
        for column, ridge in enumerate(ridges):
            spread = np.maximum(eigenvalues, 0.0) + ridge
            dependence[:, column] = 0.5 * (plain - (along / spread).sum(axis=1) - np.log(spread).sum())
        return margin, dependence


@dataclass
class ScoreMoments:
    """Sums over the normal scores of one class; scores themselves where the class has no more cells than genes.

    Parameters
    ----------
    n_genes
        Genes under the copula.
    few
        Whether there are no more cells than genes.
    """

    n_genes: int
    few: bool
    total: Floats = field(init=False)
    squares: Floats = field(init=False)
    kept: list[Floats] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.total, self.squares = np.zeros(self.n_genes), np.zeros((self.n_genes, self.n_genes))

    def add(self, scores: Floats) -> None:
        """Take in some cells, ``n × n_genes``."""
        self.total += scores.sum(axis=0)
        self.squares += scores.T @ scores
        if self.few:
            self.kept.append(scores)

    def join(self, later: ScoreMoments) -> None:
        """Take in the cells behind other moments of the class."""
        self.total += later.total
        self.squares += later.squares
        self.kept += later.kept

    def correlation(self, n: int, shrinkage: float | None) -> Floats:
        """Return the correlation of ``n`` cells' scores, moved towards 0; ``None``: by Ledoit and Wolf if few."""
        if self.n_genes == 0:
            return np.zeros((0, 0))
        mean = self.total / n
        covariance = self.squares / n - np.outer(mean, mean)
        spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        # Below, only rounding is left of a gene without variation.
        scale = np.where(spread > 1e-7, spread, np.inf)
        correlation: Floats = covariance / np.outer(scale, scale)
        if shrinkage is None:
            standard = (np.concatenate(self.kept) - mean) / scale if self.few else None
            shrinkage = 0.0 if standard is None else float(ledoit_wolf_shrinkage(standard, assume_centered=True))
        correlation *= 1.0 - shrinkage
        np.fill_diagonal(correlation, 1.0)
        return correlation


@dataclass(frozen=True)
class Scorer:
    """How the normal scores of one class are had.

    Parameters
    ----------
    together, margins
        Genes under the copula, and their margins.
    unit
        Library size to which means belong; ``None`` without an offset.
    stream
        Source of the uniform v of the first cell of the class.
    few
        Whether the class has no more cells than genes.
    """

    together: NDArray[np.intp]
    margins: CountMargins
    unit: float | None
    stream: np.random.Generator
    few: bool

    def stream_at(self, cell: int) -> np.random.Generator:
        """Return the source of the v from the ``cell``-th cell of the class on."""
        stream = copy.deepcopy(self.stream)
        bits = stream.bit_generator
        assert isinstance(bits, np.random.PCG64)  # of which one step is one uniform number
        bits.advance(cell * len(self.together))
        return stream

    def scores(self, counts: Any, stream: np.random.Generator) -> Floats:
        """Return the normal scores of cells, ``n × len(together)``; ``counts`` are of all genes."""
        exposures = None if self.unit is None else grid_sizes()[library_places(counts)] / self.unit
        dense = counts[:, self.together].toarray().astype(np.int64)
        levels = distributional_transform(dense, self.margins, stream.random(dense.shape), exposures=exposures)
        scores: Floats = ndtri(np.clip(levels, EXTREME, 1 - EXTREME))
        return scores


def fit_types(
    cohort: Cohort,
    codes: NDArray[np.intp],
    histograms: list[CountHistogram],
    by_library: bool,
    shrinkage: float | None,
    rng: np.random.Generator,
    jobs: int,
) -> tuple[list[CellType], list[int]]:
    """Fit the model of each class, in one more pass over parts of ``cohort``.

    Returns
    -------
    The models, and the number of genes in each that had to be given a simpler family.
    """
    unit = library_unit(histograms) if by_library else 1.0
    offset = unit if by_library else None
    found = list(spread(_margins, histograms, (offset, max(1, jobs // len(histograms))), jobs))
    chosen = [_genes(histogram) for histogram in histograms]
    streams = rng.spawn(len(histograms))
    scorers = [
        Scorer(together, margins.take(together), offset, stream, histogram.n_cells <= len(together))
        for histogram, (margins, _), (together, _), stream in zip(histograms, found, chosen, streams, strict=True)
    ]
    moments = [ScoreMoments(len(scorer.together), scorer.few) for scorer in scorers]
    for sums in spread(_segment_moments, segments(cohort, codes), scorers, jobs):
        for code, own in sums.items():
            moments[code].join(own)
    types = [
        CellType(together, alone, margins, moment.correlation(histogram.n_cells, shrinkage), histogram.cells, unit)
        for (together, alone), (margins, _), moment, histogram in zip(chosen, found, moments, histograms, strict=True)
    ]
    return types, [int((fallen > 0).sum()) for _, fallen in found]


def library_unit(histograms: list[CountHistogram]) -> float:
    """Return the mean library size over all cells."""
    cells = np.sum([histogram.cells for histogram in histograms], axis=0)
    return float(cells @ grid_sizes() / cells.sum())


def _margins(how: tuple[float | None, int], histogram: CountHistogram) -> tuple[CountMargins, NDArray[np.int8]]:
    """Fit the margins of one class, with an offset where there is a unit of library size, on a number of threads."""
    unit, threads = how
    if unit is None:
        return fit_histogram(histogram, threads)
    return fit_library_margins(histogram, grid_sizes() / unit, threads)


def _genes(histogram: CountHistogram) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the genes to draw under the copula, and those to draw alone."""
    n, seen = histogram.n_cells, histogram.seen()
    frequent = 1.0 - seen / n < RARE
    known = seen >= min(SEEN, n)
    return np.flatnonzero(frequent & known), np.flatnonzero(~frequent & known)


def _segment_moments(scorers: list[Scorer], segment: Segment) -> dict[int, ScoreMoments]:
    """Return the moments of the normal scores of each class in a segment."""
    streams: dict[int, np.random.Generator] = {}
    moments: dict[int, ScoreMoments] = {}
    for part in segment.parts():
        for code, _, counts in part:
            scorer = scorers[code]
            if code not in streams:
                streams[code] = scorer.stream_at(int(segment.before[code]))
                moments[code] = ScoreMoments(len(scorer.together), scorer.few)
            moments[code].add(scorer.scores(counts, streams[code]))
    return moments
