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
    """Return everything on a common scale; learnt from the twin, and from the reference where there is one.

    Raises
    ------
    NotApplicableError
        No gene varies.
    """
    return view.shared("standard", _standard)


def _standard(view: View) -> Standard:
    twin, targets = view.twin.on_log, view.targets.on_log
    held = [(twin, view.twin.labels)]
    if view.has_reference:
        held.append((view.reference.on_log, view.reference.labels))
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

    reference = view.reference.on_log if view.has_reference else np.empty((0, twin.shape[1]))
    reference_labels = view.reference.labels if view.has_reference else np.empty(0, dtype=np.str_)
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

    A copy is at a billionth of the distance to the next sample that is none: copies come first, and do not tie.
    """
    closest: Floats = away.min(axis=1)
    others = np.where(away > 0, away, np.inf).min(axis=1)
    spare = np.where(np.isfinite(others), others, 1.0)
    return np.maximum(closest, COPY * spare)
