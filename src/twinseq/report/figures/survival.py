"""Survival curves, one panel a class, as steps on a coarse grid of times."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..text import number, shown
from ._figure import SOURCE_NAMES, Figure, Panel, axis, by_label, legend_of, line, sources_of

PANELS = 6
READING = (
    "The height is the share still without the event at each time: the twin's steps should fall with the real ones. "
    "Times are rounded to a coarse grid, and a curve ends where fewer than five are left, so that nobody's time shows."
)


def survival_curves(table: pd.DataFrame) -> Figure | None:
    """Draw the Kaplan–Meier estimate of each source against time."""
    groups, left = by_label(table, PANELS)
    reach = float(table["time"].max())
    panels, findings = [], []
    for label, part in groups:
        data, halves = [], []
        ends = part.groupby("source", observed=True)["time"].max()
        # The last time that all curves reach tells most about them.
        common = float(ends.min())
        for source in sources_of(part):
            curve = part[part["source"] == source].sort_values("time")
            x, y = curve["time"].to_numpy(dtype=float), curve["survival"].to_numpy(dtype=float)
            kept = np.isfinite(x) & np.isfinite(y)
            if not kept.any():
                continue
            trace = line(source, x[kept], y[kept], "time %{x:,}: %{y:.2f}")
            data.append({**trace, "line": {**trace["line"], "shape": "hv"}})
            at = int(np.searchsorted(x[kept], common, side="right")) - 1
            halves.append(f"{SOURCE_NAMES[source]} {number(float(y[kept][max(at, 0)]), 2)}")
        if not data:
            continue
        layout = {
            "xaxis": axis("time", (0.0, 1.02 * reach if reach > 0 else 1.0)),
            "yaxis": axis("share without the event", (0.0, 1.03)),
        }
        name = shown(label, 40)
        panels.append(Panel(data, layout, f"Survival curves of class {name}", name, "low"))
        findings.append(f"{name}: without the event at time {number(common)}: {', '.join(halves)}")
    if not panels:
        return None
    if left:
        findings.append(f"{left} more classes are in the table")
    return Figure("Survival curves", READING, tuple(findings), tuple(panels), legend_of(sources_of(table)))
