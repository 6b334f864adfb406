"""Are the twin's cells drawn from the real distribution? A kernel distance on principal components."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from .._registry import NotComputableError, register
from ._nearest import drawn

Floats = NDArray[np.floating[Any]]
EXACT = 4000
"""Most cells a side for which every pair is looked at."""
FEATURES = 2000
BLOCK = 1000


@register(
    name="cells_mmd",
    group="cells",
    question="Can twin and real cells be told apart by where they lie (kernel distance)?",
    reading="0 or slightly negative: no difference. Larger: the clouds differ. Compare with the ceiling.",
    formula=(
        "unbiased MMD² with exp(−d² / 2σ²), σ = median distance between real cells, 50 PCs of both together; of more "
        "than 4,000 cells with 2,000 random Fourier features"
    ),
    direction="lower",
    ideal=0.0,
    bounds=(-1.0, 2.0),
    reference="Gretton et al. 2012, JMLR 13:723; Rahimi & Recht 2007, NIPS",
    fields=("joint.real", "joint.twin", "rng"),
    floor="mean profile",
    needs=("cells",),
    unit="cells",
)
def cells_mmd(real: Floats, twin: Floats, rng: np.random.Generator, bandwidth: float | None = None) -> float:
    """Return the unbiased squared maximum mean discrepancy.

    Parameters
    ----------
    real, twin
        Coordinates of cells, ``n_cells × n_dimensions``.
    rng
        Source of the random features, where there are many cells.
    bandwidth
        Width of the Gaussian kernel; the median distance between real cells by default.

    Raises
    ------
    NotComputableError
        A side has fewer than two cells, or all real cells are equal.
    """
    if min(len(real), len(twin)) < 2:
        raise NotComputableError("needs at least two cells on each side")
    width = median_distance(real, rng) if bandwidth is None else bandwidth
    if width <= 0:
        raise NotComputableError("the real cells do not differ, so that there is no scale to compare on")
    a, b = np.asarray(real / width, dtype=np.float64), np.asarray(twin / width, dtype=np.float64)
    return mmd_exact(a, b) if max(len(a), len(b)) <= EXACT else mmd_features(a, b, rng)


def median_distance(points: Floats, rng: np.random.Generator, most: int = 2000) -> float:
    """Return the median distance between two cells, of at most ``most`` drawn at random."""
    chosen = points[drawn(len(points), most, rng)]
    return float(np.median(pdist(chosen))) if len(chosen) > 1 else 0.0


def mmd_exact(a: Floats, b: Floats) -> float:
    """Return the unbiased MMD² with the kernel ``exp(−d² / 2)``, over every pair of cells."""
    within_a = (_kernel_sum(a, a) - len(a)) / (len(a) * (len(a) - 1))
    within_b = (_kernel_sum(b, b) - len(b)) / (len(b) * (len(b) - 1))
    return within_a + within_b - 2 * _kernel_sum(a, b) / (len(a) * len(b))


def mmd_features(a: Floats, b: Floats, rng: np.random.Generator, n_features: int = FEATURES) -> float:
    """Return an unbiased estimate of `mmd_exact` over all cells from random Fourier features.

    Its error is proportional to the distance itself: of two equal distributions it says 0 as surely as the exact
    figure does.
    """
    frequencies = rng.standard_normal((a.shape[1], n_features // 2))
    mean_a, within_a = _feature_moments(a, frequencies)
    mean_b, within_b = _feature_moments(b, frequencies)
    return within_a + within_b - 2 * float(mean_a @ mean_b)


def _kernel_sum(a: Floats, b: Floats) -> float:
    total = 0.0
    norms = (b**2).sum(axis=1)
    for start in range(0, len(a), BLOCK):
        block = a[start : start + BLOCK]
        squared = (block**2).sum(axis=1)[:, None] + norms - 2 * block @ b.T
        total += float(np.exp(-0.5 * np.maximum(squared, 0.0)).sum())
    return total


def _feature_moments(points: Floats, frequencies: Floats) -> tuple[Floats, float]:
    """Return the mean feature vector, and the mean product of the features of two different cells."""
    total = np.zeros(2 * frequencies.shape[1])
    scale = 1.0 / np.sqrt(frequencies.shape[1])
    for start in range(0, len(points), BLOCK):
        phase = points[start : start + BLOCK] @ frequencies
        total += scale * np.concatenate([np.cos(phase).sum(axis=0), np.sin(phase).sum(axis=0)])
    n = len(points)
    # Each cell's features have length 1, so that pairs of a cell with itself add up to n.
    return total / n, float(total @ total - n) / (n * (n - 1))
