"""`meta`: all attacks together, weighted by what they found in worlds of the attacker's own making.

The reference is dealt into donors who are members, donors who are not, and a reference of that world; a twin of the
members is made, by the generator itself at T2 and at T1 by a surrogate (`_surrogate`, of two kinds in turn), and all
other attacks are mounted on it. Their scores become normal scores within a world and a class, so that worlds of any
size compare; a logistic regression learns the weights, its ridge chosen on worlds left out in turn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression

from . import _registry
from ._base import LEVELS, Definition, Floats, NotApplicableError, Samples, View
from ._registry import FailedAttackError, register
from ._shadow import deal
from ._surrogate import Surrogate
from .roc import auc

WORLDS = 4
LEAST_REFERENCE = 30
LEAST_OF_CLASS = 6
"""Samples of a class that three parts take, so that a generator can learn from each part."""
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1)
"""Candidates for the inverse of the ridge; small, since there are more attacks than worlds can weigh apart."""
Column = tuple[str, str, str]


@register(
    name="meta",
    levels=("T1", "T2"),
    threat="Mounts every other attack and combines them. How far to trust each one is learnt beforehand, on twins that "
    "the attacker makes of other people: with the generator itself where it is known, else with a stand-in.",
    formula="wᵀ z, z = normal scores of all attacks within the class, w by ridge logistic regression in shadow worlds",
    reference="Shokri et al. 2017, IEEE S&P (shadow models); stacking: Wolpert 1992, Neural Networks 5:241",
    slow=True,
)
def meta(view: View) -> Floats:
    """Return the weighted sum of the normal scores of all attacks that all worlds and the view allow."""
    reference = view.reference
    known = view.generator if view.level >= "T2" else None
    if len(reference) < LEAST_REFERENCE:
        raise NotApplicableError(f"needs {LEAST_REFERENCE} reference samples; there are {len(reference)}")
    tables = [_mounted(view)]
    sides = []
    for world in range(WORLDS):
        rng = view.rng(5, world)
        inside, outside, rest = (reference.subset(part) for part in deal(reference.labels, 3, LEAST_OF_CLASS, rng))
        seed = int(rng.integers(2**31 - 2))
        definition: Definition = Surrogate(keeps_margins=world % 2 == 1) if known is None else known
        twin = definition.fit(inside, seed).draw(inside.labels, seed + 1)
        tables.append(_mounted(View(view.level, twin, inside.joined(outside), rest, known, seed=seed)))
        sides.append(np.arange(len(inside) + len(outside)) < len(inside))
    columns = [column for column in tables[0] if all(column in table for table in tables)]
    if not columns:
        raise NotApplicableError("no other attack could be mounted")
    targets, *worlds = (np.column_stack([table[column] for column in columns]) for table in tables)
    weights: Floats = _learn(worlds, sides, _best_ridge(worlds, sides))
    scores: Floats = targets @ weights
    return scores


def _mounted(view: View) -> dict[Column, Floats]:
    """Return the normal scores of every fast attack at every level that the view grants, by attack, level, setting."""
    found: dict[Column, Floats] = {}
    for level in [level for level in LEVELS if level <= view.level]:
        lower = view.at(level)
        for name in _registry.names():
            attack = _registry.get(name)
            if attack.slow or level not in attack.levels:
                continue
            for setting in attack.settings:
                try:
                    found[name, level, setting] = _normal_scores(attack.score(lower, setting), view.targets)
                except (NotApplicableError, FailedAttackError):
                    continue
    return found


def _normal_scores(scores: Floats, targets: Samples) -> Floats:
    """Return Φ⁻¹((rank − ½) / n) within each class."""
    out = np.empty(len(scores))
    for name in np.unique(targets.labels):
        rows = targets.labels == name
        out[rows] = ndtri((rankdata(scores[rows]) - 0.5) / rows.sum())
    return out


def _learn(worlds: list[Floats], sides: list[NDArray[np.bool_]], ridge: float) -> Floats:
    """Return the weight of each attack; a constant would change no order."""
    model = LogisticRegression(C=ridge, max_iter=1000)
    weights: Floats = model.fit(np.concatenate(worlds), np.concatenate(sides)).coef_[0]
    return weights


def _best_ridge(worlds: list[Floats], sides: list[NDArray[np.bool_]]) -> float:
    """Return the ridge whose weights find most members in the worlds that they were not learnt in."""

    def found(ridge: float) -> float:
        areas = []
        for out in range(len(worlds)):
            kept = [world for world in range(len(worlds)) if world != out]
            weights = _learn([worlds[world] for world in kept], [sides[world] for world in kept], ridge)
            scores = worlds[out] @ weights
            areas.append(auc(scores[sides[out]], scores[~sides[out]]))
        return float(np.mean(areas))

    return max(RIDGES, key=found)
