"""``twinseq split``: donors set aside, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import (
    terminal,
)
from .options import (
    CELL_TYPE,
    COVARIATE,
    DONOR,
    JSON,
    KIND,
    LABEL,
    LAZY,
    OBS,
    PAIRED,
    QUIET,
    REAL,
    SEED,
    inputs,
    parse_fractions,
    read_cohort,
)
from .terminal import progress

EXAMPLES = """\b
twinseq split cohort.h5ad --label condition --fractions 0.6 0.2 0.2 -o parts"""
PARTS = ("train", "holdout", "reference")


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
