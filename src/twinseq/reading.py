"""Read back what an audit has written, so that it can be judged by another policy without being made again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .errors import CohortError, shorten
from .results import SCHEMA, AttackResult, AuditReport, Control, Headline, MetricResult, Omitted, RedTeam


def read_report(path: str | Path) -> AuditReport:
    """Read the folder of a report, with its tables, or ``metrics.json`` alone.

    Parameters
    ----------
    path
        Folder or file. Numbers in tables have the six digits that were written.

    Raises
    ------
    CohortError
        There is no report, it is damaged, or of another version.
    """
    path = Path(path)
    file = path / "metrics.json" if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CohortError(f"{file}: cannot be read as the figures of an audit ({shorten(error)}).") from error
    try:
        if content["schema"] != SCHEMA:
            raise CohortError(f"{file}: figures of version {shorten(content['schema'])}; known is {SCHEMA}.")
        return AuditReport(
            provenance=content["provenance"],
            verdict=content["verdict"],
            metrics=tuple(_metric(values) for values in content["metrics"]),
            omitted=tuple(Omitted(**values) for values in content["omitted"]),
            tables=_tables(path) if path.is_dir() else {},
            red_team=_red_team(content),
            ledger=tuple(content["ledger"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CohortError(f"{file}: not the figures of an audit ({type(error).__name__}: {shorten(error)}).") from error


def _tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a report; only what is empty is missing, for there are genes and levels called NA."""
    return {
        path.stem: pd.read_csv(path, sep="\t", keep_default_na=False, na_values=[""], encoding="utf-8")
        for path in sorted(folder.glob("*.tsv"))
    }


def _metric(values: Mapping[str, Any]) -> MetricResult:
    return MetricResult(**{**values, "ideal": _number(values["ideal"]), "ci": _interval(values["ci"])})


def _red_team(content: Mapping[str, Any]) -> RedTeam | None:
    rest = content["red_team"]
    if rest is None:
        return None
    return RedTeam(
        **{
            **rest,
            **{name: tuple(rest[name]) for name in ("reasons", "subgroups", "partial", "attributes", "linkability")},
            "attacks": tuple(_attack(values) for values in content["attacks"]),
            "headlines": tuple(_headline(values) for values in rest["headlines"]),
            "controls": tuple(Control(**{**one, "auc_ci": _interval(one["auc_ci"])}) for one in content["controls"]),
        }
    )


def _attack(values: Mapping[str, Any]) -> AttackResult:
    return AttackResult(**{**values, "auc_ci": _interval(values["auc_ci"]), "tpr_ci": _intervals(values["tpr_ci"])})


def _headline(values: Mapping[str, Any]) -> Headline:
    return Headline(
        **{
            **values,
            "auc_ci": _interval(values["auc_ci"]),
            "tpr_ci": _intervals(values["tpr_ci"]),
            "epsilon_lower": _number(values["epsilon_lower"]),
        }
    )


def _number(value: float | None) -> float:
    """Return what JSON has no word for as what it was."""
    return math.nan if value is None else float(value)


def _interval(ends: list[float] | None) -> tuple[float, float] | None:
    return None if ends is None else (ends[0], ends[1])


def _intervals(named: Mapping[str, list[float]]) -> dict[str, tuple[float, float]]:
    return {name: (ends[0], ends[1]) for name, ends in named.items()}
