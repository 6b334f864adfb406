"""Where the figures come from, as tables: the release and its files, the settings of the audit, versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..results import AuditReport
from .figures._figure import Table
from .text import shown


@dataclass(frozen=True)
class Origin:
    """The provenance of a report, all of it plain text.

    Parameters
    ----------
    files
        Name and SHA-256 of every file that went in or came out, where they were recorded.
    tables
        Settings and versions; empty tables are left out.
    """

    files: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]


# Keys of the provenance with a table of their own; the rest are settings of the audit.
OWN = {"release": "Settings of the release", "versions": "Versions"}
SETTINGS = "Settings of the audit"


def origin(report: AuditReport) -> Origin:
    """Return the provenance as the page shows it."""
    given = report.provenance
    rest = {key: value for key, value in given.items() if key not in OWN and key != "files"}
    made = (
        _table(OWN["release"], given.get("release") or {}),
        _table(SETTINGS, rest),
        _table(OWN["versions"], given.get("versions") or {}),
    )
    return Origin(tuple(_files(given.get("files") or {})), tuple(table for table in made if table.rows))


def _table(title: str, values: Any) -> Table:
    rows: list[tuple[str, ...]] = [(shown(key, 80), shown(value, 200)) for key, value in _flat(values)]
    return Table(title, ("Setting", "Value"), rows)


def _files(files: Any) -> Iterator[tuple[str, str]]:
    """Yield name and checksum of each file, whether it is given alone or among other facts of the file."""
    if isinstance(files, Mapping):
        for name, facts in files.items():
            checksum = facts.get("sha256", "not recorded") if isinstance(facts, Mapping) else facts
            yield shown(name, 120), shown(checksum, 100)


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
