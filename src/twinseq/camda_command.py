"""``twinseq camda``: the files and figures of the Health Privacy Challenge, on the command line."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import camda_cells_command, terminal
from .camda_cells_command import show_guess
from .errors import ConfigError
from .options import (
    BASIS,
    DELTA,
    EPSILON,
    GENERATOR_KNOWN,
    JOBS,
    JSON,
    PRESET,
    QUIET,
    SEED,
    SETTINGS,
    known_to_attackers,
    made_private,
    on_basis,
    parse_settings,
    preset_of,
    threads,
)
from .terminal import Step, print_table, progress, say, warn

if TYPE_CHECKING:
    import pandas as pd

    from .camda import Guess

app = typer.Typer(
    help="The Health Privacy Challenge (CAMDA): its files, its figures, its two teams.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("blue-cells", epilog=camda_cells_command.BLUE)(camda_cells_command.blue_cells)
app.command("red-cells", epilog=camda_cells_command.RED)(camda_cells_command.red_cells)
BLUE = """\b
twinseq camda blue BRCA.tsv BRCA_subtypes.csv BRCA_splits.yaml -o twins -g copula"""
RED = """\b
twinseq camda red BRCA.tsv BRCA_subtypes.csv twins/synthetic_data_split_1.csv -o guesses -g copula"""
SCORE = """\b
twinseq camda score BRCA.tsv BRCA_subtypes.csv BRCA_splits.yaml twins -o figures"""
SCORE_RED = """\b
twinseq camda score-red guesses/synthetic_data_1_predictions.csv MIA_lbl_split_1.csv"""

EXPRESSION = Annotated[
    Path, typer.Argument(metavar="EXPRESSION", help="{DATASET}_primary_tumor_star_deseq_VST_lmgenes.tsv")
]
SUBTYPES = Annotated[Path, typer.Argument(metavar="SUBTYPES", help="{DATASET}_primary_tumor_subtypes.csv")]
SPLITS = Annotated[Path, typer.Argument(metavar="SPLITS", help="{DATASET}_splits.yaml")]
LABEL = Annotated[
    str | None, typer.Option("--label", metavar="COLUMN", help="Column with the classes. [Subtype or cancer_type]")
]
MAKER = Annotated[str, typer.Option("--generator", "-g", metavar="NAME", help="See `twinseq list generators`.")]
FOLDER = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the files.")]


@app.callback()
def root() -> None:
    """Read and write the challenge's files, compute its figures, play its two teams."""


