"""`subspace_tracing`: mean and contrast tracing inside the few directions that a twin really carries.

A generator that keeps class offsets in a low-dimensional space only (a defence that works) leaves nothing to trace in
the other directions, where an attack on all genes mostly collects noise. The twin's own leading axes show the space.
"""

from __future__ import annotations

import dataclasses

from ._base import Floats, NotApplicableError, View
from ._registry import register
from ._standard import Standard, standard
from ._tracing import class_means, trace
from ._whitening import Axes, Whitening, residuals

DIMENSIONS = (5, 10, 20, 50)


@register(
    name="subspace_tracing",
    levels=("T1",),
    threat="As mean and contrast tracing, within the few directions in which the twin's samples vary most.",
    formula="mean_tracing and contrast_tracing of x V, V the twin's leading k axes, whitened there",
    reference="twinseq",
    settings={
        f"{'contrasts' if contrast else 'means'}, {k} axes": {"k": k, "contrast": contrast}
        for contrast in (False, True)
        for k in DIMENSIONS
    },
)
def subspace_tracing(view: View, k: int, contrast: bool) -> Floats:
    """Return the tracing statistic within the twin's leading ``k`` axes.

    Raises
    ------
    NotApplicableError
        The twin has no ``k`` axes.
    """
    std = standard(view)
    axes = view.shared("twin axes", _twin_axes)
    if len(axes.values) < k:
        raise NotApplicableError(f"the twin varies in {len(axes.values)} directions only")
    basis = axes.axes[:, :k]
    inside = dataclasses.replace(
        std, twin=std.twin @ basis, targets=std.targets @ basis, reference=std.reference @ basis
    )
    means = class_means(inside.twin, inside.twin_labels, inside.classes, "twin")
    return trace(inside, means, whitened(inside), contrast=contrast)


def _twin_axes(view: View) -> Axes:
    std = standard(view)
    return Axes.of(residuals(std.twin, std.twin_labels), len(std.twin) - len(std.classes))


def whitened(inside: Standard) -> Whitening:
    """Return the whitening of what the reference varies in within its classes, in a space of few dimensions."""
    left = residuals(inside.reference, inside.reference_labels)
    return Axes.of(left, len(left) - len(inside.classes)).ridge(0.01)
