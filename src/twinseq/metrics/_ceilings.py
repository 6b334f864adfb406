"""Who plays the twin for the ceiling: real data, in the place that the metric gives the twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import TwinseqError
from ..splits import split_rows
from ._comparison import Comparison
from ._profiles import Profiles
from ._registry import Against, Metric

Role = Against | Literal["replicate"]


Compared = TypeVar("Compared")


@dataclass(frozen=True)
class Ceiling(Generic[Compared]):
    """Real data in the twin's place, or ``None`` with the reason in ``source``."""

    comparison: Compared | None
    source: str


def ceilings(
    main: Comparison, donors: NDArray[np.str_], holdout_donors: NDArray[np.str_] | None, reference: Profiles | None
) -> dict[Role, Ceiling[Comparison]]:
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
            none: Ceiling[Comparison] = Ceiling(
                None, "no hold-out, and too few donors for two halves of the training data"
            )
            return {"real": none, "train": none, "holdout": none, "both": none}
        first, second = half
        source = f"two halves of the training data in the place of both ({first.n_samples} and {second.n_samples})"
        halved = Ceiling(Comparison(space, first, second), source)
        return {"real": halved, "train": halved, "holdout": halved, "both": halved}
    holdout = main.holdout
    as_train = Ceiling(
        Comparison(space, train, train, holdout), f"training data in the twin's place ({train.n_samples})"
    )
    roles: dict[Role, Ceiling[Comparison]] = {}
    if holdout.n_samples < main.twin.n_samples:
        roles["replicate"] = _replicate(main, donors, holdout_donors, reference)
    as_holdout = Ceiling(
        Comparison(space, train, holdout, holdout), f"hold-out in the twin's place ({holdout.n_samples})"
    )
    return roles | {
        "real": as_train,
        "holdout": as_train,
        "train": as_holdout,
        "both": _third_set(main, holdout_donors, reference),
    }


def ceiling_of(metric: Metric, roles: dict[Role, Ceiling[Comparison]]) -> Ceiling[Comparison]:
    """Return the ceiling of one metric.

    How many genes a test finds grows with the number of samples. Where the hold-out is smaller than the twin, lists of
    differential genes are therefore compared between two larger real sets.
    """
    of_calls = metric.against == "train" and metric.fields[0].startswith("de.")
    replicate = roles.get("replicate")
    if of_calls and replicate is not None and replicate.comparison is not None:
        return replicate
    return roles[metric.against]


def _replicate(
    main: Comparison,
    donors: NDArray[np.str_],
    holdout_donors: NDArray[np.str_] | None,
    reference: Profiles | None,
) -> Ceiling[Comparison]:
    """Return two halves of all real data in the place of both, each at most as large as the twin."""
    parts = [main.train, main.holdout, *([reference] if reference is not None else [])]
    named = [donors, main.holdout.donors if holdout_donors is None else holdout_donors]
    named += [reference.donors] if reference is not None else []
    # Real sets share no donor, but without a column of donors their samples may share names.
    people = np.concatenate([np.char.add(f"{place} ", names) for place, names in enumerate(named)])
    pooled = Profiles(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.labels for part in parts]),
        pd.concat([part.covariates for part in parts], ignore_index=True),
        main.space,
        people,
    )
    share = min(0.5, main.twin.n_samples / pooled.n_samples)
    half = _halves(pooled, people, main.space.seed, share)
    if half is None:
        return Ceiling(None, "too few donors for two halves of all real data")
    first, second = half
    source = (
        f"two halves of all real data in the place of both ({first.n_samples} and {second.n_samples}; "
        f"the twin has {main.twin.n_samples})"
    )
    return Ceiling(Comparison(main.space, first, second), source)


def _third_set(main: Comparison, donors: NDArray[np.str_] | None, reference: Profiles | None) -> Ceiling[Comparison]:
    if reference is not None:
        comparison = Comparison(main.space, main.train, reference, main.holdout)
        return Ceiling(comparison, f"reference data in the twin's place ({reference.n_samples})")
    half = _halves(main.holdout, donors, main.space.seed) if donors is not None else None
    if half is None:
        return Ceiling(None, "the hold-out is too small to give a half of itself in the twin's place")
    first, second = half
    comparison = Comparison(main.space, main.train, first, second)
    return Ceiling(comparison, f"half of the hold-out in the twin's place ({first.n_samples})")


def _halves(
    profiles: Profiles, donors: NDArray[np.str_], seed: int, share: float = 0.5
) -> tuple[Profiles, Profiles] | None:
    try:
        first, second = split_rows(donors, profiles.labels, (share, share), seed)
    except TwinseqError:
        return None
    return profiles.subset(first), profiles.subset(second)
