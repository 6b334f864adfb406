"""``twinseq plan``: what to expect of a private twin, on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import terminal
from .errors import ConfigError, shorten
from .options import (
    BASIS,
    CELL_TYPE,
    COVARIATE,
    DELTA,
    DONOR,
    JSON,
    KIND,
    LABEL,
    OBS,
    PAIRED,
    QUIET,
    SEED,
    inputs,
    read_cohort,
)
from .terminal import print_table, progress, say

if TYPE_CHECKING:
    from .plan import Plan

EXAMPLES = """\b
twinseq plan cohort.h5ad --label condition -o plan

twinseq plan --donors case=56,control=80 --genes 1000 --genes 20000 --epsilon 2"""


def plan(
    real: Annotated[
        Path | None, typer.Argument(metavar="REAL", help="Real cohort; only its design is used. Or state --donors.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder for plan.html and plan.json.")
    ] = None,
    obs: OBS = None,
    label: LABEL = None,
    donor: DONOR = None,
    cell_type: CELL_TYPE = None,
    covariate: COVARIATE = None,
    kind: KIND = None,
    paired: PAIRED = None,
    donors: Annotated[
        str | None, typer.Option("--donors", metavar="CLASS=N,...", help="Public number of donors in each class.")
    ] = None,
    genes: Annotated[
        list[int] | None, typer.Option("--genes", metavar="N", help="Size of a panel; may be repeated. [500 … all]")
    ] = None,
    epsilon: Annotated[
        list[float] | None, typer.Option("--epsilon", metavar="E", help="ε to try; may be repeated. [0.5 … 16]")
    ] = None,
    delta: DELTA = None,
    axes: Annotated[
        list[int] | None, typer.Option("--axes", "-k", metavar="K", help="Axes of a public basis; may be repeated.")
    ] = None,
    basis: BASIS = None,
    contrast: Annotated[
        str, typer.Option("--contrast", metavar="KIND", help="Classes differ like: tissues, subtypes or disease.")
    ] = "subtypes",
    rehearsals: Annotated[
        int, typer.Option("--rehearsals", metavar="N", help="Rehearsals to average; 0: noise and ceilings only.", min=0)
    ] = 2,
    seed: SEED = 0,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Say what noise, fidelity and leakage to expect, before any budget is spent.

    From public quantities only: donors of each class, number of genes, ε and δ. Profiles are not looked at.
    """
    from .files import atomic_folder, check_apart, check_folder
    from .plan import EPSILONS
    from .plan import plan as make_plan

    if output is not None:
        check_folder(output)
        names = [output / name for name in ("plan.html", "plan.json")]
        check_apart(names, inputs(real, obs) if real else [])
    stated = None if donors is None else parse_donors(donors)
    with progress(quiet) as step:
        cohort = None
        if real is not None:
            step(0, 0, "reading")
            cohort = read_cohort(real, obs, label, donor, cell_type, covariate, kind, paired)
        found = make_plan(
            cohort,
            donors=stated,
            genes=genes or (),
            epsilons=epsilon or EPSILONS,
            delta=delta,
            axes=axes,
            basis=basis,
            contrast=contrast,
            repeats=rehearsals,
            seed=seed,
            progress=step,
        )
        if output is not None:
            step(0, 0, "writing")
            with atomic_folder(output) as folder:
                (folder / "plan.json").write_text(json.dumps(found.to_dict(), indent=1, allow_nan=False) + "\n")
                found.to_html(folder / "plan.html")
    if as_json:
        terminal.print_json(found.to_dict())
    elif not quiet:
        show(found, output)


def parse_donors(text: str) -> dict[str, float]:
    """Read ``"case=56,control=80"``.

    Raises
    ------
    ConfigError
        A part is not a name and a number, or a class occurs twice.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = part.rpartition("=")
        name = name.strip()
        try:
            value = float(number)
        except ValueError:
            value = 0.0
        if not equals or not name or value <= 0 or name in found:
            raise ConfigError(f"--donors {shorten(text)}: write CLASS=N,CLASS=N, such as case=56,control=80.")
        found[name] = value
    return found


def show(plan: Plan, folder: Path | None) -> None:
    """Print a plan as tables of at most 80 columns, and where it was written."""
    from .forecast import words
    from .plan import route_name

    smallest = min(plan.donors, key=lambda name: plan.donors[name])
    say(f"Plan for {plan.source}: {words.donors_in_words(plan)}, delta = {plan.delta:g}", "bold")
    short = {route_name(one.genes, one.axes): _short(one.genes, one.axes) for one in plan.forecasts}
    header = ("epsilon", *(short[route] for route in plan.routes))
    say(f"Noise of the mean of a gene, class '{shorten(smallest, 40)}', in standard deviations of the gene", "bold")
    print_table(header, words.route_rows(plan, lambda one: one.noise.means[smallest], 2), numbers=header[1:])
    if any(one.f1 is not None for one in plan.forecasts):
        say("F1 of a classifier trained on the twin, over that of real data (expected)", "bold")
        print_table(header, words.route_rows(plan, lambda one: one.f1, 2), numbers=header[1:])
        say("Genes called, of the differential ones / of the others (expected)", "bold")
        print_table(header, words.pair_rows(plan), numbers=header[1:])
        say(f"Expected where classes differ like {words.CONTRAST_WORDS[plan.contrast]} (--contrast).", "dim")
    say("What any attack reaches at most", "bold")
    heads = ("epsilon", "AUC", "named at 1 %", "AUC, any DP", "named, any DP")
    print_table(heads, words.ceiling_rows(plan), numbers=heads[1:])
    say("named at 1 %: share of members, at 1 false alarm in 100. any DP: were it not for Gaussian noise.", "dim")
    say("Mean tracing of a twin without differential privacy (expected)", "bold")
    print_table(("genes", "worth", "reaches"), words.tracing_rows(plan), numbers=("worth",))
    for text in (*_lost(plan), *plan.notes):
        say(text, "yellow")
    if folder is not None:
        say(f"Written to {folder / 'plan.html'}")


def _short(genes: int, axes: int | None) -> str:
    return f"{genes:,}" if axes is None else f"basis {axes}"


def _lost(plan: Plan) -> list[str]:
    """Say at which ε the donors of which classes are lost in noise."""
    lines = []
    for epsilon in plan.ceilings:
        one = next(one for one in plan.forecasts if one.epsilon == epsilon)
        if one.lost:
            lines.append(
                f"At epsilon = {epsilon:g} the number of donors of a class has a noise of ± {one.noise.count:.0f}: "
                f"{terminal.listed(one.lost)} cannot be told from nothing. Merge classes, or take a larger epsilon."
            )
    return lines
