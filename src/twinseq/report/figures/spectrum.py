"""The eigenvalue spectrum: how much of the variance each principal component holds."""

from __future__ import annotations

import pandas as pd

from ..text import percent
from ._figure import SOURCE_NAMES, Figure, Panel, axis, legend_of, line, sources_of

READING = (
    "The height is the share of variance along each principal component: a twin whose line drops early has lost "
    "the weaker directions, one that lies above the real line has made them up."
)


TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]


def spectrum(table: pd.DataFrame) -> Figure | None:
    """Draw the share of variance against the component, one line a source."""
    data, findings, drawn = [], [], []
    for source in sources_of(table):
        part = table[table["source"] == source].sort_values("component")
        share = part["share"].to_numpy(dtype=float)
        if not len(part):
            continue
        trace = line(source, part["component"].to_numpy(dtype=float), 100 * share, "component %{x}: %{y:.2f} %")
        data.append({**trace, "mode": "lines+markers", "marker": {"size": 4, "color": trace["line"]["color"]}})
        first = min(5, len(share))
        findings.append(
            f"{SOURCE_NAMES[source]}: the first {first} components hold {percent(float(share[:first].sum()))}"
        )
        drawn.append(source)
    if not data:
        return None
    layout = {"xaxis": axis("principal component"), "yaxis": axis("% of variance", type="log", tickvals=TICKS)}
    panel = Panel(data, layout, "Share of variance by principal component", shape="wide")
    return Figure("Eigenvalue spectrum", READING, tuple(findings), (panel,), legend_of(drawn))
