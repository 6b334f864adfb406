"""The command line: parse, call, print."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import (
    __version__,
    advise_command,
    basis_command,
    benchmark_command,
    camda_command,
    listings,
    plan_command,
    release_command,
    serve_command,
    terminal,
)
from .errors import ConfigError, TwinseqError, shorten
from .options import (
    BASIS,
    CELL_TYPE,
    COVARIATE,
    DELTA,
    DONOR,
    EPSILON,
    EVENT,
    GENE_IDS,
    GENE_SETS,
    GENERATOR_KNOWN,
    JOBS,
    JSON,
    KIND,
    LABEL,
    LAZY,
    LEDGER,
    MIN_DE_RECALL,
    OBS,
    PAIRED,
    POLICY,
    PRESET,
    PRIVATE_CELLS,
    PUBLIC,
    QUIET,
    REAL,
    SCHEDULER,
    SEED,
    SETTINGS,
    STRICT,
    TARGET_AUC,
    TIME,
    Listed,
    check_shared_out,
    inputs,
    join_fractions,
    known_to_attackers,
    left_on_disk,
    made_private,
    on_basis,
    parse_fractions,
    parse_settings,
    parse_survival,
    preset_of,
    read_cohort,
    threads,
    working_at,
)
from .terminal import progress, say, warn

if TYPE_CHECKING:
    from .results import AuditReport

app = typer.Typer(
    name="twinseq",
    help="Synthetic twins of RNA-seq cohorts, with evidence of what they keep and what they leak.",
    epilog="`twinseq COMMAND -h` explains a command. `twinseq demo` needs no data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(basis_command.app, name="basis")
app.add_typer(benchmark_command.app, name="benchmark")
app.add_typer(camda_command.app, name="camda")
app.command(epilog=plan_command.EXAMPLES)(plan_command.plan)
app.command(epilog=serve_command.EXAMPLES)(serve_command.serve)
app.command(epilog=release_command.EXAMPLES)(release_command.release)
app.command(epilog=advise_command.EXAMPLES)(advise_command.advise)

PARTS = ("train", "holdout", "reference")
INTERRUPTED = 130

# Click keeps the lines of a paragraph that starts with a backspace as they are.
GENERATE_EXAMPLES = """\b
twinseq generate cohort.h5ad --label condition -o twin.h5ad
twinseq generate counts.csv --obs samples.csv --label condition -o twin.csv

twinseq generate cohort.h5ad --label condition --preset dp --epsilon 4 --delta 1e-5 -o twin.h5ad"""
SPLIT_EXAMPLES = """\b
twinseq split cohort.h5ad --label condition --fractions 0.6 0.2 0.2 -o parts"""
AUDIT_EXAMPLES = """\b
twinseq audit train.h5ad twin.h5ad --holdout holdout.h5ad -o report

twinseq audit train.h5ad twin.h5ad --holdout holdout.h5ad --reference others.h5ad --policy partner --strict -o report

