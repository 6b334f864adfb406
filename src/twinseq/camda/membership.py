"""The red team's answer: many attacks on one twin, weighted by what they find where the truth is known.

No attack is strong against every generator, and an average of all drowns the one that is. So the attacker makes twins
of random parts of the targets, by the generator itself where it is known and by stand-ins where it is not, mounts all
attacks on these, and learns from them how much each one tells (stacking, as in the attack `meta`; here the worlds are
made of the targets themselves, so that no reference cohort is needed, and who was a member is used nowhere).

A generator that is not known is recognised: which attacks agree with each other, over all targets, hangs on what made
the twin far more than on who is a member. Of the stand-ins, the one is taken under which attacks correlate most as on
the twin itself.

Attacks that compare the twin with other people take these from the targets too: each half is compared with the other.
That half holds members as well. It need not be free of them: a target that was a member is in the twin, and never in
the half that it is compared with.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from ..attacks import Definition, Samples, View
from ..attacks.roc import auc
from ..dp.budget import PrivacyWarning
from ..errors import CohortError, TwinseqError
from ..redteam.trial import Key, Trial, available, score

Floats = NDArray[np.float64]
Step = Callable[[str], None]
Table = dict[Key, Floats]
World = tuple[Table, NDArray[np.bool_]]
"""Scores of each attack, and who was a member."""
WORLDS = 4
HALVES = 2
RIDGE = 0.01
"""Inverse of the ridge: weights of sixty attacks are learnt from a few worlds of a few hundred people."""
COMPARED = ("gaussian_lrt", "marginal_llr", "copula_llr", "copula_mahalanobis", "pseudobulk_tracing")
"""Attacks that compare with other people and, between them, were strongest against every generator."""
MOST_MEMBERS, FEWEST_MEMBERS = 0.8, 0.2


@dataclass(frozen=True, eq=False)
class Guess:
    """Who was probably in the training data.

    Parameters
    ----------
    people
        Names of the targets, sorted.
    values
        Share of the targets that look less like members, between 0 and 1; those that look alike share one figure.
    maker
        What made the twins that the weights were learnt from.
    weights
        The attacks that were mounted (name and level), with the share of the weight that each one got.
    expected
        Area under the ROC curve in worlds whose truth the weights had not seen, for each world: what to expect on the
        twin as far as the worlds are like it.
    notes
        What has been left out, and why.
    """

    people: NDArray[np.str_]
    values: Floats
    maker: str
    weights: dict[str, float]
    expected: tuple[float, ...]
    notes: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """Return what the guess rests on, as plain values; nothing of single people."""
        return {
            "targets": len(self.people),
            "maker": self.maker,
            "weights": {name: round(share, 4) for name, share in self.weights.items()},
            "expected_auc": list(self.expected),
            "notes": list(self.notes),
        }


def guess(
    twin: Samples,
    targets: Samples,
    people: NDArray[np.str_],
    reference: Samples | None,
    makers: Mapping[str, Definition],
    *,
    members: float | None = None,
    seed: int = 0,
    jobs: int = 1,
    step: Step | None = None,
) -> Guess:
    """Guess who was in the training data of a twin.

    Parameters
    ----------
    twin
        The twin.
    targets
        Profiles of those whose membership is guessed.
    people
        Whose each profile is; all profiles of a person get one figure.
    reference
        Profiles of further people, if any.
    makers
        What may make the worlds' twins, by name: the generator of the twin where it is known, else stand-ins, of which
        the most alike is taken.
    members
        Share of the targets that were in the training data, if that is known; by default as many as make a twin of this
        size.
    seed
        Seed of all random choices.
    jobs
        Number of threads; it changes no result.
    step
        Called with the name of what comes next.

    Raises
    ------
    CohortError
        No attack could be mounted, or no world could be made.
    """
    say = step if step is not None else _silent
    names, places = np.unique(people, return_inverse=True)
    strata = _strata(targets.labels, people)
    share = float(np.clip(len(twin) / len(targets) if members is None else members, FEWEST_MEMBERS, MOST_MEMBERS))
    troubles: list[str] = []

    def world(number: int, maker: str) -> World | None:
        """Make and attack a twin of random targets, or note why it cannot be made."""
        inside = _dealt(strata, share, np.random.default_rng([seed, 21, number]))
        chosen = targets.subset(np.flatnonzero(inside[places]))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PrivacyWarning)  # what noise does, the attacks will show
                drawn = makers[maker].fit(chosen, seed + number).draw(chosen.labels, seed + number + 1)
        except TwinseqError as error:
            troubles.append(f"{maker}: {error}")
            return None
        return _mounted(drawn, targets, people, strata, reference, seed, jobs), inside

    with threadpool_limits(1):
        say("the twin")
        table = _mounted(twin, targets, people, strata, reference, seed, jobs)
        first: dict[str, World] = {}
        for maker in makers:
            say(f"a twin by {maker}")
            if (made := world(0, maker)) is not None:
                first[maker] = made
        if not first:
            raise CohortError(f"No twin could be made to learn from. {troubles[0]}")
        resembling = min(first, key=_unlike(table, {maker: made[0] for maker, made in first.items()}).__getitem__)
        found_worlds = [first[resembling]]
        for number in range(1, WORLDS):
            say(f"twin {number + 1} of {WORLDS} by {resembling}")
            if (made := world(number, resembling)) is not None:
                found_worlds.append(made)
    worlds, truths = [made[0] for made in found_worlds], [made[1] for made in found_worlds]
    keys = [key for key in table if all(key in world for world in worlds)]
    if not keys:
        raise CohortError("No attack could be mounted on the twin and on twins of the attacker's own making.")
    sides = [np.column_stack([world[key] for key in keys]) for world in worlds]
    weights = _weights(sides, truths)
    found = np.column_stack([table[key] for key in keys]) @ weights
    return Guess(
        people=names,
        values=(rankdata(found) - 0.5) / len(found),
        maker=resembling,
        weights=_shares(keys, weights),
        expected=_expected(sides, truths),
        notes=tuple(troubles),
    )


def _unlike(table: Table, others: Mapping[str, Table]) -> dict[str, float]:
    """Return how far (root mean square) correlations of attacks on each of ``others`` are from those on the twin."""
    keys = [key for key in table if all(key in other for other in others.values())]
    if len(keys) < 2:
        return dict.fromkeys(others, 0.0)

    def correlations(of: Table) -> Floats:
        columns = np.column_stack([of[key] for key in keys])
        spread = columns.std(axis=0)
        columns = (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        found: Floats = columns.T @ columns / len(columns)
        return found

    own = correlations(table)
    return {name: float(np.sqrt(((correlations(other) - own) ** 2).mean())) for name, other in others.items()}


def _silent(_: str) -> None:
    """Say nothing."""


def _strata(labels: NDArray[np.str_], people: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return the class of each person; where people have several (cell types), all are of one."""
    names, first, places = np.unique(people, return_index=True, return_inverse=True)
    own = labels[first]
    return own if (own[places] == labels).all() else np.full(len(names), "all")


