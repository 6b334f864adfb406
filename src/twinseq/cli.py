"""The command line: parse, call, print."""

from __future__ import annotations

import ast
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from . import __version__
from .errors import ConfigError, TwinseqError

if TYPE_CHECKING:
    from .cohort import Cohort, Kind
    from .results import AuditReport

app = typer.Typer(
    name="twinseq",
    help="Synthetic twins of RNA-seq cohorts, with evidence of what they keep and what they leak.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class KindOption(StrEnum):
    """Kinds of profiles, for ``--kind``."""

    counts = "counts"
    continuous = "continuous"


class Listed(StrEnum):
    """What ``twinseq list`` can show."""

    generators = "generators"
    metrics = "metrics"
    datasets = "datasets"


REAL = Annotated[
    Path, typer.Argument(help="Real cohort: .h5ad, a table (.csv/.tsv/.parquet, .gz allowed) or a 10x folder.")
]
OBS = Annotated[Path | None, typer.Option("--obs", help="Sample table of REAL, indexed by sample name.")]
LABEL = Annotated[str | None, typer.Option("--label", help="Column with the class of each sample.")]
DONOR = Annotated[str | None, typer.Option("--donor", help="Column with the person a sample comes from.")]
CELL_TYPE = Annotated[str | None, typer.Option("--cell-type", help="Column with the cell type.")]
COVARIATE = Annotated[list[str] | None, typer.Option("--covariate", help="Column to carry along; may be repeated.")]
KIND = Annotated[KindOption | None, typer.Option("--kind", help="Raw counts, or continuous values (VST, log-CPM).")]
PAIRED = Annotated[bool | None, typer.Option("--paired/--not-paired", help="One donor may be in several classes.")]
SEED = Annotated[int, typer.Option("--seed", help="The same seed gives the same result.")]
JOBS = Annotated[int, typer.Option("--jobs", help="Threads; 0: one per core. Changes no result.", min=0)]
QUIET = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
JSON = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def generate(
    real: REAL,
    output: Annotated[Path, typer.Option("--output", "-o", help="Twin to write; the name tells the format.")],
    obs: OBS = None,
    label: LABEL = None,
    donor: DONOR = None,
    cell_type: CELL_TYPE = None,
    covariate: COVARIATE = None,
    kind: KIND = None,
    paired: PAIRED = None,
    generator: Annotated[str, typer.Option("--generator", "-g", help="See `twinseq list generators`.")] = "copula",
    preset: Annotated[str | None, typer.Option("--preset", help="Named settings. [copula: faithful]")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value, a setting of the generator.")] = None,
    n: Annotated[int | None, typer.Option("--n", help="Samples to draw. [as many as in REAL]", min=1)] = None,
    seed: SEED = 0,
    jobs: JOBS = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Make a twin of a cohort."""
    from . import generators
    from .io import check_writable_format, write

    check_writable_format(output)
    check_output(output, [real, obs])
    if preset is None and generator == "copula":
        preset = "faithful"
    model = generators.create(generator, preset=preset, **parse_settings(settings or []))
    started = time.perf_counter()
    with steps(3, quiet or as_json) as step:
        step("Reading")
        cohort = read_cohort(real, obs, label, donor, cell_type, covariate, kind, paired)
        step("Learning and drawing")
        twin = model.fit(cohort, seed=seed, jobs=threads(jobs)).sample(n, seed=seed + 1, jobs=threads(jobs))
        step("Writing")
        written = write(twin, output)
    result = {
        "twin": [str(path) for path in written],
        "samples": twin.n_samples,
        "genes": twin.n_genes,
        "generator": generator,
        "preset": preset,
        "parameters": model.params(),
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 2),
        "empty_columns": empty_columns(twin),
    }
    if as_json:
        print_json(result)
    elif not quiet:
        say(f"{twin.n_samples} samples × {twin.n_genes:,} genes by {model.info.title} in {result['seconds']} s")
        for path in written:
            say(f"  {path}")
        if result["empty_columns"]:
            say(f"Columns without a role are left empty: {', '.join(map(shown, empty_columns(twin)))}")
        if model.info.unsafe:
            warn("This generator gives donors away by construction. Never share what it makes.")
        else:
            say("What it keeps and leaks is not known yet: split, generate from the training part, then audit.")


@app.command()
def split(
    real: REAL,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the parts.")],
    obs: OBS = None,
    label: LABEL = None,
    donor: DONOR = None,
    cell_type: CELL_TYPE = None,
    covariate: COVARIATE = None,
    kind: KIND = None,
    paired: PAIRED = None,
    fractions: Annotated[
        str, typer.Option("--fractions", help="Shares for train, hold-out and (with three) reference.")
    ] = "0.6 0.2 0.2",
    seed: SEED = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Split a cohort by donor, stratified by class, into train / holdout / reference files."""
    from .files import atomic_folder
    from .io import write
    from .tables import table_suffix

    shares = parse_fractions(fractions)
    with steps(2, quiet or as_json) as step:
        step("Reading")
        cohort = read_cohort(real, obs, label, donor, cell_type, covariate, kind, paired)
        parts = dict(zip(PARTS, cohort.split(shares, seed=seed), strict=False))
        step("Writing")
        suffix = ".h5ad" if real.is_dir() else "".join(real.suffixes[-2:]) if real.suffix == ".gz" else real.suffix
        with atomic_folder(output) as folder:
            for name, part in parts.items():
                write(part, folder / f"{name}{suffix if table_suffix(real) else '.h5ad'}")
    if as_json:
        print_json(
            {name: {"samples": part.n_samples, "donors": len(set(part.donors()))} for name, part in parts.items()}
        )
    elif not quiet:
        table = Table("part", "samples", "donors", *sorted(set(cohort.labels())), box=None, pad_edge=False)
        for name, part in parts.items():
            labels = part.labels().tolist()
            counts = [str(labels.count(one)) for one in sorted(set(cohort.labels()))]
            table.add_row(name, str(part.n_samples), str(len(set(part.donors()))), *counts)
        out.print(table)
        say(f"Written to {output}")


PARTS = ("train", "holdout", "reference")


@app.command()
def audit(
    real: REAL,
    twin: Annotated[Path, typer.Argument(help="Twin made from REAL.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for report.html, metrics.json and tables.")],
    holdout: Annotated[Path | None, typer.Option("--holdout", help="Real data the generator never saw.")] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="Further real data, disjoint from both.")
    ] = None,
    obs: OBS = None,
    label: LABEL = None,
    donor: DONOR = None,
    covariate: COVARIATE = None,
    kind: KIND = None,
    paired: PAIRED = None,
    seed: SEED = 0,
    jobs: JOBS = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Measure what a twin keeps of the cohort it was made from, and write a report."""
    from .audit import audit as run_audit
    from .io import read

    check_output(output, [])
    train = read_cohort(real, obs, label, donor, None, covariate, kind, paired)
    drawn = read(twin, label=train.label, covariates=(), kind=train.kind, paired=True)
    unseen, further = (
        read(
            path,
            label=train.label,
            donor=train.donor,
            covariates=(),
            kind=train.kind,
            paired=train.paired,
            min_per_class=1,
        )
        if path is not None
        else None
        for path in (holdout, reference)
    )
    with bar(quiet or as_json) as progress:
        report = run_audit(
            train, drawn, holdout=unseen, reference=further, seed=seed, jobs=threads(jobs), progress=progress
        )
    report.save(output)
    if as_json:
        print_json(report.to_dict())
    elif not quiet:
        print_summary(report, output)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the result.")] = Path("twinseq-demo"),
    seed: SEED = 0,
    jobs: JOBS = 0,
    quiet: QUIET = False,
) -> None:
    """Simulate a cohort of 136 × 27,000, make its twin, audit it, and write the report."""
    from . import generators
    from .audit import audit as run_audit
    from .datasets import simulate_cohort
    from .io import write

    check_output(output, [])
    with steps(2, quiet) as step:
        step("Simulating 136 donors × 27,000 genes, and 136 more for the hold-out")
        cohort, holdout = (simulate_cohort(seed=seed + number) for number in (0, 1))
        step("Making the twin")
        model = generators.create("copula", preset="faithful").fit(cohort, seed=seed, jobs=threads(jobs))
        twin = model.sample(seed=seed + 1, jobs=threads(jobs))
    with bar(quiet) as progress:
        report = run_audit(cohort, twin, holdout=holdout, seed=seed, jobs=threads(jobs), progress=progress)
    report.save(output)
    for name, made in (("cohort", cohort), ("holdout", holdout), ("twin", twin)):
        write(made, output / f"{name}.h5ad")
    if not quiet:
        print_summary(report, output)


@app.command("list")
def list_(
    what: Annotated[Listed, typer.Argument(help="What to list.")],
    as_json: JSON = False,
) -> None:
    """List what there is to choose from."""
    rows = {Listed.generators: _generators, Listed.metrics: _metrics, Listed.datasets: _datasets}[what]()
    if as_json:
        print_json(rows)
        return
    table = Table(*rows[0], box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(", ".join(value) if isinstance(value, list) else str(value)) for value in row.values()))
    out.print(table)


def _generators() -> list[dict[str, Any]]:
    from . import generators

    return [
        {
            "name": info.name,
            "title": info.title,
            "family": info.family,
            "kinds": list(info.kinds),
            "presets": list(generators.get(info.name).presets),
            "guarantee": info.guarantee,
        }
        for info in map(generators.info, generators.names())
    ]


def _metrics() -> list[dict[str, Any]]:
    from . import metrics

    return [
        {
            "name": metric.name,
            "group": metric.group,
            "better": metric.direction,
            "ideal": "–" if metric.ideal is None else f"{metric.ideal:g}",
            "question": metric.question,
        }
        for metric in map(metrics.get, metrics.names())
    ]


def _datasets() -> list[dict[str, Any]]:
    from .datasets import listing

    return [{"name": str(name), **row} for name, row in listing().iterrows()]


def read_cohort(
    path: Path,
    obs: Path | None,
    label: str | None,
    donor: str | None,
    cell_type: str | None,
    covariate: list[str] | None,
    kind: KindOption | None,
    paired: bool | None,
) -> Cohort:
    """Read the real cohort with the roles given on the command line."""
    from .io import read

    stated: Kind | None = None if kind is None else kind.value
    return read(
        path, obs=obs, label=label, donor=donor, cell_type=cell_type, covariates=covariate, kind=stated, paired=paired
    )


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
            raise ConfigError(f"--set {shown(pair)}: write key=value.")
        try:
            settings[key] = words[value.lower()] if value.lower() in words else ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[key] = value
    return settings


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
        raise ConfigError(f"--fractions {shown(text)}: give two or three numbers, such as 0.6 0.2 0.2.")
    return shares


def check_output(path: Path, inputs: Sequence[Path | None]) -> None:
    """Refuse an output that is one of the inputs, or that cannot be written, before any work is done.

    Raises
    ------
    ConfigError
        The output would overwrite an input.
    OutputError
        Its folder does not let itself be written to.
    """
    from .files import check_writable

    for source in inputs:
        if source is not None and path.exists() and source.exists() and path.samefile(source):
            raise ConfigError(f"{path}: is the input itself. Give another name for the output.")
    check_writable(path)


def empty_columns(twin: Cohort) -> list[str]:
    """Return the columns of a twin that hold nothing."""
    return [str(name) for name, column in twin.obs.items() if column.isna().all()]


def threads(jobs: int) -> int:
    """Return how many threads ``--jobs`` means."""
    return jobs or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else jobs or os.cpu_count() or 1


def shown(text: str, width: int = 60) -> str:
    """Return text from data or user, cut to ``width`` characters."""
    return text if len(text) <= width else text[: width - 1] + "…"


def say(text: str) -> None:
    """Print a line as it is: brackets in names are no markup."""
    out.print(text, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print a warning to standard error."""
    err.print(Text(text, style="bold yellow"), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print JSON, and nothing but JSON, to standard output."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))


def print_summary(report: AuditReport, folder: Path) -> None:
    """Print the headline figures of an audit and where the report lies."""
    table = Table("", "twin", "95 % interval", "real data", "known-bad", box=None, pad_edge=False, header_style="bold")
    for name, title in HEADLINES.items():
        metric = next((metric for metric in report.metrics if metric.name == name), None)
        if metric is None:
            continue
        interval = "" if metric.ci is None else f"{metric.ci[0]:.3f} – {metric.ci[1]:.3f}"
        bounds = ("–" if value is None else f"{value:.3f}" for value in (metric.ceiling, metric.floor))
        table.add_row(title, f"{metric.value:.3f}", interval, *bounds)
    out.print(table)
    if report.omitted:
        say(f"{len(report.omitted)} figures could not be given; the report says why.")
    say(f"Verdict: {report.verdict['outcome']} ({'; '.join(report.verdict['reasons'])})")
    say(f"Report: {folder / 'report.html'}")


HEADLINES = {
    "de_recall": "Differential genes found again",
    "de_precision": "… and right",
    "lfc_pearson": "Fold changes, r to training data",
    "lfc_replication": "Fold changes, r to hold-out (real = 1)",
    "tstr_auc_top500_logistic": "Classifier AUC, trained on the twin",
    "correlation_r": "Gene correlations, r",
    "library_size_ks": "Library sizes, KS distance",
    "c2st_auc_trees": "Told from real data (0.5: not at all)",
}


@contextmanager
def steps(total: int, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show a spinner with the name of the step that is under way."""
    with bar(quiet) as progress:
        done = 0

        def step(name: str) -> None:
            nonlocal done
            progress(done, total, name)
            done += 1

        yield step


@contextmanager
def bar(quiet: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Show a progress bar on standard error, fed by ``(step, total, description)``."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=quiet) as progress:
        task = progress.add_task("", total=None)
        yield lambda step, total, name: progress.update(task, completed=step, total=total, description=name)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Print the version where it is asked for."""
    if version:
        say(f"twinseq {__version__}")
        raise typer.Exit


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
    return word.replace(".", "", 1).isdigit()


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line; bad input ends with exit code 2 and one message."""
    try:
        app(args=join_fractions(sys.argv[1:] if words is None else words), prog_name="twinseq")
    except TwinseqError as error:
        err.print(Text("Error: ", style="bold red") + Text(str(error)), soft_wrap=True)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        err.print("Stopped. Nothing half-written was left behind.", markup=False)
        raise SystemExit(130) from None
    except Exception as error:
        if os.environ.get("TWINSEQ_DEBUG"):
            raise
        err.print(Text("Internal error: ", style="bold red") + Text(f"{type(error).__name__}: {error}"), soft_wrap=True)
        err.print("This is a bug in twinseq. TWINSEQ_DEBUG=1 shows where; please report it.", markup=False)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
