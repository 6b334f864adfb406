r"""`pseudobulk_tracing`: the donor's mean profile of each cell type, traced in the twin's mean of that type.

A person's cells, averaged, are a bulk profile that holds the person's own expression, whichever of the cells the
generator saw. Within each type the statistic is that of `mean_tracing`, :math:`\langle b - \mu_R, \mu_S - \mu_R
\rangle_W / \lVert b - \mu_R \rVert_W`, with :math:`b` the target's pseudobulk, :math:`\mu_R` the mean of the reference
donors' pseudobulks and :math:`W` the inverse of their shrunk covariance *between donors*. Types are added up, each in
proportion to the root of the number of the target's cells, the inverse of the noise of its mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._base import Floats, NotApplicableError, Samples, View
from ._cells import need_cells, people_of
from ._registry import register
from ._standard import MOST, Standard
from ._tracing import trace
from ._whitening import Axes, residuals

FEWEST_CELLS = 3
"""Cells of a type below which a reference donor's mean of it is not used."""


@dataclass(frozen=True, eq=False)
class Pseudobulks:
    """Mean profiles of people's cells of each type.

    Parameters
    ----------
    values
        Log scale, ``n × G``.
    labels
        Class of each.
    people
        Whose each is.
    cells
        Number of cells behind each.
    """

    values: Floats
    labels: NDArray[np.str_]
    people: NDArray[np.str_]
    cells: NDArray[np.intp]


def pseudobulks(samples: Samples, people: NDArray[np.str_]) -> Pseudobulks:
    """Return the mean log-scale profile of each person's cells of each class."""
    pairs = np.stack([samples.labels.astype(str), people.astype(str)])
    keys, places, cells = np.unique(pairs, axis=1, return_inverse=True, return_counts=True)
    order = np.argsort(places.ravel(), kind="stable")
    starts = np.concatenate([[0], np.cumsum(cells)[:-1]])
    sums = np.add.reduceat(samples.on_log[order], starts, axis=0)
    return Pseudobulks(sums / cells[:, None], keys[0], keys[1], cells)


@register(
    name="pseudobulk_tracing",
    levels=("T1",),
    threat="Averages the target's cells of each type, and asks whether that average lies in the direction in which the "
    "twin's average differs from other people's.",
    formula="Σ over types √n ⟨W(b−μ_R), W(μ_S−μ_R)⟩ / ‖W(b−μ_R)‖, W whitening between reference donors' pseudobulks",
    reference="twinseq; Homer et al. 2008, PLoS Genetics 4:e1000167",
    settings={
        **{f"ridge {ridge:g}": {"ridge": ridge} for ridge in (10.0, 1.0, 0.1)},
        "contrasts, ridge 1": {"ridge": 1.0, "contrast": True},
    },
    unit="donor",
    cells=True,
)
def pseudobulk_tracing(view: View, ridge: float, contrast: bool = False) -> Floats:
    """Return the tracing statistic of the person of each cell, the same for all of a person's cells.

    Raises
    ------
    NotApplicableError
        Whose the cells are is not known, a type has fewer than two reference donors, or contrasts are asked for with
        one type.
    """
    need_cells(view)
    std = standard_pseudobulks(view).standard
    return traced(view, std.twin, ridge, contrast)


def traced(view: View, means: Floats, ridge: float, contrast: bool = False) -> Floats:
    """Return the statistic of the person of each cell for given means of the twin, one row a type; raises as above."""
    targets = pseudobulks(view.targets, people_of(view.targets, "targets"))
    metric = view.shared("pseudobulk axes", _axes).ridge(ridge)
    std = standard_pseudobulks(view).standard
    by_type = trace(std, means, metric, contrast=contrast) * np.sqrt(targets.cells)
    names, places = np.unique(targets.people, return_inverse=True)
    by_person = np.bincount(places, by_type, len(names)) / np.sqrt(np.bincount(places, targets.cells, len(names)))
    found: Floats = by_person[np.searchsorted(names, people_of(view.targets, "targets"))]
    return found


@dataclass(frozen=True, eq=False)
class StandardPseudobulks:
    """Pseudobulks in units of their deviation between reference donors within types.

    Parameters
    ----------
    standard
        Targets, reference and, one row a type, the twin's means.
    scaled
        Puts other profiles on the same scale, ``n × G`` to ``n × G'``.
    """

    standard: Standard
    scaled: Callable[[Floats], Floats]


def standard_pseudobulks(view: View) -> StandardPseudobulks:
    """Return pseudobulks on a common scale, made once for all attacks; raises as `pseudobulk_tracing` does."""
    return view.shared("pseudobulk standard", _standard)


def _standard(view: View) -> StandardPseudobulks:
    targets = pseudobulks(view.targets, people_of(view.targets, "targets"))
    every = pseudobulks(view.reference, people_of(view.reference, "reference"))
    used = every.cells >= FEWEST_CELLS
    people, labels = every.values[used], every.labels[used]
    names = np.unique(targets.labels)
    means = []
    for name in names:
        if (labels == name).sum() < 2:
            raise NotApplicableError(f"fewer than two reference donors have cells of class '{name}'")
        twin = view.twin.labels == name
        if not twin.any():
            raise NotApplicableError(f"the twin has no cell of class '{name}'")
        means.append(view.twin.on_log[twin].mean(axis=0))
    inside = np.isin(labels, names)
    people, labels = people[inside], labels[inside]
    left = residuals(people, labels)
    deviation = np.sqrt((left**2).sum(axis=0) / max(len(left) - len(names), 1))
    varying = deviation > 1e-9
    if not varying.any():
        raise NotApplicableError("no gene varies between the reference donors")
    centre = people.mean(axis=0)

    def scaled(values: Floats) -> Floats:
        z: Floats = (values[:, varying] - centre[varying]) / deviation[varying]
        return np.clip(z, -MOST, MOST)

    sides = (scaled(np.stack(means)), scaled(targets.values), scaled(people))
    return StandardPseudobulks(Standard(*sides, names, targets.labels, labels), scaled)


def _axes(view: View) -> Axes:
    std = standard_pseudobulks(view).standard
    left = residuals(std.reference, std.reference_labels)
    return Axes.of(left, len(left) - len(std.classes))
