"""Whether covariates have the same levels in the same shares."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._registry import NotComputableError, register

BINS = 10
_SHARED: dict[str, Any] = {
    "group": "covariates",
    "direction": "lower",
    "ideal": 0.0,
    "bounds": (0.0, 1.0),
    "reference": "Levin & Peres 2017, Markov Chains and Mixing Times, ch. 4",
    "fields": ("train.covariates", "twin.covariates"),
    # A hold-out is too small, and split without regard to covariates, to say what the shares should be.
    "against": "train",
    "floor": "mean profile",
    "needs": ("covariates",),
    "resampling": "none",
    "unit": "samples",
}


@register(
    name="covariate_tv_mean",
    question="Do the covariates have the same shares of levels, on average?",
    reading="0: the same; 1: no level in common. Missing values count as a level.",
    formula="mean over covariates of ½ Σ |p_T − p_S|; numbers in deciles of T",
    **_SHARED,
)
def covariate_tv_mean(real: pd.DataFrame, twin: pd.DataFrame) -> float:
    """Return the mean total variation distance over the covariates that both sides have.

    Parameters
    ----------
    real, twin
        Covariates, one row per sample.

    Raises
    ------
    NotComputableError
        The sides share no covariate.
    """
    return float(np.mean(_all(real, twin)))


@register(
    name="covariate_tv_max",
    question="Which covariate differs most in its shares of levels, and by how much?",
    reading="0: none differs; 1: some covariate has no level in common.",
    formula="max over covariates of ½ Σ |p_T − p_S|; numbers in deciles of T",
    **_SHARED,
)
def covariate_tv_max(real: pd.DataFrame, twin: pd.DataFrame) -> float:
    """Return the largest total variation distance of a covariate; see `covariate_tv_mean`."""
    return float(np.max(_all(real, twin)))


def _all(real: pd.DataFrame, twin: pd.DataFrame) -> list[float]:
    shared = [name for name in real.columns if name in twin.columns]
    if not shared:
        raise NotComputableError("real data and twin share no stated covariate")
    return [total_variation(real[name], twin[name]) for name in shared]


def total_variation(real: pd.Series[Any], twin: pd.Series[Any]) -> float:
    """Return the total variation distance between two columns; numbers are cut at the deciles of ``real``."""
    if is_number(real):
        known = real.dropna().to_numpy(dtype=float)
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.array([])
        p, q = _shares(_binned(real, edges)), _shares(_binned(twin, edges))
    else:
        p, q = _shares(as_text(real)), _shares(as_text(twin))
    return sum(abs(p.get(level, 0.0) - q.get(level, 0.0)) for level in {*p, *q}) / 2


def _shares(levels: NDArray[Any]) -> dict[Any, float]:
    return {level: count / len(levels) for level, count in Counter(levels.tolist()).items()}


def is_number(column: pd.Series[Any]) -> bool:
    """Whether a covariate is a quantity: numeric and not boolean."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def as_text(column: pd.Series[Any]) -> NDArray[np.object_]:
    """Return levels as text; a missing value is a level of its own that no text can equal."""
    text = column.astype(object).where(column.notna(), None)
    return np.array([None if value is None else str(value) for value in text], dtype=object)


def _binned(column: pd.Series[Any], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    return np.where(np.isnan(values), -1, np.searchsorted(edges, values, side="left"))
