"""What a reference cohort adds to an attack on the twin alone: how non-members of each class score."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._base import NotApplicableError, View

Floats = NDArray[np.float64]


def calibrated(function: Callable[..., Floats]) -> Callable[..., Floats]:
    """Decorate an attack of level T0 so that from T1 on the mean score of the reference is taken off, class by class.

    Reference donors are non-members for certain, and the score, learnt on the twin alone, has not seen them: what they
    get is what non-members of their class get. Without it classes of different size or variance do not compare.
    """

    @functools.wraps(function)
    def score(view: View, **setting: Any) -> Floats:
        if view.level == "T0":
            return function(view, **setting)
        people = view.reference
        wanted = np.unique(view.targets.labels)
        for name in wanted:
            if not (people.labels == name).any():
                raise NotApplicableError(f"the reference has no sample of class '{name}'")
        both = function(view.shared("targets and reference", _both_as_targets), **setting)
        scores, expected = both[: len(view.targets)], both[len(view.targets) :]
        for name in wanted:
            scores[view.targets.labels == name] -= expected[people.labels == name].mean()
        return scores

    return score


def _both_as_targets(view: View) -> View:
    targets, people = view.targets, view.reference
    return View("T0", view.twin, targets.joined(people), seed=view.seed)
