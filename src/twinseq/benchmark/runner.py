"""Run a grid: what was done stays done, and what fails costs only itself."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ConfigError
from .grid import Grid
from .pool import Killed, completed
from .store import Outcome, Store
from .tasks import Unit, units
from .work import do, is_done

Step = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Parameters
    ----------
    every, left
        Units of the grid, and those that are not done.
    seconds
        What the rest is expected to take on one process, by what the like took before; ``None`` where nothing did.
    """

    every: tuple[Unit, ...]
    left: tuple[Unit, ...]
    seconds: float | None


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Parameters
    ----------
    done, before
        Units that are done, and how many of them were so before.
    failed
        Outcomes of the tasks that failed.
    """

    done: int
    before: int
    failed: tuple[Outcome, ...]


def plan(grid: Grid, store: Store) -> Plan:
    """Return what is left to do of a grid, and how long that takes."""
    every = tuple(units(grid))
    left = tuple(unit for unit in every if not is_done(unit, store))
    spent: dict[tuple[str, str], list[float]] = {}
    for outcome in store.outcomes():
        if outcome.status == "done" and outcome.stage != "verdict":
            spent.setdefault((outcome.cohort, outcome.generator), []).append(outcome.seconds)
    # A unit has two tasks that take time; the median keeps a first one out, which compiles.
    by_kind = {kind: 2.0 * float(np.median(seconds)) for kind, seconds in spent.items()}
    usual = float(np.mean(list(by_kind.values()))) if by_kind else None
    if usual is None:
        return Plan(every, left, None)
    return Plan(every, left, sum(by_kind.get((unit.cohort.name, unit.generator.name), usual) for unit in left))


def run(
    grid: Grid, folder: str | Path, jobs: int = 1, scheduler: str | None = None, step: Step | None = None
) -> Summary:
    """Run what is left of a grid.

    Parameters
    ----------
    grid
        What to run; see `read_grid`.
    folder
        Folder of the outcomes; one that an earlier run left is gone on with.
    jobs
        Processes on this machine. It changes no result.
    scheduler
        Address of a Dask scheduler instead, whose workers see ``folder`` and the files of the grid. It changes no
        result either.
    step
        Called as ``step(done, total, title)`` when a unit ends.

    Raises
    ------
    ConfigError
        ``folder`` is a file, or there is no scheduler.
    """
    folder = Path(folder).absolute()
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file. Name a folder for the outcomes.")
    store = Store(folder)
    store.keep_title(grid.title)
    planned = plan(grid, store)
    by_name = {unit.audit_key: unit for unit in planned.left}
    before = len(planned.every) - len(planned.left)
    ended, failed = before, []
    for name, outcomes in completed(functools.partial(do, folder=folder), by_name, jobs, folder / "running", scheduler):
        unit = by_name[name]
        if isinstance(outcomes, Killed):
            outcomes = [_killed(unit, store)]
        failed += [outcome for outcome in outcomes if outcome.status != "done"]
        ended += 1
        if step is not None:
            step(ended, len(planned.every), unit.title)
    store.publish()
    return Summary(len(planned.every) - len(failed), before, tuple(failed))


def _killed(unit: Unit, store: Store) -> Outcome:
    """Keep, and return, the outcome of the task during which the process was killed."""
    keys = {"fit": unit.fit_key, "audit": unit.audit_key, "verdict": unit.verdict_key}
    found = {stage: store.read(key) for stage, key in keys.items()}
    stage = next((name for name, one in found.items() if one is None or one.status != "done"), "verdict")
    outcome = Outcome(
        keys[stage], stage, unit.cohort.name, unit.generator.name, unit.split, "failed",
        "The process was killed, twice: most likely it ran out of memory.",
    )  # fmt: skip
    store.write(outcome)
    return outcome
