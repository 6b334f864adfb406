"""Known-bad twins made of the training data alone: what a metric must not be fooled by.

Two more controls, ``independent`` and ``bootstrap``, are generators and are handed in by the audit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ._profiles import Profiles

CONTROLS = {
    "shuffled types": "the training cells with their types dealt out at random",
    "equal types": "the training cells with types drawn at random, each as often as any other",
    "shuffled labels": "the training data with label and covariates dealt out at random",
    "mean profile": "every sample the mean profile with Poisson noise, covariates uniform over their levels",
    "scrambled genes": "the training data with the genes' names dealt out at random",
    "outliers": "the training data with one value in fifty far too high",
    "independent": "every gene drawn by itself",
    "bootstrap": "training samples copied with replacement",
}


def shuffled_labels(train: Profiles, rng: np.random.Generator) -> Profiles:
    """Return the training profiles with label and covariates each in an order of its own."""
    covariates = {name: column.to_numpy()[rng.permutation(len(column))] for name, column in train.covariates.items()}
    shuffled = pd.DataFrame(covariates, index=train.covariates.index).astype(train.covariates.dtypes.to_dict())
    return Profiles(train.values, rng.permutation(train.labels), shuffled, train.space)


def scrambled_genes(train: Profiles, rng: np.random.Generator) -> Profiles:
    """Return the training profiles with their genes in another order, so that no gene behaves as it should."""
    values = train.values[:, rng.permutation(train.values.shape[1])]
    return Profiles(values, train.labels, train.covariates, train.space)


def outliers(train: Profiles, rng: np.random.Generator) -> Profiles:
    """Return the training profiles with one value in fifty sixty times as large (six deviations more if no count)."""
    hit = rng.random(train.values.shape) < 0.02
    counts = train.space.kind == "counts"
    high: Any = 60 * train.values if counts else train.values + 6 * train.values.std(axis=0)
    return Profiles(np.where(hit, high, train.values), train.labels, train.covariates, train.space)


def mean_profile(train: Profiles, rng: np.random.Generator) -> Profiles:
    """Return samples that are all the mean profile: Poisson noise on counts, a tenth of the spread on values."""
    values: Any
    if train.space.kind == "counts":
        totals = train.values.sum(axis=1, dtype=np.float64)
        profile = train.values.sum(axis=0, dtype=np.float64) / totals.sum()
        values = rng.poisson(totals[:, None] * profile)
    else:
        centre, spread = train.values.mean(axis=0), train.values.std(axis=0)
        values = centre + 0.1 * spread * rng.standard_normal(train.values.shape)
    covariates = {}
    for name, column in train.covariates.items():
        levels = np.array(sorted(column.dropna().unique(), key=str), dtype=object)
        drawn = levels[rng.integers(len(levels), size=len(column))]
        covariates[name] = pd.Series(drawn, index=column.index).astype(column.dtype)
    return Profiles(values, train.labels, pd.DataFrame(covariates, index=train.covariates.index), train.space)
