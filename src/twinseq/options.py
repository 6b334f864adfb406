"""The options that several commands share, and how their values are read."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import ConfigError, shorten

if TYPE_CHECKING:
    from .cohort import Cohort, Kind
    from .generators import Generator


class KindOption(StrEnum):
    """Kinds of profiles, for ``--kind``."""

    counts = "counts"
    continuous = "continuous"


class Listed(StrEnum):
    """What ``twinseq list`` can show."""

    generators = "generators"
    metrics = "metrics"
    attacks = "attacks"
    datasets = "datasets"
    policies = "policies"


REAL = Annotated[
    Path,
    typer.Argument(
        metavar="REAL", help="Real cohort: .h5ad, .zarr, a table (.csv, .tsv, .parquet; .gz allowed), a 10x folder."
    ),
]
OBS = Annotated[
    Path | None,
    typer.Option(
        "--obs", metavar="FILE", help="Sample table of REAL, sample names first. [NAME.samples.csv beside REAL]"
    ),
]
LABEL = Annotated[str | None, typer.Option("--label", metavar="COLUMN", help="Column with the class of each sample.")]
DONOR = Annotated[
    str | None, typer.Option("--donor", metavar="COLUMN", help="Column with the person a sample comes from.")
]
CELL_TYPE = Annotated[str | None, typer.Option("--cell-type", metavar="COLUMN", help="Column with the cell type.")]
COVARIATE = Annotated[
    list[str] | None,
    typer.Option("--covariate", metavar="COLUMN", help="Further column to keep (batch, sex, age); may be repeated."),
]
TIME = Annotated[
    str | None,
    typer.Option("--time", metavar="COLUMN", help="Column with the time to the event or the end of follow-up."),
]
EVENT = Annotated[
    str | None, typer.Option("--event", metavar="COLUMN", help="Column with 1 where the event was seen, 0 where not.")
]
GENE_SETS = Annotated[
    list[str] | None,
    typer.Option(
        "--gene-sets", metavar="GMT", help="Gene sets for pathways; may be repeated. enrichr:NAME is fetched."
    ),
]
GENE_IDS = Annotated[
    Path | None,
    typer.Option("--gene-ids", metavar="CSV", help="Table from the gene ids of REAL to those of the gene sets."),
]
KIND = Annotated[
    KindOption | None, typer.Option("--kind", help="Raw counts, or continuous values (VST, log-CPM). [counts]")
]
PAIRED = Annotated[
    bool | None, typer.Option("--paired/--not-paired", help="One donor may be in several classes (tumour and normal).")
]
LAZY = Annotated[
    bool | None,
    typer.Option(
        "--lazy/--no-lazy",
        help="Leave REAL (.h5ad, .zarr) on disk and read it in parts. [where it would take a quarter of the memory]",
    ),
]
SCHEDULER = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask scheduler whose workers learn from single cells; they have to see REAL. Changes no result.",
    ),
]
SEED = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same result.", min=0)]
JOBS = Annotated[int, typer.Option("--jobs", metavar="N", help="Threads; 0: one per core. Changes no result.", min=0)]
QUIET = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
JSON = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


GENERATOR_KNOWN = Annotated[
    str | None,
    typer.Option("--generator", "-g", metavar="NAME", help="What made TWIN, for attackers who know it (level T2)."),
]
PRESET = Annotated[str | None, typer.Option("--preset", metavar="NAME", help="Named settings. [copula: faithful]")]
EPSILON = Annotated[
    float | None, typer.Option("--epsilon", metavar="E", help="Differential privacy: ε of the guarantee.")
]
DELTA = Annotated[
    float | None, typer.Option("--delta", metavar="D", help="Differential privacy: δ, below one over the donors.")
]
BASIS = Annotated[Path | None, typer.Option("--basis", metavar="FILE", help="Public basis; see `twinseq basis build`.")]
PUBLIC = Annotated[
    Path | None,
    typer.Option("--public", metavar="FILE", help="Public cohort: builds a basis from it and keeps it beside TWIN."),
]
TARGET_AUC = Annotated[
    float | None,
    typer.Option("--target-auc", metavar="A", help="With --preset share: most that attacks may reach. [0.6]"),
]
MIN_DE_RECALL = Annotated[
    float | None,
    typer.Option("--min-de-recall", metavar="R", help="With --preset share: least share of differential genes kept."),
]
LEDGER = Annotated[
    Path | None,
    typer.Option("--ledger", metavar="FILE", help="Ledger of the cohort: this release is added to what it holds."),
]
POLICY = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="NAME|FILE",
        help="What must hold before the twin is handed on: internal, partner, open, or a YAML file.",
    ),
]
STRICT = Annotated[
    bool, typer.Option("--strict", help="Exit code 1 unless the verdict under --policy is pass; the report is written.")
]
SETTINGS = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of the generator; may be repeated."),
]


PRIVATE_CELLS = "dp-scdesign"
"""The private generator of single cells."""


def parse_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Turn ``key=value`` texts into parameters; values are read as Python literals where they are such.

    Raises
    ------
    ConfigError
        A text has no ``=``.
    """
    settings: dict[str, Any] = {}
    words = {"true": True, "false": False, "none": None, "null": None}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {shorten(pair)}: write key=value.")
        try:
            settings[key] = words[value.lower()] if value.lower() in words else ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[key] = value
    return settings


