"""`basis_tracing`: mean and contrast tracing along the axes of the public basis that a generator is known to use.

On a public basis only class means along its axes come from private donors: all there is to trace lies in a space that
an attacker of level T2 knows, and everywhere else an attack on all genes collects noise.
"""

from __future__ import annotations

import dataclasses

from ._base import Floats, NotApplicableError, View
from ._registry import register
from ._standard import standard
from ._tracing import class_means, trace
from .subspace_tracing import whitened

DIMENSIONS = (5, 10, 20)


@register(
    name="basis_tracing",
    levels=("T2",),
    threat="As mean and contrast tracing, along the axes of the public basis that the generator is known to use.",
    formula="mean_tracing and contrast_tracing of x V, V the leading k axes of the basis, whitened there",
    reference="twinseq",
    settings={
        f"{'contrasts' if contrast else 'means'}, {k} axes": {"k": k, "contrast": contrast}
        for contrast in (False, True)
        for k in DIMENSIONS
    },
)
def basis_tracing(view: View, k: int, contrast: bool) -> Floats:
    """Return the tracing statistic along the first ``k`` axes of the basis.

    Raises
    ------
    NotApplicableError
        The generator uses no basis, or one of fewer axes.
    """
    weights = view.generator.public_axes()
    if weights is None:
        raise NotApplicableError("the generator uses no public basis")
    if weights.shape[1] < k or weights.shape[0] != view.twin.on_log.shape[1]:
        raise NotApplicableError(f"the basis has {weights.shape[1]} axes of {weights.shape[0]} genes")
    std, axes = standard(view), weights[:, :k]
    inside = dataclasses.replace(
        std, twin=view.twin.on_log @ axes, targets=view.targets.on_log @ axes, reference=view.reference.on_log @ axes
    )
    means = class_means(inside.twin, inside.twin_labels, inside.classes, "twin")
    return trace(inside, means, whitened(inside), contrast=contrast)
