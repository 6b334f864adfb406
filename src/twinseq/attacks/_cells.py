"""Single cells in an attacker's hands: of one type at a time, and whose they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._base import NotApplicableError, Samples, View

FEWEST = 2


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
