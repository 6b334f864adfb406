"""Density curves of library size and detected genes, one panel a class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..text import count, shown
from ._figure import SOURCE_NAMES, Figure, Panel, axis, by_label, legend_of, line, sources_of

PANELS = 6


def library_sizes(table: pd.DataFrame) -> Figure | None:
    """Draw the density of log10 counts per sample."""
    return _curves(
        table,
        title="Library sizes",
        reading=(
            "The height says how common a sequencing depth is: the twin's curve should lie on the real one, "
            "about as closely as the hold-out's does."
        ),
        x_title="log10 counts per sample",
        hover="10^%{x:.2f} counts",
        typical=lambda x: f"{count(10**x)} counts",
    )


def detected_genes(table: pd.DataFrame) -> Figure | None:
    """Draw the density of the number of genes with at least one count."""
    return _curves(
        table,
        title="Detected genes",
        reading=(
            "The height says how common a number of detected genes is: a curve shifted to the right means that the "
            "twin has too few zeros, to the left too many."
        ),
        x_title="genes with a count",
        hover="%{x:,.0f} genes",
        typical=lambda x: f"{count(x)} genes",
    )


def _curves(
    table: pd.DataFrame, *, title: str, reading: str, x_title: str, hover: str, typical: Callable[[float], str]
) -> Figure | None:
    groups, left = by_label(table, PANELS)
    panels, findings = [], []
    for label, part in groups:
        data, modes = [], []
        for source in sources_of(part):
            curve = part[part["source"] == source].sort_values("x")
            x, density = curve["x"].to_numpy(dtype=float), curve["density"].to_numpy(dtype=float)
            kept = np.isfinite(x) & np.isfinite(density)
            if kept.sum() < 2:
                continue
            data.append(line(source, x[kept], density[kept], hover))
            modes.append(f"{SOURCE_NAMES[source]} {typical(median(x[kept], density[kept]))}")
        if not data:
            continue
        layout = {"xaxis": axis(x_title), "yaxis": axis("density", rangemode="tozero", showticklabels=False, ticks="")}
        panels.append(Panel(data, layout, f"{title} of class {shown(label, 40)}", shown(label, 40), "low"))
        findings.append(f"{shown(label, 40)}: median {', '.join(modes)}")
    if not panels:
        return None
    if left:
        findings.append(f"{left} more classes are in the table")
    return Figure(title, reading, tuple(findings), tuple(panels), legend_of(sources_of(table)))


def median(x: NDArray[np.float64], density: NDArray[np.float64]) -> float:
    """Return the point that halves the area under a density curve."""
    areas = np.concatenate([[0.0], np.cumsum(np.diff(x) * (density[1:] + density[:-1]) / 2)])
    return float(np.interp(areas[-1] / 2, areas, x))
