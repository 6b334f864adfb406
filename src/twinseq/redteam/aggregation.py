"""From scores of samples or cells to one score a donor: several ways, each of which counts as one more attack tried."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TRIMMED = 0.1
TOP = 0.05


def mean(scores: Floats, donors: NDArray[np.intp], types: NDArray[np.str_]) -> Floats:
    """Return the mean of each donor's scores."""
    found: Floats = np.bincount(donors, scores) / np.bincount(donors)
    return found


def total(scores: Floats, donors: NDArray[np.intp], types: NDArray[np.str_]) -> Floats:
    """Return the sum of each donor's scores: of log ratios, the log ratio of the donor."""
    return np.asarray(np.bincount(donors, scores), dtype=np.float64)


def by_type(scores: Floats, donors: NDArray[np.intp], types: NDArray[np.str_]) -> Floats:
    """Return the mean over each donor's types of the mean over cells of the type."""
    n_donors, (names, kinds) = int(donors.max()) + 1, np.unique(types, return_inverse=True)
    cells = donors * len(names) + kinds
    sums, numbers = (np.bincount(cells, weights, n_donors * len(names)) for weights in (scores, None))
    means = (sums / np.maximum(numbers, 1)).reshape(n_donors, -1)
    found: Floats = means.sum(axis=1) / (numbers.reshape(n_donors, -1) > 0).sum(axis=1)
    return found


def trimmed(scores: Floats, donors: NDArray[np.intp], types: NDArray[np.str_]) -> Floats:
    """Return the mean of each donor's scores without the lowest and the highest tenth."""
    return _middle(scores, donors, TRIMMED, 1 - TRIMMED)


def top(scores: Floats, donors: NDArray[np.intp], types: NDArray[np.str_]) -> Floats:
    """Return the mean of the highest twentieth of each donor's scores, of one score at least."""
    return _middle(scores, donors, 1 - TOP, 1.0)


def _middle(scores: Floats, donors: NDArray[np.intp], low: float, high: float) -> Floats:
    order = np.lexsort((scores, donors))
    parts = np.split(scores[order], np.cumsum(np.bincount(donors))[:-1])
    found = np.empty(len(parts))
    for place, part in enumerate(parts):
        first = min(int(np.floor(low * len(part))), len(part) - 1)
        found[place] = part[first : max(int(np.ceil(high * len(part))), first + 1)].mean()
    return found


AGGREGATES: dict[str, Callable[[Floats, NDArray[np.intp], NDArray[np.str_]], Floats]] = {
    "": mean,
    "by type": by_type,
    "trimmed": trimmed,
    "top 5 %": top,
    "sum": total,
}
"""Functions of scores, the number of each score's donor and the class of each; by name, the plain mean without one."""
