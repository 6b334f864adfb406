"""The audit of a procedure: what a generator gives away of a cohort, over several partitions of its donors.

In each split the donors are dealt anew into members, non-members and a reference; the generator is fitted to the
members, and its twin attacked. That needs no hold-out set aside beforehand, and tells how exposed single donors are,
since each is in some of the twins and not in others.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from ..attacks import Level
from ..attacks.epsilon import epsilon_lower
from ..attacks.headline import headline
from ..attacks.roc import tpr_interval
from ..cohort import Cohort
from ..errors import ConfigError
from ..knowledge import KnownGenerator
from ..parallel import run
from ..results import AttackResult, Headline, RedTeam
from .artefact import Step, silent
from .controls import negative_control, null_control, positive_control
from .dealing import THIRDS, Dealt, Found, attacked, deal, set_up
from .judgement import judge
from .partial import partial_rows, unseen_rows
from .personal import attribute_rows, linkability_rows
from .summary import Sides, attack_results, curves, headlines, power, subgroups
from .trial import Key, Scores, Trial

Floats = NDArray[np.float64]
FEWEST_REFITS = 4
THRESHOLDS = (0.5, 0.7, 0.9)
QUANTILES = (0.5, 0.75, 0.9)


def attack_procedure(
    cohort: Cohort,
    generator: KnownGenerator,
    splits: int = 5,
    fractions: Sequence[float] = THIRDS,
    slow: bool = False,
    seed: int = 0,
    jobs: int = 1,
    step: Step | None = None,
    scheduler: str | None = None,
) -> tuple[RedTeam, pd.DataFrame]:
    """Attack the twins that a generator makes of parts of a cohort.

    Parameters
    ----------
    cohort
        All donors.
    generator
        Generator and settings. The attacker knows them (level T2), and at level T3 the fitted model too.
    splits
        Number of partitions.
    fractions
        Shares of members, non-members and reference.
    slow
        Whether attacks that fit many models take part.
    seed
        Seed of partitions, fits and attacks.
    jobs
        Number of threads; it changes no result.
    step
        Called with the name of what comes next.
    scheduler
        Address of a Dask scheduler whose workers do the splits, one each; it changes no result.

    Returns
    -------
    What the attacks found, and the ROC curves of the headlines over all splits.

    Raises
    ------
    ConfigError
        There is not one split, there are not three fractions, or there is no scheduler.
    CohortError
        A class has too few donors for three parts.
    """
    if splits < 1:
        raise ConfigError(f"At least 1 split is needed, not {splits}.")
    if len(fractions) != 3:
        raise ConfigError("Three fractions are needed: members, non-members and reference.")
    say = step if step is not None else silent
    split = functools.partial(_one_split, cohort, generator, fractions, slow, seed)
    if scheduler is None:
        outcomes = [split(number, jobs, labelled(say, number, splits)) for number in range(splits)]
    else:
        say("splits on the cluster")
        outcomes = run(split, range(splits), scheduler=scheduler)
    (dealt, trial, _), *_ = outcomes
    return conclude(dealt, trial, [found for *_, found in outcomes], generator, seed, jobs, say)


def conclude(
    dealt: Dealt,
    trial: Trial,
    every: Sequence[Found],
    generator: KnownGenerator,
    seed: int,
    jobs: int = 1,
    say: Step = silent,
) -> tuple[RedTeam, pd.DataFrame]:
    """Put the partitions together.

    Parameters
    ----------
    dealt, trial
        The first partition and its trial, for controls, partial knowledge, attributes and links.
    every
        How the donors of each partition score.
    generator, seed, jobs, say
        As for `attack_procedure`.

    Returns
    -------
    What the attacks found, and the ROC curves of the headlines over all splits.
    """
    rng = np.random.default_rng([seed, 13])
    members, others, reference = dealt.members, dealt.others, dealt.reference
    say("summary of attacks")
    sides = [found.sides for found in every]
    pooled = _pooled(sides)
    found, places = headlines(pooled, rng)
    found = tuple(_widened(one, place, pooled, sides, rng) for one, place in zip(found, places.values(), strict=True))
    first = sides[0]
    at = {level: first.scores.keys.index(pooled.scores.keys[place]) for level, place in places.items()}
    say("controls")
    controls = (
        null_control(first, at, rng),
        positive_control(trial, members, seed),
        negative_control(trial, reference, generator.unfitted(), seed),
    )
    say("partial knowledge, attributes and links")
    cells = members.cell_type is not None
    unseen = unseen_rows(members, others, reference, generator.unfitted(), seed, jobs) if cells else ()
    able = power(int(first.member.sum()), int((~first.member).sum()))
    groupings = {} if members.label is None else {members.label: _stacked([one.strata for one in sides])}
    for name in every[0].groups:
        groupings[name] = _stacked([one.groups[name] for one in every])
    outcome, reasons = judge(found, controls, able)
    notes = dict.fromkeys(note for one in every for note in one.notes)
    red_team = RedTeam(
        mode="procedure",
        outcome=outcome,
        reasons=(
            *reasons,
            f"mean of {len(every)} split(s), each with a generator of its own; intervals are as wide as one split's, "
            "and controls, partial knowledge, attributes and links are those of the first",
            *notes,
        ),
        attacks=_averaged(sides, rng),
        headlines=found,
        controls=controls,
        power=able,
        subgroups=subgroups(pooled, places, groupings),
        partial=(*partial_rows(trial, seed, jobs), *unseen),
        attributes=attribute_rows(trial, dealt.twin, seed),
        linkability=linkability_rows(trial, seed),
        exposure=exposure([(one.people, one.sides) for one in every], pooled, places),
    )
    return red_team, curves(pooled, places)


def _one_split(
    cohort: Cohort,
    generator: KnownGenerator,
    fractions: Sequence[float],
    slow: bool,
    seed: int,
    number: int,
    jobs: int = 1,
    say: Step = silent,
) -> tuple[Dealt, Trial, Found]:
    """Deal the donors for the ``number``-th time, fit and attack."""
    dealt = deal(cohort, generator, fractions, seed, number, jobs, say)
    trial, dropped = set_up(dealt, generator, seed, number)
    return dealt, trial, attacked(trial, dropped, slow, jobs, say)


def labelled(say: Step, number: int, splits: int) -> Step:
    """Return ``say`` with the split told in front of what comes next."""

    def told(name: str) -> None:
        say(f"split {number + 1} of {splits}: {name}")

    return told


def _stacked(parts: Sequence[NDArray[np.str_]]) -> NDArray[np.str_]:
    return np.concatenate(list(parts))


def _pooled(every: Sequence[Sides]) -> Sides:
    """Stack the splits, scores as normal scores of their ranks in the split so that splits compare."""
    counted = Counter(key for sides in every for key in sides.scores.keys)
    keys = tuple(key for key in every[0].scores.keys if counted[key] == len(every))
    values, strata = [], []
    for number, sides in enumerate(every):
        place = {key: index for index, key in enumerate(sides.scores.keys)}
        chosen = sides.scores.values[:, [place[key] for key in keys]]
        values.append(normal_scores(chosen))
        strata.append(np.array([f"{number}: {name}" for name in sides.strata]))
    scores = Scores(keys, np.concatenate(values), every[0].scores.troubles)
    return Sides(scores, np.concatenate([sides.member for sides in every]), np.concatenate(strata))


def normal_scores(values: Floats) -> Floats:
    """Return normal quantiles of the ranks in each column, ``n × k``."""
    if not values.shape[1]:
        return values
    scores: Floats = ndtri((rankdata(values, axis=0) - 0.5) / len(values))
    return scores


def _widened(one: Headline, place: int, pooled: Sides, every: Sequence[Sides], rng: np.random.Generator) -> Headline:
    """Return the headline with the mean of the splits' intervals: donors recur, so the splits are not independent."""
    keys: list[Key] = [key for key in pooled.scores.keys if key[1] <= one.level]
    intervals, epsilons = [], []
    rates: dict[str, list[tuple[float, float]]] = {rate: [] for rate in one.tpr_ci}
    for sides in every:
        at = {key: index for index, key in enumerate(sides.scores.keys)}
        values, m = sides.scores.values[:, [at[key] for key in keys]], sides.member
        single = headline(values[m], values[~m], sides.strata[m], sides.strata[~m], rng, n_permutations=1)
        intervals.append(single.interval)
        members, others = sides.column(at[pooled.scores.keys[place]])
        epsilons.append(epsilon_lower(members, others, rng))
        for rate, found in rates.items():
            found.append(tpr_interval(members, others, float(rate)))
    low, high = np.mean(intervals, axis=0)
    interval = (min(float(low), one.auc), max(float(high), one.auc))
    return replace(
        one,
        auc_ci=interval,
        tpr_ci={rate: _mean_interval(found) for rate, found in rates.items()},
        epsilon_lower=float(np.median(epsilons)),
    )


