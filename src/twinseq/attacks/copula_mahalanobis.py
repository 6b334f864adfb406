r"""`copula_mahalanobis`: how far a cell lies from the middle of the twin's copula, beside that of other people.

The published attack on single-cell twins, scMAMA-MIA. With :math:`u = F(x)` under the margins of a side, :math:`\delta`
its distance from the middle and :math:`R^+` the pseudo-inverse of the correlation of normal scores,

.. math:: d = \sqrt{\delta^\top R^+ \delta}, \qquad \lambda = \frac{d_R}{d_S + d_R}.

Without a reference :math:`-d_S` takes its place. Its *class B* adds the genes that are too rare for the copula: the
log ratio of their margins, in deviations of that term among other people, as the first term is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ._base import Floats, NotApplicableError, View
from ._cells import need_cells, of_type, twin_of
from ._copula import frequent, mid_distribution
from ._count_ratio import log_ratio
from ._registry import register
from .copula_llr import ZEROS

SEEN = 3
"""Cells in which a gene has to be seen to be modelled at all."""


@register(
    name="copula_mahalanobis",
    levels=("T0", "T1", "T3"),
    threat="Places every gene of the target's cells within the twin's and within other people's distribution, and "
    "compares how central the cells are in the two.",
    formula="λ = d_R / (d_S + d_R), d² = δᵀR⁺δ, δ = F(x) − ½ per type; class B adds log p_S − log p_R of rarer genes",
    reference="Golob et al. 2026 (scMAMA-MIA)",
    settings={"copula": {}, "class B": {"rare": True}},
    cells=True,
)
def copula_mahalanobis(view: View, rare: bool = False) -> Floats:
    """Return λ of each cell, or minus its distance where there is no reference.

    Raises
    ------
    NotApplicableError
        The profiles are no counts of cells, a side lacks a type, all its genes are rare, or rarer genes are asked
        for without a reference.
    """
    need_cells(view)
    if rare and view.level == "T0":
        raise NotApplicableError("rare genes need a reference cohort")
    scores = np.empty(len(view.targets))
    for name in np.unique(view.targets.labels):
        rows = view.targets.labels == name
        targets, twin = view.targets.values[rows], of_type(twin_of(view), name, "twin")
        if view.level == "T0":
            genes = frequent([twin], ZEROS)
            scores[rows] = -_distance(twin[:, genes], targets[:, genes])
            continue
        people = of_type(view.reference, name, "reference")
        scores[rows] = _compared(twin, people, targets)
        if rare:
            others = _compared(twin, people, people)
            scores[rows] = _standard(scores[rows], others) + _rare_genes(twin, people, targets)
    return scores


def _compared(twin: NDArray[Any], people: NDArray[Any], targets: NDArray[Any]) -> Floats:
    """Return λ."""
    genes = frequent([twin, people], ZEROS)
    to_twin, to_people = (_distance(side[:, genes], targets[:, genes]) for side in (twin, people))
    found: Floats = to_people / np.maximum(to_twin + to_people, np.finfo(float).tiny)
    return found


def _distance(side: NDArray[Any], targets: NDArray[Any]) -> Floats:
    """Return the distance of each target from the middle of the copula of a side."""
    scores = ndtri(mid_distribution(side, side))
    centred = scores - scores.mean(axis=0)
    deviation = centred.std(axis=0)
    varying = deviation > 0
    if not varying.any():
        raise NotApplicableError("no gene varies within a type")
    standard = centred[:, varying] / deviation[varying]
    # Fewer cells than genes leave the correlation singular, and what lies outside of its span uncounted.
    inverse = np.linalg.pinv(standard.T @ standard / len(standard), hermitian=True)
    away = mid_distribution(side, targets)[:, varying] - 0.5
    squared: Floats = ((away @ inverse) * away).sum(axis=1)
    return np.sqrt(np.maximum(squared, 0.0))


def _rare_genes(twin: NDArray[Any], people: NDArray[Any], targets: NDArray[Any]) -> Floats:
    """Return the log ratio over genes below the copula's, in deviations among other people."""
    genes = np.ones(twin.shape[1], dtype=bool)
    genes[frequent([twin, people], ZEROS)] = False
    genes &= np.minimum((twin > 0).sum(axis=0), (people > 0).sum(axis=0)) >= SEEN
    if not genes.any():
        return np.zeros(len(targets))
    others, found = (log_ratio(twin[:, genes], people[:, genes], side[:, genes]) for side in (people, targets))
    return _standard(found, others)


def _standard(scores: Floats, among: Floats) -> Floats:
    deviation = float(among.std())
    found: Floats = (scores - among.mean()) / (deviation if deviation > 0 else 1.0)
    return found
