r"""`gaussian_lrt`: the likelihood ratio of two normals, one fitted to the twin and one to other people.

Both are low-rank plus diagonal, :math:`\Sigma = L L^\top + \Psi`, with class means of their own and one covariance
within classes. :math:`\Psi` is shared: two noisy estimates of thousands of variances would drown the difference.
"""

from __future__ import annotations

import numpy as np

from ._base import Floats, NotApplicableError, View
from ._registry import register
from ._standard import standard
from ._tracing import class_means
from ._whitening import Axes, Whitening, residuals

RANKS = (0, 5, 20, 50)


@register(
    name="gaussian_lrt",
    levels=("T1",),
    threat="Fits a bell curve over all genes to the twin and another to other people, and asks which of the two "
    "explains the target better.",
    formula="log N(x; μ_S,c, Σ_S) − log N(x; μ_R,c, Σ_R), Σ low-rank plus one residual variance, ranks 0 to 50",
    reference="Neyman & Pearson 1933; Sankararaman et al. 2009, Nature Genetics (likelihood ratio on aggregates)",
    settings={f"rank {rank}": {"rank": rank} for rank in RANKS},
)
def gaussian_lrt(view: View, rank: int) -> Floats:
    """Return the log-likelihood ratio, its expectation for non-members taken off class by class.

    Raises
    ------
    NotApplicableError
        Twin or reference vary in fewer than ``rank`` directions, or a class has fewer than two reference samples.
    """
    std = standard(view)
    twin_axes, reference_axes = view.shared("side axes", _side_axes)
    if min(len(twin_axes.values), len(reference_axes.values)) <= rank:
        raise NotApplicableError(f"twin or reference vary in no more than {rank} directions")
    twin_means = class_means(std.twin, std.twin_labels, std.classes, "twin")
    reference_means = class_means(std.reference, std.reference_labels, std.classes, "reference")
    noise = _residual_variance(twin_axes, rank), _residual_variance(reference_axes, rank)
    shared = float(np.mean(noise))
    metrics = [_precision(axes, rank, shared) for axes in (twin_axes, reference_axes)]
    scores = np.empty(len(std.targets))
    for name, twin_mean, reference_mean in zip(std.classes, twin_means, reference_means, strict=True):
        rows = std.target_labels == name
        n, m = int((std.twin_labels == name).sum()), int((std.reference_labels == name).sum())
        if m < 2:
            raise NotApplicableError(f"the reference has a single sample of class '{name}'; two are needed")
        people = std.reference[std.reference_labels == name] - reference_mean
        spread = [float(metric.squared(people).mean()) * m / (m - 1) for metric in metrics]
        to_twin = metrics[0].squared(std.targets[rows] - twin_mean) - spread[0] / n
        to_people = metrics[1].squared(std.targets[rows] - reference_mean) - spread[1] / m
        scores[rows] = 0.5 * (to_people - to_twin) / shared
    return scores


def _side_axes(view: View) -> tuple[Axes, Axes]:
    std = standard(view)
    sides = ((std.twin, std.twin_labels), (std.reference, std.reference_labels))
    twin, reference = (
        Axes.of(residuals(values, labels), len(values) - len(np.unique(labels))) for values, labels in sides
    )
    return twin, reference


def _residual_variance(axes: Axes, rank: int) -> float:
    """Return the mean variance of a gene outside of the leading ``rank`` axes."""
    return float(axes.values[rank:].sum()) / (len(axes.axes) - rank)


def _precision(axes: Axes, rank: int, noise: float) -> Whitening:
    """Return ``noise`` × the inverse of the covariance with ``rank`` factors."""
    leading = np.maximum(axes.values[:rank], noise)
    return Whitening(axes.axes[:, :rank], 1.0 - noise / leading)