def preset_of(generator: str, preset: str | None) -> str | None:
    """Return the preset that is meant where none is named."""
    return "faithful" if preset is None and generator == "copula" else preset


def made_private(
    generator: str, preset: str | None, settings: dict[str, Any], epsilon: float | None, delta: float | None
) -> tuple[str, str | None, dict[str, Any]]:
    """Return generator, preset and settings with what ``--preset dp``, ``--epsilon`` and ``--delta`` mean.

    Raises
    ------
    ConfigError
        The generator has no private form, or a guarantee is asked of one that gives none.
    """
    from . import generators

    if preset == "dp":
        private = generator if generator.startswith("dp-") else f"dp-{generator}"
        generator, preset = PRIVATE_CELLS if generator == "scdesign2" else private, None
        if generator not in generators.names():
            known = ", ".join(name for name in generators.names() if name.startswith("dp-"))
            raise ConfigError(f"There is no generator '{shorten(generator)}'. With differential privacy: {known}.")
    stated = {"epsilon": epsilon, "delta": delta}
    given = {name: value for name, value in stated.items() if value is not None}
    if given and generators.info(generator).family != "dp":
        raise ConfigError(
            f"--{next(iter(given))}: generator '{generator}' gives no guarantee. Add --preset dp, or take one of "
            "`twinseq list generators` that does."
        )
    return generator, preset, {**settings, **given}


def on_basis(generator: str, settings: dict[str, Any], basis: Path | None) -> tuple[str, dict[str, Any]]:
    """Return generator and settings that use a public basis, where there is one.

    Raises
    ------
    ConfigError
        The generator cannot use one.
    """
    if basis is None:
        return generator, settings
    able = {"copula": "basis-copula", "share-copula": "basis-copula"} | {
        name: name for name in ("basis-copula", "dp-copula", PRIVATE_CELLS)
    }
    if generator not in able:
        raise ConfigError(
            f"--basis, --public: generator '{generator}' uses no public basis; copula, dp-copula, {PRIVATE_CELLS} do."
        )
    return able[generator], {**settings, "basis": str(basis)}