def _averaged(every: Sequence[Sides], rng: np.random.Generator) -> tuple[AttackResult, ...]:
    """Return each attack's figures averaged over the splits in which it could be measured."""
    by_attack: dict[tuple[str, str], list[AttackResult]] = {}
    for sides in every:
        for result in attack_results(sides, rng):
            by_attack.setdefault((result.name, result.level), []).append(result)
    results = []
    for found in by_attack.values():
        measured = [result for result in found if result.status == "measured"]
        results.append(_mean_of(measured) if measured else found[0])
    return tuple(sorted(results, key=lambda result: (result.level, -(result.auc or 0.0), result.name)))


def _mean_interval(found: Sequence[Any]) -> tuple[float, float]:
    low, high = np.mean(np.asarray(found, dtype=float), axis=0)
    return float(low), float(high)


def _mean_of(found: Sequence[AttackResult]) -> AttackResult:
    setting = Counter(result.setting for result in found).most_common(1)[0][0]

    def mean(values: Sequence[Any]) -> float:
        return float(np.mean([value for value in values if value is not None]))

    rates = set.intersection(*(set(result.tpr_at_fpr) for result in found))
    ordered = sorted(rates, key=float, reverse=True)
    return replace(
        found[0],
        setting=setting,
        auc=mean([result.auc for result in found]),
        auc_ci=_mean_interval([result.auc_ci for result in found]),
        tpr_at_fpr={rate: mean([result.tpr_at_fpr[rate] for result in found]) for rate in ordered},
        tpr_ci={rate: _mean_interval([result.tpr_ci[rate] for result in found]) for rate in ordered},
        epsilon_lower=float(np.median([result.epsilon_lower or 0.0 for result in found])),
        mu_lower=float(np.median([result.mu_lower or 0.0 for result in found])),
        tie_fraction=mean([result.tie_fraction for result in found]),
    )


