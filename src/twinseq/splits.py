"""Donor-aware, class-stratified splits: no donor ever lands in two parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
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
    table = _Donors.of(donors, labels)
    parts: list[list[str]] = [[] for _ in shares]
    left_out = max(0.0, 1.0 - float(shares.sum()))
    weights = np.append(shares, left_out) if left_out > 1e-9 else shares
    owed = np.zeros(len(weights))
    reached = {name: np.arange(len(weights)) >= len(shares) for name in table.classes}
    for classes, members in table.strata(_generator(seed)):
        exact = len(members) * weights / weights.sum()
        owed += exact
        sizes = _cut(exact, owed, ~np.logical_and.reduce([reached[name] for name in classes]))
        owed -= sizes
        for name in classes:
            reached[name] |= sizes > 0
        ends = np.cumsum(sizes)
        for part, (start, end) in zip(parts, zip(ends - sizes, ends, strict=True), strict=False):
            part.extend(members[start:end])
    for name in table.classes:
        holders = table.holders(name)
        for number, part in enumerate(parts, start=1):
            if holders.isdisjoint(part):
                raise CohortError(
                    f"{source}: class '{name}' has {len(holders)} donor(s), too few for part {number} of "
                    f"{len(parts)} to get one. Use fewer parts, larger fractions, or merge classes."
                )
    return [table.rows(part) for part in parts]


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
    table = _Donors.of(donors, labels)
    for name in table.classes:
        n_donors = len(table.holders(name))
        if n_donors < k:
            raise CohortError(
                f"{source}: class '{name}' has {n_donors} donor(s), too few for {k} folds. Use fewer folds."
            )
    folds: list[list[str]] = [[] for _ in range(k)]
    dealt = 0
    for _, members in table.strata(_generator(seed)):
        for member in members:
            folds[dealt % k].append(member)
            dealt += 1
    return [table.rows(fold) for fold in folds]


@dataclass(frozen=True)
class _Donors:
    """Who belongs to which classes, and which samples are theirs.

    Parameters
    ----------
    names
        Donors, each once.
    codes
        Donor of each sample, as a place in ``names``; cells come in millions, and numbers compare faster than names.
    classes_of
        Classes in which each donor occurs.
    """

    names: list[str]
    codes: NDArray[np.intp]
    classes_of: dict[str, set[str]]

    @classmethod
    def of(cls, donors: NDArray[np.str_], labels: NDArray[np.str_]) -> _Donors:
        codes, names = pd.factorize(donors)
        label_codes, classes = pd.factorize(labels)
        classes_of: dict[str, set[str]] = {str(name): set() for name in names}
        for pair in np.unique(codes.astype(np.int64) * max(len(classes), 1) + label_codes):
            donor, label = divmod(int(pair), max(len(classes), 1))
            classes_of[str(names[donor])].add(str(classes[label]))
        return cls([str(name) for name in names], codes, classes_of)

    @property
    def classes(self) -> list[str]:
        """All classes, in order."""
        return sorted(set().union(*self.classes_of.values()))

    def holders(self, name: str) -> set[str]:
        """Return the donors of a class."""
        return {donor for donor, classes in self.classes_of.items() if name in classes}

    def rows(self, part: list[str]) -> NDArray[np.intp]:
        """Return the samples of the donors in ``part``, ascending."""
        chosen = set(part)
        return np.flatnonzero(np.array([name in chosen for name in self.names], dtype=bool)[self.codes])

    def strata(self, rng: np.random.Generator) -> list[tuple[tuple[str, ...], NDArray[np.str_]]]:
        """Group donors by the set of classes they occur in; donors shuffled within each group."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for donor, classes in self.classes_of.items():
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
