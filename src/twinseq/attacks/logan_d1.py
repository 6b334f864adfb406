"""`logan_d1`: what a classifier takes for a twin sample rather than for a person was in the training data."""

from __future__ import annotations

import numpy as np

from ._base import Floats, NotApplicableError, View
from ._classifiers import log_odds
from ._registry import register
from ._standard import standard


@register(
    name="logan_d1",
    levels=("T1",),
    threat="Trains a classifier to tell twin samples from other people. Targets that it takes for twin samples are "
    "called members.",
    formula="log odds of 'twin' against 'reference', of logistic regression or a random forest",
    reference="Hayes et al. 2019, PoPETs (LOGAN, discriminator with auxiliary knowledge)",
    settings={"logistic": {"kind": "logistic"}, "forest": {"kind": "forest"}},
)
def logan_d1(view: View, kind: str) -> Floats:
    """Return the log odds of being a twin sample; twin and reference weigh the same."""
    std = standard(view)
    if len(std.reference) < 2:
        raise NotApplicableError("needs at least two reference samples")
    points = np.concatenate([std.twin, std.reference])
    is_twin = np.repeat([1, 0], [len(std.twin), len(std.reference)])
    odds: Floats = log_odds(kind, points, is_twin, std.targets, view.rng(2))[:, 1]
    return odds
