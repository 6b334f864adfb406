"""Mean distance to the closest training record, as the community benchmark takes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances_argmin_min

from .._registry import NotComputableError, register
from ._entry import SHARED

Floats = NDArray[np.floating[Any]]

_WEAKNESS = "Weakness: a mean over samples hides a handful of copies, and noise raises it: it is no evidence of safety."


@register(
    name="paper_dcr",
    question="How far is the mean twin sample from its nearest training sample (the benchmark's distance)?",
    reading=f"Euclidean; the ceiling is what unseen real samples reach. {_WEAKNESS}",
    formula="mean over S of min_T ‖s − t‖, log2(CPM + 1), all genes",
    direction="target",
    ideal=None,
    bounds=(0.0, np.inf),
    fields=("train.log", "twin.log"),
    against="train",
    floor="bootstrap",
    **SHARED,
)
def paper_dcr(train: Floats, others: Floats) -> float:
    """Return the mean Euclidean distance of ``others`` to their nearest training sample.

    Parameters
    ----------
    train, others
        Profiles, ``n_samples × n_genes``.
    """
    _, nearest = pairwise_distances_argmin_min(others, train)
    return float(nearest.mean())


@register(
    name="paper_dcr_base",
    question="How far is the mean unseen real sample from its nearest training sample?",
    reading=f"The base of paper_dcr: it says nothing of the twin. {_WEAKNESS}",
    formula="mean over H of min_T ‖h − t‖, log2(CPM + 1), all genes",
    direction="target",
    ideal=None,
    bounds=(0.0, np.inf),
    fields=("train.log", "holdout.log"),
    against="holdout",
    floor="bootstrap",
    **SHARED,
)
def paper_dcr_base(train: Floats, holdout: Floats) -> float:
    """Return the mean distance of hold-out samples to their nearest training sample; see `paper_dcr`."""
    return paper_dcr(train, holdout)


@register(
    name="paper_dcr_relative",
    question="Does the twin keep as far from the training samples as unseen real samples do?",
    reading=f"1: as far; below 1: nearer. {_WEAKNESS}",
    formula="paper_dcr / paper_dcr_base",
    direction="target",
    ideal=1.0,
    bounds=(0.0, np.inf),
    fields=("train.log", "twin.log", "holdout.log"),
    against="train",
    floor="bootstrap",
    **SHARED,
)
def paper_dcr_relative(train: Floats, twin: Floats, holdout: Floats) -> float:
    """Return the distance of the twin to training samples over that of hold-out samples; see `paper_dcr`.

    Raises
    ------
    NotComputableError
        Every hold-out sample equals a training sample.
    """
    base = paper_dcr(train, holdout)
    if base == 0:
        raise NotComputableError("every hold-out sample equals a training sample")
    return paper_dcr(train, twin) / base
