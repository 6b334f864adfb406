"""Where the figures come from, as tables: the release and its files, the settings of the audit, versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..results import AuditReport
from .figures._figure import Table
from .questions import about
from .text import number, shown


@dataclass(frozen=True)
class Origin:
    """The provenance of a report, all of it plain text.

    Parameters
    ----------
    files
        Name and SHA-256 of every file that went in or came out, where they were recorded.
    notes, itself, chosen
        Of a release: how far its audit reaches, figures of the released twin itself, and why this setting was taken.
    tables
        Settings and versions; empty tables are left out.
    """

    files: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    itself: Table | None
    chosen: tuple[str, ...]
    tables: tuple[Table, ...]


# Keys of the provenance with a table of their own; the rest are settings of the audit.
OWN = {"release": "Settings of the release", "versions": "Versions"}
SETTINGS = "Settings of the audit"


def origin(report: AuditReport) -> Origin:
    """Return the provenance as the page shows it."""
    given = report.provenance
    rest = {key: value for key, value in given.items() if key not in OWN and key != "files"}
    released = given.get("release") or {}
    notes, chosen = _sentences(released, "notes"), _sentences(released, "chosen")
    settings = {key: value for key, value in released.items() if key not in ("notes", "chosen", "settings")}
    made = (
        _table(OWN["release"], {**(released.get("settings") or {}), **settings}),
        _table(SETTINGS, rest),
        _table(OWN["versions"], given.get("versions") or {}),
    )
    return Origin(
        files=tuple(_files(given.get("files") or {})),
        notes=notes,
        itself=_itself(report),
        chosen=tuple(text for text in chosen if text not in notes),
        tables=tuple(table for table in made if table.rows),
    )


def _itself(report: AuditReport) -> Table | None:
    """Return figures of the released twin, beside those of the twins that were audited in its place."""
    table = report.tables.get("released_twin")
    if table is None or not {"figure", "released_twin", "cross_fitted"} <= set(table.columns):
        return None
    rows: list[tuple[str, ...]] = [
        (about(str(name)).title, number(own), number(audited))
        for name, own, audited in zip(table["figure"], table["released_twin"], table["cross_fitted"], strict=True)
    ]
    return Table("Figures of the released twin itself", ("Figure", "Released twin", "Audit"), rows) if rows else None


def _sentences(released: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(shown(text, 480) for text in released.get(key) or ())


def _table(title: str, values: Any) -> Table:
    rows: list[tuple[str, ...]] = [(shown(key, 80), shown(value, 200)) for key, value in _flat(values)]
    return Table(title, ("Setting", "Value"), rows)


def _files(files: Any) -> Iterator[tuple[str, str]]:
    """Yield title and checksum of each file, whether it is given alone or among other facts of the file."""
    if isinstance(files, Mapping):
        for name, facts in files.items():
            known = facts if isinstance(facts, Mapping) else {"sha256": facts}
            file = known.get("file") or ""
            title = f"{name} ({file})" if file and str(file) not in str(name) else name
            yield shown(title, 120), shown(known.get("sha256", "not recorded"), 100)


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield every setting with its path through the sections, as in ``versions › numpy``."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{prefix} › {key}" if prefix else str(key))
    elif isinstance(value, list | tuple) and not any(isinstance(item, Mapping) for item in value):
        yield prefix, ", ".join(map(str, value)) or "none"
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value, start=1):
            yield from _flat(item, f"{prefix} {index}")
    elif isinstance(value, bool):
        yield prefix, "yes" if value else "no"
    else:
        yield prefix, "none" if value is None else str(value)
