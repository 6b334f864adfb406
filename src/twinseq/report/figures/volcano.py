"""Volcano plots: the real contrast and the twin's, side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..text import count, percent
from ._density import density, fullest, grid
from ._figure import Figure, Key, Panel, axis, finite, padded
from ._genes import LFC, PADJ, column, differential, gene_table, named, points

READING = (
    "Each cell holds genes: the further right or left, the stronger the change, the higher, the surer; "
    "a faithful twin has the same shape, and the same named genes in the same places."
)


def volcano(genes: pd.DataFrame) -> Figure:
    """Draw log2 fold change against −log10 padj for the genes of one contrast, real and twin."""
    sides = [(source, *_cloud(genes, source)) for source in ("real", "twin")]
    x_all = np.concatenate([x for _, x, _ in sides])
    y_all = np.concatenate([y for _, _, y in sides])
    reach = max(2.0, float(np.quantile(np.abs(x_all), 0.999))) if x_all.size else 2.0
    # A single overwhelming gene must not press all others to the ground; it is drawn at the upper border.
    top = max(3.0, min(float(y_all.max()), 1.6 * float(np.quantile(y_all, 0.999)))) if y_all.size else 3.0
    x_limits, y_limits = (-reach, reach), (0.0, top)
    most = fullest(*(grid(x, y, x_limits, y_limits) for _, x, y in sides))
    top_genes = named(genes)
    panels = []
    for source, x, y in sides:
        data = [density(x, y, x_limits, y_limits, source, most)]
        drawn = top_genes[finite(top_genes, f"lfc_{source}", f"padj_{source}")]
        if len(drawn):
            height = _surprise(column(drawn, f"padj_{source}"))
            data.append(points(drawn, column(drawn, f"lfc_{source}"), height, x_limits, y_limits))
        layout = {
            "xaxis": axis("log2 fold change", padded(x_limits)),
            "yaxis": axis("−log10 adjusted p", padded(y_limits, 0.03)),
            "shapes": [_guide(x0=-LFC, x1=-LFC), _guide(x0=LFC, x1=LFC), _guide(y0=1.301, y1=1.301)],
        }
        name = "Real data" if source == "real" else "Twin"
        panels.append(Panel(data, layout, f"Volcano plot of the {name.lower()}", name, "square"))
    return Figure(
        title="Volcano plots",
        reading=READING,
        findings=_findings(genes),
        panels=tuple(panels),
        legend=(
            Key("ramp real", f"real, 1 to {count(most)} genes per cell (log scale)"),
            Key("ramp twin", "twin, same scale"),
            Key("gene", "named: most significant in the real data"),
            Key("guide", f"|LFC| = {LFC:.0f} and padj = {PADJ}"),
        ),
        table=gene_table(genes),
    )


def _cloud(genes: pd.DataFrame, source: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lfc, padj = column(genes, f"lfc_{source}"), column(genes, f"padj_{source}")
    kept = np.isfinite(lfc) & np.isfinite(padj)
    return lfc[kept], _surprise(padj[kept])


def _surprise(padj: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return −log10 padj; zero stands for the smallest number a computer holds."""
    heights: NDArray[np.float64] = -np.log10(np.maximum(padj, 1e-300))
    return heights


def _guide(**ends: float) -> dict[str, object]:
    """Return a thin line across the whole panel along the axis that is not given."""
    across = {"xref": "paper", "x0": 0, "x1": 1} if "y0" in ends else {"yref": "paper", "y0": 0, "y1": 1}
    return {"type": "line", "line": {"color": "var(--faint)", "width": 1, "dash": "dot"}, **across, **ends}


def _findings(genes: pd.DataFrame) -> tuple[str, ...]:
    real, twin = differential(genes, "real"), differential(genes, "twin")
    both = real & twin
    up = real & (column(genes, "lfc_real") > 0)
    found = [
        f"{count(real.sum())} genes are differential in the real data ({count(up.sum())} up, "
        f"{count((real & ~up).sum())} down), {count(twin.sum())} in the twin, {count(both.sum())} in both"
        + (f" ({percent(both.sum() / real.sum())} of the real ones)" if real.any() else "")
    ]
    holdout = differential(genes, "holdout")
    if np.isfinite(column(genes, "padj_holdout")).any() and real.any():
        shared = (real & holdout).sum()
        found.append(f"of the real ones, {count(shared)} ({percent(shared / real.sum())}) are found in the hold-out")
    return tuple(found)
