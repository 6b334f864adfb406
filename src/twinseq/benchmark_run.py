"""``twinseq benchmark run``: any generators on any cohorts, resumable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import JSON, QUIET, threads
from .terminal import print_json, print_table, progress, say, warn

if TYPE_CHECKING:
    from .benchmark.runner import Plan, Summary

EXAMPLES = """\b
twinseq benchmark run grids/quick.yaml -o results

twinseq benchmark run grid.yaml -o results --scheduler tcp://10.0.0.1:8786"""


def run(
    grid: Annotated[Path, typer.Argument(metavar="GRID", help="YAML file; see docs/benchmark.md.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the outcomes; gone on with if it has some.")
    ],
    jobs: Annotated[
        int, typer.Option("--jobs", metavar="N", help="Processes; 0: one per core. Changes no result.", min=0)
    ] = 0,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Dask scheduler, whose workers see DIR and the cohorts."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be run, and what it may take.")] = False,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Make twins of every cohort with every generator, measure and attack them.

    What was done stays done: run it again after an interruption, or with more in the grid.
    """
    from .benchmark.grid import read_grid
    from .benchmark.runner import plan
    from .benchmark.runner import run as run_grid
    from .benchmark.store import Store

    wanted = read_grid(grid)
    if dry_run:
        _print_plan(plan(wanted, Store(output)), threads(jobs), as_json)
        return
    with progress(quiet or as_json, lasting=True) as step:
        summary = run_grid(wanted, output, threads(jobs), scheduler, step)
    _print_summary(summary, output, quiet, as_json)
    if summary.failed:
        raise typer.Exit(1)


def _print_plan(planned: Plan, jobs: int, as_json: bool) -> None:
    seconds = None if planned.seconds is None else planned.seconds / jobs
    if as_json:
        print_json({"twins": len(planned.every), "left": len(planned.left), "seconds": seconds})
        return
    counts: dict[tuple[str, str], list[int]] = {}
    for unit in planned.every:
        row = counts.setdefault((unit.cohort.name, unit.generator.name), [0, 0])
        row[0] += 1
        row[1] += unit in planned.left
    rows = [(cohort, maker, str(number), str(left)) for (cohort, maker), (number, left) in counts.items()]
    print_table(("cohort", "generator", "twins", "left"), rows)
    about = "no task of the like was done yet" if seconds is None else f"about {_duration(seconds)}"
    say(f"{len(planned.left)} of {len(planned.every)} twins to make, {jobs} at a time; {about}.")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _print_summary(summary: Summary, output: Path, quiet: bool, as_json: bool) -> None:
    if as_json:
        names = ("task", "stage", "cohort", "generator", "split", "error")
        failed = [{name: getattr(one, name) for name in names} for one in summary.failed]
        print_json({"done": summary.done, "before": summary.before, "failed": failed})
        return
    for one in summary.failed:
        warn(f"{one.cohort}, {one.generator}, split {one.split + 1}: {one.stage} failed. {one.error}")
    if not quiet:
        noun = "twin" if summary.done == 1 else "twins"
        say(f"{summary.done} {noun} made and judged ({summary.before} before). Outcomes: {output}")
        say(f"Compare them: twinseq benchmark report {output}")
