"""How many cells an attacker holds: enough for any attack to see what there is, few enough for a laptop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort

MOST_CELLS = 5_000
"""Cells of one side: distances between two sides of this size take 0.2 GiB."""
MOST_VALUES = 50_000_000
"""Cells × genes of one side, of which log-scale profiles take 0.4 GiB."""


def held(cohort: Cohort, seed: int) -> tuple[Cohort, str]:
    """Return what an attacker holds of a cohort of cells, and what to tell of it; bulk cohorts are held whole.

    Cells are drawn at random from each donor, the same number from all who have as many; those of a twin, which are
    nobody's, from all. What is not drawn is never made dense.
    """
    most = max(min(MOST_CELLS, MOST_VALUES // cohort.n_genes), 1)
    if cohort.cell_type is None or cohort.n_samples <= most:
        return cohort, ""
    _, donors = np.unique(cohort.donors(), return_inverse=True)
    kept = draw(donors, most, np.random.default_rng([seed, 15]))
    return cohort.subset(kept), f"{len(kept):,} of {cohort.n_samples:,}"


def draw(donors: NDArray[np.intp], most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return at most ``most`` rows: as many of each donor as can be, or any rows where there are more donors than that.

    Parameters
    ----------
    donors
        Number of the donor of each row.
    most
        Number of rows.
    rng
        Which of a donor's rows.
    """
    sizes = np.bincount(donors)
    if len(sizes) > most:
        return np.sort(rng.permutation(len(donors))[:most])
    low, high = 1, int(sizes.max())
    while low < high:
        quota = (low + high + 1) // 2
        low, high = (quota, high) if np.minimum(sizes, quota).sum() <= most else (low, quota - 1)
    return at_most(donors, low, rng)


def at_most(donors: NDArray[np.intp], quota: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return ``quota`` random rows of each donor, or all where there are no more, in their order."""
    shuffled = rng.permutation(len(donors))
    order = shuffled[np.argsort(donors[shuffled], kind="stable")]
    sizes = np.bincount(donors)
    rank = np.arange(len(donors)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(order[rank < quota])
