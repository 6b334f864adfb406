"""Attackers who know a few genes of their target only, a few of its cells, or cells that the generator never saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..attacks.headline import headline
from ..cohort import Cohort
from ..generators import Generator
from .comparable import comparable
from .trial import Trial, quick_keys, score

SHARES = (0.1, 0.01)
FEWEST_GENES = 20
BUDGETS = (1, 10, 50)
"""Cells of each target."""
FEWEST_CELLS = 2
"""Cells of a type of which no generator makes anything."""
AGAINST_CELLS = ("mean_tracing", "marginal_llr", "copula_llr", "pseudobulk_tracing")
"""The quick attacks that single cells are put to: those that were strongest in all such trials of twins of cells. The
others ask each cell for itself, and take most of the time."""
SEEN = 0.5
"""Share of the members' cells to which the generator is fitted, where the attacker holds the others."""


def partial_rows(trial: Trial, seed: int, jobs: int = 1) -> tuple[dict[str, Any], ...]:
    """Return the strongest attack by attackers who know less, at the highest level.

    They know a random tenth and a random hundredth of the genes; of single cells also 1, 10 and 50 cells of each
    target. Interval and p-value are corrected for the number of attacks tried.
    """
    n_genes = trial.view.targets.values.shape[1]
    rows = []
    for share in SHARES:
        n = round(share * n_genes)
        if n < FEWEST_GENES:
            continue
        chosen = np.sort(np.random.default_rng([seed, 12]).permutation(n_genes)[:n])
        rows += _strongest(trial.on_genes(chosen), {"genes": n, "share": n / n_genes}, seed, jobs)
    if trial.view.targets.cells:
        most = int(np.bincount(trial.people[1]).max())
        for budget in BUDGETS:
            if budget < most:
                whole = {"genes": n_genes, "share": 1.0, "cells": budget}
                rows += _strongest(trial.on_cells(budget), whole, seed, jobs)
    return tuple(rows)


def unseen_rows(
    members: Cohort, others: Cohort, reference: Cohort, generator: Generator, seed: int, jobs: int = 1
) -> tuple[dict[str, Any], ...]:
    """Return the strongest attack by one who holds cells of the members to which the generator was not fitted.

    Parameters
    ----------
    members, others, reference
        Donors of the twin, donors who are not in it, and further ones; cohorts of cells.
    generator
        Unfitted; it is fitted to half of the members' cells.
    seed
        Seed of the choice of cells, the fit and the attacks.
    jobs
        Number of threads; it changes no result.
    """
    fitted_on, left = _halved(members, seed)
    _, kind, sizes = np.unique(fitted_on.classes(), return_inverse=True, return_counts=True)
    if not left.n_samples or sizes.max() < FEWEST_CELLS:
        return ()
    fitted_on = fitted_on.subset(sizes[kind] >= FEWEST_CELLS)
    twin = generator.fit(fitted_on, seed=seed, jobs=jobs).sample(seed=seed + 1, jobs=jobs)
    inside, outside, _ = comparable(left, _halved(others, seed)[1], twin, reference)
    trial = Trial.of(twin, inside, outside, reference, seed=seed)
    return tuple(_strongest(trial, {"genes": members.n_genes, "share": 1.0, "unseen": True}, seed, jobs))


def _halved(cohort: Cohort, seed: int) -> tuple[Cohort, Cohort]:
    """Return a random half of each donor's cells, the larger one where they are odd, and the other."""
    names, donors = np.unique(cohort.donors(), return_inverse=True)
    rng = np.random.default_rng([seed, 17])
    inside = np.zeros(cohort.n_samples, dtype=bool)
    for place in range(len(names)):
        rows = np.flatnonzero(donors == place)
        inside[rng.permutation(rows)[: int(np.ceil(SEEN * len(rows)))]] = True
    return cohort.subset(inside), cohort.subset(~inside)


def _strongest(trial: Trial, known: Mapping[str, Any], seed: int, jobs: int) -> list[dict[str, Any]]:
    """Return a row for the strongest of the quick attacks; none where no attack can be mounted."""
    cells = trial.view.targets.cells
    found = score(trial, [key for key in quick_keys(trial) if not cells or key[0] in AGAINST_CELLS], jobs)
    if not found.keys:
        return []
    member, strata, values = trial.is_member, trial.strata, found.values
    best = headline(values[member], values[~member], strata[member], strata[~member], np.random.default_rng([seed, 18]))
    name, level, setting = found.keys[best.index]
    row = {**known, "level": level, "attack": name, "setting": setting, "auc": best.auc, "auc_ci": best.interval}
    return [{**row, "p_value": best.p_value, "n_tried": len(found.keys)}]
