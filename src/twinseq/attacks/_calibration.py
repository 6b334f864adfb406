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
        together = view.shared("targets and reference", _both_as_targets)
        n, labels = len(view.targets), together.targets.labels
        wanted = np.unique(labels[:n])
        for name in wanted:
            if not (labels[n:] == name).any():
                raise NotApplicableError(f"the reference has no sample of class '{name}'")
        both = function(together, **setting)
        scores, expected = both[:n], both[n:]
        for name in wanted:
            scores[labels[:n] == name] -= expected[labels[n:] == name].mean()
        return scores

    return score


def _both_as_targets(view: View) -> View:
    targets, people = view.targets, view.reference
    # Reference classes that no target is of would be asked for in vain.
    people = people.subset(np.isin(people.labels, targets.labels))
    return View("T0", view.twin, targets.joined(people), seed=view.seed)
