"""The search: many settings on a few deals, the best of them on deals that had no part in the choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..cohort import Cohort
from ..errors import CohortError, ConfigError, TwinseqError, shorten
from .bound import Room
from .deal import FIGURES, Deal, Outcome
from .frontier import Frontier, Measured, faithful, on_frontier, pick, table_of
from .settings import Setting
from .settings import candidates as usual
from .words import FLOORS, reasons_of

Step = Callable[[str], None]
TARGET_AUC = 0.60
FRACTIONS = (0.5, 0.25, 0.25)
INNER, OUTER = 3, 3
OUTER_SEEDS = 100_000
"""Outer deals have seeds of their own, this far from those of the search."""
SLACK = 0.06
"""A setting whose first deal is this far above the target is not tried on others, nor is one that another beats."""
TOO_HIGH = 3
"""So many settings in a row far above the target on the first deal, and those that leak more are not tried."""
REPORTED = 3
BESIDE = (Setting("copula"),)


def tune(
    cohort: Cohort,
    *,
    basis: str | Path | None = None,
    target_auc: float = TARGET_AUC,
    min_de_recall: float | None = None,
    min_replication: float | None = None,
    candidates: Sequence[Setting] | None = None,
    beside: Sequence[Setting] = BESIDE,
    fractions: Sequence[float] = FRACTIONS,
    inner: int = INNER,
    outer: int = OUTER,
    seed: int = 0,
    jobs: int = 1,
    step: Step | None = None,
) -> Frontier:
    """Find the most faithful setting whose twins attackers see through no better than a target.

    In every deal, donors become members, others and a reference. The search sees ``inner`` deals: on the first all
    settings are tried, on the rest those that are still in play, against the attacks that were strongest on twins of
    this kind. Chosen is the setting that keeps most, of fold changes and of what classifiers learn, among those whose
    upper confidence bound meets the target. It, and the settings around it on the frontier, are then measured anew on
    ``outer`` deals against all attacks.

    Parameters
    ----------
    cohort
        All donors; with a label.
    basis
        File of a public basis; class means are then learnt along its axes only.
    target_auc
        Largest area under the curve that the strongest attack may reach, knowing generator, settings and basis.
    min_de_recall
        Least share of the members' differential genes that the twin has to name.
    min_replication
        Least replication of fold changes.
    candidates
        Settings to search, those that are likely to leak least first; by default `candidates`.
    beside
        Other generators to measure on the first outer deal against the attacks of the search, for comparison.
    fractions
        Shares of members, others and reference in a deal.
    inner, outer
        Number of deals of the search and of the report.
    seed
        Seed of deals, fits and attacks.
    jobs
        Threads; they change no result.
    step
        Called with what comes next, in words.

    Returns
    -------
    Everything that was tried, and the choice.

    Raises
    ------
    CohortError
        There is no label, single cells, or a class has too few donors for the parts of a deal; or no setting could be
        fitted.
    ConfigError
        A target is out of range.
    """
    if cohort.label is None:
        raise CohortError(f"{cohort.source}: tuning needs a label, whose fold changes it keeps. State --label.")
    if cohort.cell_type is not None:
        raise CohortError(f"{cohort.source}: tuning is for bulk profiles. For cells see cell-copula and dp-scdesign.")
    if not 0.5 < target_auc <= 1.0:
        raise ConfigError(f"The target AUC must lie above 0.5 (a guess) and at most at 1, not {target_auc:g}.")
    stated = {"de_recall": min_de_recall, "lfc_replication": min_replication}
    floors = {name: value for name, value in stated.items() if value is not None}
    for name, value in floors.items():
        if not 0.0 <= value <= 1.0:
            raise ConfigError(f"The least {FLOORS[name]} must lie between 0 and 1, not {value:g}.")
    if inner < 1 or outer < 1:
        raise ConfigError("At least one deal is needed for the search, and one for the report.")
    settings = tuple(usual(basis) if candidates is None else candidates)
    if not settings:
        raise ConfigError("There is no setting to search.")
    say = step if step is not None else _silent
    searched, room = _search(cohort, settings, target_auc, fractions, inner, seed, jobs, say)
    best = pick(searched, target_auc, floors)
    shown = _around(on_frontier(searched), best)
    reported: list[Measured] = []
    others: list[Measured] = []
    deals = [Deal(cohort, fractions, seed + OUTER_SEEDS + number, on_log=False, jobs=jobs) for number in range(outer)]
    outcomes: dict[str, list[Outcome]] = {}
    for number, deal in enumerate(deals, start=1):
        for one in shown:
            say(f"report, deal {number} of {outer}: {one.setting.words}")
            outcomes.setdefault(one.setting.words, []).append(deal.outcome(one.setting, FIGURES, quick=False))
    reported = [Measured.of(one.setting, "reported", outcomes[one.setting.words]) for one in shown]
    for setting in beside:
        say(f"beside: {setting.words}")
        others.append(Measured.of(setting, "beside", [deals[0].outcome(setting, FIGURES, quick=True)]))
    final = next(one for one in reported if one.setting == best.setting)
    return Frontier(
        table_of([*searched, *reported, *others], best.setting),
        (best.setting.generator, dict(best.setting.settings)),
        reasons_of(best, final, searched, target_auc, floors, room, based=basis is not None),
    )


def _search(
    cohort: Cohort,
    settings: Sequence[Setting],
    target: float,
    fractions: Sequence[float],
    inner: int,
    seed: int,
    jobs: int,
    say: Step,
) -> tuple[list[Measured], Room]:
    """Return what each setting that stayed in play reached, and the room of the first deal."""
    found: dict[int, list[Outcome]] = {}
    troubles: list[str] = []
    room: Room | None = None
    going = list(range(len(settings)))
    for number in range(inner):
        deal = Deal(cohort, fractions, seed + number, on_log=True, jobs=jobs)
        above = 0
        for place in going:
            if above == TOO_HIGH:
                break
            say(f"search, deal {number + 1} of {inner}: {settings[place].words}")
            try:
                outcome = deal.outcome(settings[place], FIGURES, quick=True)
            except TwinseqError as error:
                troubles.append(shorten(error, 200))
                continue
            found.setdefault(place, []).append(outcome)
            leak = Measured.of(settings[place], "searched", [outcome]).auc
            above = above + 1 if number == 0 and leak > target + SLACK else 0
        if room is None:
            room = Room.of(deal.members, deal.reference, deal.agreement)
        going = _in_play({place: outcomes for place, outcomes in found.items() if place in going}, settings, target)
    measured = [Measured.of(settings[place], "searched", outcomes) for place, outcomes in found.items()]
    if not measured or room is None:
        raise CohortError(f"{cohort.source}: no setting could be tried: {troubles[0] if troubles else 'none given'}")
    kept = [one for place, one in zip(found, measured, strict=True) if place in going]
    dropped = [one for place, one in zip(found, measured, strict=True) if place not in going]
    return [*kept, *dropped], room


def _in_play(found: dict[int, list[Outcome]], settings: Sequence[Setting], target: float) -> list[int]:
    """Return the settings worth another deal: near the target or below it, and not beaten in both respects."""
    measured = {place: Measured.of(settings[place], "searched", outcomes) for place, outcomes in found.items()}
    least = min(one.auc for one in measured.values())
    limit = max(target, least) + SLACK
    going = []
    for place, one in measured.items():
        beaten = any(
            other.auc < one.auc - 0.5 * SLACK and faithful(other) >= faithful(one) for other in measured.values()
        )
        if one.auc <= limit and not beaten:
            going.append(place)
    return going


def _around(frontier: Sequence[Measured], best: Measured) -> list[Measured]:
    """Return the choice and its neighbours on the frontier, `REPORTED` at most."""
    others = [one for one in frontier if one.setting != best.setting]
    others.sort(key=lambda one: abs(one.auc - best.auc))
    return sorted([best, *others[: REPORTED - 1]], key=lambda one: one.auc)


def _silent(_: str) -> None:
    """Say nothing."""
