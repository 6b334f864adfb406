"""Runs of cells that are worked on one at a time, here or elsewhere, and put together in order.

Where cohorts lie on disk a segment holds their path, so that it is small whatever it stands for. Segments begin at the
same cells whoever works on them and however many do, and sums over a cohort are sums over its segments, in order: the
same numbers to the last bit on threads, processes and clusters.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from ..cohort import Cohort
from ..errors import CohortError
from ..parallel import run
from ..stored import StoredMatrix
from ._margins import stratum_rows

PART = 4096
"""Cells that are read at once."""
SEGMENT = 4 * PART
AT_ONCE = 4
"""Most blocks of a twin that are drawn at the same time: each takes some hundred MiB."""
LARGEST = 2**24
"""Largest count: a distribution is tabulated up to there."""


@dataclass(frozen=True)
class Segment:
    """Consecutive cells of a cohort.

    Parameters
    ----------
    source
        Where the cohort comes from, for messages.
    profiles
        Their counts, in memory or on disk, ``n × n_genes``.
    codes
        Class of each cell, ``n``.
    groups
        A finer group of each cell, such as its class and donor; where nothing is asked of them, the classes.
    before
        Number of cells of each class in earlier segments, ``n_classes``.
    """

    source: str
    profiles: Any
    codes: NDArray[np.intp]
    groups: NDArray[np.intp]
    before: NDArray[np.intp]

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return int(self.profiles.shape[1])

    def parts(self) -> Iterator[list[tuple[int, NDArray[np.intp], sp.csr_matrix]]]:
        """Yield parts of the segment: each class that occurs there, the rows of its cells, and their counts.

        Raises
        ------
        CohortError
            A count is too large for a table.
        """
        for start in range(0, len(self.codes), PART):
            stop = min(start + PART, len(self.codes))
            counts = sp.csr_matrix(self.profiles[start:stop])
            if counts.nnz and counts.data.max() > LARGEST:
                raise CohortError(
                    f"{self.source}: the largest count is {counts.data.max():,.0f}; UMI counts of cells are expected, "
                    f"of at most {LARGEST:,}. For bulk profiles take copula and state no cell type."
                )
            yield [(code, own + start, counts[own]) for code, own in stratum_rows(self.codes[start:stop])]


def segments(cohort: Cohort, codes: NDArray[np.intp], groups: NDArray[np.intp] | None = None) -> Iterator[Segment]:
    """Cut a cohort into segments.

    Parameters
    ----------
    cohort
        Cells.
    codes, groups
        See `Segment`.
    """
    x = cohort.adata.X
    if isinstance(x, StoredMatrix):
        x = copy.copy(x)
        x.path = Path(x.path).resolve()  # workers may stand in another folder
    before = np.zeros(int(codes.max(initial=0)) + 1, dtype=np.intp)
    for start in range(0, cohort.n_samples, SEGMENT):
        rows = slice(start, min(start + SEGMENT, cohort.n_samples))
        profiles = x.select(rows) if isinstance(x, StoredMatrix) else x[rows]
        own = codes[rows]
        yield Segment(cohort.source, profiles, own, own if groups is None else groups[rows], before.copy())
        before += np.bincount(own, minlength=len(before))


def class_parts(cohort: Cohort, codes: NDArray[np.intp]) -> Iterator[list[tuple[int, NDArray[np.intp], sp.csr_matrix]]]:
    """Yield the parts of a cohort, as `Segment.parts` does; rows are those of the cohort."""
    none = np.zeros(int(codes.max(initial=0)) + 1, dtype=np.intp)
    yield from Segment(cohort.source, cohort.adata.X, codes, codes, none).parts()


def drawn_together(
    draw: Callable[[NDArray[np.intp], np.random.Generator, int], tuple[NDArray[Any], pd.DataFrame]],
    blocks: Sequence[NDArray[np.intp]],
    rng: np.random.Generator,
    jobs: int,
) -> Iterator[tuple[NDArray[Any], pd.DataFrame]]:
    """Draw the blocks of a twin, a few of them at a time, in the streams that `Generator._sample_blocks` gives them.

    Parameters
    ----------
    draw
        Draws one block: its classes, random stream, and number of threads.
    blocks
        Class of each cell, by block.
    rng
        Random stream of the twin.
    jobs
        Number of threads; it changes no result.
    """
    streams = [rng] if len(blocks) == 1 else rng.spawn(len(blocks))
    pieces = list(zip(blocks, streams, strict=True))
    together = min(jobs, AT_ONCE, len(pieces))
    for start in range(0, len(pieces), together):
        yield from run(lambda piece: draw(*piece, jobs // together), pieces[start : start + together], together)