def known_to_attackers(
    name: str | None, preset: str | None, settings: list[str], model: Path | None
) -> Generator | None:
    """Return the generator that attackers know, or hold fitted; ``None`` where they know nothing.

    Raises
    ------
    ConfigError
        Settings are given of a generator that is not named, or a model beside a generator.
    """
    from . import generators

    if model is not None:
        if name is not None or preset is not None or settings:
            raise ConfigError("--model says which generator it holds and how it was set: leave the others out.")
        return generators.load(model)
    if name is None:
        if preset is not None or settings:
            raise ConfigError("--preset and --set go with --generator.")
        return None
    return generators.create(name, preset=preset_of(name, preset), **parse_settings(settings))


def parse_survival(time: str | None, event: str | None) -> tuple[str, str] | None:
    """Return the columns of time and event, or ``None`` where neither is stated.

    Raises
    ------
    ConfigError
        Only one of them is.
    """
    if time is None and event is None:
        return None
    if time is None or event is None:
        raise ConfigError("--time and --event go together: state both columns or neither.")
    return time, event


def parse_fractions(text: str) -> tuple[float, ...]:
    """Read ``"0.6 0.2 0.2"`` (commas allowed).

    Raises
    ------
    ConfigError
        Not two or three numbers.
    """
    try:
        shares = tuple(float(word) for word in text.replace(",", " ").split())
    except ValueError:
        shares = ()
    if len(shares) not in (2, 3):
        raise ConfigError(f"--fractions {shorten(text)}: give two or three numbers, such as 0.6 0.2 0.2.")
    return shares


def join_fractions(words: Sequence[str]) -> list[str]:
    """Let ``--fractions 0.6 0.2 0.2`` be written without quotes."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].startswith("--fractions=") and _is_number(word):
            joined[-1] += f" {word}"
        elif joined and joined[-1] == "--fractions" and _is_number(word):
            joined[-1] = f"--fractions={word}"
        else:
            joined.append(word)
    return joined


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def read_cohort(
    path: Path,
    obs: Path | None,
    label: str | None,
    donor: str | None,
    cell_type: str | None,
    covariate: list[str] | None,
    kind: KindOption | None,
    paired: bool | None,
    lazy: bool | None = None,
) -> Cohort:
    """Read the real cohort with the roles given on the command line."""
    from .io import read

    stated: Kind | None = None if kind is None else kind.value
    return read(
        path,
        obs=obs,
        label=label,
        donor=donor,
        cell_type=cell_type,
        covariates=covariate,
        kind=stated,
        paired=paired,
        lazy=lazy,
    )


@contextmanager
def working_at(scheduler: str | None) -> Iterator[None]:
    """Have the work that generators share out done at a Dask scheduler, where one is named.

    Raises
    ------
    ConfigError
        There is no scheduler at the address, or it has no workers.
    """
    if scheduler is None:
        yield
        return
    from .parallel import on_cluster

    with on_cluster(scheduler):
        yield


def left_on_disk(real: Path, lazy: bool | None, scheduler: str | None) -> bool | None:
    """Return whether REAL stays on disk: for a cluster, where it can, so that its path is sent and not its content."""
    from .containers import CONTAINERS
    from .tables import table_suffix

    if lazy is None and scheduler is not None and table_suffix(real) in CONTAINERS:
        return True
    return lazy


def check_shared_out(model: Generator, cohort: Cohort) -> None:
    """Refuse a cluster for a generator that would not use it.

    Raises
    ------
    ConfigError
        The generator learns from this cohort in one piece.
    """
    cells = cohort.cell_type is not None and model.info.name == "copula"
    if not (model.info.in_parts or cells):
        raise ConfigError(
            f"--scheduler: generator '{model.info.name}' learns from this cohort in one piece. Leave --scheduler out, "
            "or take one that learns single cells in parts (`twinseq list generators`)."
        )


def inputs(real: Path, obs: Path | None) -> list[Path]:
    """Return the files that hold the real cohort."""
    from .io import samples_beside

    return [real, samples_beside(real) if obs is None else obs]


def threads(jobs: int) -> int:
    """Return how many threads ``--jobs`` means."""
    if jobs:
        return jobs
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
