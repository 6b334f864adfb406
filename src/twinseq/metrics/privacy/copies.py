"""Are training samples in the twin, whole or nearly so? Descriptive: passing is no evidence of safety."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register
from .nearest import NO_EVIDENCE

Floats = NDArray[np.floating[Any]]

_SHARED: dict[str, Any] = {
    "group": "privacy",
    "direction": "lower",
    "ideal": 0.0,
    "reference": "Spec of the project",
    "against": "train",
    "floor": "bootstrap",
    "unit": "samples",
}


@register(
    name="exact_copies",
    question="How many twin samples are training samples, value for value?",
    reading=f"Anything above 0 publishes a patient. {NO_EVIDENCE}",
    formula="number of rows of S that occur in T",
    bounds=(0.0, np.inf),
    fields=("twin.digests", "train.digests"),
    **_SHARED,
)
def exact_copies(twin: NDArray[Any], train: NDArray[Any]) -> float:
    """Return the number of twin samples that equal a training sample.

    Parameters
    ----------
    twin, train
        One fingerprint per sample, equal for equal profiles.
    """
    return float(np.isin(twin, train).sum())


@register(
    name="near_copies",
    question="What share of the twin lies on top of a training sample?",
    reading=f"0: none. A near copy is at less than half the way to that sample's nearest neighbour. {NO_EVIDENCE}",
    formula="share of S with d(s, t) < ½ min_{t′≠t} d(t, t′) for the nearest t of T",
    bounds=(0.0, 1.0),
    fields=("twin_to_train", "train.isolation"),
    **_SHARED,
)
def near_copies(twin_to_train: Floats, isolation: Floats) -> float:
    """Return the share of twin samples closer to a training sample than half way to that one's neighbour.

    Parameters
    ----------
    twin_to_train
        Distances, ``n_twin × n_train``.
    isolation
        Distance of each training sample to the nearest other one.

    Raises
    ------
    NotComputableError
        There are fewer than two training samples.
    """
    if len(isolation) < 2:
        raise NotComputableError("needs at least two training samples")
    closest = twin_to_train.min(axis=1)
    limit = isolation[twin_to_train.argmin(axis=1)] / 2
    return float(((closest < limit) | (closest == 0)).mean())
