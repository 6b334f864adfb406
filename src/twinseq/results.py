"""What an audit hands over: small frozen values, one JSON file, a few TSV tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from .files import atomic_folder, atomic_path

SCHEMA = 1


@dataclass(frozen=True)
class MetricResult:
    """One figure, beside what real data reach and what a known-bad twin gets.

    Parameters
    ----------
    name, group
        Registry key and group (``fidelity``, ``biology``, ``utility``, ``covariates``, ``privacy``).
    value
        The twin's figure.
    ci
        95 % interval of ``value``, or ``None`` where none is defined; ``ci_note`` says over what it was resampled.
    ceiling
        The figure of real data in the twin's place; ``ceiling_source`` says which.
    floor
        The figure of a known-bad twin; ``floor_source`` says which.
    direction
        ``"higher"``, ``"lower"`` or ``"target"`` (nearest to ``ideal``).
    ideal
        Perfect value.
    n
        How many things (samples, genes) the figure rests on; ``n_unit`` names them.
    """

    name: str
    group: str
    value: float
    direction: str
    ideal: float
    ci: tuple[float, float] | None = None
    ci_note: str = ""
    ceiling: float | None = None
    ceiling_source: str = ""
    floor: float | None = None
    floor_source: str = ""
    n: int = 0
    n_unit: str = ""


@dataclass(frozen=True)
class Omitted:
    """A figure that could not be given, and why."""

    name: str
    group: str
    reason: str


@dataclass(frozen=True)
class AuditReport:
    """Everything an audit found. The HTML report is drawn from this and from nothing else.

    Parameters
    ----------
    provenance
        Versions, shapes, roles, seeds, settings and times; no path outside the names given.
    verdict
        ``policy``, ``outcome`` and ``reasons``.
    metrics, omitted
        Figures, and those that could not be computed with the reason.
    tables
        Aggregates behind the plots, by name; each becomes ``NAME.tsv``. See `docs/report.md` for their columns.
    attacks, controls, ledger
        Filled by the red team and by differential privacy.
    """

    provenance: Mapping[str, Any]
    verdict: Mapping[str, Any]
    metrics: tuple[MetricResult, ...]
    omitted: tuple[Omitted, ...] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    attacks: tuple[Mapping[str, Any], ...] = ()
    controls: tuple[Mapping[str, Any], ...] = ()
    ledger: tuple[Mapping[str, Any], ...] = ()

    def __getitem__(self, name: str) -> MetricResult:
        """Return the figure of one metric.

        Raises
        ------
        KeyError
            It was not computed; the message gives the reason where there is one.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        for omitted in self.omitted:
            if omitted.name == name:
                raise KeyError(f"{name} was not computed: {omitted.reason}")
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``metrics.json``."""
        content: dict[str, Any] = _plain(
            {
                "schema": SCHEMA,
                "provenance": self.provenance,
                "verdict": self.verdict,
                "metrics": [asdict(metric) for metric in self.metrics],
                "omitted": [asdict(omitted) for omitted in self.omitted],
                "attacks": self.attacks,
                "controls": self.controls,
                "ledger": self.ledger,
            }
        )
        return content

    def to_json(self) -> str:
        """Return ``metrics.json`` as text; what is not a number is ``null``."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False)

    def to_html(self, path: str | Path) -> Path:
        """Write the report as one offline HTML file, whole or not at all."""
        from .report import render

        path = Path(path)
        with atomic_path(path) as temporary:
            temporary.write_text(render(self), encoding="utf-8")
        return path

    def save(self, folder: str | Path) -> Path:
        """Write ``metrics.json``, the TSV tables and ``report.html`` into ``folder``, all or nothing.

        Tables that an earlier audit left there, and that this one has not, are removed.
        """
        from .metrics.tables import TABLES
        from .report import render

        folder = Path(folder)
        page = render(self)
        held_a_report = (folder / "metrics.json").is_file() and (folder / "report.html").is_file()
        with atomic_folder(folder) as scratch:
            _write_text(scratch / "metrics.json", self.to_json() + "\n")
            for name, table in self.tables.items():
                _write_text(scratch / f"{name}.tsv", table.to_csv(sep="\t", index=False, float_format="%.6g"))
            _write_text(scratch / "report.html", page)
        if held_a_report:
            for name in {*TABLES, "de_genes"}.difference(self.tables):
                (folder / f"{name}.tsv").unlink(missing_ok=True)
        return folder


def _write_text(path: Path, text: str) -> None:
    # A lone surrogate, from a name that was decoded wrongly, cannot be written as UTF-8.
    path.write_text(text, encoding="utf-8", errors="replace", newline="")


def _plain(value: Any) -> Any:
    """Turn what JSON has no word for (NaN, tuples) into what it has."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
