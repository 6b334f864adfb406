"""Intervals by the bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._registry import NotComputableError

REPLICATES = 200


def bootstrap_interval(
    function: Callable[..., float],
    arguments: tuple[NDArray[Any], ...],
    rng: np.random.Generator,
    *,
    together: bool,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    replicates: int = REPLICATES,
) -> tuple[float, float] | None:
    """Return a 95 % percentile interval.

    Distances between two sets of samples grow when each is resampled apart, since a resample lies further from
    everything than the set it came from. There the interval is shifted so that its median is the figure itself,
    which takes the bias out and leaves the spread.

    Parameters
    ----------
    function
        The figure, of ``arguments``.
    arguments
        Arrays whose first axis is resampled.
    rng
        Source of the resamples.
    together
        Whether one resample of the rows serves all arguments, or each argument gets its own.
    bounds
        Range of the figure, to which the interval is cut.
    replicates
        Number of resamples.

    Returns
    -------
    Lower and upper end, or ``None`` where more than a tenth of the resamples have no figure.
    """
    figures = []
    for _ in range(replicates):
        if together:
            rows = rng.integers(len(arguments[0]), size=len(arguments[0]))
            drawn = tuple(argument[rows] for argument in arguments)
        else:
            drawn = tuple(argument[rng.integers(len(argument), size=len(argument))] for argument in arguments)
        try:
            figures.append(function(*drawn))
        except (ValueError, NotComputableError):
            figures.append(np.nan)
    values = np.asarray(figures)
    known = values[np.isfinite(values)]
    if len(known) < 0.9 * replicates:
        return None
    low, middle, high = np.quantile(known, [0.025, 0.5, 0.975])
    shift = 0.0 if together else function(*arguments) - middle
    return float(np.clip(low + shift, *bounds)), float(np.clip(high + shift, *bounds))
