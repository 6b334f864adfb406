"""Donor-aware, class-stratified splits: no donor ever lands in two parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import CohortError, ConfigError


def split_rows(
    donors: NDArray[np.str_],
    labels: NDArray[np.str_],
    fractions: Sequence[float],
    seed: int,
    *,
    source: str = "cohort",
) -> list[NDArray[np.intp]]:
    """Assign whole donors to parts, each class in the stated proportions.

    A donor with samples in several classes counts as a class of its own kind (tumour + normal), so that
    pairs stay whole. Within a class the donors are shuffled and cut, each part within one donor of its share; which
    parts get the donor over is chosen such that no part is left without the class, and that the parts' totals
    stay near their shares.

    Parameters
    ----------
    donors, labels
        Donor and class of each of the ``n_samples`` samples.
    fractions
        Share of the donors for each part, adding up to at most 1.
    seed
        Seed of the shuffle.
    source
        Named in messages.

    Returns
    -------
    Ascending row numbers of each part. They depend on the donors and their classes, not on the order of rows.

    Raises
    ------
    ConfigError
        The fractions or the seed cannot be used.
    CohortError
        A class has too few donors for every part to get one.
    """
    shares = np.asarray(fractions, dtype=float)
    if shares.ndim != 1 or not len(shares) or not (shares > 0).all() or shares.sum() > 1 + 1e-9:
        raise ConfigError(f"Fractions must be positive and add up to at most 1, not {', '.join(map(str, fractions))}.")
    parts: list[list[str]] = [[] for _ in shares]
    left_out = max(0.0, 1.0 - float(shares.sum()))
    weights = np.append(shares, left_out) if left_out > 1e-9 else shares
    owed = np.zeros(len(weights))
    reached = {name: np.arange(len(weights)) >= len(shares) for name in np.unique(labels).tolist()}
    for classes, members in _strata(donors, labels, _generator(seed)):
        exact = len(members) * weights / weights.sum()
        owed += exact
        sizes = _cut(exact, owed, ~np.logical_and.reduce([reached[name] for name in classes]))
        owed -= sizes
        for name in classes:
            reached[name] |= sizes > 0
        ends = np.cumsum(sizes)
        for part, (start, end) in zip(parts, zip(ends - sizes, ends, strict=True), strict=False):
            part.extend(members[start:end])
    rows = [np.flatnonzero(np.isin(donors, part)) for part in parts]
    for name in np.unique(labels):
        for number, part_rows in enumerate(rows, start=1):
            if not (labels[part_rows] == name).any():
                n_donors = len(np.unique(donors[labels == name]))
                raise CohortError(
                    f"{source}: class '{name}' has {n_donors} donor(s), too few for part {number} of "
                    f"{len(rows)} to get one. Use fewer parts, larger fractions, or merge classes."
                )
    return rows


def fold_rows(
    donors: NDArray[np.str_],
    labels: NDArray[np.str_],
    k: int,
    seed: int,
    *,
    source: str = "cohort",
) -> list[NDArray[np.intp]]:
    """Deal whole donors into ``k`` test folds, class by class; returns the test rows of each fold.

    Raises
    ------
    ConfigError
        ``k`` is below 2, or the seed cannot be used.
    CohortError
        A class has fewer than ``k`` donors.
    """
    if k < 2:
        raise ConfigError(f"At least 2 folds are needed, not {k}.")
    for name in np.unique(labels):
        n_donors = len(np.unique(donors[labels == name]))
        if n_donors < k:
            raise CohortError(
                f"{source}: class '{name}' has {n_donors} donor(s), too few for {k} folds. Use fewer folds."
            )
    folds: list[list[str]] = [[] for _ in range(k)]
    dealt = 0
    for _, members in _strata(donors, labels, _generator(seed)):
        for member in members:
            folds[dealt % k].append(member)
            dealt += 1
    return [np.flatnonzero(np.isin(donors, fold)) for fold in folds]


def _strata(
    donors: NDArray[np.str_], labels: NDArray[np.str_], rng: np.random.Generator
) -> list[tuple[tuple[str, ...], NDArray[np.str_]]]:
    """Group donors by the set of classes they occur in; donors shuffled within each group."""
    classes_of: dict[str, set[str]] = {}
    for donor, label in zip(donors.tolist(), labels.tolist(), strict=True):
        classes_of.setdefault(donor, set()).add(label)
    groups: dict[tuple[str, ...], list[str]] = {}
    for donor, classes in classes_of.items():
        groups.setdefault(tuple(sorted(classes)), []).append(donor)
    return [(key, rng.permutation(np.array(sorted(groups[key])))) for key in sorted(groups)]


def _generator(seed: int) -> np.random.Generator:
    if seed < 0:
        raise ConfigError(f"The seed must be a whole number of at least 0, not {seed}.")
    return np.random.default_rng(seed)


def _cut(exact: NDArray[np.float64], owed: NDArray[np.float64], needy: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Round ``exact`` to whole numbers of the same sum, each up or down.

    Rounded up are first the ``needy`` that would get nothing, then those that are ``owed`` most from all strata.
    """
    sizes: NDArray[np.intp] = np.floor(exact + 1e-9).astype(np.intp)
    spare = round(float(exact.sum())) - int(sizes.sum())
    fraction = exact - sizes > 1e-9
    order = np.lexsort((-owed, ~(needy & (sizes == 0)), ~fraction))
    sizes[order[:spare]] += 1
    return sizes


def apportion(total: int, weights: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
    """Cut ``total`` into whole numbers in proportion to ``weights`` (largest remainder)."""
    share = np.asarray(weights, dtype=float)
    exact = total * share / share.sum()
    sizes: NDArray[np.intp] = np.floor(exact + 1e-9).astype(np.intp)
    for index in np.argsort(sizes - exact, kind="stable")[: total - int(sizes.sum())]:
        sizes[index] += 1
    return sizes
