"""Genes on a common scale, learnt from what the attacker holds besides the targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import distances
from ._base import NotApplicableError, View

Floats = NDArray[np.float64]
MOST = 10.0
"""Deviations at which a standardised value is cut: a gene that hardly varies must not outvote all others."""
COPY = 1e-9


@dataclass(frozen=True, eq=False)
class Standard:
    """Twin, reference and targets in units of each gene's within-class deviation.

    Parameters
    ----------
    twin, targets, reference
        ``n × G'``, with the genes that vary in what the attacker holds; ``reference`` has no rows at level T0.
    twin_labels, target_labels, reference_labels
        Class of each sample.
    """

    twin: Floats
    targets: Floats
    reference: Floats
    twin_labels: NDArray[np.str_]
    target_labels: NDArray[np.str_]
    reference_labels: NDArray[np.str_]

    @property
    def n_genes(self) -> int:
        """Number of genes that vary."""
        return int(self.twin.shape[1])

    @property
    def classes(self) -> list[str]:
        """Classes of the targets."""
        return [str(name) for name in np.unique(self.target_labels)]


def standard(view: View) -> Standard:
    """Return everything on a common scale; learnt from the twin, and from T1 on from the reference too.

    Raises
    ------
    NotApplicableError
        No gene varies, or there is no reference where the level grants one.
    """
    return view.shared("standard", _standard)


def _standard(view: View) -> Standard:
    twin, targets = view.twin.on_log, view.targets.on_log
    held = [(twin, view.twin.labels)]
    reference, reference_labels = np.empty((0, twin.shape[1])), np.empty(0, dtype=np.str_)
    if view.level >= "T1":
        reference, reference_labels = view.reference.on_log, view.reference.labels
        held.append((reference, reference_labels))
    centre = twin.mean(axis=0)
    squares, freedom = np.zeros(twin.shape[1]), 0
    for values, labels in held:
        for name in np.unique(labels):
            rows = values[labels == name]
            squares += ((rows - rows.mean(axis=0)) ** 2).sum(axis=0)
            freedom += len(rows) - 1
    deviation = np.sqrt(squares / max(freedom, 1))
    size = np.maximum(np.abs(centre), np.finfo(float).tiny)
    varying = deviation > 1e-9 * size
    if not varying.any():
        raise NotApplicableError("no gene varies within the classes of the twin")

    def scaled(values: Floats) -> Floats:
        z: Floats = (values[:, varying] - centre[varying]) / deviation[varying]
        return np.clip(z, -MOST, MOST)

    return Standard(
        scaled(twin), scaled(targets), scaled(reference), view.twin.labels, view.targets.labels, reference_labels
    )


def to_twin(view: View) -> Floats:
    """Return the distances of targets from twin samples over standardised genes, ``n_targets × n_twin``."""
    return view.shared("to_twin", lambda view: distances(standard(view).targets, standard(view).twin))


def to_reference(view: View) -> Floats:
    """Return the distances of targets from reference samples over standardised genes."""
    return view.shared("to_reference", lambda view: distances(standard(view).targets, standard(view).reference))


def nearest(away: Floats) -> Floats:
    """Return the smallest distance of each row, above 0.

    A copy is at a billionth of the mean distance to the samples that are none: copies come first, and do not tie (the
    next distance alone would, where two copied samples are each other's neighbours).
    """
    closest: Floats = away.min(axis=1)
    n_others = (away > 0).sum(axis=1)
    spare = np.where(n_others > 0, away.sum(axis=1) / np.maximum(n_others, 1), 1.0)
    return np.maximum(closest, COPY * spare)
