"""One partition of a cohort: donors dealt into three parts, the generator fitted to one of them, its twin attacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..generators import Generator
from ..knowledge import KnownGenerator, KnownModel
from .artefact import Step, silent
from .comparable import comparable
from .summary import Sides
from .trial import Trial, available, score

THIRDS = (1 / 3, 1 / 3, 1 / 3)


@dataclass(frozen=True, eq=False)
class Dealt:
    """A partition, and what the generator made of it.

    Parameters
    ----------
    members, others, reference
        The parts; the generator has seen the members only.
    twin
        What it made of them.
    model
        The generator, fitted to the members.
    """

    members: Cohort
    others: Cohort
    reference: Cohort
    twin: Cohort
    model: Generator


@dataclass(frozen=True, eq=False)
class Found:
    """How the donors of one partition score: all that conclusions over several partitions rest on.

    Parameters
    ----------
    sides
        Scores, membership and class of each donor.
    people
        The donors.
    groups
        Covariate to the value of each donor.
    notes
        What was left out, and what attackers hold of cohorts too large to be held whole.
    """

    sides: Sides
    people: NDArray[np.str_]
    groups: dict[str, NDArray[np.str_]]
    notes: tuple[str, ...]


def deal(
    cohort: Cohort,
    generator: KnownGenerator,
    fractions: Sequence[float],
    seed: int,
    number: int,
    jobs: int = 1,
    say: Step = silent,
) -> Dealt:
    """Deal the donors for the ``number``-th time, fit the generator and draw its twin.

    Raises
    ------
    CohortError
        A class has too few donors for three parts, or the generator cannot take the members.
    """
    members, others, reference = cohort.split(fractions, seed=seed + number)
    say("fit")
    model = generator.unfitted().fit(members, seed=seed + number, jobs=jobs)
    return Dealt(members, others, reference, model.sample(seed=seed + number, jobs=jobs), model)


def set_up(dealt: Dealt, generator: KnownGenerator, seed: int, number: int) -> tuple[Trial, tuple[str, ...]]:
    """Return the trial of a partition, and what was left out of it."""
    known = KnownModel(dealt.model, only=None if dealt.members.label else "all")
    inside, outside, dropped = comparable(dealt.members, dealt.others, dealt.twin, dealt.reference)
    return Trial.of(dealt.twin, inside, outside, dealt.reference, generator, known, seed + number), tuple(dropped)


def attacked(trial: Trial, dropped: Sequence[str], slow: bool, jobs: int = 1, say: Step = silent) -> Found:
    """Mount every attack on a trial."""
    scores = score(trial, available(trial, slow), jobs, say)
    groups = {name: trial.groups(values) for name, values in trial.covariates.items()}
    sides = Sides(scores, trial.is_member, trial.strata)
    return Found(sides, trial.people[0], groups, (*dropped, *trial.notes))
