"""Shadow worlds: donors of the reference play members and non-members, so that an attack learns what gives one away.

What a model says of a record is held against models that have surely not seen it (Carlini et al. 2022), each fitted to
all but one fold of donors who took no part; these donors are held against the model of the fold they are in, which
gives the distribution of the same figures among non-members, class by class.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ._base import Definition, Floats, Model, NotApplicableError, Samples

Measure = Callable[[Model, Samples], Floats]
FOLDS = 5
LEAST_OTHERS = 4
"""Samples of a class such that a generator can learn from what any fold leaves."""

TRUST = 10
"""Samples' worth of trust in the deviation pooled over classes, against that of the class itself."""


def deal(labels: NDArray[np.str_], n_parts: int, least: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Deal samples at random into parts of one size, class by class; classes of fewer than ``least`` are left out.

    Raises
    ------
    NotApplicableError
        No class has ``least`` samples.
    """
    names, sizes = np.unique(labels, return_counts=True)
    if sizes.max() < least:
        raise NotApplicableError(f"needs {least} reference samples of a class; the largest has {sizes.max()}")
    parts: list[list[int]] = [[] for _ in range(n_parts)]
    start = 0
    for name in names[sizes >= least]:
        rows = rng.permutation(np.flatnonzero(labels == name))
        for place, row in enumerate(rows):
            parts[(start + place) % n_parts].append(int(row))
        # The odd one out goes to another part in the next class.
        start += len(rows)
    return [np.sort(np.array(part, dtype=np.intp)) for part in parts]


def excess(
    suspect: Model, records: Samples, others: Samples, definition: Definition, measure: Measure, seed: int
) -> tuple[Floats, Floats]:
    """Return what a model says of records beyond what models say that never saw them, in deviations of non-members.

    Parameters
    ----------
    suspect
        Model whose training data are in question.
    records
        Members or not.
    others
        Donors known not to have been in the training data, none of them among ``records``.
    definition
        How the models to compare with are fitted.
    measure
        What a model says of samples, ``n × n_features``.
    seed
        Seed of the folds and the fits.

    Returns
    -------
    of_records
        ``n_folds × n × 2 n_features``: figures of the suspect itself, then its difference from the comparison, for
        each of the models compared with; 0 for records of classes with fewer than `LEAST_OTHERS` others.
    of_others
        The same for the others in their own order, ``n' × 2 n_features``; those of small classes are left out.

    Raises
    ------
    NotApplicableError
        There are too few others, or the generator does not say what is to be measured.
    """
    rng = np.random.default_rng([seed, 1])
    folds = [fold for fold in deal(others.labels, FOLDS, LEAST_OTHERS, rng) if len(fold)]
    taken = np.concatenate(folds)
    held = [others.subset(fold) for fold in folds]
    models = [definition.fit(others.subset(np.setdiff1d(taken, fold)), seed + side) for side, fold in enumerate(folds)]

    def figures(model: Model, samples: Samples, own: Floats) -> Floats:
        return np.column_stack([own, own - measure(model, samples)])

    null = [figures(model, part, measure(suspect, part)) for model, part in zip(models, held, strict=True)]
    of_others, labels = np.concatenate(null), np.concatenate([part.labels for part in held])
    known = np.isin(records.labels, labels)
    of_records = np.zeros((len(models), len(records), of_others.shape[1]))
    if known.any():
        asked = records.subset(np.flatnonzero(known))
        own = measure(suspect, asked)
        for side, model in enumerate(models):
            of_records[side, known] = figures(model, asked, own)
    names = np.unique(labels)
    for name in names:
        centre = of_others[labels == name].mean(axis=0)
        of_others[labels == name] -= centre
        of_records[:, records.labels == name] -= centre
    pooled = (of_others**2).sum(axis=0) / max(len(labels) - len(names), 1)
    for name in names:
        rows = labels == name
        squares = (of_others[rows] ** 2).sum(axis=0) + TRUST * pooled
        spread = np.sqrt(squares / (rows.sum() - 1 + TRUST))
        unit = np.where(spread > 1e-12, spread, np.inf)
        of_others[rows] /= unit
        of_records[:, records.labels == name] /= unit
    return of_records, of_others
