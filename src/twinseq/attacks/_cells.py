"""Single cells in an attacker's hands: of one type at a time, and whose they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._base import NotApplicableError, Samples, View

FEWEST = 2
MOST_DRAWN = 5_000
"""Cells of each class drawn from a model that is held."""
MOST_VALUES = 20_000_000
"""Cells × genes drawn from it."""


def need_cells(view: View) -> None:
    """Refuse profiles that are no counts of single cells.

    Raises
    ------
    NotApplicableError
        They are bulk, or continuous.
    """
    if not view.targets.cells:
        raise NotApplicableError("needs single cells, their types stated")
    if view.targets.kind != "counts":
        raise NotApplicableError("needs raw counts")


def people_of(samples: Samples, whose: str) -> NDArray[np.str_]:
    """Return whose each cell is.

    Raises
    ------
    NotApplicableError
        It is not known.
    """
    if samples.people is None:
        raise NotApplicableError(f"needs to know which of the cells of the {whose} are one person's")
    return samples.people


def twin_of(view: View) -> Samples:
    """Return the twin; where the fitted model is held, far more cells of each class than the twin has, drawn from it.

    So many cells tell margins and correlations of the model to within about a hundredth, whatever the
    generator calls its parameters.

    Raises
    ------
    NotApplicableError
        The model does not know a class of the targets.
    """
    return view.twin if view.level < "T3" else view.shared("cells of the model", _drawn)


def _drawn(view: View) -> Samples:
    names = np.unique(view.targets.labels)
    each = int(np.clip(MOST_VALUES // (len(names) * view.targets.values.shape[1]), FEWEST, MOST_DRAWN))
    return view.model.draw(np.repeat(names, each), int(view.rng(19).integers(2**31)))


def of_type(samples: Samples, name: str, whose: str) -> NDArray[Any]:
    """Return the counts of a class, ``n × G``.

    Raises
    ------
    NotApplicableError
        There are fewer than two samples or cells.
    """
    rows = samples.labels == name
    if rows.sum() < FEWEST:
        raise NotApplicableError(
            f"the {whose} has {int(rows.sum())} sample(s) or cell(s) of class '{name}'; two are needed"
        )
    found: NDArray[Any] = samples.values[rows]
    return found
