"""How near do twin samples come to training samples? Descriptive: passing is no evidence of safety.

A twin can keep its distance from every training sample and still give away who was in the training data; only
attacks can show that. These figures find crude copying and nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.floating[Any]]
SUBSETS = 50
NO_EVIDENCE = "A good value is no evidence of safety: attacks decide."

_SHARED: dict[str, Any] = {"group": "privacy", "floor": "bootstrap", "unit": "samples"}


@register(
    name="dcr_median",
    question="How far is a typical twin sample from its nearest training sample?",
    reading=f"Compare with the ceiling, unseen real samples: much smaller means copying. {NO_EVIDENCE}",
    formula="median over S of min_T ‖s − t‖ (log scale, all genes)",
    direction="target",
    ideal=None,
    bounds=(0.0, np.inf),
    reference="Zhao et al. 2021, ACML (CTAB-GAN)",
    fields=("two_nearest",),
    against="train",
    resampling="apart",
    **_SHARED,
)
def dcr_median(two_nearest: Floats) -> float:
    """Return the median distance to the closest training record.

    Parameters
    ----------
    two_nearest
        Distances of each twin sample to its nearest and second nearest training sample, ``n_twin × 2``.
    """
    return float(np.median(two_nearest[:, 0]))


@register(
    name="nndr_p5",
    question="Is some twin sample far nearer to one training sample than to the next?",
    reading=f"Near 1: no. Near 0: at least 5 % of the twin's samples single one out. {NO_EVIDENCE}",
    formula="5th percentile over S of d₁ / d₂, distances to the nearest and second nearest of T",
    direction="target",
    ideal=None,
    bounds=(0.0, 1.0),
    reference="Zhao et al. 2021, ACML (CTAB-GAN)",
    fields=("two_nearest",),
    against="train",
    resampling="apart",
    **_SHARED,
)
def nndr_p5(two_nearest: Floats) -> float:
    """Return the 5th percentile of the nearest-neighbour distance ratio; see `dcr_median`.

    A copy of a sample that occurs twice in training has both distances at 0. It is a copy all the same.
    """
    first, second = two_nearest.T
    return float(np.percentile(first / np.where(second > 0, second, 1.0), 5))


@register(
    name="dcr_p5_ratio",
    question="Are the twin's closest samples nearer to training samples than to unseen real ones?",
    reading=f"1: no. Below 1: nearer to the people it was made from. {NO_EVIDENCE}",
    formula="median over equal-sized subsets of p5(min_T′ d) / p5(min_H′ d)",
    direction="target",
    ideal=1.0,
    bounds=(0.0, np.inf),
    reference="Nanda & Saha 2026, bioRxiv 10.64898/2026.05.22.726357",
    fields=("twin_to_train", "twin_to_holdout", "train.labels", "holdout.labels", "rng"),
    against="both",
    **_SHARED,
)
def dcr_p5_ratio(
    twin_to_train: Floats,
    twin_to_holdout: Floats,
    train_labels: NDArray[np.str_],
    holdout_labels: NDArray[np.str_],
    rng: np.random.Generator,
) -> float:
    """Return the ratio of the 5th percentiles of the distances to training and hold-out samples.

    Training and hold-out are cut to the same number of samples of each class, many times. The ratio is taken
    within each cut: averaging distances over cuts first would hide a copy, which is close in some cuts only.

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
        Training and hold-out share no class, or some twin sample equals a hold-out sample in most cuts.
    """
    ratios = []
    for _ in range(SUBSETS):
        train, holdout = equal_subsets(train_labels, holdout_labels, rng)
        near = np.percentile(twin_to_train[:, train].min(axis=1), 5)
        far = np.percentile(twin_to_holdout[:, holdout].min(axis=1), 5)
        ratios.append(near / far if far > 0 else np.nan)
    if np.isnan(ratios).mean() > 0.5:
        raise NotComputableError("at least 5 % of the twin equals hold-out samples")
    return float(np.nanmedian(ratios))


def equal_subsets(
    train_labels: NDArray[np.str_], holdout_labels: NDArray[np.str_], rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw rows of training and hold-out, equally many of each class.

    Raises
    ------
    NotComputableError
        They share no class.
    """
    train, holdout = [], []
    for name in np.unique(holdout_labels):
        mine, others = np.flatnonzero(train_labels == name), np.flatnonzero(holdout_labels == name)
        size = min(len(mine), len(others))
        train.append(rng.choice(mine, size, replace=False))
        holdout.append(rng.choice(others, size, replace=False))
    rows, other_rows = np.concatenate(train), np.concatenate(holdout)
    if not len(rows):
        raise NotComputableError("training data and hold-out share no class")
    return rows.astype(np.intp), other_rows.astype(np.intp)
