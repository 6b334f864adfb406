"""Where the outcomes of a benchmark are kept: one JSON file a task, and all of them as one Parquet dataset.

The folder holds ``tasks/KEY.json``, the twins (``twins/KEY.h5ad``), an audit report for each (``reports/KEY/``), and
``results/`` with two tables that pandas, polars and DuckDB read: ``tasks.parquet`` and ``figures.parquet``. Outcomes
appear whole or not at all, so that whatever interrupts a run costs no more than what was being worked on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..dp.claims import beside
from ..errors import ConfigError
from ..files import atomic_folder, atomic_path
from .inputs import SCHEMA

TITLE = "title.txt"

FIGURES = (
    "cohort", "generator", "split", "part", "name", "group", "value", "low", "high", "ceiling", "floor", "direction",
    "status", "reason", "task",
)  # fmt: skip
"""Columns of the table of figures, one row a metric, an attack, the strongest attack of a level, or a verdict."""
TASKS = ("task", "stage", "cohort", "generator", "split", "status", "error", "seconds", "cpu", "peak_mib", "rests_on")


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Parameters
    ----------
    task, stage
        Its key; ``"fit"``, ``"audit"`` or ``"verdict"``.
    cohort, generator, split
        Names of the cell of the grid.
    status, error
        ``"done"`` or ``"failed"``, and why.
    figures
        Rows of the table of figures.
    seconds, cpu, peak_mib
        What it cost: wall clock, processor time, and most memory of the process so far.
    rests_on
        Of a verdict: the audit that was judged.
    """

    task: str
    stage: str
    cohort: str
    generator: str
    split: int
    status: str
    error: str = ""
    figures: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0
    cpu: float = 0.0
    peak_mib: float = 0.0
    rests_on: str = ""
    schema: int = field(default=SCHEMA)


class Store:
    """The folder of a benchmark.

    Raises
    ------
    ConfigError
        The folder holds outcomes of another version of these files.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def file(self, key: str) -> Path:
        """Where the outcome of a task is kept."""
        return self.folder / "tasks" / f"{key}.json"

    def twin(self, key: str) -> Path:
        """Where the twin of a ``fit`` is kept."""
        return self.folder / "twins" / f"{key}.h5ad"

    def claim(self, key: str) -> Path:
        """Where the guarantee of a private twin is kept."""
        return beside(self.twin(key))

    @property
    def title(self) -> str | None:
        """Title of the grid that was run last, where it is known."""
        path = self.folder / TITLE
        return path.read_text(encoding="utf-8") if path.exists() else None

    def keep_title(self, title: str) -> None:
        """Keep the title of the grid, for the report."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.folder / TITLE) as temporary:
            temporary.write_text(title, encoding="utf-8")

    def report(self, key: str) -> Path:
        """Where the report of an ``audit`` is kept, or that of a ``verdict``, which tells what a policy says of it."""
        return self.folder / "reports" / key

    def read(self, key: str) -> Outcome | None:
        """Return the outcome of a task, or ``None`` where it was not done yet."""
        path = self.file(key)
        return _outcome(path) if path.exists() else None

    def write(self, outcome: Outcome) -> None:
        """Keep an outcome."""
        path = self.file(outcome.task)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(asdict(outcome), indent=1, ensure_ascii=False), encoding="utf-8")

    def outcomes(self) -> Iterator[Outcome]:
        """Yield every outcome, by key."""
        for path in sorted((self.folder / "tasks").glob("*.json")):
            yield _outcome(path)

    def figures(self) -> pd.DataFrame:
        """Return the figures of all tasks, sorted."""
        rows = [
            {**row, "cohort": one.cohort, "generator": one.generator, "split": one.split, "task": one.task}
            for one in self.outcomes()
            for row in one.figures
        ]
        table = pd.DataFrame(rows, columns=list(FIGURES))
        numbers = ["value", "low", "high", "ceiling", "floor"]
        table[numbers] = table[numbers].astype(float)
        return table.sort_values(["cohort", "generator", "split", "part", "group", "name"], ignore_index=True)

    def tasks(self) -> pd.DataFrame:
        """Return status and cost of all tasks, sorted."""
        rows = [{name: getattr(one, name) for name in TASKS} for one in self.outcomes()]
        table = pd.DataFrame(rows, columns=list(TASKS))
        return table.sort_values(["cohort", "generator", "split", "stage"], ignore_index=True)

    def publish(self) -> Path:
        """Write the two tables as Parquet, and return their folder."""
        folder = self.folder / "results"
        with atomic_folder(folder) as scratch:
            for name, table in (("figures", self.figures()), ("tasks", self.tasks())):
                table.attrs["schema"] = SCHEMA
                table.to_parquet(scratch / f"{name}.parquet", index=False)
        return folder

    def merge(self, other: Store) -> int:
        """Take over what ``other`` has and this store has not, and return how many tasks that were.

        A task that failed here and was done there is taken over too.
        """
        taken = 0
        for theirs in other.outcomes():
            ours = self.read(theirs.task)
            if ours is not None and (ours.status == "done" or theirs.status != "done"):
                continue
            for source, target in (
                (other.twin(theirs.task), self.twin(theirs.task)),
                (other.claim(theirs.task), self.claim(theirs.task)),
                (other.report(theirs.task), self.report(theirs.task)),
            ):
                if source.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with atomic_path(target) as temporary:
                        if source.is_dir():
                            shutil.copytree(source, temporary)
                        else:
                            shutil.copyfile(source, temporary)
            self.write(theirs)
            taken += 1
        if self.title is None and other.title is not None:
            self.keep_title(other.title)
        return taken


def _outcome(path: Path) -> Outcome:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content["schema"]
        if schema == SCHEMA:
            return Outcome(**{**content, "figures": tuple(content["figures"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: no outcome of a benchmark ({type(error).__name__}). Remove the file.") from error
    raise ConfigError(f"{path}: written in version {schema} of these files; this twinseq reads {SCHEMA}.")
