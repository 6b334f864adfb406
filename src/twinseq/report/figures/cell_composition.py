"""Shares of the cell types, with how far they differ between donors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..text import number, shown
from ._figure import SOURCE_NAMES, Figure, Key, Panel, axis, colour, numbers, plot_names, sources_of

READING = (
    "Each group of bars is one cell type: the twin's bar should be about as long as the real one. Whiskers reach one "
    "standard deviation between donors to either side, where a side has five donors or more."
)
TYPES = 20


def cell_composition(table: pd.DataFrame) -> Figure | None:
    """Draw the shares of the cell types on each side."""
    sources = sources_of(table)
    if "real" not in sources:
        return None
    names = list(dict.fromkeys(table["cell_type"].astype(str)))
    shown_names = names[:TYPES]
    places = list(range(len(shown_names)))
    data = []
    for source in sources:
        part = table[table["source"] == source].set_index("cell_type").reindex(shown_names)
        spread = part["donor_sd"].to_numpy(dtype=float)
        bars: dict[str, object] = {
            "type": "bar",
            "orientation": "h",
            "y": places,
            "x": numbers(100 * part["share"].to_numpy(dtype=float)),
            "text": plot_names(shown_names, 40),
            "textposition": "none",
            "hovertemplate": f"{SOURCE_NAMES[source]}, %{{text}}: %{{x:.1f}} %<extra></extra>",
            "marker": {"color": colour(source)},
        }
        if np.isfinite(spread).any():
            reach = [value or 0.0 for value in numbers(100 * spread)]
            bars["error_x"] = {"type": "data", "array": reach, "color": "var(--ink)", "thickness": 1, "width": 3}
        data.append(bars)
    layout = {
        "barmode": "group",
        "bargap": 0.25,
        "xaxis": axis("% of cells", rangemode="tozero"),
        "yaxis": {
            "tickmode": "array",
            "tickvals": places,
            "ticktext": plot_names(shown_names, 18),
            "autorange": "reversed",
            "showgrid": False,
            "zeroline": False,
        },
    }
    shape = "bars-few" if len(places) <= 4 else "bars" if len(places) <= 10 else "bars-many"
    panel = Panel(data, layout, "Shares of the cell types on each side", shape=shape)
    legend = tuple(Key(f"block {source}", SOURCE_NAMES[source]) for source in sources)
    return Figure("Composition", READING, _findings(table, names), (panel,), legend)


def _findings(table: pd.DataFrame, names: list[str]) -> tuple[str, ...]:
    by_side = {
        source: part.set_index("cell_type") for source, part in table.groupby("source", sort=False, observed=True)
    }
    found = []
    if "twin" in by_side:
        gap = (by_side["real"]["share"] - by_side["twin"]["share"]).abs()
        largest = 100 * float(gap.max())
        found.append(
            f"largest difference {largest:.1f} percentage points, at {shown(gap.idxmax(), 40)}"
            if largest >= 0.05
            else "real data and twin have the same shares"
        )
        spread = {source: by_side[source]["donor_sd"].mean() for source in ("real", "twin")}
        if np.isfinite(spread["twin"]) and np.isfinite(spread["real"]):
            found.append(
                f"between donors shares differ by {number(100 * spread['twin'], 1)} percentage points in the twin and "
                f"{number(100 * spread['real'], 1)} in real data (standard deviation, mean over types)"
            )
    if len(names) > TYPES:
        found.append(f"{len(names) - TYPES} more cell types are in the table")
    return tuple(found)
