"""Are twin and real samples draws from one distribution? Kernel and energy distances between point clouds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.floating[Any]]

_SHARED: dict[str, Any] = {
    "group": "fidelity",
    "direction": "lower",
    "ideal": 0.0,
    "floor": "mean profile",
    "unit": "samples",
}


@register(
    name="mmd",
    question="Can twin and real samples be told apart by where they lie (kernel distance)?",
    reading="0 or slightly negative: no difference. Larger: the clouds differ. Compare with the ceiling.",
    formula="unbiased MMD² with exp(−d² / 2σ²), σ = median distance between training samples (log scale, all genes)",
    bounds=(-1.0, 2.0),
    reference="Gretton et al. 2012, JMLR 13:723",
    fields=("real_to_real", "twin_to_twin", "real_to_twin", "space.bandwidth"),
    **_SHARED,
)
def mmd(real_to_real: Floats, twin_to_twin: Floats, real_to_twin: Floats, bandwidth: float) -> float:
    """Return the unbiased squared maximum mean discrepancy.

    Parameters
    ----------
    real_to_real, twin_to_twin, real_to_twin
        Euclidean distances between samples.
    bandwidth
        Width of the Gaussian kernel.

    Raises
    ------
    NotComputableError
        A side has fewer than two samples, or all training samples are equal.
    """
    if bandwidth <= 0:
        raise NotComputableError("the training samples do not differ, so that there is no scale to compare on")

    def kernel(distance: Floats) -> Floats:
        weights: Floats = np.exp(-0.5 * (distance / bandwidth) ** 2)
        return weights

    return (
        _mean_of_pairs(kernel(real_to_real))
        + _mean_of_pairs(kernel(twin_to_twin))
        - 2 * float(kernel(real_to_twin).mean())
    )


@register(
    name="energy",
    question="How far apart are the clouds of twin and real samples (energy distance)?",
    reading="0: the same cloud; 1: all differences between samples are differences between twin and real.",
    formula="(2 E d(R,S) − E d(R,R′) − E d(S,S′)) / 2 E d(R,S), pairs of different samples",
    bounds=(-1.0, 1.0),
    reference="Székely & Rizzo 2013, Journal of Statistical Planning and Inference 143:1249",
    fields=("real_to_real", "twin_to_twin", "real_to_twin"),
    **_SHARED,
)
def energy(real_to_real: Floats, twin_to_twin: Floats, real_to_twin: Floats) -> float:
    """Return the energy distance as a share of the mean distance between the sides.

    Parameters
    ----------
    real_to_real, twin_to_twin, real_to_twin
        Euclidean distances between samples.

    Raises
    ------
    NotComputableError
        A side has fewer than two samples, or no sample differs from any other.
    """
    between = float(real_to_twin.mean())
    if between == 0:
        raise NotComputableError("twin and real samples are all equal")
    return (2 * between - _mean_of_pairs(real_to_real) - _mean_of_pairs(twin_to_twin)) / (2 * between)


def _mean_of_pairs(matrix: Floats) -> float:
    """Return the mean over pairs of different samples."""
    n = len(matrix)
    if n < 2:
        raise NotComputableError("needs at least two samples on each side")
    return float((matrix.sum() - np.trace(matrix)) / (n * (n - 1)))
