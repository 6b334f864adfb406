"""``twinseq basis``: public bases on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import terminal
from .errors import ConfigError
from .options import CELL_TYPE, JSON, KIND, OBS, QUIET, read_cohort
from .terminal import progress, say

if TYPE_CHECKING:
    from .cohort import Cohort

app = typer.Typer(help="Public bases for twins of private cohorts.", no_args_is_help=True, rich_markup_mode=None)
EXAMPLES = """\b
twinseq basis build public.h5ad -o breast.basis
twinseq generate cohort.h5ad --label subtype --preset dp --epsilon 1 --delta 1e-5 --basis breast.basis -o twin.h5ad"""
SHOWN = (1, 5, 10, 20, 40)


@app.callback()
def root() -> None:
    """Public bases for twins of private cohorts."""


@app.command(epilog=EXAMPLES)
def build(
    public: Annotated[Path, typer.Argument(metavar="PUBLIC", help="Cohort open to everyone.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File to write, such as breast.basis.")
    ],
    label: Annotated[
        str | None,
        typer.Option(
            "--label", metavar="COLUMN", help="Classes of the public samples, if they are known: twins keep more then."
        ),
    ] = None,
    obs: OBS = None,
    kind: KIND = None,
    cell_type: CELL_TYPE = None,
    factors: Annotated[
        int | None,
        typer.Option("--factors", metavar="K", help="Axes to keep. [a third of the samples, at most 60]", min=1),
    ] = None,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Reduce a public cohort to a basis: where genes lie, how they spread and move together; of cells, by cell type.

    A twin on a basis asks its private cohort for a few numbers a class. None of the public samples may be private: that
    they are open to everyone is your word, which every report repeats.
    """
    from .basis import build_basis
    from .files import check_apart, check_writable

    check_apart([output], [public])
    check_writable(output)
    with progress(quiet) as step:
        step(0, 2, "reading")
        cohort = read_cohort(public, obs, label, None, cell_type, None, kind, None)
        step(1, 2, "building")
        if cohort.cell_type is not None:
            _build_of_cells(cohort, output, factors, quiet, as_json)
            return
        basis = build_basis(cohort, factors)
        basis.save(output)
    shown = [k for k in SHOWN if k < len(basis.axes)] + [len(basis.axes)]
    result = {
        "basis": str(output),
        "samples": basis.n_samples,
        "genes": len(basis.genes),
        "axes": len(basis.axes),
        "classes_known": basis.shared is not None,
        "explained": {str(k): round(float(basis.explained[k - 1]), 4) for k in shown},
    }
    if as_json:
        terminal.print_json(result)
    elif not quiet:
        say(f"{len(basis.axes)} axes of {len(basis.genes):,} genes from {basis.n_samples:,} public samples")
        parts = ", ".join(f"{basis.explained[k - 1]:.0%} by {k}" for k in shown)
        if basis.shared is None:
            say("  without classes; with --label twins on it keep more at the same exposure")
        say(f"  variance of unseen public samples explained: {parts}")
        say(f"Written to {output}")


def _build_of_cells(cohort: Cohort, output: Path, factors: int | None, quiet: bool, as_json: bool) -> None:
    """Build a basis of cell types, and say what is in it."""
    from .cell_basis import build_cell_basis

    if factors is not None:
        raise ConfigError("--factors: a basis of cells has as many factors as stand out from noise.")
    basis = build_cell_basis(cohort)
    basis.save(output)
    result = {
        "basis": str(output),
        "cells": basis.n_cells,
        "genes": len(basis.genes),
        "types": list(basis.types),
        "factors": len(basis.loadings),
    }
    if as_json:
        terminal.print_json(result)
    elif not quiet:
        say(f"{len(basis.types)} cell types of {len(basis.genes):,} genes from {basis.n_cells:,} public cells")
        say(f"Written to {output}")
