"""Do twin cells lie among real cells? The local inverse Simpson's index of real against synthetic."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register
from ._nearest import drawn, nearest_others

Floats = NDArray[np.floating[Any]]
NEIGHBOURS = 90
PERPLEXITY = 30.0
QUERIES = 5000
"""Cells whose neighbourhoods are measured; every cell can be a neighbour."""
HALVINGS = 60


@register(
    name="lisi",
    group="cells",
    question="Do twin and real cells mix, so that a cell's neighbours are as often twin as real?",
    reading=(
        "0: every neighbourhood is all real or all twin. 1: half and half. Even two halves of one sample stay below "
        "1 (about 0.94), since a neighbourhood of 30 cells is rarely exactly half and half: compare with the ceiling."
    ),
    formula=(
        "(median over cells of 1 / Σ p² − 1) / (2 − 1), p the shares of real and twin among the 90 nearest cells, "
        "weighted to perplexity 30; 50 PCs of both together; equal numbers of real and twin cells"
    ),
    direction="higher",
    ideal=None,
    bounds=(0.0, 1.0),
    reference="Korsunsky et al. 2019, Nature Methods 16:1289; scaled as in Luecken et al. 2022, Nature Methods 19:41",
    fields=("joint.real", "joint.twin", "rng"),
    floor="mean profile",
    needs=("cells",),
    unit="cells",
)
def lisi(
    real: Floats,
    twin: Floats,
    rng: np.random.Generator,
    *,
    neighbours: int = NEIGHBOURS,
    perplexity: float = PERPLEXITY,
    queries: int = QUERIES,
) -> float:
    """Return how well twin and real cells mix, 0 to 1.

    The larger side is reduced to as many cells as the smaller one has, at random, since the index of a perfect mix
    is 2 only for equal shares.

    Parameters
    ----------
    real, twin
        Coordinates of cells, ``n_cells × n_dimensions``.
    rng
        Source of the choice of cells.
    neighbours, perplexity
        Nearest cells that count, and how many of them count in effect.
    queries
        Most cells whose neighbourhoods are measured.

    Raises
    ------
    NotComputableError
        A side has fewer cells than there are neighbours.
    """
    n = min(len(real), len(twin))
    if 2 * n <= neighbours:
        raise NotComputableError(f"needs more than {neighbours // 2} cells on each side")
    points = np.concatenate([real[drawn(len(real), n, rng)], twin[drawn(len(twin), n, rng)]])
    rows = drawn(2 * n, queries, rng)
    neighbour, distance = nearest_others(points, neighbours, rows)
    share = (neighbourhood_weights(distance, perplexity) * (neighbour >= n)).sum(axis=1)
    return float(np.median(1.0 / (share**2 + (1.0 - share) ** 2))) - 1.0


def neighbourhood_weights(distance: Floats, perplexity: float) -> NDArray[np.float64]:
    """Return weights ``exp(−β d)`` adding up to 1 in each row, β such that their entropy is ``log(perplexity)``.

    Parameters
    ----------
    distance
        Distances to the neighbours of each cell, ``n_cells × k``.
    perplexity
        Number of neighbours that count in effect; where that cannot be reached, since neighbours lie on one place,
        all weigh as nearly alike as they can.
    """
    scaled = np.asarray(distance, dtype=np.float64)
    scaled = scaled - scaled.min(axis=1, keepdims=True)
    size = scaled.mean(axis=1, keepdims=True)
    scaled /= np.where(size > 0, size, 1.0)
    low = np.full((len(scaled), 1), -20.0)
    high = np.full((len(scaled), 1), 20.0)
    weights: NDArray[np.float64] = np.empty_like(scaled)
    # Entropy falls as β grows; log β is halved down to where it is met.
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        weights = np.exp(-np.exp(middle) * scaled)
        weights /= weights.sum(axis=1, keepdims=True)
        entropy = -(weights * np.log(np.maximum(weights, 1e-300))).sum(axis=1, keepdims=True)
        flat = entropy > np.log(perplexity)
        low, high = np.where(flat, middle, low), np.where(flat, high, middle)
    return weights
