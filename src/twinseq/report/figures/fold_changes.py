"""Fold changes against fold changes: twin and hold-out beside the real data."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..text import number
from ._density import density, fullest, grid
from ._figure import SOURCE_NAMES, Figure, Key, Panel, axis, finite, note, padded
from ._genes import column, named, points

READING = (
    "Each cell holds genes by their change in the real data (across) and in the twin (up): a faithful twin lies on "
    "the diagonal; a slope below 1 means that effects are shrunk; the hold-out shows how much real donors scatter."
)


def fold_changes(genes: pd.DataFrame) -> Figure:
    """Draw log2 fold changes of twin and hold-out against those of the real data, for one contrast."""
    real = column(genes, "lfc_real")
    sides = []
    for source in ("twin", "holdout"):
        other = column(genes, f"lfc_{source}")
        kept = np.isfinite(real)
        if kept.sum() >= 3 and np.isfinite(other).any():
            # As in the metric `lfc_pearson`: a gene that the other side never expresses counts as unchanged.
            sides.append((source, real[kept], np.nan_to_num(other[kept], nan=0.0)))
    spread = np.abs(np.concatenate([np.concatenate(side[1:]) for side in sides])) if sides else np.ones(1)
    reach = max(1.0, float(np.quantile(spread, 0.999))) * 1.05
    limits = (-reach, reach)
    most = fullest(*(grid(x, y, limits, limits) for _, x, y in sides))
    top_genes = named(genes)
    panels, findings, legend = [], [], []
    for source, x, y in sides:
        r, slope = fit(x, y)
        name = SOURCE_NAMES[source]
        data = [density(x, y, limits, limits, source, most)]
        drawn = top_genes[finite(top_genes, "lfc_real", f"lfc_{source}")]
        if len(drawn):
            data.append(points(drawn, column(drawn, "lfc_real"), column(drawn, f"lfc_{source}"), limits, limits))
        shift = float(y.mean() - slope * x.mean())
        layout = {
            "xaxis": axis("log2 fold change, real", padded(limits)),
            "yaxis": axis(f"log2 fold change, {name}", padded(limits)),
            "shapes": [
                diagonal(-reach, -reach, reach, reach, "var(--faint)", "dot"),
                diagonal(-reach, shift - slope * reach, reach, shift + slope * reach, "var(--ink)", "solid"),
            ],
            "annotations": [note(f"r = {number(r)}<br>slope = {number(slope)}", 0.04, 0.97)],
        }
        heading = f"{name[0].upper()}{name[1:]} against real"
        panels.append(Panel(data, layout, f"Fold changes of the {name} against the real data", heading, "square"))
        findings.append(f"{name} against real: r = {number(r)}, slope = {number(slope)}, {len(x):,} genes")
        legend.append(Key(f"ramp {source}", f"{name}, genes per cell (log scale, 1 to {most:,})"))
    legend += [Key("guide", "identity"), Key("line ink", "least-squares line")]
    return Figure("Fold changes", READING, tuple(findings), tuple(panels), tuple(legend))


def fit(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return Pearson's r and the least-squares slope of ``y`` on ``x``; not a number without spread."""
    dx, dy = x - x.mean(), y - y.mean()
    sxx, syy, sxy = float(dx @ dx), float(dy @ dy), float(dx @ dy)
    if sxx <= 0:
        return float("nan"), float("nan")
    return (sxy / np.sqrt(sxx * syy) if syy > 0 else float("nan")), sxy / sxx


def diagonal(x0: float, y0: float, x1: float, y1: float, colour: str, dash: str) -> dict[str, object]:
    """Return a straight line through the panel."""
    line = {"color": colour, "width": 1.2, "dash": dash}
    return {"type": "line", "x0": x0, "y0": y0, "x1": x1, "y1": y1, "line": line}
