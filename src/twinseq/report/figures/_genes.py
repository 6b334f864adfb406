"""The genes of one contrast: which are differential, which are named, and what is written beside their points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..text import in_plot, number, shown
from ._figure import Table, numbers

PADJ = 0.05
LFC = 1.0
BASE_MEAN = 10.0
NAMED = 15
LABELLED = 6


def contrasts(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each contrast's name and genes, in order of appearance."""
    for name, genes in table.groupby("contrast", sort=False, observed=True):
        yield str(name), genes.reset_index(drop=True)


def column(genes: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Return a column as numbers; all missing where the table has no such column."""
    if name not in genes:
        return np.full(len(genes), np.nan)
    values: NDArray[np.float64] = genes[name].to_numpy(dtype=float)
    return values


def differential(genes: pd.DataFrame, source: str) -> NDArray[np.bool_]:
    """Return which genes are called in ``source``: padj < 0.05, |log2 fold change| ≥ 1, mean count ≥ 10."""
    lfc, padj = column(genes, f"lfc_{source}"), column(genes, f"padj_{source}")
    with np.errstate(invalid="ignore"):
        called: NDArray[np.bool_] = (padj < PADJ) & (np.abs(lfc) >= LFC) & (column(genes, "base_mean") >= BASE_MEAN)
    return called


def named(genes: pd.DataFrame) -> pd.DataFrame:
    """Return the `NAMED` genes most significant in the real data, up and down, most significant first."""
    ranked = genes.assign(_size=-np.abs(column(genes, "lfc_real"))).sort_values(["padj_real", "_size"], kind="stable")
    ranked = ranked[(ranked["padj_real"] < PADJ) & ranked["lfc_real"].notna()]
    up, down = ranked[ranked["lfc_real"] > 0], ranked[ranked["lfc_real"] < 0]
    return pd.concat([up.head(NAMED), down.head(NAMED)]).drop(columns="_size").sort_values("padj_real", kind="stable")


def points(
    genes: pd.DataFrame,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    x_limits: tuple[float, float],
    y_limits: tuple[float, float],
) -> dict[str, Any]:
    """Return the named genes as points at ``x``, ``y``, a few of them with their name beside them."""
    inside_x, inside_y = np.clip(x, *x_limits), np.clip(y, *y_limits)
    labels = _labels(genes["gene"].tolist(), inside_x, inside_y, x_limits, y_limits)
    middle = (x_limits[0] + x_limits[1]) / 2
    # Genes beyond the axis stand side by side along its end, and a name beside one would lie on the next.
    high = y_limits[1] - 0.02 * (y_limits[1] - y_limits[0])
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": numbers(inside_x),
        "y": numbers(inside_y),
        "text": labels,
        "textposition": [
            f"{'top' if height > high else 'middle'} {'right' if place < middle else 'left'}"
            for place, height in zip(inside_x, inside_y, strict=True)
        ],
        "textfont": {"size": 10.5, "color": "var(--ink)"},
        "customdata": [_hover(gene) for _, gene in genes.iterrows()],
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": {"size": 6, "color": "var(--ink)", "line": {"width": 1, "color": "var(--paper)"}},
        "cliponaxis": False,
    }


def _hover(gene: pd.Series[Any]) -> str:
    lines = [f"<b>{in_plot(gene['gene'], 40)}</b>"]
    for source, name in (("real", "real"), ("twin", "twin"), ("holdout", "hold-out")):
        lfc, padj = gene.get(f"lfc_{source}", np.nan), gene.get(f"padj_{source}", np.nan)
        if np.isfinite(lfc):
            lines.append(f"{name}: log2 fold change {number(lfc)}, padj {number(padj)}")
    return "<br>".join(lines)


def _labels(
    names: list[object],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    x_limits: tuple[float, float],
    y_limits: tuple[float, float],
) -> list[str]:
    """Name the first genes whose names lie on no other point and no other name; the rest keep their hover text."""
    across = (x - x_limits[0]) / (x_limits[1] - x_limits[0])
    along = (y - y_limits[0]) / (y_limits[1] - y_limits[0])
    taken: list[tuple[float, float, float]] = []
    labels = []
    for index, name in enumerate(names):
        text, side, height = shown(name, 18), float(across[index]), float(along[index])
        # Names run towards the middle, in a type of which a character takes about a fiftieth of the width.
        width = 0.02 * len(text) + 0.03
        start, end = (side, side + width) if side < 0.5 else (side - width, side)
        near = np.abs(along - height) < 0.03
        near[index] = False
        covered = near & (across > start - 0.01) & (across < end + 0.01)
        # Beyond the axis the points stand in a row and the names above them.
        free = height > 0.98 or not covered.any()
        clear = all(abs(height - other) > 0.05 or end < left or start > right for left, right, other in taken)
        if free and clear and np.isfinite(side + height) and len(taken) < 2 * LABELLED:
            taken.append((start, end, height))
            labels.append(in_plot(name, 18))
        else:
            labels.append("")
    return labels


def gene_table(genes: pd.DataFrame) -> Table | None:
    """Return the named genes as a table for the page."""
    top = named(genes)
    if top.empty:
        return None
    sources = [source for source in ("real", "twin", "holdout") if np.isfinite(column(top, f"lfc_{source}")).any()]
    names = {"real": "real", "twin": "twin", "holdout": "hold-out"}
    columns = ["Gene", "Mean count"]
    for source in sources:
        columns += [f"LFC {names[source]}", f"padj {names[source]}"]
    rows = []
    for _, gene in top.iterrows():
        cells = [shown(gene["gene"], 40), number(gene.get("base_mean", np.nan))]
        for source in sources:
            cells += [number(gene[f"lfc_{source}"]), number(gene[f"padj_{source}"])]
        rows.append(tuple(cells))
    return Table("Genes most significant in the real data", tuple(columns), rows)
