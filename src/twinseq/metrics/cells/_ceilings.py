"""Who plays the twin for the ceiling of the metrics of cells: real cells, in the place that a metric gives the twin."""

from __future__ import annotations

from ...errors import TwinseqError
from ...splits import split_rows
from .._ceilings import Ceiling
from .._registry import Against
from ._cells import Cells
from ._comparison import CellComparison


def cell_ceilings(main: CellComparison) -> dict[Against, Ceiling[CellComparison]]:
    """Return the ceiling for each way of holding a twin against real cells.

    Parameters
    ----------
    main
        Training cells, twin and, where there is one, the hold-out.
    """
    space, train = main.space, main.train
    if main.has_holdout:
        holdout = main.holdout
        as_train = Ceiling(
            CellComparison(space, train, train, holdout),
            f"training data in the twin's place ({train.n_samples:,} cells)",
        )
        as_holdout = Ceiling(
            CellComparison(space, train, holdout, holdout),
            f"hold-out in the twin's place ({holdout.n_samples:,} cells)",
        )
        return {"real": as_train, "holdout": as_train, "train": as_holdout}
    halves = _halves(train)
    if halves is None:
        none: Ceiling[CellComparison] = Ceiling(
            None, "no hold-out, and too few donors for two halves of the training data"
        )
        return {"real": none, "holdout": none, "train": none}
    first, second = halves
    halved = Ceiling(
        CellComparison(space, first, second),
        f"two halves of the training data in the place of both ({first.n_samples:,} and {second.n_samples:,} cells)",
    )
    return {"real": halved, "holdout": halved, "train": halved}


def _halves(train: Cells) -> tuple[Cells, Cells] | None:
    """Return two halves of the training cells that share no donor."""
    if train.donors is None:
        return None
    try:
        first, second = split_rows(train.donors, train.cohort.labels(), (0.5, 0.5), train.space.seed)
    except TwinseqError:
        return None
    return train.subset(first), train.subset(second)