@app.command(epilog=BLUE)
def blue(
    expression: EXPRESSION,
    subtypes: SUBTYPES,
    splits: SPLITS,
    output: FOLDER,
    label: LABEL = None,
    generator: MAKER = "copula",
    preset: PRESET = None,
    settings: SETTINGS = None,
    epsilon: EPSILON = None,
    delta: DELTA = None,
    basis: BASIS = None,
    seed: SEED = 0,
    jobs: JOBS = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Make a twin of the training part of every split, in the challenge's files.

    Writes synthetic_data_split_k.csv and synthetic_labels_split_k.csv, all together at the end.
    """
    from . import camda
    from .files import check_apart, check_folder
    from .private import warnings_kept

    check_folder(output)
    name, preset, chosen = made_private(generator, preset, parse_settings(settings or []), epsilon, delta)
    name, chosen = on_basis(name, chosen, basis)
    with warnings_kept() as warned, progress(quiet) as step:
        step(0, 0, "reading")
        cohort = camda.read_cohort(expression, subtypes, label)
        every = camda.read_splits(splits, cohort)
        files = [
            output / f"synthetic_{what}_split_{split.number}.csv" for split in every for what in ("data", "labels")
        ]
        check_apart(files, [expression, subtypes, splits])
        made = camda.blue(
            cohort, every, output, name, preset_of(name, preset), chosen, seed=seed, jobs=threads(jobs), step=step
        )
    for text in warned:
        warn(text)
    together = camda.promised_together(made)
    if as_json:
        rows = [
            {"split": one.split, "samples": one.n_samples, "genes": one.n_genes, "files": list(map(str, one.files))}
            for one in made
        ]
        result: dict[str, Any] = {"generator": name, "preset": preset, "seed": seed, "twins": rows}
        if together is not None:
            result |= {"epsilon_together": together[0], "delta": together[1]}
        terminal.print_json(result)
    elif not quiet:
        rows_shown = [(one.split, f"{one.n_samples:,}", f"{one.n_genes:,}", one.files[0].name) for one in made]
        print_table(("split", "samples", "genes", "twin"), rows_shown, numbers=("samples", "genes"))
        say(f"Written to {output}")
        if together is not None:
            single = made[0].claim
            assert single is not None
            say(
                f"Guarantee of each twin: ({single.epsilon:g}, {single.delta:g})-differential privacy. All "
                f"{len(made)} together: epsilon = {together[0]:.3g} at delta = {together[1]:g}."
            )


@app.command(epilog=RED)
def red(
    expression: EXPRESSION,
    subtypes: SUBTYPES,
    twins: Annotated[list[Path], typer.Argument(metavar="TWIN...", help="synthetic_data_split_k.csv, one or more.")],
    output: FOLDER,
    labels: Annotated[
        Path | None, typer.Option("--twin-labels", metavar="FILE", help="Classes of TWIN. [synthetic_labels_* beside]")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", metavar="FILE", help="Expression of other people, in SUBTYPES too.")
    ] = None,
    label: LABEL = None,
    generator: GENERATOR_KNOWN = None,
    preset: PRESET = None,
    settings: SETTINGS = None,
    members: Annotated[
        float | None,
        typer.Option("--members", metavar="SHARE", help="Write 1 for this share of the samples, 0 for the others."),
    ] = None,
    seed: SEED = 0,
    jobs: JOBS = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Guess who of the cohort was in the training data of twins.

    Writes synthetic_data_k_predictions.csv, k from the name of the twin: one column, membership_label, between 0 and 1,
    higher for likelier members, in the order of EXPRESSION. Who knows the generator finds more: name it with -g.
    """
    from . import camda
    from .files import atomic_folder, check_apart, check_folder

    check_folder(output)
    if members is not None and not 0 < members < 1:
        raise ConfigError("--members is a share between 0 and 1, such as 0.8.")
    if labels is not None and len(twins) > 1:
        raise ConfigError("--twin-labels goes with a single TWIN; those of several are found beside them.")
    numbers = [camda.number_of(path) for path in twins]
    if len(set(numbers)) < len(numbers):
        raise ConfigError("Two of the twins have the same number in their names, and would get one file.")
    check_apart([output / f"synthetic_data_{number}_predictions.csv" for number in numbers], [expression, *twins])
    known = known_to_attackers(generator, preset, settings or [], None)
    guesses: list[Guess] = []
    with progress(quiet) as step, atomic_folder(output) as scratch:
        step(0, 0, "reading")
        cohort = camda.read_cohort(expression, subtypes, label)
        others = None if reference is None else camda.read_reference(reference, subtypes, cohort)
        for done, (path, number) in enumerate(zip(twins, numbers, strict=True)):
            profiles = camda.read_profiles(path, cohort, whole=False)
            beside = _labels_of(path) if labels is None else labels
            classes = None if beside is None else camda.read_labels(beside, len(profiles), cohort)
            say_what = partial(_at, step, done, len(twins), path.name)
            found = camda.red(cohort, profiles, classes, others, known, seed=seed, jobs=threads(jobs), step=say_what)
            values = found.values if members is None else camda.decided(found.values, members)
            camda.write_predictions(values, scratch, number)
            guesses.append(found)
    written = [output / f"synthetic_data_{number}_predictions.csv" for number in numbers]
    if as_json:
        terminal.print_json([found.told() | {"file": str(path)} for found, path in zip(guesses, written, strict=True)])
    elif not quiet:
        for found, path in zip(guesses, written, strict=True):
            show_guess(found, path)


@app.command(epilog=SCORE)
def score(
    expression: EXPRESSION,
    subtypes: SUBTYPES,
    splits: SPLITS,
    twins: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the twins, as `camda blue` writes them.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for evaluation.csv and .json."),
    ] = None,
    label: LABEL = None,
    seed: SEED = 0,
    jobs: JOBS = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Compute the challenge's figures (paper_*) of the twin of every split, and their means.

    Beside each figure stands what real data reach in the twin's place, and what a known-bad twin gets.
    """
    import pandas as pd

    from . import camda
    from .files import atomic_folder, check_folder

    if output is not None:
        check_folder(output)
    with progress(quiet) as step:
        step(0, 0, "reading")
        cohort = camda.read_cohort(expression, subtypes, label)
        every = camda.read_splits(splits, cohort)
        read = [(split, camda.read_twin(twins / f"synthetic_data_split_{split.number}.csv", cohort)) for split in every]
        parts = [
            camda.score_twin(cohort, split, twin, seed=seed, jobs=threads(jobs), progress=_within(step, split.name))
            for split, twin in read
        ]
        figures = pd.concat(parts, ignore_index=True)
        means = camda.mean_over_splits(figures)
        result = {"splits": _plain(figures), "mean": _plain(means)}
        if output is not None:
            with atomic_folder(output) as scratch:
                figures.to_csv(scratch / "evaluation.csv", index=False)
                (scratch / "evaluation.json").write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    if as_json:
        terminal.print_json(result)
    elif not quiet:
        numbers = ("twin", "real data", "known-bad")
        rows = [
            (str(row["metric"]), str(row["better"]), *(_number(row[name]) for name in ("value", "ceiling", "floor")))
            for _, row in means.iterrows()
        ]
        say(f"Means over {len(every)} splits", "bold")
        print_table(("", "better", *numbers), rows, numbers=numbers)
        if output is not None:
            say(f"Written to {output / 'evaluation.csv'}")


@app.command("score-red", epilog=SCORE_RED)
def score_red(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="Predictions of either track; k is in the name.")
    ],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="Table with 0 and 1, or the splits (.yaml).")],
    expression: Annotated[
        Path | None, typer.Option("--expression", metavar="FILE", help="For splits: EXPRESSION, whose order counts.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Say how well predictions of membership tell members from others.

    TRUTH has the columns of the predictions, with 0 and 1. Of the second track, individuals are judged, not cells.
    """
    from . import camda

    if truth.suffix in (".yaml", ".yml"):
        if expression is None:
            raise ConfigError("The splits name barcodes, in no order: give --expression too.")
        scores, member = camda.read_split_predictions(predictions, truth, expression)
    else:
        scores, member = camda.read_predictions(predictions, truth)
    found = camda.score_membership(scores, member)
    if as_json:
        terminal.print_json(found)
        return
    say(f"{found['members']:,} members, {found['others']:,} others")
    rows = [
        ("AUC", _number(found["auc"]), f"{found['auc_low']:.3f} – {found['auc_high']:.3f}"),
        ("average precision", _number(found["average_precision"]), ""),
        ("accuracy", _number(found["accuracy"]), ""),
    ]
    for rate in (0.1, 0.01):
        key = f"tpr_at_fpr_{rate:g}"
        interval = f"{found[f'{key}_low']:.3f} – {found[f'{key}_high']:.3f}"
        rows.append((f"members found at {rate:.0%} false alarms", _number(found[key]), interval))
    print_table(("", "value", "95 % interval"), rows, numbers=("value",))


def _at(step: Step, done: int, total: int, where: str, what: str) -> None:
    """Say what is being done to the twin ``where``."""
    step(done, total, f"{where}: {what}")


def _within(step: Step, where: str) -> Step:
    """Return ``step`` with the name of a split before what it says."""

    def said(done: int, total: int, what: str) -> None:
        step(done, total, f"{where}: {what}")

    return said


def _labels_of(twin: Path) -> Path | None:
    """Return the labels beside a twin, where there are any."""
    from .camda import labels_beside

    if "_data_" not in twin.name:
        return None
    beside = labels_beside(twin)
    return beside if beside.exists() else None


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as rows of plain values, ``None`` where there is none."""
    rows = json.loads(table.to_json(orient="records", double_precision=15))
    return list(rows)


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.3f}"
