"""Where each generator stands on each question: value, interval, rank, and share of resamples on the front.

No question is weighed against another unless the reader states how.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, shorten, suggest
from ..metrics import GROUPS
from ..policy import profiles
from .board import PRIVACY, YARDSTICKS, Board, Key, Place, Standing, View
from .evidence import Evidence, gather, latest
from .ranking import FEWEST_SPLITS, LEVEL, Floats, average, interval, on_front, positions, ranks, resamples, split_means
from .store import Store

TOO_FEW = "too few splits with a figure to be ranked"
ENDS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)


def stand(store: Store, weights: Mapping[str, float] | None = None, seed: int = 0) -> Board:
    """Return where the generators of a benchmark stand.

    Parameters
    ----------
    store
        Its outcomes.
    weights
        Weights of axes (metric groups and ``"privacy"``) for a further column; axes that are not named weigh 1.
    seed
        Of the resamples.

    Raises
    ------
    ConfigError
        There are no outcomes, or a weight is negative or of an axis that does not exist.
    """
    figures, tasks, superseded = latest(store)
    if not len(tasks):
        raise ConfigError(f"{store.folder}: holds no outcomes of a benchmark. Make some: twinseq benchmark run.")
    generators = tuple(sorted(tasks["generator"].unique()))
    evidence = tuple(gather(figures, tasks, cohort, generators) for cohort in sorted(tasks["cohort"].unique()))
    found = {str(group) for one in evidence for group in one.metrics["group"]}
    axes = tuple(group for group in (*GROUPS, *sorted(found - {*GROUPS})) if group in found - {PRIVACY})
    levels = tuple(sorted({level for one in evidence for level in one.levels}))
    weights = _checked(weights or {}, (*axes, PRIVACY))
    means = [_merits(one, np.ones((1, len(one.splits))), axes, weights) for one in evidence]
    drawn = [_merits(one, draws_of(one, seed), axes, weights) for one in evidence]
    ranked = [_ranked(one, axes, weights) for one in evidence]
    measured = {key for one in means for key in one}
    names = tuple(name for name in YARDSTICKS if ("metric", name) in measured)
    yardsticks: tuple[Key, ...] = (
        *(("axis", axis) for axis in axes if ("axis", axis) in measured),
        *(("metric", name) for name in names),
    )
    keys: tuple[Key, ...] = (
        *(("axis", axis) for axis in axes),
        *(("level", level) for level in levels),
        *(("metric", name) for name in names),
        *(("weighted", level) for level in levels if weights),
    )
    lower = {name for one in evidence for name in one.names if one.metrics.loc[name, "direction"] != "higher"}
    less = frozenset(key for key in keys if key[0] == "level" or (key[0] == "metric" and key[1] in lower))
    views = [
        _view((one,), means[place], drawn[place], ranked[place], keys, yardsticks, less)
        for place, one in enumerate(evidence)
    ]
    if len(evidence) > 1:
        resampled = all(len(one.splits) >= FEWEST_SPLITS for one in evidence)
        draws = _together(drawn if resampled else means, np.mean)
        views.insert(
            0, _view(evidence, _together(means, np.mean), draws, _together(ranked, np.all), keys, yardsticks, less)
        )
    # In the order of the grids' policies, as far as they come with the program; then those of users.
    judged = {policy for one in evidence for policy in one.verdicts}
    policies = (*(name for name in profiles() if name in judged), *sorted(judged - {*profiles()}))
    return Board(tuple(views), evidence, axes, levels, yardsticks, less, weights, superseded, policies)


def _checked(weights: Mapping[str, float], axes: Sequence[str]) -> Mapping[str, float]:
    for axis, weight in weights.items():
        if axis not in axes:
            raise ConfigError(f"No axis '{shorten(axis)}' to weigh{suggest(axis, axes)}")
        if not 0 <= weight < float("inf"):
            raise ConfigError(f"The weight of '{axis}' is {weight:g}; give 0 or more.")
    if weights and not any(weights.get(axis, 1.0) for axis in axes):
        raise ConfigError("All weights are 0; give at least one axis a weight.")
    return {axis: weights.get(axis, 1.0) for axis in axes} if weights else {}


def draws_of(evidence: Evidence, seed: int = 0) -> Floats:
    """Return resamples of the splits of a cohort, which do not hang on what other cohorts there are."""
    rng = np.random.default_rng([seed, zlib.crc32(evidence.cohort.encode("utf-8", "replace"))])
    return resamples(len(evidence.splits), rng)


def _merits(evidence: Evidence, taken: Floats, axes: Sequence[str], weights: Mapping[str, float]) -> dict[Key, Floats]:
    """Return the merits of all generators on all questions that have an answer, draws × generators each."""
    found: dict[Key, Floats] = {}
    for axis in axes:
        names, values, ceilings, floors = evidence.group(axis)
        if names:
            found["axis", axis] = average(positions(values, ceilings, floors, taken))
    for name in YARDSTICKS:
        if name in evidence.names:
            found["metric", name] = split_means(evidence.merits(name)[0], taken)
    for level, aucs in evidence.levels.items():
        found["level", level] = -split_means(aucs, taken)
        if weights:
            found["weighted", level] = _weighted(found, level, axes, weights)
    return {key: merits for key, merits in found.items() if np.isfinite(merits).any()}


def _weighted(found: Mapping[Key, Floats], level: str, axes: Sequence[str], weights: Mapping[str, float]) -> Floats:
    """Return the weighted mean of the places on all axes; an AUC of 0.5 counts 1 and one of 1 counts 0."""
    safe = np.clip(2.0 * (1.0 + found["level", level]), 0.0, 1.0)
    nothing = np.full_like(safe, np.nan)
    parts = [(weights[axis], found.get(("axis", axis), nothing)) for axis in axes] + [(weights[PRIVACY], safe)]
    used = [(weight, part) for weight, part in parts if weight > 0]
    return np.asarray(sum(weight * part for weight, part in used) / sum(weight for weight, _ in used))


def _ranked(evidence: Evidence, axes: Sequence[str], weights: Mapping[str, float]) -> dict[Key, NDArray[np.bool_]]:
    """Return which generators have figures of splits enough to be held against others, by question."""
    n_splits = len(evidence.splits)
    by_split = _merits(evidence, np.eye(n_splits), axes, weights)
    fewest = min(FEWEST_SPLITS, n_splits)
    return {key: np.isfinite(merits).sum(axis=0) >= fewest for key, merits in by_split.items()}


def _together(parts: Sequence[Mapping[Key, Any]], join: Callable[..., Any]) -> dict[Key, Any]:
    """Return what the cohorts give that have the question, joined; a generator that lacks one of them has nothing."""
    keys = dict.fromkeys(key for part in parts for key in part)
    return {key: join([part[key] for part in parts if key in part], axis=0) for key in keys}


def _view(
    evidence: Sequence[Evidence],
    means: Mapping[Key, Floats],
    drawn: Mapping[Key, Floats],
    ranked: Mapping[Key, NDArray[np.bool_]],
    keys: Sequence[Key],
    yardsticks: Sequence[Key],
    reversed_: frozenset[Key],
) -> View:
    """Return the standings of all generators; ``keys`` are the questions that each one gets an answer to, or a reason.

    Where one cohort has too few splits, the draws are the means.
    """
    resampled = all(len(one.splits) >= FEWEST_SPLITS for one in evidence)
    fair = {key: np.where(ranked[key], merits, np.nan) for key, merits in means.items()}
    fair_drawn = {key: np.where(ranked[key], merits, np.nan) for key, merits in drawn.items()}
    by_mean = {key: ranks(merits)[0] for key, merits in fair.items()}
    by_draw = {key: ranks(merits) for key, merits in fair_drawn.items()}
    fronts = {
        (yardstick, level): (
            on_front(fair[yardstick], fair["level", level])[0],
            on_front(fair_drawn[yardstick], fair_drawn["level", level]).mean(axis=0),
        )
        for yardstick in yardsticks
        for kind, level in keys
        if kind == "level" and yardstick in means and ("level", level) in means
    }

    def place(key: Key, index: int) -> Place:
        if key not in means or not np.isfinite(means[key][0, index]):
            return Place(None, reason=_why_not(evidence, evidence[0].generators[index], key))
        sign = -1.0 if key in reversed_ else 1.0
        value, rank = sign * float(means[key][0, index]), int(by_mean[key][index])
        if not ranked[key][index]:
            return Place(value, reason=TOO_FEW)
        ends = interval(sign * drawn[key][:, index])
        if not resampled or ends is None:
            return Place(value, rank=rank)
        low, high = np.quantile(by_draw[key][:, index], ENDS, method="inverted_cdf")
        return Place(value, ends, rank, (int(low), int(high)))

    standings = []
    for index, generator in enumerate(evidence[0].generators):
        fits = [seconds for one in evidence for seconds in one.fit_seconds(generator)]
        standings.append(
            Standing(
                generator,
                audited=sum(int(one.audited[index].sum()) for one in evidence),
                splits=sum(len(one.splits) for one in evidence),
                places={key: place(key, index) for key in keys},
                fronts={name: (bool(now[index]), float(share[index])) for name, (now, share) in fronts.items()},
                fit_seconds=float(np.mean(fits)) if fits else None,
                verdicts=_verdicts(evidence, generator),
            )
        )
    return View(evidence[0].cohort if len(evidence) == 1 else None, resampled, tuple(standings))


def _verdicts(evidence: Sequence[Evidence], generator: str) -> dict[str, dict[str, int]]:
    """Return how many twins of a generator ended with which outcome, by policy."""
    found: dict[str, Counter[str]] = {}
    for one in evidence:
        for policy, by_generator in one.verdicts.items():
            found.setdefault(policy, Counter()).update(by_generator.get(generator, {}))
    return {policy: dict(outcomes) for policy, outcomes in found.items()}


def _why_not(evidence: Sequence[Evidence], generator: str, key: Key) -> str:
    """Return why a generator has no place on a question; with several cohorts, on which."""
    reasons = [(one.cohort, one.without(generator) or _lacks(one, generator, key)) for one in evidence]
    told = [f"{cohort}: {reason}" if len(evidence) > 1 else reason for cohort, reason in reasons if reason]
    return "; ".join(told)


def _lacks(evidence: Evidence, generator: str, key: Key) -> str:
    """Return why a generator that has figures has none for a question, or nothing where it has one."""
    kind, name = key
    if kind == "axis":
        if name not in set(evidence.metrics["group"]):
            return "no metric of this group was asked for"
        return "" if evidence.group(name)[0] else "no metric of this group tells real data from a known-bad twin"
    if kind == "metric":
        return "" if evidence.has(generator, name) else evidence.reasons.get((generator, name), "not asked for")
    if kind == "level":
        if not evidence.levels:
            return "no attacks were run"
        return "" if evidence.attacked(generator, name) else "no attack of this level could be measured"
    return "an axis has no value"
