"""Standings of generators with their uncertainty: resampled splits, positions between floor and ceiling, ranks, fronts.

Nothing here adds up different questions. A generator has a place on each axis, and a share of resamples in which no
other is at least as useful and at least as safe. In all functions, larger merits are better.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST_SPLITS = 3
"""From so many splits on their spread is drawn as an interval."""
DRAWS = 2000
LEVEL = 0.95


def resamples(n_splits: int, rng: np.random.Generator, n_draws: int = DRAWS) -> Floats:
    """Return how often each split is taken in each resample.

    Parameters
    ----------
    n_splits
        Splits there are.
    rng
        Source of random numbers.
    n_draws
        Resamples.

    Returns
    -------
    draws × splits; with fewer than `FEWEST_SPLITS` splits there is one row, each split taken once.
    """
    if n_splits < FEWEST_SPLITS:
        return np.ones((1, n_splits))
    return rng.multinomial(n_splits, np.full(n_splits, 1 / n_splits), size=n_draws).astype(np.float64)


def split_means(values: Floats, taken: Floats) -> Floats:
    """Return means over the splits taken.

    Parameters
    ----------
    values
        ... × splits; NaN where a split has no value.
    taken
        draws × splits, from `resamples`.

    Returns
    -------
    draws × ...; NaN where none of the splits taken has a value.
    """
    known = np.isfinite(values)
    total = np.moveaxis(np.where(known, values, 0.0) @ taken.T, -1, 0)
    number = np.moveaxis(known @ taken.T, -1, 0)
    return np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0)


def merit(value: Floats, direction: str, ideal: float | Floats | None) -> Floats:
    """Return values turned so that more is better: as they are, negated, or the negated distance from the ideal."""
    if direction == "target":
        return -np.abs(value - (np.nan if ideal is None else ideal))
    return value if direction == "higher" else -value


def discriminates(ceiling: Floats, floor: Floats) -> bool:
    """Whether real data did better than the known-bad twin in every split (arrays of merits, by split)."""
    known = np.isfinite(ceiling) & np.isfinite(floor)
    return bool(known.any() and np.all(ceiling[known] > floor[known]))


def positions(values: Floats, ceilings: Floats, floors: Floats, taken: Floats) -> Floats:
    """Return where merits lie between the known-bad twin (0) and real data (1).

    Ratios of means over splits: a single split in which both lie near each other does not blow up the figure. Beyond
    either end nothing is gained or lost, since no twin can be expected to do better than real data.

    Parameters
    ----------
    values
        Merits, generators × metrics × splits.
    ceilings, floors
        Merits of real data and of the known-bad twin, metrics × splits.
    taken
        draws × splits, from `resamples`.

    Returns
    -------
    draws × generators × metrics, from 0 to 1; NaN where there is no value.
    """
    complete = np.isfinite(values) & np.isfinite(ceilings) & np.isfinite(floors)
    above = split_means(np.where(complete, values - floors, np.nan), taken)
    room = split_means(np.where(complete, ceilings - floors, np.nan), taken)
    return np.clip(above / room, 0.0, 1.0)


def average(found: Floats) -> Floats:
    """Return means over the last axis (metrics), where every one counts the same; NaN where all are NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a generator without any figure keeps NaN
        return np.asarray(np.nanmean(found, axis=-1))


def ranks(merits: Floats) -> NDArray[np.int64]:
    """Return the rank of each generator in each draw.

    Parameters
    ----------
    merits
        draws × generators. NaN, a twin that was not made, ranks behind every one that was.

    Returns
    -------
    draws × generators; 1 is best, and equals share the better rank.
    """
    known = np.where(np.isfinite(merits), merits, -np.inf)
    better = known[:, None, :] > known[:, :, None]
    return np.asarray(better.sum(axis=2) + 1, dtype=np.int64)


def on_front(useful: Floats, safe: Floats) -> NDArray[np.bool_]:
    """Return which generators no other one dominates: at least as useful and as safe, and better in one of the two.

    Parameters
    ----------
    useful, safe
        Merits, draws × generators. One with NaN in either is not on the front, and dominates nobody.
    """
    known = np.isfinite(useful) & np.isfinite(safe)
    x, y = np.where(known, useful, -np.inf), np.where(known, safe, -np.inf)
    as_good = (x[:, None, :] >= x[:, :, None]) & (y[:, None, :] >= y[:, :, None])
    better = (x[:, None, :] > x[:, :, None]) | (y[:, None, :] > y[:, :, None])
    return np.asarray(known & ~(as_good & better).any(axis=2))


def interval(sample: Floats) -> tuple[float, float] | None:
    """Return the middle 95 % of one generator's resamples, or ``None`` where there is one resample only."""
    known = sample[np.isfinite(sample)]
    if len(sample) < 2 or not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    return float(low), float(high)