def _dealt(strata: NDArray[np.str_], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return who is a member of a world: a share of each stratum, at least two where it has three or more."""
    inside = np.zeros(len(strata), dtype=bool)
    for name in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == name))
        inside[rows[: max(round(share * len(rows)), min(2, len(rows) - 1))]] = True
    return inside


def _mounted(
    twin: Samples,
    targets: Samples,
    people: NDArray[np.str_],
    strata: NDArray[np.str_],
    reference: Samples | None,
    seed: int,
    jobs: int,
) -> Table:
    """Return the scores of each attack and setting, one for each person: normal scores within strata (and halves)."""
    names, places = np.unique(people, return_inverse=True)
    unknown = np.zeros(len(people), dtype=bool)
    alone = Trial(View("T0", twin, targets, seed=seed), people, unknown, targets.labels)
    found = score(alone, available(alone), jobs)
    table = {key: _normal(column, strata) for key, column in zip(found.keys, found.values.T, strict=True)}
    half = np.zeros(len(names), dtype=np.intp)
    rng = np.random.default_rng([seed, 22])
    for name in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == name))
        half[rows] = np.arange(len(rows)) % HALVES
    parts = []
    for number in range(HALVES):
        rows = np.flatnonzero(half[places] == number)
        others = targets.subset(np.flatnonzero(half[places] != number))
        others = others if reference is None else others.joined(reference)
        view = View("T1", twin, targets.subset(rows), others, seed=seed)
        trial = Trial(view, people[rows], unknown[rows], targets.labels[rows])
        parts.append(score(trial, [key for key in available(trial) if key[0] in COMPARED and key[1] == "T1"], jobs))
    for key in parts[0].keys:
        if not all(key in part.keys for part in parts):
            continue
        column = np.empty(len(names))
        for number, part in enumerate(parts):
            rows = np.flatnonzero(half == number)
            column[rows] = _normal(part.values[:, part.keys.index(key)], strata[rows])
        table[key] = column
    return table


def _normal(values: Floats, strata: NDArray[np.str_]) -> Floats:
    """Return Φ⁻¹((rank − ½) / n) within each stratum."""
    out = np.empty(len(values))
    for name in np.unique(strata):
        rows = strata == name
        out[rows] = ndtri((rankdata(values[rows]) - 0.5) / rows.sum())
    return out


def _weights(sides: Sequence[Floats], truths: Sequence[NDArray[np.bool_]]) -> Floats:
    """Return the weight of each attack; a constant would change no order."""
    model = LogisticRegression(C=RIDGE, max_iter=1000, class_weight="balanced")
    weights: Floats = model.fit(np.concatenate(sides), np.concatenate(truths)).coef_[0]
    return weights


def _expected(sides: Sequence[Floats], truths: Sequence[NDArray[np.bool_]]) -> tuple[float, ...]:
    """Return the area of each world under the weights of the others."""
    areas = []
    for out in range(len(sides)):
        kept = [world for world in range(len(sides)) if world != out]
        if kept:
            scores = sides[out] @ _weights([sides[world] for world in kept], [truths[world] for world in kept])
            areas.append(auc(scores[truths[out]], scores[~truths[out]]))
    return tuple(areas)


def _shares(keys: Sequence[Key], weights: Floats) -> dict[str, float]:
    """Return the share of the absolute weight of each attack and level, largest first."""
    totals: dict[str, float] = {}
    for (name, level, _), weight in zip(keys, weights, strict=True):
        totals[f"{name} ({level})"] = totals.get(f"{name} ({level})", 0.0) + abs(float(weight))
    whole = sum(totals.values())
    return {name: total / whole for name, total in sorted(totals.items(), key=lambda item: -item[1])}
