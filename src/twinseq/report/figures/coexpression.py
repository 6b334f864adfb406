"""Co-expression: edges recovered, correlations of gene pairs against each other, and modules."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...results import MetricResult
from ..text import count, number, shown
from ._figure import SOURCE_NAMES, Figure, Key, Panel, axis, numbers

EDGES_READING = (
    "Each bar is the share of edges (pairs of genes whose correlation exceeds the cut) that are found again: the "
    "twin's bar should stand near that of other real donors, and far above that of genes drawn independently."
)
PAIRS_READING = (
    "Each cell holds pairs of genes by their correlation in the real data (across) and in the twin (up): a faithful "
    "twin lies along the diagonal, one that lost co-expression along the horizontal; the hold-out shows how much "
    "real donors scatter."
)
MODULES_READING = (
    "Each mark is a module of co-expressed genes: across, the mean correlation of its genes in the real data, where it "
    "was found; up, in the twin or the hold-out. A mark near zero is a module that is lost."
)
CUTS = {"r0": "r > 0", "r03": "r > 0.3", "r05": "r > 0.5"}
PRESERVED = 10


def edges(metrics: Mapping[str, MetricResult]) -> Figure | None:
    """Draw recall and precision of edges at each cut, beside ceiling and floor, as bars."""
    panels, findings = [], []
    for what, meaning in (("recall", "real edges that the twin has"), ("precision", "edges of the twin that are real")):
        found = {cut: metrics[name] for cut in CUTS if (name := f"edge_{what}_{cut}") in metrics}
        if not found:
            continue
        cuts = [CUTS[cut] for cut in found]
        series = (
            ("twin", "twin", [metric.value for metric in found.values()]),
            ("real", "real against real", [metric.ceiling for metric in found.values()]),
            ("faint", "independent genes", [metric.floor for metric in found.values()]),
        )
        data = [
            {
                "type": "bar",
                "x": cuts,
                "y": numbers([np.nan if value is None else value for value in values]),
                "marker": {"color": f"var(--{colour})"},
                "hovertemplate": f"{name}, %{{x}}: %{{y:.2f}}<extra></extra>",
            }
            for colour, name, values in series
        ]
        layout = {
            "barmode": "group",
            "xaxis": axis("", type="category", showgrid=False),
            "yaxis": axis("share of edges", (0.0, 1.02)),
        }
        title = f"{what[0].upper()}{what[1:]}: {meaning}"
        panels.append(Panel(data, layout, f"Share of {meaning}, by cut", title, "low"))
        findings += [
            f"{what} at {CUTS[cut]}: twin {number(metric.value)}, real against real {number(metric.ceiling)}, "
            f"independent genes {number(metric.floor)}"
            for cut, metric in found.items()
        ]
    if not panels:
        return None
    legend = (
        Key("block twin", "twin"),
        Key("block real", "real against real"),
        Key("block faint", "independent genes"),
    )
    return Figure("Co-expression edges", EDGES_READING, tuple(findings), tuple(panels), legend)


def edge_correlations(table: pd.DataFrame) -> Figure | None:
    """Draw correlations in twin and hold-out against those in the real data as densities."""
    panels, findings, legend = [], [], []
    most = max(int(table["n_pairs"].max()), 1)
    used = table.loc[table["n_pairs"] > 0, ["r_real", "r_other"]].to_numpy(dtype=float)
    low, high = float(used.min()) - 0.05, float(used.max()) + 0.05
    for source in ("twin", "holdout"):
        part = table[table["source"] == source]
        if part.empty:
            continue
        name = SOURCE_NAMES[source]
        layout = {
            "xaxis": axis("correlation, real", (low, high)),
            "yaxis": axis(f"correlation, {name}", (low, high)),
            "shapes": [_identity(low, high)],
        }
        heading = f"{name[0].upper()}{name[1:]} against real"
        label = f"Correlations of gene pairs in the {name} against the real data"
        panels.append(Panel([_cells(part, source, most)], layout, label, heading, "square"))
        pairs = int(part["n_pairs"].sum())
        findings.append(f"{name} against real: r = {number(_weighted_r(part))} over {count(pairs)} pairs of genes")
        legend.append(Key(f"ramp {source}", f"{name}, pairs per cell (log scale, 1 to {most:,})"))
    if not panels:
        return None
    legend.append(Key("guide", "identity"))
    return Figure("Correlations of gene pairs", PAIRS_READING, tuple(findings), tuple(panels), tuple(legend))


def _cells(part: pd.DataFrame, source: str, most: int) -> dict[str, object]:
    """Return a heat map of one source; cells of the table that are absent stay empty."""
    wide = part.pivot_table(index="r_other", columns="r_real", values="n_pairs", aggfunc="sum")
    cells = wide.to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        depth = np.log10(cells)
    return {
        "type": "heatmap",
        "x": numbers(wide.columns.to_numpy(dtype=float)),
        "y": numbers(wide.index.to_numpy(dtype=float)),
        "z": [numbers(row, 3) for row in depth],
        "customdata": [[None if np.isnan(n) else int(n) for n in row] for row in cells],
        "zmin": 0,
        "zmax": max(0.3, float(np.log10(most))),
        "zsmooth": False,
        "hoverongaps": False,
        "showscale": False,
        "colorscale": [[0, f"var(--{source}-low)"], [1, f"var(--{source}-high)"]],
        "hovertemplate": "%{customdata:,} pairs near (%{x:.2f}, %{y:.2f})<extra></extra>",
    }


def _weighted_r(part: pd.DataFrame) -> float:
    x, y, weight = (part[name].to_numpy(dtype=float) for name in ("r_real", "r_other", "n_pairs"))
    if len(x) < 2 or weight.sum() < 2:
        return float("nan")
    covariance: NDArray[np.float64] = np.cov(np.stack([x, y]), aweights=weight)
    size = float(np.sqrt(covariance[0, 0] * covariance[1, 1]))
    return float(covariance[0, 1]) / size if size > 0 else float("nan")


def modules(table: pd.DataFrame) -> Figure | None:
    """Draw the density of each module in twin and hold-out against that in the real data."""
    data, findings, legend = [], [], []
    for source, symbol in (("holdout", "diamond"), ("twin", "circle")):
        part = table[table["source"] == source]
        if part.empty:
            continue
        name = SOURCE_NAMES[source]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": numbers(part["density_real"]),
                "y": numbers(part["density"]),
                "customdata": [
                    f"module {shown(module, 12)}, {int(genes)} genes, Zsummary {number(z)}"
                    for module, genes, z in zip(part["module"], part["n_genes"], part["zsummary"], strict=True)
                ],
                "marker": {
                    "symbol": symbol,
                    "size": numbers(5 + 2 * np.log2(np.maximum(part["n_genes"].to_numpy(dtype=float), 2))),
                    "color": f"var(--{source})",
                    "opacity": 0.8,
                    "line": {"width": 1, "color": "var(--paper)"},
                },
                "hovertemplate": f"{name}<br>%{{customdata}}<br>%{{x:.2f}} real, %{{y:.2f}} here<extra></extra>",
            }
        )
        kept = int((part["zsummary"] > PRESERVED).sum())
        findings.append(f"{name}: {kept} of {len(part)} modules clearly preserved (Zsummary above {PRESERVED})")
        legend.append(Key(f"symbol {symbol} {source}", f"{name}, one mark a module, larger with more genes"))
    if not data:
        return None
    every = table[["density_real", "density"]].to_numpy(dtype=float)
    every = every[np.isfinite(every)]
    low, high = min(0.0, float(every.min(initial=0.0))) - 0.04, float(every.max(initial=0.5)) + 0.06
    layout = {
        "xaxis": axis("mean correlation within the module, real", (low, high)),
        "yaxis": axis("in the twin or the hold-out", (low, high)),
        "shapes": [_identity(low, high)],
    }
    panel = Panel(data, layout, "Density of modules in twin and hold-out against the real data", shape="square")
    legend = [*reversed(legend), Key("guide", "identity")]
    return Figure("Modules", MODULES_READING, tuple(reversed(findings)), (panel,), tuple(legend))


def _identity(low: float, high: float) -> dict[str, object]:
    line = {"color": "var(--faint)", "width": 1.2, "dash": "dot"}
    return {"type": "line", "x0": low, "y0": low, "x1": high, "y1": high, "line": line}
