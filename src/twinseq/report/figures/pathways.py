"""Pathways of one contrast: enrichment scores of twin and hold-out beside the real ones, and the top sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..text import count, in_plot, number, shown
from ._figure import SOURCE_NAMES, Figure, Key, Panel, Table, axis, colour, finite, note, numbers, padded
from ._genes import column
from .fold_changes import diagonal, fit

FDR = 0.05
TOP = 15
READING = (
    "Each point is a gene set by its enrichment in the real data (across) and in the twin (up): a faithful twin lies "
    "on the diagonal; the table names the sets most significant in the real data, up and down."
)


def pathways(sets: pd.DataFrame) -> Figure | None:
    """Draw normalised enrichment scores of twin and hold-out against the real ones, for one contrast."""
    sides = [source for source in ("twin", "holdout") if finite(sets, "nes_real", f"nes_{source}").sum() >= 3]
    if not sides:
        return None
    scores = np.concatenate([column(sets, f"nes_{source}") for source in ("real", *sides)])
    reach = max(2.0, float(np.nanmax(np.abs(scores[np.isfinite(scores)])))) * 1.05
    limits = (-reach, reach)
    top = leading(sets)
    panels, findings, legend = [], [], []
    for source in sides:
        drawn = sets[finite(sets, "nes_real", f"nes_{source}")]
        x, y = column(drawn, "nes_real"), column(drawn, f"nes_{source}")
        r, slope = fit(x, y)
        name = SOURCE_NAMES[source]
        significant = column(drawn, "fdr_real") < FDR
        data = [
            _points(drawn[~significant], source, "var(--faint)", 4),
            _points(drawn[significant], source, colour(source), 5),
            _points(top[finite(top, "nes_real", f"nes_{source}")], source, "var(--ink)", 6),
        ]
        layout = {
            "xaxis": axis("normalised enrichment score, real", padded(limits)),
            "yaxis": axis(f"normalised enrichment score, {name}", padded(limits)),
            "shapes": [diagonal(-reach, -reach, reach, reach, "var(--faint)", "dot")],
            "annotations": [note(f"r = {number(r)}<br>slope = {number(slope)}", 0.04, 0.97)],
        }
        heading = f"{name[0].upper()}{name[1:]} against real"
        panels.append(Panel(data, layout, f"Enrichment scores of the {name} against the real data", heading, "square"))
        findings.append(_finding(sets, source, r))
        legend.append(Key(f"symbol circle {source}", f"significant in the real data, {name}"))
    legend += [Key("gene", "in the table below"), Key("guide", "identity")]
    return Figure("Pathways", READING, tuple(findings), tuple(panels), tuple(legend), _table(top))


def leading(sets: pd.DataFrame) -> pd.DataFrame:
    """Return the 15 sets most significant in the real data among those up, then among those down."""
    ranked = sets.assign(_size=-np.abs(column(sets, "nes_real"))).sort_values(["fdr_real", "_size"], kind="stable")
    ranked = ranked[(column(ranked, "fdr_real") < FDR) & np.isfinite(column(ranked, "nes_real"))]
    nes = column(ranked, "nes_real")
    return pd.concat([ranked[nes > 0].head(TOP), ranked[nes < 0].head(TOP)]).drop(columns="_size")


def _significant(sets: pd.DataFrame, source: str) -> NDArray[np.float64]:
    """Return the direction of the sets that are significant in ``source``, 0 for others."""
    nes = np.nan_to_num(column(sets, f"nes_{source}"))
    return np.where(np.nan_to_num(column(sets, f"fdr_{source}"), nan=1.0) < FDR, np.sign(nes), 0.0)


def _finding(sets: pd.DataFrame, source: str, r: float) -> str:
    real, other = _significant(sets, "real"), _significant(sets, source)
    again = int(((real == other) & (real != 0)).sum())
    return (
        f"{SOURCE_NAMES[source]} against real: r = {number(r)}, {count(len(sets))} sets; of {count((real != 0).sum())} "
        f"significant in the real data {count(again)} are found again"
    )


def _points(sets: pd.DataFrame, source: str, fill: str, size: int) -> dict[str, object]:
    return {
        "type": "scattergl" if len(sets) > 5000 else "scatter",
        "mode": "markers",
        "x": numbers(column(sets, "nes_real"), 3),
        "y": numbers(column(sets, f"nes_{source}"), 3),
        "customdata": [in_plot(name, 60) for name in sets["gene_set"]],
        "hovertemplate": f"%{{customdata}}<br>real %{{x}}, {SOURCE_NAMES[source]} %{{y}}<extra></extra>",
        "marker": {"size": size, "color": fill, "opacity": 0.75},
    }


def _table(top: pd.DataFrame) -> Table | None:
    if top.empty:
        return None
    sources = [source for source in ("real", "twin", "holdout") if np.isfinite(column(top, f"nes_{source}")).any()]
    columns = ["Gene set", "Direction", "Genes"]
    for source in sources:
        columns += [f"NES {SOURCE_NAMES[source]}", f"FDR {SOURCE_NAMES[source]}"]
    rows = []
    for _, one in top.iterrows():
        cells = [shown(one["gene_set"], 80), shown(one["direction"], 10), count(one["size"])]
        for source in sources:
            cells += [number(one[f"nes_{source}"], 2), number(one[f"fdr_{source}"])]
        rows.append(tuple(cells))
    return Table("Gene sets most significant in the real data", tuple(columns), rows)
