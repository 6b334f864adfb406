"""Who plays the twin for the ceiling: real data, in the place that the metric gives the twin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import TwinseqError
from ..splits import split_rows
from ._comparison import Comparison
from ._profiles import Profiles
from ._registry import Against


@dataclass(frozen=True)
class Ceiling:
    """Real data in the twin's place, or ``None`` with the reason in ``source``."""

    comparison: Comparison | None
    source: str


def ceilings(
    main: Comparison, donors: NDArray[np.str_], holdout_donors: NDArray[np.str_] | None, reference: Profiles | None
) -> dict[Against, Ceiling]:
    """Return the ceiling for each way of holding a twin against real data.

    Parameters
    ----------
    main
        Training data, twin and, where there is one, the hold-out.
    donors, holdout_donors
        Donor of each training and hold-out sample, since halves share no donor.
    reference
        Further real data, for metrics that use training data and hold-out at once.
    """
    space, train = main.space, main.train
    if not main.has_holdout:
        half = _halves(train, donors, space.seed)
        if half is None:
            none = Ceiling(None, "no hold-out, and too few donors for two halves of the training data")
            return {"real": none, "train": none, "holdout": none, "both": none}
        first, second = half
        source = f"two halves of the training data in the place of both ({first.n_samples} and {second.n_samples})"
        halved = Ceiling(Comparison(space, first, second), source)
        return {"real": halved, "train": halved, "holdout": halved, "both": halved}
    holdout = main.holdout
    as_train = Ceiling(
        Comparison(space, train, train, holdout), f"training data in the twin's place ({train.n_samples})"
    )
    as_holdout = Ceiling(
        Comparison(space, train, holdout, holdout), f"hold-out in the twin's place ({holdout.n_samples})"
    )
    return {
        "real": as_train,
        "holdout": as_train,
        "train": as_holdout,
        "both": _third_set(main, holdout_donors, reference),
    }


def _third_set(main: Comparison, donors: NDArray[np.str_] | None, reference: Profiles | None) -> Ceiling:
    if reference is not None:
        comparison = Comparison(main.space, main.train, reference, main.holdout)
        return Ceiling(comparison, f"reference data in the twin's place ({reference.n_samples})")
    half = _halves(main.holdout, donors, main.space.seed) if donors is not None else None
    if half is None:
        return Ceiling(None, "the hold-out is too small to give a half of itself in the twin's place")
    first, second = half
    comparison = Comparison(main.space, main.train, first, second)
    return Ceiling(comparison, f"half of the hold-out in the twin's place ({first.n_samples})")


def _halves(profiles: Profiles, donors: NDArray[np.str_], seed: int) -> tuple[Profiles, Profiles] | None:
    try:
        first, second = split_rows(donors, profiles.labels, (0.5, 0.5), seed)
    except TwinseqError:
        return None
    return profiles.subset(first), profiles.subset(second)
