"""Whether each gene carries the same risk in the twin: Cox's proportional hazards, one gene at a time.

All genes share times and risk sets, so that Newton's method runs on all of them at once: a model at a time would
cost half a minute for 500 genes on four sides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.float64]

STEPS = 50
LARGEST_STEP = 1.0
RIDGE = 1.0

_SHARED: dict[str, Any] = {
    "group": "biology",
    "against": "train",
    "floor": "shuffled labels",
    "needs": ("survival",),
    "resampling": "together",
    "unit": "genes",
    "fields": ("survival.real_log_hazard_ratios", "survival.twin_log_hazard_ratios"),
    "reference": "Cox 1972, JRSS B 34:187; ties: Efron 1977, JASA 72:557",
}


def log_hazard_ratios(time: Floats, event: NDArray[np.bool_], x: Floats, ridge: float = RIDGE) -> Floats:
    """Return the log hazard ratio per unit of each column of ``x``, in a model of its own (ties by Efron).

    Parameters
    ----------
    time
        Time to the event or to the end of follow-up, ``n_samples``.
    event
        Whether the event was seen.
    x
        ``n_samples × n_genes``, best standardised.
    ridge
        Weight of the penalty ``ridge · β² / 2``, which keeps ratios finite where a gene orders all events. At 1, it
        weighs as much as one event whose risk set has variance 1.

    Returns
    -------
    ``n_genes``.
    """
    # Within a time, events first: the risk set of a time is then all rows up to its last one.
    order = np.lexsort((~event, -time))
    time, event, x = time[order], event[order], x[order]
    at = np.flatnonzero(event)
    times, group = np.unique(-time[at], return_inverse=True)
    last = np.searchsorted(-time, times, side="right")[group] - 1
    first_event = np.searchsorted(group, np.arange(len(times)))
    tied = np.bincount(group)
    share = ((np.arange(len(at)) - first_event[group]) / tied[group])[:, None]
    seen = x[at].sum(axis=0)

    def risk(weights: Floats) -> Floats:
        """Sum over the risk set of each event, less Efron's share of the events at its time."""
        below = np.cumsum(weights, axis=0)[last]
        together: Floats = below - share * np.add.reduceat(weights[at], first_event, axis=0)[group]
        return together

    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        linear = x * beta
        weights = np.exp(linear - linear.max(axis=0))
        total = risk(weights)
        mean = risk(weights * x) / total
        variance = risk(weights * x**2) / total - mean**2
        gradient = seen - mean.sum(axis=0) - ridge * beta
        curvature = variance.sum(axis=0) + ridge
        step = np.divide(gradient, curvature, out=np.zeros_like(beta), where=curvature > 0)
        beta += np.clip(step, -LARGEST_STEP, LARGEST_STEP)
        if np.abs(step).max(initial=0.0) < 1e-9:
            break
    return beta


@register(
    name="cox_log_hr_pearson",
    question="Do the same genes go with a higher or lower risk in the twin?",
    reading="1: proportional; 0: unrelated.",
    formula="Pearson r over the 500 most variable genes of T of log hazard ratios per SD, one Cox model a gene",
    direction="higher",
    ideal=1.0,
    bounds=(-1.0, 1.0),
    **_SHARED,
)
def cox_log_hr_pearson(real: Floats, twin: Floats) -> float:
    """Return the Pearson correlation of two vectors of log hazard ratios.

    Raises
    ------
    NotComputableError
        There are fewer than ten genes, or all carry the same risk.
    """
    _require_spread(real, twin)
    return float(np.corrcoef(real, twin)[0, 1])


@register(
    name="cox_log_hr_slope",
    question="Are hazard ratios as far from 1 in the twin as in real data?",
    reading="1: as far; below 1: weakened; above 1: exaggerated.",
    formula="least-squares slope of the twin's log hazard ratios on those of T, as above",
    direction="target",
    ideal=1.0,
    bounds=(-np.inf, np.inf),
    **_SHARED,
)
def cox_log_hr_slope(real: Floats, twin: Floats) -> float:
    """Return the least-squares slope of the twin's log hazard ratios on the real ones; see `cox_log_hr_pearson`."""
    _require_spread(real, twin)
    centred = real - real.mean()
    return float(centred @ twin / (centred @ centred))


def _require_spread(real: Floats, twin: Floats) -> None:
    if len(real) < 10 or np.ptp(real) == 0 or np.ptp(twin) == 0:
        raise NotComputableError("fewer than ten genes, or none of them goes with the risk")
