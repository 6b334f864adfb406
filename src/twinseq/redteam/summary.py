"""From scores to figures: one row for each attack, one headline for each level, curves, subgroups, power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..attacks import Level
from ..attacks import headline as statistics
from ..attacks.epsilon import auc_half_width, epsilon_lower, gdp_mu_lower, largest_epsilon
from ..attacks.roc import auc, auc_interval, roc_curve, tie_fraction, tpr_at_fpr, tpr_interval
from ..results import AttackResult, Headline
from .trial import Key, Scores

Floats = NDArray[np.float64]
RATES = (0.1, 0.01)
RARE = 0.001
ENOUGH_FOR_RARE = 1000
FEWEST_IN_GROUP = 5
MOST_GROUPS = 12
LEAK = 0.025
"""Corrected p-value at or below which a headline is called a leak: one side of a 95 % interval."""


@dataclass(frozen=True, eq=False)
class Sides:
    """Scores of donors, split by what the auditor knows.

    Parameters
    ----------
    scores
        All donors' scores.
    member
        Whether each donor was in the training data.
    strata
        Class of each donor (and split, where several were made).
    """

    scores: Scores
    member: NDArray[np.bool_]
    strata: NDArray[np.str_]

    def column(self, index: int) -> tuple[Floats, Floats]:
        """Return one attack's scores of members and of non-members."""
        values = self.scores.values[:, index]
        return values[self.member], values[~self.member]


def attack_results(sides: Sides, rng: np.random.Generator) -> tuple[AttackResult, ...]:
    """Return one result for each attack and level, with the figures of its strongest setting."""
    by_attack: dict[tuple[str, Level], list[int]] = {}
    for index, (name, level, _) in enumerate(sides.scores.keys):
        by_attack.setdefault((name, level), []).append(index)
    n, m = int(sides.member.sum()), int((~sides.member).sum())
    results = []
    for (name, level), columns in by_attack.items():
        areas = [auc(*sides.column(index)) for index in columns]
        best = columns[int(np.argmax(areas))]
        members, others = sides.column(best)
        rates = rates_for(len(others))
        results.append(
            AttackResult(
                name=name,
                level=level,
                status="measured",
                setting=sides.scores.keys[best][2],
                n_settings=len(columns),
                auc=max(areas),
                auc_ci=auc_interval(members, others),
                tpr_at_fpr={f"{rate:g}": tpr_at_fpr(members, others, rate) for rate in rates},
                tpr_ci={f"{rate:g}": tpr_interval(members, others, rate) for rate in rates},
                epsilon_lower=epsilon_lower(members, others, rng),
                mu_lower=gdp_mu_lower(members, others, rng),
                tie_fraction=tie_fraction(sides.scores.values[:, best]),
                n_members=n,
                n_nonmembers=m,
            )
        )
    for (name, level), (status, reason) in sides.scores.troubles.items():
        results.append(AttackResult(name, level, status, reason, n_members=n, n_nonmembers=m))
    return tuple(sorted(results, key=lambda result: (result.level, -(result.auc or 0.0), result.name)))


def rates_for(n_nonmembers: int) -> tuple[float, ...]:
    """Return the false-alarm rates that so many non-members can tell of."""
    return (*RATES, RARE) if n_nonmembers >= ENOUGH_FOR_RARE else RATES


def headlines(sides: Sides, rng: np.random.Generator) -> tuple[tuple[Headline, ...], dict[Level, int]]:
    """Return the strongest attack of each level, among all that its attacker can mount, and its column."""
    found, places = [], {}
    keys = sides.scores.keys
    for level in sorted({level for _, level, _ in keys}):
        columns = [index for index, key in enumerate(keys) if key[1] <= level]
        chosen = sides.scores.values[:, columns]
        strongest = statistics.headline(
            chosen[sides.member], chosen[~sides.member], sides.strata[sides.member], sides.strata[~sides.member], rng
        )
        index = columns[strongest.index]
        members, others = sides.column(index)
        rates = rates_for(len(others))
        places[level] = index
        found.append(
            Headline(
                level=level,
                attack=keys[index][0],
                setting=keys[index][2],
                auc=strongest.auc,
                auc_ci=strongest.interval,
                p_value=strongest.p_value,
                tpr_at_fpr={f"{rate:g}": tpr_at_fpr(members, others, rate) for rate in rates},
                tpr_ci={f"{rate:g}": tpr_interval(members, others, rate) for rate in rates},
                epsilon_lower=epsilon_lower(members, others, rng),
                n_tried=len(columns),
                leaks=strongest.p_value <= LEAK,
            )
        )
    return tuple(_closed(found)), places


def _closed(found: Sequence[Headline]) -> list[Headline]:
    """Call a level a leak only where all higher ones, whose attackers have its attacks too, are called so.

    With several levels, each of which may cry wolf, this keeps the chance that any does at that of a single one.
    """
    kept, leaking = [], True
    for headline in reversed(found):
        leaking = leaking and headline.leaks
        kept.append(replace(headline, leaks=leaking))
    return kept[::-1]


def curves(sides: Sides, places: Mapping[Level, int]) -> pd.DataFrame:
    """Return the ROC curves of the headlines: ``level``, ``attack``, ``fpr``, ``tpr``."""
    parts = []
    for level, index in places.items():
        false, true = roc_curve(*sides.column(index))
        attack = sides.scores.keys[index][0]
        parts.append(pd.DataFrame({"level": level, "attack": attack, "fpr": false, "tpr": true}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["level", "attack", "fpr", "tpr"])


def subgroups(
    sides: Sides, places: Mapping[Level, int], groupings: Mapping[str, NDArray[np.str_]]
) -> tuple[dict[str, Any], ...]:
    """Return the AUC of the headline of the highest level in each group of donors, largest first."""
    if not places:
        return ()
    level = max(places)
    values = sides.scores.values[:, places[level]]
    rows = []
    for column, groups in groupings.items():
        names = np.unique(groups)
        if not 2 <= len(names) <= MOST_GROUPS:
            continue
        for name in names:
            inside = groups == name
            members, others = values[inside & sides.member], values[inside & ~sides.member]
            if min(len(members), len(others)) < FEWEST_IN_GROUP:
                continue
            rows.append(
                {
                    "level": level,
                    "attack": sides.scores.keys[places[level]][0],
                    "column": column,
                    "group": str(name),
                    "n_members": len(members),
                    "n_nonmembers": len(others),
                    "auc": auc(members, others),
                    "auc_ci": auc_interval(members, others),
                }
            )
    return tuple(sorted(rows, key=lambda row: -float(row["auc"])))


def power(n_members: int, n_nonmembers: int) -> dict[str, Any]:
    """Return what an audit of so many donors can see at all."""
    return {
        "n_members": n_members,
        "n_nonmembers": n_nonmembers,
        "largest_epsilon": largest_epsilon(n_members, n_nonmembers),
        "auc_half_width": auc_half_width(n_members, n_nonmembers),
    }


def strongest_key(sides: Sides, places: Mapping[Level, int]) -> Key | None:
    """Return the headline of the highest level."""
    return sides.scores.keys[places[max(places)]] if places else None
