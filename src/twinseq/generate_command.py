"""``twinseq generate``: a twin of a cohort, on the command line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from . import (
    terminal,
)
from .errors import ConfigError
from .options import (
    BASIS,
    CELL_TYPE,
    COVARIATE,
    DELTA,
    DONOR,
    EPSILON,
    JOBS,
    JSON,
    KIND,
    LABEL,
    LAZY,
    LEDGER,
    MIN_DE_RECALL,
    OBS,
    PAIRED,
    PRESET,
    PRIVATE_CELLS,
    PUBLIC,
    QUIET,
    REAL,
    SCHEDULER,
    SEED,
    SETTINGS,
    TARGET_AUC,
    check_shared_out,
    inputs,
    left_on_disk,
    made_private,
    on_basis,
    parse_settings,
    preset_of,
    read_cohort,
    threads,
    working_at,
)
from .terminal import progress, say, warn

EXAMPLES = """\b
twinseq generate cohort.h5ad --label condition -o twin.h5ad
twinseq generate counts.csv --obs samples.csv --label condition -o twin.csv

twinseq generate cohort.h5ad --label condition --preset dp --epsilon 4 --delta 1e-5 -o twin.h5ad"""


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
