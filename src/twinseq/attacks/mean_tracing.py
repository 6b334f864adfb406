r"""`mean_tracing`: whoever lies where the twin's mean has moved, away from the population's, moved it.

The attack that made aggregate genotype frequencies confidential (Homer et al. 2008), on expression. With :math:`n`
training samples and :math:`G_e` effectively independent genes a member scores about :math:`\sqrt{G_e / n}` deviations
above a non-member, so that at transcriptome scale means alone name members. `_tracing` has the statistic; whitening
makes the effective number of genes larger, since genes that move together count once.
"""

from __future__ import annotations

from ._base import Floats, View
from ._registry import register
from ._standard import standard
from ._tracing import class_means, trace, trace_among_targets
from ._whitening import WHITENINGS, whitening


@register(
    name="mean_tracing",
    levels=("T0", "T1"),
    threat="Compares the twin's average profile with that of other people, and asks whether the target lies in the "
    "direction in which the two differ. Without a reference cohort the other targets take its place.",
    formula="⟨W(x−μ_R), W(μ_S−μ_R)⟩ / ‖W(x−μ_R)‖ per class, over the length of the shift",
    reference="Homer et al. 2008, PLoS Genetics 4:e1000167; Dwork et al. 2015, FOCS (robust traceability)",
    settings=WHITENINGS,
)
def mean_tracing(view: View, ridge: float | None = None, without: int = 0) -> Floats:
    """Return the tracing statistic on class means, genes weighted as the setting says."""
    std = standard(view)
    metric = whitening(view, ridge, without)
    means = class_means(std.twin, std.twin_labels, std.classes, "twin")
    if view.level == "T0":
        return trace_among_targets(std, means, metric, contrast=False)
    return trace(std, means, metric, contrast=False)
