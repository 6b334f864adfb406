"""ROC curves of the strongest attack of each level, on log axes: what counts is the corner of few false alarms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...results import Headline, RedTeam
from ..attack_tables import level_title, share_interval
from ..questions import spoken
from ..text import in_plot, percent, shown
from ._figure import Figure, Key, Panel, Tables, axis, finite, numbers

READING = (
    "For every share of false alarms, the share of members that are named. On the dotted line an attacker does no "
    "better than guessing; the further a curve lies above it, the more is given away, at the left most of all, where "
    "the attacker is nearly always right. Both axes are logarithmic."
)
# Known by its columns: the classifiers' curves are called "roc" too.
NAMES = ("attack_roc", "roc")
COLUMNS = ("level", "attack", "fpr", "tpr")
# Levels are ordered, and so are their colours, from faint to strong; dashes tell them apart where colours do not.
STYLES = {
    "T0": ("attacker-twin", "dash"),
    "T1": ("attacker-reference", "solid"),
    "T2": ("attacker-generator", "dashdot"),
    "T3": ("attacker-parameters", "longdash"),
}
OTHER = ("attacker-choice", "solid")
TICKS = (1e-4, 1e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
SMALLEST = 1e-4
GRID = 80

Floats = NDArray[np.float64]


def curves(tables: Tables) -> pd.DataFrame | None:
    """Return the table of curves, or ``None`` where the audit gave none."""
    for name in NAMES:
        table = tables.get(name)
        if table is not None and set(COLUMNS) <= set(table.columns):
            kept = table[finite(table, "fpr", "tpr")]
            return kept if len(kept) else None
    return None


def attack_roc(tables: Tables, red_team: RedTeam) -> Figure | None:
    """Draw the share of members named against the share of false alarms.

    Parameters
    ----------
    tables
        The audit's tables, among them that of the curves: level, attack, fpr, tpr.
    red_team
        What the attacks found: the headlines give the figures in words.
    """
    table = curves(tables)
    if table is None:
        return None
    headlines = {(headline.level, headline.attack): headline for headline in red_team.headlines}
    start = _start(table, red_team)
    data: list[dict[str, Any]] = []
    legend, findings = [], []
    for (level, attack), curve in sorted(table.groupby(["level", "attack"], sort=False, observed=True), key=_key):
        x, y = on_log_axes(curve["fpr"].to_numpy(dtype=float), curve["tpr"].to_numpy(dtype=float), start)
        colour, dash = STYLES.get(str(level), OTHER)
        data.append(_line(x, y, f"{shown(level, 20)}, {spoken(str(attack))}", colour, dash))
        legend.append(Key(f"line {colour} {dash}", f"{level_title(str(level))} ({spoken(str(attack))})"))
        if headline := headlines.get((str(level), str(attack))):
            findings.append(_finding(headline, start))
    limits = (math.log10(start), 0.0)
    air = 0.02 * (limits[1] - limits[0])
    ticks = [tick for tick in TICKS if tick >= 0.99 * start]
    scale: dict[str, Any] = {"type": "log", "tickvals": ticks, "ticktext": [percent(tick) for tick in ticks]}
    layout = {
        "xaxis": axis("false alarms (log scale)", (limits[0] - air, air), **scale),
        "yaxis": axis("members named (log scale)", (limits[0] - air, air), **scale),
        "shapes": [{"type": "line", "x0": start, "y0": start, "x1": 1, "y1": 1, "line": _CHANCE}],
    }
    label = "Share of members named against share of false alarms, both on log axes"
    legend.append(Key("guide", "guessing"))
    panel = Panel(data, layout, label, shape="square narrow")
    return Figure("How many members each attacker names", READING, tuple(findings), (panel,), tuple(legend))


def _key(item: tuple[Any, pd.DataFrame]) -> str:
    return str(item[0][0])


def _start(table: pd.DataFrame, red_team: RedTeam) -> float:
    """Return the smallest false-alarm rate that can be told from none: one of the non-members."""
    others = max((attack.n_nonmembers for attack in red_team.attacks), default=0)
    if not others:
        rates = table["fpr"].to_numpy(dtype=float)
        positive = rates[rates > 0]
        return float(np.clip(positive.min() if len(positive) else 0.01, SMALLEST, 0.1))
    return float(np.clip(1 / others, SMALLEST, 0.1))


def on_log_axes(fpr: Floats, tpr: Floats, start: float) -> tuple[Floats, Floats]:
    """Return a curve that can be drawn on log axes.

    It starts with those who are named without a single false alarm. Between its corners points are put in, since what
    is straight on linear axes is bent on these; rates below ``start`` are drawn there.
    """
    order = np.lexsort((tpr, fpr))
    fpr, tpr = fpr[order], tpr[order]
    first = max(0, int((fpr <= 0).sum()) - 1)
    fpr, tpr = fpr[first:], tpr[first:]
    between = np.geomspace(start, 1, GRID)
    x = np.concatenate([fpr, between])
    y = np.concatenate([tpr, np.interp(between, fpr, tpr)])
    order = np.lexsort((y, x))
    x, y = np.maximum(x[order], start), np.maximum(y[order], start)
    inside = np.ones(len(x), dtype=bool)
    inside[1:-1] = (x[1:-1] != x[:-2]) | (y[1:-1] != y[:-2])
    return x[inside], y[inside]


def _finding(headline: Headline, smallest: float) -> str:
    """Return the shares of members named at the usual rates, as far as there are non-members enough to read them."""
    named = []
    for rate in ("0.1", "0.01", "0.001"):
        if rate in headline.tpr_at_fpr and float(rate) >= smallest:
            ci = share_interval(headline.tpr_ci.get(rate))
            words = percent(headline.tpr_at_fpr[rate]) + (f" ({ci})" if ci else "")
            named.append(f"{words} at {percent(float(rate))} false alarms")
    which = f"{shown(headline.level, 20)}, {spoken(headline.attack)}"
    return f"{which}: of the members it names {', '.join(named)}" if named else which


_CHANCE = {"color": "var(--faint)", "width": 1, "dash": "dot"}


def _line(x: Floats, y: Floats, hover: str, colour: str, dash: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": numbers(x),
        "y": numbers(y),
        "text": [in_plot(hover, 80)] * len(x),
        "hovertemplate": "%{text}<br>%{y:.1%} of members at %{x:.1%} false alarms<extra></extra>",
        "line": {"color": f"var(--{colour})", "dash": dash, "width": 2.2},
    }
