"""`domias_kde`: where the twin is denser than the population, somebody was learnt by heart."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from ..arrays import distances
from ._base import Floats, NotApplicableError, View
from ._registry import register
from ._standard import standard
from ._whitening import Axes

DIMENSIONS = (20, 50, 150)


@register(
    name="domias_kde",
    levels=("T1",),
    threat="Estimates how densely the twin and other people populate the neighbourhood of the target. Where the twin "
    "is denser, it is called a member.",
    formula="log p_S(x) − log p_R(x), Gaussian kernels in one principal space of twin and reference, 20 to 150 axes",
    reference="van Breugel et al. 2023, AISTATS (DOMIAS)",
    settings={f"{k} axes": {"k": k} for k in DIMENSIONS},
)
def domias_kde(view: View, k: int) -> Floats:
    """Return the log ratio of kernel densities; both in the same whitened space, bandwidths by Scott's rule.

    Raises
    ------
    NotApplicableError
        Twin and reference together do not vary in ``k`` directions.
    """
    std = standard(view)
    centre, axes = view.shared("joint axes", _joint_axes)
    if len(axes.values) < k:
        raise NotApplicableError(f"twin and reference vary in {len(axes.values)} directions only")
    scale = np.sqrt(axes.values[:k])

    def place(values: Floats) -> Floats:
        placed: Floats = (values - centre) @ axes.axes[:, :k] / scale
        return placed

    targets = place(std.targets)
    return _log_density(targets, place(std.twin)) - _log_density(targets, place(std.reference))


def _joint_axes(view: View) -> tuple[Floats, Axes]:
    std = standard(view)
    joint = np.concatenate([std.twin, std.reference])
    centre = joint.mean(axis=0)
    return centre, Axes.of(joint - centre, len(joint) - 1)


def _log_density(targets: Floats, points: Floats) -> Floats:
    n, k = points.shape
    bandwidth = n ** (-1.0 / (k + 4))
    exponents = -0.5 * (distances(targets, points) / bandwidth) ** 2
    density: Floats = logsumexp(exponents, axis=1) - np.log(n) - k * np.log(bandwidth)
    return density
