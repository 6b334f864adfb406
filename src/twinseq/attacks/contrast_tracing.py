"""`contrast_tracing`: `mean_tracing` on the differences between classes.

Noise that moves all classes of a twin together hides the means from `mean_tracing` and keeps differential expression:
an attractive defence, and no defence at all, since the differences that it keeps give the same people away.
"""

from __future__ import annotations

from ._base import Floats, View
from ._registry import register
from ._standard import standard
from ._tracing import class_means, trace, trace_among_targets
from ._whitening import WHITENINGS, whitening


@register(
    name="contrast_tracing",
    levels=("T0", "T1"),
    threat="As mean tracing, on the differences between classes (case minus control), which undoes any noise that was "
    "added to all classes alike. Without a reference cohort the other targets take its place.",
    formula="as mean_tracing, with Δ_c − mean of Δ_c' over the other classes, Δ = μ_S − μ_R",
    reference="twinseq; after Homer et al. 2008 and Dwork et al. 2015",
    settings=WHITENINGS,
)
def contrast_tracing(view: View, ridge: float | None = None, without: int = 0) -> Floats:
    """Return the tracing statistic on class contrasts, genes weighted as the setting says."""
    std = standard(view)
    means = class_means(std.twin, std.twin_labels, std.classes, "twin")
    metric = whitening(view, ridge, without)
    if view.level == "T0":
        return trace_among_targets(std, means, metric, contrast=True)
    return trace(std, means, metric, contrast=True)
