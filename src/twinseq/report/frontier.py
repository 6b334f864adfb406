"""Where this twin lies between what it gives away and what it keeps, and what it is compared with there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..results import AuditReport, MetricResult
from .attackers import auc as auc_in_words
from .figures._figure import Table
from .questions import about, spoken
from .text import DASH, is_number, number, shown

FIDELITY = "lfc_replication"
IN_WORDS = {
    FIDELITY: "fold changes that replicate in unseen donors (real data: 1)",
    "lfc_pearson": "correlation of fold changes",
    "cell_type_tstr": "cells of unseen donors typed rightly",
}
GROUPS = ("utility", "cells", "biology", "fidelity")
USUAL = "T1"
"""The attacker who holds the twin and a reference cohort: the level that twins are compared at."""
STAGES = {
    "reported": "donors the search had not seen",
    "beside": "the same donors, settings as published",
    "searched": "in the search",
}
COLUMNS = ("stage", "auc", FIDELITY)
FIGURES = {
    "tpr_at_1": "Named at 1\xa0%",
    FIDELITY: "LFC replication",
    "de_recall": "DE recall",
    "f1_ratio": "F1 ratio",
}

Ends = tuple[float, float] | None


@dataclass(frozen=True)
class Point:
    """One twin between what it keeps and what it gives away.

    Parameters
    ----------
    name
        Plain text.
    kind
        ``"twin"`` (this one), ``"setting"`` (what its setting reached when it was chosen), ``"reported"`` (other
        settings), ``"beside"`` (other generators), ``"searched"`` or ``"data"`` (real data in the twin's place).
    fidelity, fidelity_ends, auc, auc_ends
        What it keeps and the AUC of the strongest attack, with the ends of their 95 % intervals.
    """

    name: str
    kind: str
    fidelity: float
    auc: float
    fidelity_ends: Ends = None
    auc_ends: Ends = None


@dataclass(frozen=True)
class Frontier:
    """Everything there is to draw.

    Parameters
    ----------
    points
        This twin and all others.
    what
        What is read off as fidelity, in words.
    floor
        What a known-bad twin keeps, where settings were not searched.
    most, least
        The largest AUC and the least fidelity that the policy allows, where it says so.
    """

    points: tuple[Point, ...]
    what: str
    floor: float | None = None
    most: float | None = None
    least: float | None = None


def frontier(report: AuditReport) -> Frontier | None:
    """Return this twin among the settings that were searched, or else beside real data.

    Parameters
    ----------
    report
        What an audit found; its table ``frontier`` holds the settings.

    Returns
    -------
    Frontier or None
        ``None`` where nothing is known of this twin: without an attack, or without a figure of what it keeps.
    """
    metric, attack = fidelity(report.metrics), _attack(report)
    settings = _searched(report)
    if settings and metric is not None and metric.name != FIDELITY:
        metric = None
    own = None
    if metric is not None and attack is not None:
        own = Point("this twin", "twin", float(metric.value), attack[0], metric.ci, attack[1])
    if not settings and own is None:
        return None
    if settings:
        # What the audit found of this twin goes before what the search found of its setting.
        settings = [replace(one, kind="twin") if one.kind == "setting" and own is None else one for one in settings]
        points = (*settings, *([] if own is None else [own]))
        name, floor = FIDELITY, None
    else:
        assert metric is not None
        assert own is not None
        points = (own, *_real_data(metric))
        name, floor = metric.name, metric.floor
    return Frontier(
        points, IN_WORDS.get(name, about(name).title), floor, _limit(report, "auc"), _limit(report, name)
    )  # fmt: skip


def fidelity(metrics: Sequence[MetricResult]) -> MetricResult | None:
    """Return the figure that says best what a twin keeps: fold changes that replicate, else the first of its use."""
    able = [metric for metric in metrics if is_number(metric.value) and not metric.name.startswith("paper_")]
    named = [metric for name in IN_WORDS for metric in able if metric.name == name]
    # A difference from real data (ideal 0) says nothing by itself.
    use = [metric for group in GROUPS for metric in able if metric.group == group and metric.direction == "higher"]
    return next((metric for metric in (*named, *use) if metric.ideal != 0), None)


def _attack(report: AuditReport) -> tuple[float, Ends] | None:
    """Return AUC and interval of the strongest attack: the one the policy goes by, or the one twins are compared by."""
    for check in report.verdict.get("checks") or ():
        if check.get("key") == "auc" and is_number(check.get("value")):
            interval = check.get("interval")
            return float(check["value"]), None if interval is None else (float(interval[0]), float(interval[1]))
    headlines = [] if report.red_team is None else [one for one in report.red_team.headlines if is_number(one.auc)]
    usual = [one for one in headlines if one.level <= USUAL] or headlines
    headline = max(usual, key=lambda one: one.level, default=None)
    return None if headline is None else (headline.auc, headline.auc_ci)


def _limit(report: AuditReport, key: str) -> float | None:
    """Return what the policy allows of a figure, where it says so."""
    checks = report.verdict.get("checks") or ()
    return next((float(one["limit"]) for one in checks if one.get("key") == key and is_number(one.get("limit"))), None)


def _real_data(metric: MetricResult) -> list[Point]:
    """Return real data in the twin's place, where it is known whose they are.

    Who holds the training data themselves knows their donors; other donors' data say nothing of them.
    """
    if metric.ceiling is None or not is_number(metric.ceiling):
        return []
    if metric.ceiling_source.startswith("training data"):
        return [Point("the training data", "data", float(metric.ceiling), 1.0)]
    if metric.ceiling_source.startswith(("hold-out", "reference")):
        return [Point("other real donors", "data", float(metric.ceiling), 0.5)]
    return []


def _searched(report: AuditReport) -> list[Point]:
    table = report.tables.get("frontier")
    if table is None or not set(COLUMNS) <= set(table.columns):
        return []
    return [point for row in table.to_dict("records") if (point := _setting(row)) is not None]


def _setting(row: Mapping[Any, Any]) -> Point | None:
    if not (is_number(row["auc"]) and is_number(row[FIDELITY])) or row["stage"] not in STAGES:
        return None
    # A setting was searched before it was chosen; what counts is what was reported of it on other donors.
    kind = "setting" if _chosen(row) and row["stage"] == "reported" else str(row["stage"])
    return Point(
        _name(row), kind, float(row[FIDELITY]), float(row["auc"]), _ends(row, FIDELITY), _ends(row, "auc")
    )  # fmt: skip


def _chosen(row: Mapping[Any, Any]) -> bool:
    return str(row.get("chosen")).lower() in ("true", "1", "1.0")


def _name(row: Mapping[Any, Any]) -> str:
    return shown(row.get("setting") or row.get("generator") or "", 120)


def _ends(row: Mapping[Any, Any], name: str) -> Ends:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return (float(low), float(high)) if is_number(low) and is_number(high) else None


def settings_table(report: AuditReport) -> Table | None:
    """Return every setting of the frontier, those judged on new donors first; ``None`` where none was searched."""
    table = report.tables.get("frontier")
    if table is None or table.empty or not set(COLUMNS) <= set(table.columns):
        return None
    order = {stage: place for place, stage in enumerate(STAGES)}
    ranked = table.assign(_order=table["stage"].map(order).fillna(len(order)))
    ranked = ranked.sort_values(["_order", "auc"], kind="stable")
    columns = ("Setting", "Judged on", "AUC", "Strongest attack", *FIGURES.values())
    return Table("Settings of the frontier", columns, [_cells(row) for row in ranked.to_dict("records")])


def _cells(row: Mapping[Any, Any]) -> tuple[str, ...]:
    attack = row.get("attack")
    return (
        f"{_name(row)} (chosen)" if _chosen(row) else _name(row),
        STAGES.get(row["stage"], shown(row["stage"], 30)),
        auc_in_words(row["auc"], _ends(row, "auc")) if is_number(row["auc"]) else DASH,
        spoken(attack) if isinstance(attack, str) and attack else DASH,
        *(number(row[key]) if is_number(row.get(key)) else DASH for key in FIGURES),
    )
