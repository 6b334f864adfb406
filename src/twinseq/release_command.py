"""``twinseq release``: from a cohort to a decision that a committee can sign, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import terminal
from .audit_command import stop_unless_passed
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
    JOBS,
    JSON,
    KIND,
    LABEL,
    LAZY,
    LEDGER,
    MIN_DE_RECALL,
    OBS,
    PAIRED,
    QUIET,
    REAL,
    SEED,
    SETTINGS,
    STRICT,
    TARGET_AUC,
    TIME,
    inputs,
    parse_settings,
    parse_survival,
    read_cohort,
    threads,
)
from .terminal import progress, say, warn

if TYPE_CHECKING:
    from .release import Release

EXAMPLES = """\b
twinseq release cohort.h5ad --label condition --donor patient -o release
twinseq release counts.csv.gz --obs samples.csv --label condition --policy open --strict -o release

twinseq release cohort.h5ad --label condition --preset dp --epsilon 4 -o release"""
INTERRUPTED = "What is done so far is kept; the same command goes on from there."


def release(
    real: REAL,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="New folder for twin, report, papers.")],
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
    generator: Annotated[
        str | None, typer.Option("--generator", "-g", metavar="NAME", help="See `twinseq list generators`.")
    ] = None,
    preset: Annotated[str | None, typer.Option("--preset", metavar="NAME", help="share, dp, faithful. [share]")] = None,
    settings: SETTINGS = None,
    epsilon: EPSILON = None,
    delta: DELTA = None,
    basis: BASIS = None,
    target_auc: TARGET_AUC = None,
    min_de_recall: MIN_DE_RECALL = None,
    ledger: LEDGER = None,
    policy: Annotated[
        str, typer.Option("--policy", metavar="NAME|FILE", help="What must hold: internal, partner, open, a YAML file.")
    ] = "partner",
    strict: STRICT = False,
    splits: Annotated[
        int, typer.Option("--splits", metavar="N", help="Partitions of the donors in the audit.", min=1)
    ] = 5,
    n: Annotated[
        int | None, typer.Option("--n", metavar="N", help="Samples of the twin. [as many as in REAL]", min=1)
    ] = None,
    slow: Annotated[
        bool, typer.Option("--slow", help="Also run the attacks that fit many models of their own.")
    ] = False,
    keep_model: Annotated[
        bool, typer.Option("--keep-model", help="Also write the fitted model, which must never be released.")
    ] = False,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="Name of the twin, for its data sheet.")] = "",
    licence: Annotated[
        str, typer.Option("--licence", metavar="TEXT", help="Licence or terms of use, for the data sheet.")
    ] = "",
    lazy: LAZY = None,
    seed: SEED = 0,
    jobs: JOBS = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Audit a procedure on a cohort, make the twin of all donors, and say whether it may be handed on.

    Donors are dealt anew several times into members, outsiders and a reference; twins of the members are attacked, and
    measured on outsiders. By default the settings are searched first, so that attacks stay below what the policy
    allows; not of single cells, nor without a label. Then the twin of all donors is made by the same procedure. DIR
    holds the twin, its data sheet, the report with the verdict, and a README that says which files may leave. A run
    that was interrupted goes on where it stopped when the same command is given again.
    """
    from .files import check_apart
    from .io import same_format
    from .release import release as make_release

    survival = parse_survival(time_column, event_column)
    twin = same_format("twin", real)
    check_apart([output, output / twin], inputs(real, obs))
    with progress(quiet, lasting=True) as step:
        step(0, 0, "reading")
        cohort = read_cohort(real, obs, label, donor, cell_type, covariate, kind, paired, lazy)
        try:
            made = make_release(
                cohort,
                output,
                generator=generator,
                preset=preset,
                settings=parse_settings(settings or []),
                epsilon=epsilon,
                delta=delta,
                basis=basis,
                target_auc=target_auc,
                min_de_recall=min_de_recall,
                policy=policy,
                splits=splits,
                n=n,
                twin=twin,
                survival=survival,
                gene_sets=gene_sets or (),
                gene_ids=gene_ids,
                slow=slow,
                keep_model=keep_model,
                ledger=ledger,
                obs=obs,
                title=title,
                licence=licence,
                seed=seed,
                jobs=threads(jobs),
                progress=step,
            )
        except KeyboardInterrupt:
            warn(INTERRUPTED)
            raise
    if as_json:
        terminal.print_json(as_plain(made))
    elif not quiet:
        show(made)
    stop_unless_passed(made.report, strict)


def as_plain(made: Release) -> dict[str, object]:
    """Return what a release made as plain values."""
    return {
        "folder": str(made.folder),
        "twin": str(made.twin),
        "outgoing": [str(path) for path in made.outgoing],
        **made.report.to_dict(),
    }


def show(made: Release) -> None:
    """Print figures, verdict, and what lies where."""
    from .releasing.words import leaving

    terminal.print_audit(made.report, made.folder)
    say(made.report.provenance["release"]["chosen"][0])
    say(f"{leaving(made.report.verdict['outcome'])} (README.txt has the rest):")
    for path in made.outgoing:
        say(f"  {path}")