twinseq audit cohort.h5ad --label condition --generator copula --splits 5 -o report"""


def print_version(wanted: bool) -> None:
    """Print the version where it is asked for."""
    if wanted:
        say(f"twinseq {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=print_version)
    ] = False,
) -> None:
    """Take the options that stand before the command."""


@app.command(epilog=GENERATE_EXAMPLES)
def generate(
    real: REAL,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="TWIN", help="File to write; its name tells the format.")
    ],
    obs: OBS = None,
    label: LABEL = None,
    donor: DONOR = None,
    cell_type: CELL_TYPE = None,
    covariate: COVARIATE = None,
    kind: KIND = None,
    paired: PAIRED = None,
    generator: Annotated[
        str, typer.Option("--generator", "-g", metavar="NAME", help="See `twinseq list generators`.")
    ] = "copula",
    preset: PRESET = None,
    settings: SETTINGS = None,
    epsilon: EPSILON = None,
    delta: DELTA = None,
    basis: BASIS = None,
    public: PUBLIC = None,
    target_auc: TARGET_AUC = None,
    min_de_recall: MIN_DE_RECALL = None,
    ledger: LEDGER = None,
    n: Annotated[
        int | None, typer.Option("--n", metavar="N", help="Samples to draw. [as many as in REAL]", min=1)
    ] = None,
    lazy: LAZY = None,
    scheduler: SCHEDULER = None,
    seed: SEED = 0,
    jobs: JOBS = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Make a twin of a cohort.

    The twin has the genes, the columns and the design of REAL. Columns without a role are left empty. An .h5ad file
    keeps the roles of its columns; for tables, state them each time. With --preset dp, --epsilon and --delta the twin
    is differentially private, donor by donor, and the claim is written beside it (dp-copula; dp-scdesign where cell
    types are stated). With --preset share, settings are searched that keep attacks below --target-auc, and everything
    that was tried is written beside the twin. Large twins are drawn and written in parts, as .h5ad or .zarr.
    """
    from . import generators
    from .dp.claims import add_release, beside, read_releases, total_epsilon, write_claim
    from .drawing import draw_to_file
    from .files import check_apart, check_writable
    from .io import check_target
    from .private import basis_beside, basis_built, claim_of, warnings_kept
    from .sharing.command import PRESET as SHARE
    from .sharing.command import frontier_beside, shared_generator, tuned

    check_apart(check_target(output), inputs(real, obs))
    if basis is not None and public is not None:
        raise ConfigError("Give either --basis or --public, not both.")
    generator = shared_generator(generator, preset, settings or [], target_auc, min_de_recall)
    private_copula = preset == "dp" and generator == "copula"
    generator, preset, chosen = made_private(generator, preset, parse_settings(settings or []), epsilon, delta)
    generator, chosen = on_basis(generator, chosen, basis if public is None else basis_beside(output))
    if ledger is not None:
        if generators.info(generator).family != "dp":
            raise ConfigError(f"--ledger: generator '{generator}' gives no guarantee to be written down.")
        check_writable(ledger)
        read_releases(ledger)
    preset = preset_of(generator, preset)
    started = time.perf_counter()
    lazy = left_on_disk(real, lazy, scheduler)
    with warnings_kept() as warned, working_at(scheduler), progress(quiet) as step:
        model = generators.create(generator, preset=preset, **chosen)
        step(0, 3, "reading")
        cohort = read_cohort(real, obs, label, donor, cell_type, covariate, kind, paired, lazy)
        if private_copula and cohort.cell_type is not None:
            generator = PRIVATE_CELLS
            model = generators.create(generator, **chosen)
        if scheduler is not None:
            check_shared_out(model, cohort)
        with basis_built(public, cohort, basis_beside(output)):
            if preset == SHARE:
                public_basis = chosen.get("basis")
                frontier = tuned(cohort, public_basis, target_auc, min_de_recall, seed, threads(jobs), step, output)
                generator, chosen = frontier.chosen
                model = generators.create(generator, **chosen)
            step(1, 3, "learning and drawing")
            model.fit(cohort, seed=seed, jobs=threads(jobs))
            claim = claim_of(model)
            # What has been asked has been asked, whether or not a twin comes to be written.
            releases = [] if claim is None or ledger is None else add_release(claim, ledger)
            twin = draw_to_file(model, n, seed + 1, threads(jobs), output, step)
            if claim is not None:
                write_claim(claim, beside(output))
    for text in warned:
        warn(text)
    result = {
        "twin": [str(path) for path in twin.paths],
        "samples": twin.n_samples,
        "genes": twin.n_genes,
        "generator": generator,
        "preset": preset,
        "parameters": model.params(),
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 2),
        "empty_columns": twin.empty,
    }
    if preset == SHARE:
        result |= {"frontier": str(frontier_beside(output)), "reasons": list(frontier.reasons)}
    if claim is not None:
        result |= {"claim": str(beside(output)), "epsilon": claim.epsilon, "delta": claim.delta}
    if claim is not None and releases:
        result |= {"releases": len(releases), "released_epsilon": total_epsilon(releases, claim.delta)}
    if as_json:
        terminal.print_json(result)
    elif not quiet:
        samples = "1 sample" if twin.n_samples == 1 else f"{twin.n_samples:,} samples"
        say(f"{samples} × {twin.n_genes:,} genes by {model.info.title} in {result['seconds']} s")
        for path in twin.paths:
            say(f"  {path}")
        if twin.empty:
            say(f"Left empty, since they were given no role: {terminal.listed(twin.empty)}")
        if preset == SHARE:
            say(f"  {frontier_beside(output)}")
            for reason in frontier.reasons:
                say(reason)
        if claim is not None:
            say(f"Guarantee: ({claim.epsilon:g}, {claim.delta:g})-differential privacy of donors, in {beside(output)}")
            if releases:
                number = "1 release" if len(releases) == 1 else f"{len(releases)} releases"
                spent = result["released_epsilon"]
                say(f"  {number} of this cohort together: epsilon = {spent:.3g} at delta = {claim.delta:g}")
            say("Not audited yet: `twinseq audit` measures what it keeps.")
        elif not model.info.unsafe:
            say("Not audited yet: `twinseq audit` measures what it keeps. No privacy is guaranteed.")
    if model.info.unsafe and not quiet:
        warn("This generator gives real samples away by construction. Never share what it makes.")


