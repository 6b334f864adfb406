"""Whether each class survives as long in the twin: distance between Kaplan–Meier curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import CensoredData, ecdf

from .._registry import NotComputableError, register

Floats = NDArray[np.float64]

SMALLEST = 5


@register(
    name="km_distance",
    group="biology",
    question="How far apart are the survival curves of real data and twin, class by class?",
    reading="0: the same curves; 0.1: survival probabilities differ by ten percentage points on average.",
    formula="mean over classes of ∫₀^τ |S_T(t) − S_S(t)| dt / τ; τ: last time with five at risk in T",
    direction="lower",
    ideal=0.0,
    bounds=(0.0, 1.0),
    reference="Kaplan & Meier 1958, JASA 53:457; Pepe & Fleming 1989, Biometrics 45:497",
    fields=("survival.real_table", "survival.twin_table"),
    against="train",
    floor="mean profile",
    needs=("survival",),
    resampling="apart",
)
def km_distance(real: Floats, twin: Floats) -> float:
    """Return the mean absolute difference of survival, averaged over classes of at least five on both sides.

    Parameters
    ----------
    real, twin
        Time, event (0 or 1) and number of the class, ``n_samples × 3``.

    Raises
    ------
    NotComputableError
        No class has five samples on both sides that were followed for some time.
    """
    distances = []
    for code in np.unique(real[:, 2]):
        ours, theirs = (side[side[:, 2] == code] for side in (real, twin))
        if min(len(ours), len(theirs)) < SMALLEST:
            continue
        end = last_time(ours[:, 0])
        if end > 0:
            distances.append(area_between(ours, theirs, end) / end)
    if not distances:
        raise NotComputableError(f"no class has {SMALLEST} samples on both sides that were followed for some time")
    return float(np.mean(distances))


def last_time(time: Floats) -> float:
    """Return the last time at which five are at risk; beyond it a curve hangs on single samples."""
    return float(np.partition(time, len(time) - SMALLEST)[len(time) - SMALLEST])


def area_between(real: Floats, twin: Floats, end: float) -> float:
    """Return the area between two survival curves from 0 to ``end``; columns are time and event."""
    times = np.concatenate([[0.0], real[:, 0], twin[:, 0], [end]])
    times = np.unique(times[times <= end])
    gap = np.abs(survival(real[:, 0], real[:, 1], times) - survival(twin[:, 0], twin[:, 1], times))
    return float(gap[:-1] @ np.diff(times))


def survival(time: Floats, event: Floats, at: Floats) -> Floats:
    """Return the Kaplan–Meier estimate at the times ``at``; beyond the last sample it stays where it was.

    Parameters
    ----------
    time, event
        Time to the event or the end of follow-up, and 1 where the event was seen, ``n_samples``.
    at
        Times.
    """
    seen = event > 0
    if not seen.any():
        return np.ones(len(at))
    curve = ecdf(CensoredData(uncensored=time[seen], right=time[~seen])).sf
    estimate: Floats = np.clip(curve.evaluate(at), 0.0, 1.0)
    return estimate
