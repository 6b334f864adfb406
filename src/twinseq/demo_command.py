"""``twinseq demo``: everything once, on a simulated cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .audit_command import described, show_audit
from .options import JOBS, JSON, QUIET, SEED, threads
from .terminal import progress


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
