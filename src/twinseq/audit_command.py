"""``twinseq audit``: what a twin keeps and gives away, on the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import (
    terminal,
)
from .errors import ConfigError
from .options import (
    CELL_TYPE,
    COVARIATE,
    DONOR,
    EVENT,
    GENE_IDS,
    GENE_SETS,
    GENERATOR_KNOWN,
    JOBS,
    JSON,
    KIND,
    LABEL,
    LAZY,
    OBS,
    PAIRED,
    POLICY,
    PRESET,
    QUIET,
    REAL,
    SEED,
    SETTINGS,
    STRICT,
    TIME,
    known_to_attackers,
    parse_survival,
    read_cohort,
    threads,
)
from .terminal import progress

if TYPE_CHECKING:
    from .results import AuditReport


EXAMPLES = """\b
twinseq audit train.h5ad twin.h5ad --holdout holdout.h5ad -o report

twinseq audit train.h5ad twin.h5ad --holdout holdout.h5ad --reference others.h5ad --policy partner --strict -o report

twinseq audit cohort.h5ad --label condition --generator copula --splits 5 -o report"""


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
