"""The work of a grid as tasks, each with a key that hangs on everything its outcome hangs on.

A twin is made once (``fit``), measured and attacked (``audit``), and held against policies (``verdict``). The key of a
task is a digest of the data, the settings, the seed and the code, so that a task that was done need not be done again,
whoever did it and in whichever grid.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from .. import __version__
from ..cohort import Cohort
from ..plugins import GROUPS
from .external import files_of
from .grid import CohortEntry, GeneratorEntry, Grid
from .inputs import data_digest, digest, file_digest, load_cohort

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Unit:
    """A twin to be made and judged.

    Parameters
    ----------
    grid
        What it is part of.
    cohort, generator, split
        Which cell of the grid it is.
    data
        Digest of the cohort.
    """

    grid: Grid
    cohort: CohortEntry
    generator: GeneratorEntry
    split: int
    data: str

    @property
    def seed(self) -> int:
        """Seed of the split, of the fit and of the attacks."""
        return self.grid.seed + self.split

    @property
    def title(self) -> str:
        """What the unit is called on the screen."""
        return f"{self.cohort.name}, {self.generator.name}, split {self.split + 1}"

    @functools.cached_property
    def fit_key(self) -> str:
        """Key of the twin."""
        maker = self.generator
        made_by: list[Any] = [maker.generator, maker.preset, dict(maker.settings), maker.command]
        if maker.command is not None:
            made_by.append([file_digest(path) for path in files_of(maker.command, maker.home)])
        return digest([self.data, self.grid.fractions, self.seed, made_by, code()])

    @functools.cached_property
    def audit_key(self) -> str:
        """Key of what was found of the twin."""
        grid = self.grid
        sets = [file_digest(path) for path in grid.gene_sets]
        return digest([self.fit_key, sorted(grid.metrics), grid.attacks, grid.slow, sorted(grid.chosen), sets])

    @functools.cached_property
    def verdict_key(self) -> str:
        """Key of what the policies make of what was found."""
        return digest([self.audit_key, [asdict(policy) for policy in self.grid.policies]])


def units(grid: Grid) -> list[Unit]:
    """Return the units of a grid, first splits first, so that a run that is stopped has something of everything."""
    data = {cohort.name: data_digest(cohort) for cohort in grid.cohorts}
    return [
        Unit(grid, cohort, maker, split, data[cohort.name])
        for split in range(grid.splits)
        for cohort in grid.cohorts
        for maker in grid.generators
    ]


@functools.cache
def code() -> str:
    """Return version and digest of the package's own code, and of the plugins that are installed."""
    found = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        found.update(str(path.relative_to(PACKAGE)).encode() + path.read_bytes())
    for group in GROUPS:
        for entry in sorted(entry_points(group=group), key=lambda one: one.value):
            found.update(f"{entry.value} {entry.dist.version if entry.dist else ''}".encode())
    return f"{__version__}+{found.hexdigest()[:12]}"


_LAST: dict[str, Cohort] = {}
"""The cohort that this process worked on last."""


def _loaded(unit: Unit) -> Cohort:
    if unit.data not in _LAST:
        _LAST.clear()
        _LAST[unit.data] = load_cohort(unit.cohort)
    return _LAST[unit.data]


def parts_of(unit: Unit) -> dict[str, Cohort]:
    """Return training data, hold-out and, where the grid has one, reference of a unit."""
    cohort = _loaded(unit)
    names = ("train", "holdout", "reference")
    return dict(zip(names, cohort.split(unit.grid.fractions, seed=unit.seed), strict=False))
