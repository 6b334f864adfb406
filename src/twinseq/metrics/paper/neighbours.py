"""Precision, recall, density and coverage as the community benchmark takes them: against the training data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import register
from ..fidelity.prdc import NEIGHBOURS, radii
from ._entry import SHARED

Floats = NDArray[np.floating[Any]]

_READING = (
    "1: as the training data. Weakness: the training data are the judge, so that a copy of them scores 1; "
    "the prdc figures ask unseen samples."
)
_ENTRY: dict[str, Any] = {
    **SHARED,
    "reading": _READING,
    "direction": "higher",
    "ideal": 1.0,
    "bounds": (0.0, 1.0),
    "fields": ("train_to_train", "twin_to_twin", "train_to_twin"),
    "against": "train",
    "floor": "scrambled genes",
}


@register(
    name="paper_prdc_precision",
    question="Do twin samples lie where training samples lie?",
    formula="share of S strictly within the 5-nearest-neighbour radius of any sample of T",
    **_ENTRY,
)
def paper_precision(train_to_train: Floats, _: Floats, train_to_twin: Floats) -> float:
    """Return the share of twin samples inside the neighbourhoods of training samples.

    Parameters
    ----------
    train_to_train, _, train_to_twin
        Euclidean distances between samples; the second argument, ``n_twin × n_twin``, is not used.
    """
    return float((train_to_twin < radii(train_to_train)[:, None]).any(axis=0).mean())


@register(
    name="paper_prdc_recall",
    question="Do training samples lie where twin samples lie?",
    formula="share of T strictly within the 5-nearest-neighbour radius of any sample of S",
    **{**_ENTRY, "floor": "mean profile"},
)
def paper_recall(_: Floats, twin_to_twin: Floats, train_to_twin: Floats) -> float:
    """Return the share of training samples inside the neighbourhoods of twin samples; see `paper_precision`."""
    return float((train_to_twin < radii(twin_to_twin)[None, :]).any(axis=1).mean())


@register(
    name="paper_prdc_density",
    question="How densely do training samples surround the twin's?",
    formula="mean over S of the number of 5-NN balls of T that it lies in, divided by 5",
    **{**_ENTRY, "direction": "target", "bounds": (0.0, np.inf)},
)
def paper_density(train_to_train: Floats, _: Floats, train_to_twin: Floats) -> float:
    """Return how many neighbourhoods of training samples hold a twin sample, over k; see `paper_precision`."""
    return float((train_to_twin < radii(train_to_train)[:, None]).sum(axis=0).mean() / NEIGHBOURS)


@register(
    name="paper_prdc_coverage",
    question="Has every training sample a twin sample nearby?",
    formula="share of T with a sample of S strictly within their 5-nearest-neighbour radius",
    **{**_ENTRY, "floor": "mean profile"},
)
def paper_coverage(train_to_train: Floats, _: Floats, train_to_twin: Floats) -> float:
    """Return the share of training samples whose neighbourhood holds a twin sample; see `paper_precision`."""
    return float((train_to_twin.min(axis=1) < radii(train_to_train)).mean())
