r"""`span_residual`: whoever lies in the linear span of the twin's samples was in the training data.

Samples of a normal distribution whose covariance was estimated from fewer patients than genes are mixtures of those
patients, noise included: the twin spans exactly the space that its training samples span, and anybody else sticks out.
"""

from __future__ import annotations

import numpy as np

from ._base import Floats, NotApplicableError, View
from ._calibration import calibrated
from ._registry import register
from ._standard import standard
from ._whitening import Axes

ROUNDING = 1e-12


@register(
    name="span_residual",
    levels=("T0", "T1"),
    threat="Tries to write the target as a mixture of the twin's samples of the same class. Where that succeeds far "
    "better than chance, the target was in the training data.",
    formula="−log ‖(I−VVᵀ)(x−μ_c)‖ over the median ‖s−μ_c‖, V spans the class's centred twin samples s; at T1 minus "
    "its mean over the reference",
    reference="twinseq; the rank deficiency of normals with fewer samples than variables",
)
@calibrated
def span_residual(view: View) -> Floats:
    """Return minus the log distance of each target from the span of its class, in units of the class's spread.

    Raises
    ------
    NotApplicableError
        The twin has as many samples of every class as genes, so that their span is everything.
    """
    std = standard(view)
    scores = np.zeros(len(std.targets))
    spanned = 0
    for name in std.classes:
        twin, rows = std.twin[std.twin_labels == name], std.target_labels == name
        if not len(twin):
            raise NotApplicableError(f"the twin has no sample of class '{name}'")
        centred = twin - twin.mean(axis=0)
        basis = Axes.of(centred, len(twin)).axes
        if basis.shape[1] >= std.n_genes:
            spanned += 1
            continue
        away = std.targets[rows] - twin.mean(axis=0)
        spread, usual = float(np.median(np.linalg.norm(centred, axis=1))), float(np.sqrt(std.n_genes))
        # Samples that are all alike have no spread; the scale of the genes tells what is usual.
        spread = spread if spread > ROUNDING * usual else usual
        # Subtracting twice keeps the digits that one subtraction loses where hardly anything is left.
        left = away - (away @ basis) @ basis.T
        left -= (left @ basis) @ basis.T
        # What is left of a copy is rounding; in proportion to its length, copies do not tie.
        distance = np.maximum(np.linalg.norm(left, axis=1), ROUNDING * np.linalg.norm(away, axis=1))
        scores[rows] = -np.log(np.maximum(distance, np.finfo(float).tiny) / spread)
    if spanned == len(std.classes):
        raise NotApplicableError("the twin has as many samples as genes, and spans everything")
    return scores
