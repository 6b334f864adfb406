"""``twinseq camda blue-cells`` and ``red-cells``: the second track of the Health Privacy Challenge, single cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import terminal
from .errors import ConfigError
from .options import (
    DELTA,
    EPSILON,
    GENERATOR_KNOWN,
    JOBS,
    JSON,
    PRESET,
    PRIVATE_CELLS,
    QUIET,
    SEED,
    SETTINGS,
    known_to_attackers,
    made_private,
    parse_settings,
    preset_of,
    threads,
)
from .terminal import progress, say, warn

if TYPE_CHECKING:
    from .camda import Guess

BLUE = """\b
twinseq camda blue-cells onek1k_annotated_train.h5ad --like onek1k_annotated_test.h5ad -o synthetic.h5ad"""
RED = """\b
twinseq camda red-cells onek1k_subset_mia.h5ad synthetic.h5ad -o guesses.csv"""
MAKER = Annotated[str, typer.Option("--generator", "-g", metavar="NAME", help="See `twinseq list generators`.")]


def blue_cells(
    train: Annotated[Path, typer.Argument(metavar="TRAIN", help="Cells (.h5ad) to learn from.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="TWIN", help="File to write (.h5ad).")],
    like: Annotated[
        Path | None,
        typer.Option("--like", metavar="FILE", help="Cells whose numbers of each type TWIN is to have."),
    ] = None,
    generator: MAKER = "scdesign2",
    preset: PRESET = None,
    settings: SETTINGS = None,
    epsilon: EPSILON = None,
    delta: DELTA = None,
    seed: SEED = 0,
    jobs: JOBS = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Make a twin of single cells (second track): obs individual, barcode_col, cell_type and cell_label.

    The twin has the number of cells of TRAIN, or of --like, such as the challenge's test set. Its individuals are left
    empty, its cells being nobody's, unless the generator simulates donors (cell-copula).
    """
    from . import camda, generators
    from .dp.claims import beside, write_claim
    from .files import check_apart
    from .io import check_target
    from .private import claim_of, warnings_kept

    check_apart(check_target(output), [train] if like is None else [train, like])
    if output.suffix != ".h5ad":
        raise ConfigError(f"{output}: the challenge takes .h5ad; name the file so.")
    name, preset, chosen = made_private(generator, preset, parse_settings(settings or []), epsilon, delta)
    if name == "dp-copula":
        name = PRIVATE_CELLS
    model = generators.create(name, preset_of(name, preset), **chosen)
    with warnings_kept() as warned, progress(quiet) as step:
        step(0, 2, "reading")
        cohort = camda.read_cells(train)
        cells = None if like is None else camda.read_cells(like, donors=False).obs
        step(1, 2, "learning, drawing and writing")
        n_cells = camda.blue_cells(cohort, model, output, cells, seed=seed, jobs=threads(jobs))
        claim = claim_of(model)
        if claim is not None:
            write_claim(claim, beside(output))
    for text in warned:
        warn(text)
    if as_json:
        terminal.print_json(
            {"twin": str(output), "cells": n_cells, "genes": cohort.n_genes, "generator": name, "seed": seed}
        )
    elif not quiet:
        say(f"{n_cells:,} cells × {cohort.n_genes:,} genes by {model.info.title}")
        say(f"  {output}")


def red_cells(
    targets: Annotated[Path, typer.Argument(metavar="TARGETS", help="Cells (.h5ad) of the donors in question.")],
    twin: Annotated[Path, typer.Argument(metavar="TWIN", help="Synthetic cells (.h5ad).")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Table to write (.csv).")],
    reference: Annotated[
        Path | None, typer.Option("--reference", metavar="FILE", help="Cells (.h5ad) of further donors.")
    ] = None,
    generator: GENERATOR_KNOWN = None,
    preset: PRESET = None,
    settings: SETTINGS = None,
    seed: SEED = 0,
    jobs: JOBS = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Guess whose cells a twin was made of (second track).

    Writes barcode_col, individual and membership for each cell of TARGETS in their order; the membership, between 0 and
    1, is that of the individual.
    """
    from . import camda
    from .files import atomic_path, check_apart, check_writable

    given = [path for path in (targets, twin, reference) if path is not None]
    check_apart([output], given)
    check_writable(output)
    known = known_to_attackers(generator, preset, settings or [], None)
    with progress(quiet) as step:
        step(0, 0, "reading")
        cohort, made = camda.read_cells(targets), camda.read_cells(twin, donors=False)
        others = None if reference is None else camda.read_cells(reference)
        table, found = camda.red_cells(
            cohort, made, others, known, seed=seed, jobs=threads(jobs), step=lambda what: step(0, 0, what)
        )
        with atomic_path(output) as temporary:
            table.to_csv(temporary, index=False)
    if as_json:
        terminal.print_json(found.told() | {"file": str(output)})
    elif not quiet:
        show_guess(found, output)


def show_guess(found: Guess, path: Path) -> None:
    """Print what a guess rests on, and where it was written."""
    say(f"{len(found.people):,} targets: {path}")
    heaviest = [f"{name} {share:.0%}" for name, share in list(found.weights.items())[:3]]
    say(f"  attacks of most weight: {', '.join(heaviest)}", "dim")
    if found.expected:
        areas = f"{min(found.expected):.3f} to {max(found.expected):.3f}"
        say(f"  on twins of the attacker's own making by {found.maker}, weights learnt on others: AUC {areas}", "dim")
    for note in found.notes:
        say(f"  {note}", "yellow")
