"""The audit of one given twin: were its training samples in it, for all that attackers can see."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import pandas as pd

from .. import generators
from ..attacks import Definition, Model
from ..cohort import Cohort
from ..results import RedTeam
from .comparable import comparable
from .controls import negative_control, null_control, positive_control
from .judgement import judge, not_judged
from .partial import partial_rows
from .personal import attribute_rows, linkability_rows
from .summary import Sides, attack_results, curves, headlines, power, subgroups
from .trial import Trial, available, score

Step = Callable[[str], None]
FEWEST_TO_SPLIT = 20
"""Donors of a hold-out from which one half may serve as the reference, where none is given."""


def attack_twin(
    train: Cohort,
    twin: Cohort,
    holdout: Cohort | None = None,
    reference: Cohort | None = None,
    generator: Definition | None = None,
    model: Model | None = None,
    stand_in: generators.Generator | None = None,
    slow: bool = False,
    seed: int = 0,
    jobs: int = 1,
    step: Step | None = None,
    chosen: Collection[str] = (),
) -> tuple[RedTeam, pd.DataFrame]:
    """Attack a twin and judge what comes out.

    Parameters
    ----------
    train, holdout, reference
        Real data: those in the twin, those not in it, and further people for the attacker to compare with; disjoint,
        genes in one order. Without a hold-out nothing can be judged. Without a reference, half of a hold-out of at
        least 20 donors takes its place.
    twin
        What was made from ``train``.
    generator, model
        What the attacker knows of the generator, for levels T2 and T3.
    stand_in
        Unfitted generator for the negative control; the faithful copula by default.
    slow
        Whether attacks that fit many models take part.
    seed
        Seed of every random choice.
    jobs
        Number of threads; it changes no result.
    step
        Called with the name of what comes next.
    chosen
        Names of attacks and threat levels to which the attackers are held; all by default.

    Returns
    -------
    What the attacks found, and the ROC curves of the headlines.
    """
    say = step if step is not None else silent
    if holdout is None:
        return not_judged(), curves_of_nothing()
    notes = []
    if chosen:
        notes.append(f"only some attacks were run, by choice: {', '.join(sorted(chosen))}")
    if reference is None:
        reference, holdout, note = _reference_from(holdout, seed)
        notes.append(note)
    rng = np.random.default_rng([seed, 11])
    train, holdout, dropped = comparable(train, holdout, twin, reference)
    notes += dropped
    trial = Trial.of(twin, train, holdout, reference, generator, model, seed)
    notes += trial.notes
    sides = Sides(score(trial, available(trial, slow, chosen), jobs, say), trial.is_member, trial.strata)
    say("summary of attacks")
    found, places = headlines(sides, rng)
    say("controls")
    unfitted = generators.create("copula", preset="faithful") if stand_in is None else stand_in
    controls = (
        null_control(sides, places, rng),
        positive_control(trial, train, seed),
        negative_control(trial, reference, unfitted, seed),
    )
    say("partial knowledge, attributes and links")
    able = power(int(sides.member.sum()), int((~sides.member).sum()))
    groupings = {train.label or "class": trial.strata}
    groupings |= {name: trial.groups(values) for name, values in trial.covariates.items()}
    outcome, reasons = judge(found, controls, able)
    red_team = RedTeam(
        mode="artefact",
        outcome=outcome,
        reasons=(*reasons, *notes),
        attacks=attack_results(sides, rng),
        headlines=found,
        controls=controls,
        power=able,
        subgroups=subgroups(sides, places, groupings if train.label is not None or trial.covariates else {}),
        partial=partial_rows(trial, seed, jobs),
        attributes=attribute_rows(trial, twin, seed),
        linkability=linkability_rows(trial, seed),
    )
    return red_team, curves(sides, places)


def silent(_: str) -> None:
    """Say nothing."""


def curves_of_nothing() -> pd.DataFrame:
    """Return an empty table of ROC curves."""
    return pd.DataFrame(columns=["level", "attack", "fpr", "tpr"])


def _reference_from(holdout: Cohort, seed: int) -> tuple[Cohort | None, Cohort, str]:
    """Return half of the hold-out as a reference, the other half as non-members, and what to tell of it."""
    n_donors = len(set(holdout.donors().tolist()))
    lacking = "without a reference cohort an attacker who holds one (T1) cannot be played; hand one in (--reference)"
    if n_donors < FEWEST_TO_SPLIT:
        return None, holdout, lacking
    try:
        kept, people = holdout.split((0.5, 0.5), seed=seed)
    except Exception:  # noqa: BLE001 - a class with a single donor cannot be halved, and need not be
        return None, holdout, lacking
    return people, kept, "no reference cohort was given: half of the hold-out plays it, which costs power (--reference)"
