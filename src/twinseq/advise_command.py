"""``twinseq advise``: what suits a cohort, a task and a policy, on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import terminal
from .options import BASIS, CELL_TYPE, COVARIATE, DONOR, JSON, KIND, LABEL, OBS, PAIRED, QUIET, REAL, SEED, read_cohort
from .terminal import print_table, progress, say

if TYPE_CHECKING:
    from .advise import Advice

EXAMPLES = """\b
twinseq advise cohort.h5ad --label condition --task de
twinseq advise cohort.h5ad --label subtype --task share --policy open --basis breast.basis"""
SHOWN = 10
STYLES = {"suits": "green", "may suit": "yellow"}


def advise(
    real: REAL,
    task: Annotated[
        str,
        typer.Option("--task", metavar="TASK", help="de (differential expression), classify, network or share (all)."),
    ],
    obs: OBS = None,
    label: LABEL = None,
    donor: DONOR = None,
    cell_type: CELL_TYPE = None,
    covariate: COVARIATE = None,
    kind: KIND = None,
    paired: PAIRED = None,
    policy: Annotated[
        str | None,
        typer.Option("--policy", metavar="NAME|FILE", help="What must hold. [share: partner; other tasks: internal]"),
    ] = None,
    basis: BASIS = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse/--no-rehearse", help="Rehearse private twins at the cohort's own numbers.")
    ] = True,
    seed: SEED = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Say which generator and preset suit a cohort, and what to expect of them.

    From the project's benchmarks, on cohorts of other sizes: each figure is said with the size it was measured at. Of
    REAL nothing but the design is read.
    """
    from .advise import advise as make_advice

    with progress(quiet) as step:
        step(0, 0, "reading")
        cohort = read_cohort(real, obs, label, donor, cell_type, covariate, kind, paired)
        found = make_advice(
            cohort, task, policy=policy, basis=basis, rehearse=rehearse, seed=seed, progress=step
        )  # fmt: skip
    if as_json:
        terminal.print_json(found.to_dict())
    elif not quiet:
        show(found)


def show(advice: Advice) -> None:
    """Print the options as a table, the reasons of those that may suit, and what follows from size."""
    from .advice_words import FIGURES, TASKS
    from .advise import ATTACK, named

    unit = "single cells" if advice.cells else "bulk profiles"
    say(
        f"For {TASKS[advice.task].title} under the policy '{advice.policy}': {advice.donors:,} donors × "
        f"{advice.genes:,} genes, {unit}",
        "bold",
    )
    figures = [*TASKS[advice.task].figures(advice.cells)[:2], ATTACK]
    header = ("option", "stands", *figures)
    rows = []
    for one in advice.options[:SHOWN]:
        found = [one.figure(name) for name in figures]
        rows.append((named(one), one.standing, *("–" if each is None else f"{each.value:.2f}" for each in found)))
    if rows:
        print_table(header, rows, numbers=figures)
        for name in figures:
            say(f"  {name}: {FIGURES[name]}", "dim")
    if len(advice.options) > SHOWN:
        say(f"  and {len(advice.options) - SHOWN} more (--json)", "dim")
    for place, one in enumerate(advice.options[:3], start=1):
        say(f"{place}. {named(one)}: {one.standing}", f"bold {STYLES.get(one.standing, '')}".strip())
        say(f"   {one.reason}")
        say(f"   twinseq release REAL {one.command}")
    for note in advice.notes:
        say(note, "yellow")
