"""Marker genes of the cell types: fold changes in the twin against real ones, and the genes by name."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..text import number, shown
from ._figure import Figure, Key, Panel, Table, axis, finite, numbers, padded, plot_names
from ._genes import column
from .fold_changes import diagonal, fit

READING = (
    "Each point is one of the ten strongest markers of a cell type in real cells, by its fold change against all other "
    "cells: a faithful twin lies on the diagonal. The table names them with their rank among the twin's markers."
)
NEAR = 20
"""Ranks up to which a marker counts as kept."""
TYPES = 40


def cell_markers(table: pd.DataFrame) -> Figure | None:
    """Draw fold changes of markers, twin against real, and list the genes."""
    drawn = table[finite(table, "lfc_real", "lfc_twin")]
    if len(drawn) < 3:
        return None
    x, y = column(drawn, "lfc_real"), column(drawn, "lfc_twin")
    r, slope = fit(x, y)
    low, high = padded((float(min(x.min(), y.min(), 0.0)), float(max(x.max(), y.max()))))
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": numbers(x),
        "y": numbers(y),
        "text": plot_names(drawn["gene"]),
        "customdata": plot_names(drawn["cell_type"]),
        "hovertemplate": "%{text}, marker of %{customdata}<br>real %{x:.2f}, twin %{y:.2f}<extra></extra>",
        "marker": {"size": 7, "opacity": 0.8, "color": "var(--twin)", "line": {"width": 0.8, "color": "var(--paper)"}},
    }
    layout = {
        "xaxis": axis("log2 fold change, real", (low, high)),
        "yaxis": axis("log2 fold change, twin", (low, high)),
        "shapes": [diagonal(low, low, high, high, "var(--faint)", "dot")],
    }
    panel = Panel([points], layout, "Fold changes of marker genes, twin against real", shape="square narrow")
    groups = [(str(name), part) for name, part in table.groupby("cell_type", sort=False, observed=True)]
    findings = [f"r = {number(r)}, slope = {number(slope)}", *(_kept(name, part) for name, part in groups[:TYPES])]
    rows: list[tuple[str, ...]] = [(shown(name, 40), _listed(part)) for name, part in groups]
    names = Table("Marker genes by name", ("Cell type", "Strongest markers in real cells (rank in the twin)"), rows)
    legend = (Key("symbol circle twin", "marker gene"), Key("guide", "identity"))
    return Figure("Marker genes", READING, tuple(findings), (panel,), legend, names)


def _kept(name: str, part: pd.DataFrame) -> str:
    kept = int((column(part, "rank_twin") <= NEAR).sum())
    return f"{shown(name, 40)}: {kept} of its {len(part)} strongest markers are among the twin's {NEAR} strongest"


def _listed(part: pd.DataFrame) -> str:
    ranks = column(part, "rank_twin")
    return ", ".join(
        f"{shown(gene, 30)} ({int(rank)})" if np.isfinite(rank) else f"{shown(gene, 30)} (type not in the twin)"
        for gene, rank in zip(part["gene"], ranks, strict=True)
    )