def donor_exposure(splits: Sequence[tuple[NDArray[np.str_], Sides]], key: Key) -> pd.DataFrame:
    """Return how well each donor is told by the refits with it from those without it. Never leaves the institution.

    Returns
    -------
    Index: donor. ``auc``: share of pairs of a refit with and one without the donor in which the former scores higher;
    ``n_with``, ``n_without``: number of refits.
    """
    rows: dict[str, tuple[list[float], list[float]]] = {}
    for donors, sides in splits:
        column = normal_scores(sides.scores.values[:, [sides.scores.keys.index(key)]])[:, 0]
        for donor, value, member in zip(donors.tolist(), column, sides.member, strict=True):
            rows.setdefault(donor, ([], []))[0 if member else 1].append(float(value))
    found = {}
    for donor, (inside, outside) in rows.items():
        if inside and outside:
            higher = np.sign(np.subtract.outer(inside, outside))
            found[donor] = (0.5 + 0.5 * float(higher.mean()), len(inside), len(outside))
    return pd.DataFrame.from_dict(found, orient="index", columns=["auc", "n_with", "n_without"])


def exposure(
    splits: Sequence[tuple[NDArray[np.str_], Sides]], pooled: Sides, places: Mapping[Level, int]
) -> dict[str, Any]:
    """Return how the exposure of donors is spread, no donor named; empty where there are too few refits."""
    if len(splits) < FEWEST_REFITS or not places:
        return {}
    each = donor_exposure(splits, pooled.scores.keys[places[max(places)]])
    if each.empty:
        return {}
    return {
        "n_donors": len(each),
        "n_refits": len(splits),
        "quantiles": {f"{q:g}": float(each["auc"].quantile(q)) for q in QUANTILES},
        "share_above": {f"{t:g}": float((each["auc"] > t).mean()) for t in THRESHOLDS},
        "note": f"each donor was in {each['n_with'].mean():.1f} twins and out of {each['n_without'].mean():.1f} on "
        "average; few refits make single figures coarse",
    }
