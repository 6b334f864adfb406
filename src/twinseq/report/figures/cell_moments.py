"""How variance and share of zeros run with the mean of genes, in each cell type."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..text import number, shown
from ._figure import SOURCE_NAMES, Figure, Panel, axis, by_label, legend_of, line, sources_of

READINGS = {
    "variance": (
        "Genes are grouped by their mean log-normalised expression in cells of the type (across); the height is the "
        "typical variance of such genes from cell to cell: the twin's line should run along the real one."
    ),
    "zeros": (
        "The same groups of genes; the height is the typical share of cells of the type without a count: the twin's "
        "line should run along the real one."
    ),
}
TITLES = {"variance": "Mean and variance by cell type", "zeros": "Mean and zeros by cell type"}
HEIGHTS = {"variance": "variance", "zeros": "share of zeros"}
TYPES = 6


def cell_variance(table: pd.DataFrame) -> Figure | None:
    """Draw the variance of genes over their mean, one panel a cell type."""
    return _by_type(table, "variance")


def cell_zeros(table: pd.DataFrame) -> Figure | None:
    """Draw the share of zeros of genes over their mean, one panel a cell type."""
    return _by_type(table, "zeros")


def _by_type(table: pd.DataFrame, quantity: str) -> Figure | None:
    groups, left = by_label(table.rename(columns={"cell_type": "label"}), TYPES)
    panels, findings = [], []
    for name, part in groups:
        lines = {}
        for source in sources_of(part):
            side = part[part["source"] == source].sort_values("mean")
            x, y = side["mean"].to_numpy(dtype=float), side[quantity].to_numpy(dtype=float)
            kept = np.isfinite(x) & np.isfinite(y)
            if kept.sum() >= 2:
                lines[source] = (x[kept], y[kept])
        if "real" not in lines:
            continue
        data = [line(source, x, y, "mean %{x:.2f}: %{y:.3f}") for source, (x, y) in lines.items()]
        right, top = (max(float(side[place].max()) for side in lines.values()) for place in (0, 1))
        layout = {
            "xaxis": axis("mean log-normalised expression", (0.0, 1.05 * right)),
            "yaxis": axis(HEIGHTS[quantity], (0.0, 1.05 * top)),
        }
        heading = shown(name, 40)
        panels.append(Panel(data, layout, f"{TITLES[quantity]}: {heading}", heading, "square"))
        if "twin" in lines:
            gap = float(np.mean(np.abs(np.interp(lines["twin"][0], *lines["real"]) - lines["twin"][1])))
            findings.append(f"{heading}: the {SOURCE_NAMES['twin']} is {number(gap)} from the real line on average")
    if not panels:
        return None
    if left:
        findings.append(f"{left} more cell types are in the table")
    legend = legend_of(sources_of(table))
    return Figure(TITLES[quantity], READINGS[quantity], tuple(findings), tuple(panels), legend)
