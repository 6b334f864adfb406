"""The twin of all donors: made, read back from its file, and held against the donors it was made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..audit import audit
from ..cohort import Cohort
from ..containers import CONTAINERS
from ..dp.claims import Claim, add_release, beside, write_claim
from ..drawing import draw_to_file
from ..errors import ConfigError, shorten
from ..generators import Generator
from ..io import check_target, read, samples_beside
from ..measurement import Progress
from ..private import claim_of
from ..results import AuditReport
from ..tables import table_suffix
from .folder import MODEL

STEM = "twin"
SAMPLES = f"{STEM}.samples.csv"
OF_SAMPLES: tuple[str, ...] = (
    "exact_copies",
    "near_copies",
    "library_size_ks",
    "correlation_r",
    "de_recall",
    "de_precision",
    "lfc_pearson",
)
OF_CELLS: tuple[str, ...] = ("copied_cells", "composition_distance", "library_size_ks")
COPIES = ("exact_copies", "near_copies", "copied_cells")
"""Figures of which not a mean over splits counts but that of the very twin that may be released."""


@dataclass(frozen=True)
class Twin:
    """A twin of all donors, in a folder.

    Parameters
    ----------
    cohort
        As read back from its file.
    file, samples
        Where it lies, and where its sample table does.
    files
        All that belongs to it: may leave where the committee says so.
    empty
        Columns that hold nothing.
    claim
        What is promised of it.
    """

    cohort: Cohort
    file: Path
    samples: Path
    files: tuple[Path, ...]
    empty: tuple[str, ...]
    claim: Claim | None


def check_name(name: str, cohort: Cohort) -> None:
    """Refuse a name of the twin's file that is none, or whose format cannot be written or hold the cohort's columns.

    Raises
    ------
    ConfigError
        It does not begin with ``twin.``, there is no such format, or the format cannot store a column of this name.
    """
    if not name.startswith(f"{STEM}.") or Path(name).name != name:
        raise ConfigError(
            f"The twin's file is named {STEM} with an ending, such as {STEM}.h5ad, not '{shorten(name)}'."
        )
    check_target(name)
    slashed = [str(column) for column in (*cohort.obs.columns, *cohort.adata.var.columns) if "/" in str(column)]
    if slashed and table_suffix(Path(name)) in CONTAINERS:
        raise ConfigError(
            f"The column '{shorten(slashed[0])}' has a '/' in its name, which {name} cannot store. Rename the column, "
            f"or have the twin written as a table ({STEM}.csv.gz)."
        )


def make_twin(
    cohort: Cohort,
    generator: Generator,
    folder: Path,
    name: str,
    n: int | None,
    seed: int,
    jobs: int,
    *,
    keep_model: bool,
    ledger: Path | None,
    progress: Progress,
) -> Twin:
    """Fit a generator to all donors, draw the twin into ``folder`` and read it back.

    Parameters
    ----------
    cohort, generator, n, seed, jobs
        As `twinseq generate` takes them; it makes the same twin.
    folder, name
        Where to write it.
    keep_model
        Whether the fitted model is written beside.
    ledger
        Ledger of the cohort, told of a private twin before it is drawn.
    progress
        Told how far the drawing is.
    """
    model = generator.fit(cohort, seed=seed, jobs=jobs)
    claim = claim_of(model)
    if claim is not None and ledger is not None:
        add_release(claim, ledger)  # what has been asked has been asked, whether or not a twin comes to be written
    path = folder / name
    drawn = draw_to_file(model, n, seed + 1, jobs, path, progress)
    files = list(drawn.paths)
    found = read(
        path, label=cohort.label, cell_type=cohort.cell_type, covariates=(), kind=cohort.kind, paired=True,
        min_per_class=1,
    )  # fmt: skip
    samples = samples_beside(path)
    if samples not in files:
        samples = folder / SAMPLES
        taken = set(map(str, found.obs.columns))
        label = next(word for word in ("sample", "name", "twin_sample") if word not in taken)
        found.obs.to_csv(samples, index_label=label, lineterminator="\n", errors="replace")
        files.append(samples)
    if claim is not None:
        files.append(write_claim(claim, beside(path)))
    if keep_model:
        model.save(folder / MODEL)
    return Twin(found, path, samples, tuple(files), tuple(drawn.empty), claim)


def checked(report: AuditReport, cohort: Cohort, twin: Twin, seed: int, jobs: int, progress: Progress) -> AuditReport:
    """Return the report with figures of the released twin itself: table ``released_twin``, and what it copies.

    Whether the figures of the twins of parts hold for the twin of all donors can be seen from the table, as far as it
    can be seen without donors that this twin has not been made of.
    """
    names = OF_SAMPLES if cohort.cell_type is None else OF_CELLS
    if cohort.label is None:
        names = tuple(name for name in names if not name.startswith(("de_", "lfc_")))
    own = audit(cohort, twin.cohort, metrics=names, claim=twin.claim, seed=seed, jobs=jobs, progress=progress)
    of_parts = {metric.name: metric for metric in report.metrics}
    rows = [
        {
            "figure": metric.name,
            "released_twin": metric.value,
            "cross_fitted": of_parts[metric.name].value if metric.name in of_parts else np.nan,
        }
        for metric in own.metrics
    ]
    copies = {
        metric.name: replace(metric, ci=None, ci_note="of the released twin, against all donors")
        for metric in own.metrics
        if metric.name in COPIES
    }
    return replace(
        report,
        metrics=tuple(copies.get(metric.name, metric) for metric in report.metrics),
        tables={**report.tables, "released_twin": pd.DataFrame(rows)},
        ledger=own.ledger,
    )
