"""Whether twin samples are new or crowd around training samples. Descriptive: passing is no evidence of safety."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register
from .nearest import NO_EVIDENCE

Floats = NDArray[np.floating[Any]]


@register(
    name="authenticity",
    group="privacy",
    question="What share of the twin is no nearer to a training sample than real neighbours are to each other?",
    reading=f"Compare with the ceiling, unseen real samples: smaller means crowding around patients. {NO_EVIDENCE}",
    formula="share of S with d(s, t) > min_{t′≠t} d(t, t′) for the nearest t of T",
    direction="target",
    ideal=None,
    bounds=(0.0, 1.0),
    reference="Alaa et al. 2022, ICML",
    fields=("twin_to_train", "train.isolation"),
    against="train",
    floor="bootstrap",
)
def authenticity(twin_to_train: Floats, isolation: Floats) -> float:
    """Return the share of twin samples that lie outside the reach of their nearest training sample.

    The nearest training sample is looked up by its own index; an implementation in wide use takes the index of
    a synthetic sample for it.

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
    return float((twin_to_train.min(axis=1) > isolation[twin_to_train.argmin(axis=1)]).mean())
