"""Whether label and covariates hang together in the twin as they do in real data."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import contingency, spearmanr

from .._registry import NotComputableError, register
from .variation import is_number

Floats = NDArray[np.float64]


@register(
    name="covariate_association_error",
    group="covariates",
    question="Are associations among label and covariates (sex with condition, age with batch) kept?",
    reading="Mean error of an association on its scale of 0 to 1; 0: all kept.",
    formula="mean over pairs of |A_T − A_S|; A: Cramér's V, correlation ratio η, or |Spearman ρ|",
    direction="lower",
    ideal=0.0,
    bounds=(0.0, 1.0),
    reference="Spec of the project; Cramér 1946, Mathematical Methods of Statistics",
    fields=("train.covariates", "train.labels", "twin.covariates", "twin.labels"),
    against="train",
    floor="shuffled labels",
    needs=("covariates",),
)
def covariate_association_error(
    real: pd.DataFrame, real_labels: NDArray[np.str_], twin: pd.DataFrame, twin_labels: NDArray[np.str_]
) -> float:
    """Return the mean absolute difference between two association matrices.

    Parameters
    ----------
    real, twin
        Covariates, one row per sample.
    real_labels, twin_labels
        Class of each sample.

    Raises
    ------
    NotComputableError
        There are fewer than two columns that vary on the real side.
    """
    shared = [name for name in real.columns if name in twin.columns]
    sides = []
    for covariates, labels in ((real, real_labels), (twin, twin_labels)):
        columns = [covariates[name] for name in shared]
        if len(np.unique(real_labels)) > 1:
            columns.append(pd.Series(labels))
        sides.append([association(a, b) for a, b in combinations(columns, 2)])
    a, b = (np.array(side, dtype=float) for side in sides)
    known = np.isfinite(a)
    if not known.any():
        raise NotComputableError("there are fewer than two columns among label and covariates that vary")
    return float(np.abs(a - np.nan_to_num(b))[known].mean())


def association(a: pd.Series[Any], b: pd.Series[Any]) -> float:
    """Return the strength of association of two columns, 0 to 1; NaN where one of them does not vary.

    Cramér's V of two categories, the correlation ratio η of a category and a quantity, the absolute Spearman
    correlation of two quantities; over rows that have both.
    """
    known = a.notna().to_numpy() & b.notna().to_numpy()
    a, b = a[known], b[known]
    if len(a) < 3 or a.nunique() < 2 or b.nunique() < 2:
        return float("nan")
    if is_number(a) and is_number(b):
        return float(abs(spearmanr(a.to_numpy(dtype=float), b.to_numpy(dtype=float)).statistic))
    if is_number(a) or is_number(b):
        number, category = (a, b) if is_number(a) else (b, a)
        return float(
            np.sqrt(explained_share(number.to_numpy(dtype=float)[:, None], category.astype(str).to_numpy())[0])
        )
    table = contingency.crosstab(a.astype(str).to_numpy(), b.astype(str).to_numpy()).count
    return float(contingency.association(table, method="cramer"))


def explained_share(values: Floats, groups: NDArray[Any]) -> Floats:
    """Return the share of each column's variance that lies between groups (η²); 0 for a constant column.

    Parameters
    ----------
    values
        ``n_samples × n_columns``.
    groups
        Group of each sample.
    """
    _, codes = np.unique(groups, return_inverse=True)
    indicators = (codes[:, None] == np.arange(codes.max() + 1)).astype(float)
    centred = values - values.mean(axis=0)
    sums = indicators.T @ centred
    between = (sums**2 / indicators.sum(axis=0)[:, None]).sum(axis=0)
    total = (centred**2).sum(axis=0)
    share: Floats = np.divide(between, total, out=np.zeros_like(total), where=total > 1e-12)
    return np.clip(share, 0.0, 1.0)
