"""Nearest neighbours among cells: exact, a block at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

Floats = NDArray[np.floating[Any]]


def nearest_others(points: Floats, k: int, rows: NDArray[np.intp] | None = None) -> tuple[NDArray[np.intp], Floats]:
    """Return the ``k`` nearest other cells of some cells, nearest first.

    Parameters
    ----------
    points
        Coordinates, ``n_cells × n_dimensions``.
    k
        Number of neighbours, below ``n_cells``.
    rows
        Cells whose neighbours are wanted; all by default.

    Returns
    -------
    Rows of the neighbours and their Euclidean distances, ``n × k`` each.
    """
    rows = np.arange(len(points)) if rows is None else rows
    search = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(points)
    distance, neighbour = search.kneighbors(points[rows])
    # A cell is its own nearest neighbour, except where others lie on the very same place.
    own = neighbour == rows[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(rows), k)
    return neighbour[~own].reshape(shape), distance[~own].reshape(shape)


def drawn(n: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return all ``n`` rows, or ``most`` of them at random, in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(rng.choice(n, most, replace=False))
