"""The mean–variance trend of the counts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..text import number
from ._figure import SOURCE_NAMES, Figure, Panel, axis, legend_of, line, sources_of

READING = (
    "Genes are grouped by their mean count (across); the height is the typical variance of such genes: "
    "the twin's line should run along the real one over the whole range."
)


def mean_variance(table: pd.DataFrame) -> Figure | None:
    """Draw log10 variance against log10 mean, one line a source."""
    data, lines = [], {}
    for source in sources_of(table):
        part = table[table["source"] == source].sort_values("log10_mean")
        x, y = part["log10_mean"].to_numpy(dtype=float), part["log10_variance"].to_numpy(dtype=float)
        kept = np.isfinite(x) & np.isfinite(y)
        if kept.sum() < 2:
            continue
        trace = line(source, x[kept], y[kept], "mean 10^%{x:.2f}, variance 10^%{y:.2f}, %{customdata:,} genes")
        trace["customdata"] = part["n_genes"].to_numpy()[kept].astype(int).tolist()
        data.append(trace)
        lines[source] = (x[kept], y[kept])
    if not data:
        return None
    findings = []
    for source in ("twin", "holdout"):
        if source in lines and "real" in lines:
            gap = _largest_gap(lines["real"], lines[source])
            findings.append(f"largest distance of the {SOURCE_NAMES[source]} from real: {number(gap)} log10 units")
    layout = {"xaxis": axis("log10 mean count"), "yaxis": axis("log10 variance")}
    panel = Panel(data, layout, "Mean–variance trend of real data and twin", shape="wide")
    return Figure("Mean and variance", READING, tuple(findings), (panel,), legend_of(lines))


def _largest_gap(real: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> float:
    low, high = max(real[0][0], other[0][0]), min(real[0][-1], other[0][-1])
    at = other[0][(other[0] >= low) & (other[0] <= high)]
    if not at.size:
        return float("nan")
    return float(np.max(np.abs(np.interp(at, *real) - np.interp(at, *other))))