@app.command(epilog=SPLIT_EXAMPLES)
def split(
    real: REAL,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the parts.")],
    obs: OBS = None,
    label: LABEL = None,
    donor: DONOR = None,
    cell_type: CELL_TYPE = None,
    covariate: COVARIATE = None,
    kind: KIND = None,
    paired: PAIRED = None,
    fractions: Annotated[
        str,
        typer.Option(
            "--fractions", metavar="F F [F]", help="Shares for train, holdout and, if there are three, reference."
        ),
    ] = "0.6 0.2 0.2",
    lazy: LAZY = None,
    seed: SEED = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Set real samples aside for the audit, whole donors each.

    Classes keep their proportions in every part, and the cells of a donor stay together. Make the twin from train, and
    give holdout and reference to the audit.
    """
    from .files import atomic_folder, check_apart, check_folder
    from .io import check_target, same_format, write

    shares = parse_fractions(fractions)
    check_folder(output)
    names = [same_format(part, real) for part in PARTS[: len(shares)]]
    check_apart([path for name in names for path in check_target(output / name)], inputs(real, obs))
    with progress(quiet) as step:
        step(0, 2, "reading")
        cohort = read_cohort(real, obs, label, donor, cell_type, covariate, kind, paired, lazy)
        parts = dict(zip(names, cohort.split(shares, seed=seed), strict=True))
        step(1, 2, "writing")
        with atomic_folder(output) as folder:
            for name, part in parts.items():
                write(part, folder / name)
    classes = sorted(set(cohort.labels().tolist()))
    result = {
        kept: {
            "file": str(output / name),
            "samples": part.n_samples,
            "donors": len(set(part.donors())),
            "classes": {one: int((part.labels() == one).sum()) for one in classes},
        }
        for kept, (name, part) in zip(PARTS, parts.items(), strict=False)
    }
    if as_json:
        terminal.print_json(result)
    elif not quiet:
        terminal.print_parts(result, output)


@app.command(epilog=AUDIT_EXAMPLES)
def audit(
    real: REAL,
    twin: Annotated[
        Path | None, typer.Argument(metavar="TWIN", help="Twin made from REAL. Without it, --generator is audited.")
    ] = None,
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for report.html, metrics.json and tables."),
    ],
    holdout: Annotated[
        Path | None, typer.Option("--holdout", metavar="FILE", help="Real samples that the generator never saw.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", metavar="FILE", help="Further real samples, in none of the others.")
    ] = None,
    obs: OBS = None,
    label: LABEL = None,
    donor: DONOR = None,
    cell_type: CELL_TYPE = None,
    covariate: COVARIATE = None,
    time_column: TIME = None,
    event_column: EVENT = None,
    gene_sets: GENE_SETS = None,
    gene_ids: GENE_IDS = None,
    kind: KIND = None,
    paired: PAIRED = None,
    generator: GENERATOR_KNOWN = None,
    preset: PRESET = None,
    settings: SETTINGS = None,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="FILE", help="The fitted model, for attackers who hold it (T3).")
    ] = None,
    splits: Annotated[
        int, typer.Option("--splits", metavar="N", help="Without TWIN: partitions of the donors.", min=1)
    ] = 5,
    policy: POLICY = None,
    strict: STRICT = False,
    slow: Annotated[
        bool, typer.Option("--slow", help="Also run the attacks that fit many models of their own.")
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", metavar="ADDRESS", help="Without TWIN: Dask scheduler whose workers do the splits."
        ),
    ] = None,
    lazy: LAZY = None,
    seed: SEED = 0,
    jobs: JOBS = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Measure what a twin keeps and gives away; write a report.

    REAL is what the twin was made from. Without --holdout, real samples that the generator never saw, nobody can tell
    whether the twin gives its donors away; see `twinseq split`. A claim of differential privacy that stands beside TWIN
    is repeated in the report, and tested. With --policy the report says whether the twin may be handed on, and why;
    `twinseq list policies` shows what each asks for. Without TWIN, the generator is audited: fitted to parts
    of REAL, several times, and attacked.
    """
    from .audit import audit as run_audit
    from .audit import audit_procedure
    from .dp.claims import beside, read_claim
    from .files import check_apart, check_folder
    from .io import read
    from .policy import read_policy

    survival = parse_survival(time_column, event_column)
    rules = None if policy is None else read_policy(policy)
    if strict and rules is None:
        raise ConfigError("--strict goes with --policy, which says what has to be reached.")
    check_folder(output)
    given = [path for path in (real, twin, holdout, reference, model) if path is not None]
    check_apart([output], given)
    if twin is not None and scheduler is not None:
        raise ConfigError(
            "--scheduler goes with an audit of a generator, which has splits to share out: leave TWIN out."
        )
    known = known_to_attackers(generator, preset, settings or [], model)
    if twin is None and known is None:
        raise ConfigError("Give a TWIN to be audited, or --generator NAME to audit what it makes of REAL.")

    with progress(quiet) as step:
        step(0, 0, "reading")
        train = read_cohort(real, obs, label, donor, cell_type, covariate, kind, paired, lazy)
        if twin is None and known is not None:
            unused = {"--holdout": holdout, "--reference": reference, "--model": model}
            for option, value in unused.items():
                if value is not None:
                    raise ConfigError(f"{option} goes with a TWIN; an audit of a generator deals the donors itself.")
            report = audit_procedure(
                train,
                known,
                splits=splits,
                policy=rules,
                slow=slow,
                seed=seed,
                jobs=threads(jobs),
                progress=step,
                scheduler=scheduler,
            )
            report = described(report, {"cohort": real})
            report.save(output)
            show_audit(report, output, quiet, as_json)
            stop_unless_passed(report, strict)
            return
        assert twin is not None
        roles: dict[str, Any] = {"label": train.label, "covariates": (), "kind": train.kind}
        files = {"train": real, "twin": twin}
        drawn = read(twin, paired=True, lazy=lazy, **roles)
        unseen: dict[str, Any] = {}
        for name, path in (("holdout", holdout), ("reference", reference)):
            if path is not None:
                files[name] = path
                unseen[name] = read(path, donor=train.donor, paired=train.paired, min_per_class=1, lazy=lazy, **roles)
        report = run_audit(
            train,
            drawn,
            **unseen,
            claim=read_claim(beside(twin)) if beside(twin).exists() else None,
            survival=survival,
            gene_sets=gene_sets or (),
            gene_ids=gene_ids,
            generator=known,
            policy=rules,
            slow=slow,
            seed=seed,
            jobs=threads(jobs),
            progress=step,
        )
        step(1, 1, "writing the report")
        report = described(report, files)
        report.save(output)
    show_audit(report, output, quiet, as_json)
    stop_unless_passed(report, strict)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the result.")] = Path(
        "twinseq-demo"
    ),
    seed: SEED = 0,
    jobs: JOBS = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Try it all on a simulated cohort, no data needed.

    Simulates 136 samples × 27,000 genes, a hold-out and a reference as large, makes the twin, audits and attacks it
    and writes the report.
    """
    from . import generators
    from .audit import audit as run_audit
    from .datasets import simulate_cohort
    from .files import check_folder
    from .io import write

    check_folder(output)
    with progress(quiet) as step:
        step(0, 0, "simulating three cohorts")
        cohort, holdout, reference = (simulate_cohort(seed=seed + number) for number in range(3))
        step(0, 0, "making the twin")
        model = generators.create("copula", preset="faithful").fit(cohort, seed=seed, jobs=threads(jobs))
        twin = model.sample(seed=seed + 1, jobs=threads(jobs))
        report = run_audit(
            cohort, twin, holdout=holdout, reference=reference, seed=seed, jobs=threads(jobs), progress=step
        )
        step(1, 1, "writing")
        made = {"train": cohort, "holdout": holdout, "reference": reference, "twin": twin}
        files = {name: output / f"{name}.h5ad" for name in made}
        report = described(report, files)
        report.save(output)
        for name, path in files.items():
            write(made[name], path)
    show_audit(report, output, quiet, as_json)


@app.command("list")
def list_(
    what: Annotated[Listed, typer.Argument(metavar="WHAT", help="What to list.")],
    as_json: JSON = False,
) -> None:
    """List generators, metrics, attacks, datasets or policies."""
    rows, show = {
        Listed.generators: (listings.generator_rows, terminal.print_generators),
        Listed.metrics: (listings.metric_rows, terminal.print_metrics),
        Listed.attacks: (listings.attack_rows, terminal.print_attacks),
        Listed.datasets: (listings.dataset_rows, terminal.print_datasets),
        Listed.policies: (listings.policy_rows, terminal.print_policies),
    }[what]
    (terminal.print_json if as_json else show)(rows())


def show_audit(report: AuditReport, output: Path, quiet: bool, as_json: bool) -> None:
    """Print an audit as the user wants it."""
    if as_json:
        terminal.print_json(report.to_dict())
    elif not quiet:
        terminal.print_audit(report, output)


def stop_unless_passed(report: AuditReport, strict: bool) -> None:
    """End with exit code 1 where the verdict of the policy is not ``pass``, if that is wanted."""
    if strict and report.verdict["outcome"] != "pass":
        raise typer.Exit(1)


def described(report: AuditReport, files: Mapping[str, Path]) -> AuditReport:
    """Add to the provenance when the audit was made, and of which files; folders stay private."""
    cohorts = {name: {"file": files[name].name, **size} for name, size in report.provenance["cohorts"].items()}
    created = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return dataclasses.replace(report, provenance={"created": created, **report.provenance, "cohorts": cohorts})


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line; bad input ends with exit code 2 and one message."""
    debug = bool(os.environ.get("TWINSEQ_DEBUG"))
    if not (debug or sys.warnoptions):
        warnings.simplefilter("ignore")  # what other libraries deprecate is no concern of the user
        terminal.tell_of_plugins()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "×" must not cost the result
    if words is None:
        # Batch systems end a job that runs too long with SIGTERM: clean up as for Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(args=join_fractions(sys.argv[1:] if words is None else words), prog_name="twinseq")
    except TwinseqError as error:
        terminal.fail("Error", str(error))
        raise SystemExit(2) from None
    except SystemExit as end:
        if end.code == INTERRUPTED:
            terminal.fail("Stopped", "nothing half-written was left behind.")
        raise
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.filename is not None:  # no right to look into a folder, name too long
            terminal.fail("Error", f"{shorten(os.fsdecode(error.filename))}: {error.strerror}.")
            raise SystemExit(2) from None
        if isinstance(error, MemoryError):
            terminal.fail("Error", "not enough memory for a cohort of this size.")
            raise SystemExit(1) from None
        terminal.fail("Internal error", f"{type(error).__name__}: {error}")
        terminal.warn("This is a bug in twinseq. TWINSEQ_DEBUG=1 shows where; please report it.")
        raise SystemExit(1) from None
