"""Targets that can be attacked: of classes that twin and reference have."""

from __future__ import annotations

import numpy as np

from ..cohort import Cohort


def comparable(
    train: Cohort, holdout: Cohort, twin: Cohort, reference: Cohort | None
) -> tuple[Cohort, Cohort, list[str]]:
    """Leave out targets of classes (or cells of types) of which some part has fewer than two, and say so."""
    counted = [twin.classes()] + ([] if reference is None else [reference.classes()])
    kept = [
        name
        for name in np.unique(train.classes())
        if (holdout.classes() == name).any() and all((classes == name).sum() >= 2 for classes in counted)
    ]
    left = sorted(set(train.classes().tolist()) - set(kept))
    if not left or not kept:
        return train, holdout, []
    note = f"class(es) {', '.join(left)}: too few samples in the hold-out or the reference, left out of the attacks"
    inside = [np.isin(cohort.classes(), kept) for cohort in (train, holdout)]
    return train.subset(inside[0]), holdout.subset(inside[1]), [note]
