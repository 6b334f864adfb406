"""`confidence`: a classifier trained on the twin is surer of the class of those whom the twin remembers."""

from __future__ import annotations

import numpy as np

from ._base import Floats, NotApplicableError, View
from ._calibration import calibrated
from ._classifiers import log_odds
from ._registry import register
from ._standard import standard


@register(
    name="confidence",
    levels=("T0", "T1"),
    threat="Trains a classifier on the twin and lets it guess the target's class. A target whose class it is very sure "
    "of is called a member.",
    formula="log odds of the target's own class, of logistic regression or a random forest trained on the twin",
    reference="Yeom et al. 2018, CSF; Salem et al. 2019, NDSS",
    settings={"logistic": {"kind": "logistic"}, "forest": {"kind": "forest"}},
)
@calibrated
def confidence(view: View, kind: str) -> Floats:
    """Return the log odds that a classifier trained on the twin gives to the target's own class.

    Raises
    ------
    NotApplicableError
        The twin has a single class, or lacks one of the targets'.
    """
    std = standard(view)
    known = np.unique(std.twin_labels)
    unknown = set(std.classes) - set(known.tolist())
    if unknown:
        raise NotApplicableError(f"the twin has no sample of class '{min(unknown)}'")
    if len(known) < 2:
        raise NotApplicableError("needs at least two classes")
    odds = log_odds(kind, std.twin, std.twin_labels, std.targets, view.rng(1))
    own: Floats = odds[np.arange(len(odds)), np.searchsorted(known, std.target_labels)]
    return own
