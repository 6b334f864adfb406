"""`marginal_peaks`: a twin whose genes' distributions bulge where training samples were gives them away by itself.

A quantile function learnt from few samples goes through their values. Smoothing over neighbouring ranks hides the
values (`quantile_replay` finds none) but leaves the twin slightly denser around each of them. One gene shows nothing;
over thousands of genes a member sits on bulges more often than anybody else. No reference cohort is needed: the
twin, smoothed more, stands in for the population.
"""

from __future__ import annotations

import numpy as np

from ._base import Floats, NotApplicableError, View
from ._calibration import calibrated
from ._kernels import kernel_ratios, of_class, per_gene
from ._registry import register

WIDE = 1.0


@register(
    name="marginal_peaks",
    levels=("T0", "T1"),
    threat="Asks of every gene whether the target's value lies on a bulge of the twin's distribution, and adds up the "
    "answers. Training samples sit on bulges that they have made themselves.",
    formula="mean over genes of log p_S,narrow(x_g) − log p_S,wide(x_g) per class; kernels of 0.05 to 0.2 deviations "
    "against 1; at T1 minus its mean over the reference",
    reference="twinseq",
    settings={f"kernel {width:g}": {"width": width} for width in (0.05, 0.1, 0.2)},
)
@calibrated
def marginal_peaks(view: View, width: float) -> Floats:
    """Return the mean log ratio of a narrow over a wide kernel density of the twin at the target's values.

    Raises
    ------
    NotApplicableError
        The twin has fewer than two samples of a class, or no gene varies.
    """
    scores = np.empty(len(view.targets))
    for name in np.unique(view.targets.labels):
        rows = view.targets.labels == name
        twin = of_class(view.twin, name, "twin")
        deviation = twin.std(axis=0, ddof=1)
        varying = deviation > 1e-9 * np.maximum(np.abs(twin.mean(axis=0)), np.finfo(float).tiny)
        if not varying.any():
            raise NotApplicableError(f"no gene varies in class '{name}' of the twin")
        points = per_gene(twin, deviation, varying)
        widths = np.array([width, WIDE]) * len(twin) ** -0.2
        targets = per_gene(view.targets.on_log[rows], deviation, varying)
        scores[rows] = kernel_ratios(points, points, targets, widths, 0.0)
    return scores
