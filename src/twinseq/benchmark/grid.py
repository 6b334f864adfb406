"""The grid of a benchmark: which cohorts, generators, metrics, attacks and policies, read from a YAML file and checked.

Whatever can be wrong is found here, before anything is computed: unknown keys, generators and settings that do not
exist, files that are not there.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import attacks, generators
from .. import metrics as registry
from ..cohort import Cohort
from ..datasets import names as dataset_names
from ..datasets import simulate_cells, simulate_cohort
from ..dp.budget import PrivacyWarning
from ..errors import TwinseqError
from ..metrics import GROUPS
from ..places import Place
from ..policy import SUFFIXES, Policy, profiles, read_policy

ROLES = ("label", "donor", "cell_type", "covariates", "kind", "paired")
SIMULATORS: Mapping[str, Callable[..., Cohort]] = {"simulate": simulate_cohort, "simulate_cells": simulate_cells}
SOURCES = ("file", "dataset", *SIMULATORS)
COHORT_KEYS = ("name", *SOURCES, "obs", *ROLES, "where", "genes", "scale")
GENERATOR_KEYS = ("name", "generator", "preset", "set", "command", "timeout")
GRID_KEYS = ("title", "cohorts", "generators", "splits", "seed", "metrics", "attacks", "gene_sets", "policies")
FRACTIONS = (0.6, 0.2, 0.2)
TIMEOUT = 3600.0


@dataclass(frozen=True)
class CohortEntry:
    """Where a cohort comes from.

    Parameters
    ----------
    name
        Its name in tables.
    source, value
        ``"file"`` and a path; ``"dataset"`` and the name of a public cohort; ``"simulate"`` or ``"simulate_cells"``
        and the keywords of the simulator.
    roles
        Columns and kind, as for `twinseq.read`.
    obs
        Sample table of a file.
    where
        Values of columns whose samples are kept; all by default.
    genes
        File with the genes that are kept, one a line; all by default.
    log_cpm
        Whether counts are turned into log2(CPM + 1) first.
    """

    name: str
    source: str
    value: Any
    roles: Mapping[str, Any] = field(default_factory=dict)
    obs: Path | None = None
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    genes: Path | None = None
    log_cpm: bool = False


@dataclass(frozen=True)
class GeneratorEntry:
    """A generator with its settings, or a program that stands in for one.

    Parameters
    ----------
    name
        Its name in tables.
    generator, preset, settings
        As for `twinseq.generators.create`; ``generator`` is ``None`` for a program.
    command
        Program and arguments, with ``{train}``, ``{twin}`` and ``{seed}`` for what it is given.
    timeout
        Seconds after which the program is stopped.
    home
        Folder of the grid, in which the program is run.
    """

    name: str
    generator: str | None = None
    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    command: str | None = None
    timeout: float = TIMEOUT
    home: Path = Path()

    def unfitted(self) -> generators.Generator | None:
        """Return the generator with its settings, or ``None`` for a program; privacy warnings are for later.

        Raises
        ------
        ConfigError
            A setting does not exist or is out of range.
        """
        if self.generator is None:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PrivacyWarning)
            return generators.create(self.generator, self.preset, **self.settings)


@dataclass(frozen=True)
class Grid:
    """Everything a benchmark runs.

    Parameters
    ----------
    title
        Headline of the report.
    cohorts, generators
        Each generator makes a twin of each cohort.
    splits
        How often each cohort is dealt anew.
    fractions
        Shares of the training data, the hold-out and, where there are three, the reference.
    seed
        Of everything; split ``k`` takes ``seed + k``.
    metrics
        Names of metrics.
    attacks, slow
        Whether twins are attacked, and whether attacks that fit many models take part.
    chosen
        Attacks and threat levels to which attackers are held; all where it is empty.
    gene_sets
        GMT files for the pathway metrics.
    policies
        What each audit is judged by.
    """

    title: str
    cohorts: tuple[CohortEntry, ...]
    generators: tuple[GeneratorEntry, ...]
    splits: int
    fractions: tuple[float, ...]
    seed: int
    metrics: tuple[str, ...]
    attacks: bool
    slow: bool
    chosen: tuple[str, ...]
    gene_sets: tuple[Path, ...]
    policies: tuple[Policy, ...]


def read_grid(path: str | Path) -> Grid:
    """Read and check a grid.

    Parameters
    ----------
    path
        YAML file; paths in it are relative to its folder.

    Raises
    ------
    PlaceError
        Something in it cannot be used; the message names line and key, and what was probably meant.
    """
    path = Path(path)
    top = Place.of(path).keys(GRID_KEYS, required=("cohorts", "generators"))
    cohorts = tuple(_cohort(place, path.parent) for place in top["cohorts"].items())
    made = tuple(_generator(place, path.parent.absolute()) for place in top["generators"].items())
    _check_names(top["cohorts"], [entry.name for entry in cohorts])
    _check_names(top["generators"], [entry.name for entry in made])
    splits, fractions = _splits(top.get("splits"))
    attacks, slow, chosen = _attacks(top.get("attacks"))
    sets = tuple(_file(place, path.parent) for place in top["gene_sets"].items()) if "gene_sets" in top else ()
    return Grid(
        title=top["title"].text() if "title" in top else path.stem,
        cohorts=cohorts,
        generators=made,
        splits=splits,
        fractions=fractions,
        seed=top["seed"].whole() if "seed" in top else 0,
        metrics=_metrics(top.get("metrics"), bool(sets)),
        attacks=attacks,
        slow=slow,
        chosen=chosen,
        gene_sets=sets,
        policies=_policies(top.get("policies"), path.parent),
    )


def _check_names(place: Place, names: list[str]) -> None:
    for number, item in enumerate(place.items()):
        if names[number] in names[:number]:
            item.refuse(f"the name '{names[number]}' is taken; give this one another (name: ...)")


def _cohort(place: Place, folder: Path) -> CohortEntry:
    keys = place.keys(COHORT_KEYS)
    sources = [name for name in SOURCES if name in keys]
    if len(sources) != 1:
        place.refuse(f"state one of {', '.join(SOURCES)}")
    source = sources[0]
    value: Any
    if source == "file":
        value = _file(keys[source], folder)
    elif source == "dataset":
        value = keys[source].text(dataset_names())
    else:
        value = _keywords(keys[source], SIMULATORS[source])
    for role in ROLES[:3]:
        if role in keys:
            keys[role].text()
    roles = {role: keys[role].value for role in ROLES if role in keys}
    if "covariates" in keys:
        roles["covariates"] = tuple(item.text() for item in keys["covariates"].items())
    if "kind" in keys:
        keys["kind"].text(("counts", "continuous"))
    if "paired" in keys:
        keys["paired"].truth()
    default = value.stem if isinstance(value, Path) else value if isinstance(value, str) else source
    return CohortEntry(
        name=keys["name"].text() if "name" in keys else default,
        source=source,
        value=value,
        roles=roles,
        obs=_file(keys["obs"], folder) if "obs" in keys else None,
        where=_where(keys.get("where")),
        genes=_file(keys["genes"], folder) if "genes" in keys else None,
        log_cpm="scale" in keys and keys["scale"].text(("counts", "log2-cpm")) == "log2-cpm",
    )


def _where(place: Place | None) -> dict[str, tuple[str, ...]]:
    wanted = {} if place is None else place.settings()
    return {name: tuple(map(str, kept if isinstance(kept, list) else [kept])) for name, kept in wanted.items()}


def _file(place: Place, folder: Path) -> Path:
    path = folder / place.text()
    if not path.exists():
        place.refuse(f"there is no file '{path}'")
    return path


def _keywords(place: Place, function: Any) -> dict[str, Any]:
    known = list(inspect.signature(function).parameters)
    return {name: entry.value for name, entry in place.keys(known).items()}


def _generator(place: Place, home: Path) -> GeneratorEntry:
    if place.is_text:
        name = place.text(generators.names())
        return _checked(place, GeneratorEntry(name, name))
    keys = place.keys(GENERATOR_KEYS)
    if ("generator" in keys) == ("command" in keys):
        place.refuse("state either generator or command")
    if "command" in keys:
        for surplus in ("preset", "set"):
            if surplus in keys:
                keys[surplus].refuse("a command has no settings here; write them into it")
        command = keys["command"].text()
        for hole in ("{train}", "{twin}"):
            if hole not in command:
                keys["command"].refuse(f"{hole} is missing: the program is told so where its file is")
        timeout = keys["timeout"].number() if "timeout" in keys else TIMEOUT
        title = keys["name"].text() if "name" in keys else command.split()[0]
        return GeneratorEntry(title, command=command, timeout=timeout, home=home)
    if "timeout" in keys:
        keys["timeout"].refuse("only commands have a time limit")
    name = keys["generator"].text(generators.names())
    preset = keys["preset"].text() if "preset" in keys else None
    settings = keys["set"].settings() if "set" in keys else {}
    words = [name, *([preset] if preset else []), *(f"{key}={value}" for key, value in settings.items())]
    title = keys["name"].text() if "name" in keys else " ".join(words)
    return _checked(place, GeneratorEntry(title, name, preset, settings))


def _checked(place: Place, entry: GeneratorEntry) -> GeneratorEntry:
    """Make the generator once, so that wrong settings show."""
    try:
        entry.unfitted()
    except TwinseqError as error:
        place.refuse(str(error))
    return entry


def _splits(place: Place | None) -> tuple[int, tuple[float, ...]]:
    if place is None:
        return 1, FRACTIONS
    keys = place.keys(("number", "fractions"))
    number = keys["number"].whole(1) if "number" in keys else 1
    if "fractions" not in keys:
        return number, FRACTIONS
    fractions = tuple(item.number() for item in keys["fractions"].items())
    if len(fractions) not in (2, 3) or min(fractions) <= 0 or sum(fractions) > 1 + 1e-9:
        keys["fractions"].refuse("give two or three positive shares (training, hold-out, reference), at most 1 in all")
    return number, fractions


def _attacks(place: Place | None) -> tuple[bool, bool, tuple[str, ...]]:
    """Return whether there are attacks, whether slow ones too, and to which attacks and levels they are held."""
    if place is None:
        return True, False, ()
    if place.is_text:
        word = place.text(("none", "fast", "all"))
        return word != "none", word == "all", ()
    known = (*(level for level in attacks.LEVELS if level != "T4"), *attacks.names())
    return True, False, tuple(dict.fromkeys(item.text(known) for item in place.items()))


def _policies(place: Place | None, folder: Path) -> tuple[Policy, ...]:
    """Return the policies that are named, by name or file."""
    found: list[Policy] = []
    for item in () if place is None else place.items():
        word = item.text() if item.is_text and str(item.value).endswith(SUFFIXES) else item.text(profiles())
        found.append(read_policy(word if word in profiles() else _file(item, folder)))
        if found[-1].name in [policy.name for policy in found[:-1]]:
            item.refuse(f"a policy '{found[-1].name}' is named already")
    return tuple(found)


def _metrics(place: Place | None, with_sets: bool) -> tuple[str, ...]:
    """Return the metrics that are named, by name or group; by default all that need no further files."""
    every = [registry.get(name) for name in registry.names()]
    usual = [m for m in every if "survival" not in m.needs and (with_sets or "gene sets" not in m.needs)]
    if place is None or (place.is_text and place.text(("all", "none")) == "all"):
        return tuple(metric.name for metric in usual)
    if place.is_text:
        return ()
    chosen: list[str] = []
    for item in place.items():
        word = item.text((*GROUPS, *registry.names()))
        members = [metric.name for metric in usual if metric.group == word] if word in GROUPS else [word]
        chosen += [name for name in members if name not in chosen]
    return tuple(chosen)
