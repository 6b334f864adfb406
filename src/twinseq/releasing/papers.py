"""What goes along with a twin: data sheet, README, the report with its tables, the sums of all files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..datasheet import LIMITS, Made, as_json, datasheet
from ..errors import shorten
from ..results import AuditReport
from . import words
from .folder import MODEL, digests, write_sums
from .procedure import Procedure
from .twin import Twin

SHEET = "twin.croissant.json"
README = "README.txt"
INSIDE = {
    "report.html, metrics.json": "the audit. Both hold figures of the real donors, and say how the twin can be "
    "attacked",
    "*.tsv": "tables behind the figures. Some hold exact figures of the real donors (fold changes of every gene, for "
    "one), from which members can be traced as from a twin, or better",
    "SHA256SUMS": "sums of all files here, for `sha256sum --check`",
}
KEPT_MODEL = (
    "the fitted model. NEVER RELEASE IT: who holds it attacks far better than who holds the twin. Delete it when it is "
    "no longer needed"
)


def write_papers(
    folder: Path,
    report: AuditReport,
    twin: Twin,
    procedure: Procedure,
    notes: Sequence[str],
    name: str,
    licence: str,
) -> tuple[Path, ...]:
    """Write data sheet, README, report and sums beside a twin; return the files that may leave.

    Parameters
    ----------
    folder
        Where the twin lies, and nothing else yet but a model.
    report
        The audit with its verdict.
    twin, procedure
        What was made, and how.
    notes
        How far the audit reaches.
    name, licence
        For the data sheet.
    """
    made = how_made(report, twin, procedure)
    empty = _empty(report, twin)
    limits = [f"Column '{shorten(name, 40)}' is left empty: {why}." for name, why in empty.items()]
    sheet = datasheet(
        twin.files,
        twin.samples,
        twin.cohort,
        report,
        Made(name, made, _promise(twin), limits, empty, licence, report.provenance["versions"]["twinseq"]),
    )
    (folder / SHEET).write_text(as_json(sheet), encoding="utf-8", errors="replace")
    outgoing = (*twin.files, folder / SHEET)
    inside = dict(INSIDE)
    if (folder / MODEL).exists():
        inside = {MODEL: KEPT_MODEL, **inside}
    text = words.readme(report, [path.name for path in outgoing], inside, made, notes, [*LIMITS, *limits])
    (folder / README).write_text(text, encoding="utf-8", errors="replace")
    report.save(folder)
    write_sums(folder, digests(folder))
    return outgoing


def how_made(report: AuditReport, twin: Twin, procedure: Procedure) -> list[str]:
    """Return sentences on what made a twin; no folder is in them."""
    made: Mapping[str, object] = report.provenance["generator"]
    settings = made["settings"]
    assert isinstance(settings, Mapping)
    stated = ", ".join(f"{key}={_shown(value)}" for key, value in settings.items() if value is not None)
    unit = "cells" if twin.cohort.cell_type is not None else "samples"
    return [
        f"{twin.cohort.n_samples:,} {unit} × {twin.cohort.n_genes:,} genes drawn by twinseq "
        f"{report.provenance['versions']['twinseq']}: {procedure.generator.info.title} ({made['name']}), "
        f"{stated or 'default settings'}.",
        procedure.choice,
        *procedure.reasons,
    ]


def _shown(value: object) -> str:
    return Path(value).name if isinstance(value, str) else str(value)


def _empty(report: AuditReport, twin: Twin) -> dict[str, str]:
    """Return the columns that hold nothing, and why."""
    donor = report.provenance["roles"].get("donor")
    return {name: "no donor of a twin exists" if name == donor else "it was given no role" for name in twin.empty}


def _promise(twin: Twin) -> str:
    return "" if twin.claim is None else twin.claim.ledger.statement(twin.claim.delta)
