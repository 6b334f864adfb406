"""Attackers who know a few genes of their target only."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..attacks.roc import auc, auc_interval
from .trial import Trial, quick_keys, score

SHARES = (0.1, 0.01)
FEWEST_GENES = 20


def partial_rows(trial: Trial, seed: int, jobs: int = 1) -> tuple[dict[str, Any], ...]:
    """Return the strongest attack with a random tenth and a random hundredth of the genes, at the highest level."""
    n_genes = trial.view.targets.values.shape[1]
    rows = []
    for share in SHARES:
        n = round(share * n_genes)
        if n < FEWEST_GENES:
            continue
        chosen = np.sort(np.random.default_rng([seed, 12]).permutation(n_genes)[:n])
        part = trial.on_genes(chosen)
        found = score(part, quick_keys(part), jobs)
        if not found.keys:
            continue
        member = part.is_member
        areas = [auc(column[member], column[~member]) for column in found.values.T]
        best = int(np.argmax(areas))
        name, level, setting = found.keys[best]
        column = found.values[:, best]
        rows.append(
            {
                "genes": n,
                "share": n / n_genes,
                "level": level,
                "attack": name,
                "setting": setting,
                "auc": areas[best],
                "auc_ci": auc_interval(column[member], column[~member]),
            }
        )
    return tuple(rows)
