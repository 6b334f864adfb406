"""Survival curves for plots, on a grid so coarse that nobody's time can be read off."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._comparison import Comparison
from ._profiles import Profiles
from ._registry import NotComputableError
from ._survival import Outcome
from .biology.kaplan_meier import SMALLEST, survival

Floats = NDArray[np.float64]

STEPS = 12


def survival_curves(comparison: Comparison) -> pd.DataFrame:
    """Return the Kaplan–Meier estimate of each class and side, as long as five samples are at risk.

    The grid has steps of 1, 2 or 5 times a power of ten, so that it gives nobody's time away either.

    Columns: source, label, time, survival.

    Raises
    ------
    NotComputableError
        Times or events are not sound, or every group has fewer than five samples.
    """
    kept = comparison.survival
    sides: list[tuple[str, Profiles, Outcome]] = [("real", comparison.train, kept.real)]
    if comparison.has_holdout:
        with contextlib.suppress(NotComputableError):
            sides.append(("holdout", comparison.holdout, kept.holdout))
    sides.append(("twin", comparison.twin, kept.twin))
    grid = coarse_grid(kept.real.time)
    parts = []
    for label in comparison.space.classes:
        for source, side, outcome in sides:
            rows = side.labels == label
            time, event = outcome.time[rows], outcome.event[rows]
            if len(time) < SMALLEST:
                continue
            at = grid[np.searchsorted(np.sort(time), grid, side="left") <= len(time) - SMALLEST]
            curve = survival(time, event.astype(np.float64), at)
            parts.append(pd.DataFrame({"source": source, "label": label, "time": at, "survival": curve}))
    if not parts:
        raise NotComputableError("every group has fewer than five samples")
    return pd.concat(parts, ignore_index=True)


def coarse_grid(time: Floats) -> Floats:
    """Return 0 and up to a dozen equal steps that cover the times, each 1, 2 or 5 times a power of ten."""
    reach = float(time.max(initial=0.0))
    if reach <= 0:
        return np.zeros(1)
    power = 10.0 ** np.floor(np.log10(reach / STEPS))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit * STEPS >= reach * (1 - 1e-9))
    grid: Floats = np.round(np.arange(int(np.ceil(reach / step - 1e-9)) + 1) * step, 12)
    return grid
