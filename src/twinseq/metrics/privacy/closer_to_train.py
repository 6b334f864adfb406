"""Do twin samples lie nearer to training samples than to unseen ones? Descriptive: passing is no evidence of safety."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register
from .nearest import NO_EVIDENCE, SUBSETS, equal_subsets

Floats = NDArray[np.floating[Any]]
NULL_DRAWS = 100

_SHARED: dict[str, Any] = {
    "group": "privacy",
    "direction": "target",
    "reference": "Platzer & Reutterer 2021, Frontiers in Big Data 4:679939",
    "fields": ("twin_to_train", "twin_to_holdout", "train.labels", "holdout.labels", "rng"),
    "against": "both",
    "floor": "bootstrap",
    "unit": "samples",
}


@register(
    name="closer_to_train_share",
    question="What share of the twin lies nearer to a training sample than to an unseen real one?",
    reading=f"0.5: a coin flip. Towards 1: drawn to the people it was made from. {NO_EVIDENCE}",
    formula="mean over equal-sized subsets of P(min_T′ d < min_H′ d), ties count half",
    ideal=0.5,
    bounds=(0.0, 1.0),
    **_SHARED,
)
def closer_to_train_share(
    twin_to_train: Floats,
    twin_to_holdout: Floats,
    train_labels: NDArray[np.str_],
    holdout_labels: NDArray[np.str_],
    rng: np.random.Generator,
) -> float:
    """Return the share of twin samples whose nearest real sample is a training sample.

    Training and hold-out are cut to the same number of samples of each class, many times.

    Parameters
    ----------
    twin_to_train, twin_to_holdout
        Distances, ``n_twin × n_train`` and ``n_twin × n_holdout``.
    train_labels, holdout_labels
        Class of each sample.
    rng
        Source of the subsets.

    Raises
    ------
    NotComputableError
        Training and hold-out share no class.
    """
    shares = []
    for _ in range(SUBSETS):
        train, holdout = equal_subsets(train_labels, holdout_labels, rng)
        shares.append(_share(twin_to_train[:, train], twin_to_holdout[:, holdout]))
    return float(np.mean(shares))


@register(
    name="closer_to_train_z",
    question="Is that share larger than chance would make it, had the training samples been drawn by lot?",
    reading=f"Standard deviations above chance; within ±2: not told from chance. {NO_EVIDENCE}",
    formula="(share − mean₀) / sd₀, null: membership of the real samples redrawn at random within classes",
    ideal=0.0,
    bounds=(-np.inf, np.inf),
    **_SHARED,
)
def closer_to_train_z(
    twin_to_train: Floats,
    twin_to_holdout: Floats,
    train_labels: NDArray[np.str_],
    holdout_labels: NDArray[np.str_],
    rng: np.random.Generator,
) -> float:
    """Return how many null standard deviations the share lies above its null mean; see `closer_to_train_share`.

    Twin samples are not independent of each other, so that no binomial interval holds for the share. The null
    redraws who was a member instead.

    Raises
    ------
    NotComputableError
        Training and hold-out share no class, or there are too few samples for the null to vary.
    """
    share = closer_to_train_share(twin_to_train, twin_to_holdout, train_labels, holdout_labels, rng)
    pooled = np.hstack([twin_to_train, twin_to_holdout])
    labels = np.concatenate([train_labels, holdout_labels])
    n_train = len(train_labels)
    null = []
    for _ in range(NULL_DRAWS):
        order = np.concatenate(
            [
                np.stack([np.flatnonzero(labels == name), rng.permutation(np.flatnonzero(labels == name))], axis=1)
                for name in np.unique(labels)
            ]
        )
        redrawn = np.empty(len(labels), dtype=np.intp)
        redrawn[order[:, 0]] = order[:, 1]
        train, holdout = equal_subsets(train_labels, holdout_labels, rng)
        null.append(_share(pooled[:, redrawn[train]], pooled[:, redrawn[n_train + holdout]]))
    spread = float(np.std(null))
    if spread == 0:
        raise NotComputableError("too few samples for chance to vary")
    return (share - float(np.mean(null))) / spread


def _share(to_train: Floats, to_holdout: Floats) -> float:
    near, far = to_train.min(axis=1), to_holdout.min(axis=1)
    return float(((near < far) + 0.5 * (near == far)).mean())
