"""Intervals by the bootstrap, and by leaving groups of donors out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from ._registry import NotComputableError

REPLICATES = 200
FEWEST_GROUPS = 5
"""Fewer groups say too little about the spread."""


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


def deletion_groups(
    donors: NDArray[np.str_], labels: NDArray[np.str_], n_groups: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Deal donors into groups of nearly equal number, class by class, and return the group of each sample.

    Parameters
    ----------
    donors, labels
        Donor and class of each sample; a donor with several classes goes with the first of them.
    n_groups
        Number of groups, at most that of donors.
    rng
        Source of the order within classes.
    """
    names, first, member = np.unique(donors, return_index=True, return_inverse=True)
    # By first row and not by name, which says nothing.
    shuffled = np.argsort(first)[rng.permutation(len(names))]
    by_class = shuffled[np.argsort(labels[first[shuffled]], kind="stable")]
    group = np.empty(len(names), dtype=np.intp)
    group[by_class] = np.arange(len(names)) % n_groups
    dealt: NDArray[np.intp] = group[member]
    return dealt


def jackknife_interval(
    function: Callable[..., float],
    arguments: tuple[NDArray[Any], ...],
    left_out: list[tuple[NDArray[Any], ...]],
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[float, float] | None:
    """Return a 95 % interval from the figures that remain when one group of donors is left out at a time.

    The variance is that of the delete-a-group jackknife, ``(g − 1) / g Σ (θ_j − θ̄)²``, the interval ``θ ± t_{g−1} s``.
    No sample occurs twice, as it does in a bootstrap: a test counts every copy as further evidence.

    Parameters
    ----------
    function
        The figure, of ``arguments``.
    arguments
        What it is called with on all donors.
    left_out
        What it is called with without each group.
    bounds
        Range of the figure, to which the interval is cut.

    Returns
    -------
    Lower and upper end, or ``None`` where there are fewer than five groups or some of them leave no figure.

    References
    ----------
    Kott 2001, Journal of Official Statistics 17:521.
    """
    n_groups = len(left_out)
    if n_groups < FEWEST_GROUPS:
        return None
    try:
        figures = np.array([function(*remaining) for remaining in left_out])
    except (ValueError, NotComputableError):
        return None
    if not np.isfinite(figures).all():
        return None
    spread = np.sqrt((n_groups - 1) / n_groups * np.sum((figures - figures.mean()) ** 2))
    reach = float(t.ppf(0.975, n_groups - 1) * spread)
    value = function(*arguments)
    return float(np.clip(value - reach, *bounds)), float(np.clip(value + reach, *bounds))
