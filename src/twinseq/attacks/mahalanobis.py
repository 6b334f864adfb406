"""`mahalanobis`: whoever lies where the twin of the class is dense, by its own covariance, was in the training data."""

from __future__ import annotations

import numpy as np

from ._base import Floats, NotApplicableError, View
from ._calibration import calibrated
from ._registry import register
from ._standard import standard
from ._whitening import Axes

RIDGES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
ROUNDING = 1e-24


@register(
    name="mahalanobis",
    levels=("T0", "T1"),
    threat="Measures how unusual the target is for the twin's samples of its class, in all directions at once. The "
    "smaller the ridge, the more directions count in which only training samples are not unusual.",
    formula="−log (x−μ_c)ᵀ(Σ_c+λI)⁻¹(x−μ_c), times λ over the median ‖s−μ_c‖², λ in units of tr Σ_c/G",
    reference="Golob et al. 2026 (MIA on bulk RNA-seq, CAMDA); ridge ladder by twinseq",
    settings={f"ridge {ridge:g}": {"ridge": ridge} for ridge in RIDGES},
)
@calibrated
def mahalanobis(view: View, ridge: float) -> Floats:
    """Return minus the log squared Mahalanobis distance from the class's twin samples.

    Raises
    ------
    NotApplicableError
        The twin has fewer than three samples of a class.
    """
    std = standard(view)
    scores = np.empty(len(std.targets))
    for name, (mean, centred, axes) in view.shared("class axes", _class_axes).items():
        metric = axes.ridge(ridge)
        rows = std.target_labels == name
        typical = float(np.median((centred**2).sum(axis=1)))
        # Samples that are all alike have no spread; the scale of the genes tells what is usual.
        typical = typical if typical > ROUNDING * std.n_genes else std.n_genes
        scores[rows] = -np.log(metric.squared(std.targets[rows] - mean) / typical)
    return scores


def _class_axes(view: View) -> dict[str, tuple[Floats, Floats, Axes]]:
    """Return mean, centred samples and axes of each class of the twin."""
    std = standard(view)
    found = {}
    for name in std.classes:
        twin = std.twin[std.twin_labels == name]
        if len(twin) < 3:
            raise NotApplicableError(f"the twin has {len(twin)} sample(s) of class '{name}'; three are needed")
        centred = twin - twin.mean(axis=0)
        found[name] = (twin.mean(axis=0), centred, Axes.of(centred, len(twin) - 1))
    return found
