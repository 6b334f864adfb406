"""Are twin samples plausible, and is every kind of real sample represented? By nearest neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.floating[Any]]
NEIGHBOURS = 5

_SHARED: dict[str, Any] = {
    "group": "fidelity",
    "direction": "higher",
    "ideal": 1.0,
    "unit": "samples",
    "floor": "mean profile",
}
_PRECISION_RECALL = "Kynkäänniemi et al. 2019, NeurIPS"
_DENSITY_COVERAGE = "Naeem et al. 2020, ICML"


@register(
    name="prdc_precision",
    question="Do twin samples lie where real samples lie?",
    reading="Share of twin samples within reach of a real one; 1: all plausible.",
    formula="share of twin samples within the 5-nearest-neighbour radius of any real sample",
    bounds=(0.0, 1.0),
    reference=_PRECISION_RECALL,
    fields=("real_to_real", "real_to_twin"),
    **{**_SHARED, "floor": "scrambled genes"},
)
def precision(real_to_real: Floats, real_to_twin: Floats) -> float:
    """Return the share of twin samples inside the real neighbourhoods (distances between samples)."""
    return float((real_to_twin <= radii(real_to_real)[:, None]).any(axis=0).mean())


@register(
    name="prdc_recall",
    question="Do real samples lie where twin samples lie?",
    reading="Share of real samples within reach of a twin one; 1: nothing forgotten.",
    formula="share of real samples within the 5-nearest-neighbour radius of any twin sample",
    bounds=(0.0, 1.0),
    reference=_PRECISION_RECALL,
    fields=("twin_to_twin", "real_to_twin"),
    **_SHARED,
)
def recall(twin_to_twin: Floats, real_to_twin: Floats) -> float:
    """Return the share of real samples inside the twin's neighbourhoods (distances between samples)."""
    return float((real_to_twin <= radii(twin_to_twin)[None, :]).any(axis=1).mean())


@register(
    name="prdc_density",
    question="How densely do real samples surround the twin's?",
    reading="1: as dense as real data; below: twin samples at the rim; above: crowded into the centre.",
    formula="mean over twin samples of the number of real 5-NN balls they lie in, divided by 5",
    bounds=(0.0, np.inf),
    reference=_DENSITY_COVERAGE,
    fields=("real_to_real", "real_to_twin"),
    **{**_SHARED, "direction": "target"},
)
def density(real_to_real: Floats, real_to_twin: Floats) -> float:
    """Return how many real neighbourhoods hold a twin sample, relative to k (distances between samples)."""
    inside = real_to_twin <= radii(real_to_real)[:, None]
    return float(inside.sum(axis=0).mean() / _k(len(real_to_real)))


@register(
    name="prdc_coverage",
    question="Has every real sample a twin sample nearby?",
    reading="Share of real samples with a twin sample among their five nearest; 1: every region covered.",
    formula="share of real samples with a twin sample within their 5-nearest-neighbour radius",
    bounds=(0.0, 1.0),
    reference=_DENSITY_COVERAGE,
    fields=("real_to_real", "real_to_twin"),
    **_SHARED,
)
def coverage(real_to_real: Floats, real_to_twin: Floats) -> float:
    """Return the share of real samples whose neighbourhood holds a twin sample (distances between samples)."""
    return float((real_to_twin.min(axis=1) <= radii(real_to_real)).mean())


def radii(matrix: Floats) -> Floats:
    """Return the distance of each sample to its fifth nearest other (``n × n`` distances).

    Raises
    ------
    NotComputableError
        There are too few samples.
    """
    k = _k(len(matrix))
    others = matrix.copy()
    np.fill_diagonal(others, np.inf)
    nearest: Floats = np.partition(others, k - 1, axis=1)[:, k - 1]
    return nearest


def _k(n: int) -> int:
    if n <= NEIGHBOURS:
        raise NotComputableError(f"needs more than {NEIGHBOURS} samples on each side")
    return NEIGHBOURS
