"""`white_box_tracing`: mean tracing with the model's own class means, free of the noise of a finite twin.

Parameters differ from model to model, but any of them can be asked for a twin as large as one likes, and the mean of
that is the mean that the model believes in.
"""

from __future__ import annotations

import numpy as np

from ._base import Floats, Samples, View
from ._registry import register
from ._standard import Standard, standard
from ._tracing import class_means, trace
from ._whitening import WHITENINGS, whitening

TWINS = 20
"""Twins of the released size whose mean is taken."""


@register(
    name="white_box_tracing",
    levels=("T3",),
    threat="Has the model file itself, draws from it until the average profile of each class is exact, and asks "
    "whether the target lies in the direction in which these differ from the averages of other people.",
    formula="⟨W(x−μ_R), W(μ_model−μ_R)⟩ / ‖W(x−μ_R)‖ per class, over the length of the shift",
    reference="Homer et al. 2008, PLoS Genetics 4:e1000167; Dwork et al. 2015, FOCS",
    settings=WHITENINGS,
)
def white_box_tracing(view: View, ridge: float | None = None, without: int = 0) -> Floats:
    """Return the tracing statistic on the model's class means, genes weighted as the setting says."""
    std = standard(view)
    means = view.shared("model means", _model_means)
    return trace(
        std,
        class_means(means.targets, means.target_labels, std.classes, "model"),
        whitening(view, ridge, without),
        contrast=False,
    )


def _model_means(view: View) -> Standard:
    """Return the class means of the model on the scale of `standard`, as if they were targets."""
    names = np.unique(view.twin.labels)
    sums = np.zeros((len(names), view.twin.values.shape[1]))
    for twin in range(TWINS):
        drawn = view.model.draw(view.twin.labels, int(view.rng(4, twin).integers(2**31))).against(view.twin.reference)
        for row, name in enumerate(names):
            sums[row] += drawn.on_log[drawn.labels == name].mean(axis=0)
    means = sums / TWINS
    alike = Samples(means, names, view.twin.kind, means, view.twin.reference)
    return standard(View("T1", view.twin, alike, view.reference))
