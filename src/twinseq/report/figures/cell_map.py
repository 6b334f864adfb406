"""Where cells lie on the first two principal components: hexagons of many cells, never a single one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..text import in_plot, percent
from ._figure import SOURCE_NAMES, Figure, Key, Panel, axis, colour, numbers, padded, sources_of

READING = (
    "Axes are fitted on the real cells. A hexagon has the more colour the larger a share of the side's cells it holds; "
    "hexagons of fewer than five cells are left out. The maps should look alike; the last shows where one side is "
    "at least half as dense again as the other, and in full colour where it is three times as dense."
)
SHADES = (0.16, 0.3, 0.45, 0.62, 0.8, 1.0)
DENSER = (1.5, 3.0)
"""Ratios of the shares from which one side is denser, and much denser."""
UNSEEN = 2.0
"""Cells taken to be in a hexagon that is left out: between none and four."""
NAMED = 12


def cell_map(table: pd.DataFrame | None, places: pd.DataFrame | None, axes: pd.DataFrame | None) -> Figure | None:
    """Draw the map of real cells, of the twin's, and their difference; any of the tables may be missing."""
    if table is None or not {"real", "twin"} <= set(table["source"]):
        return None
    drawn = table[table["source"].isin(["real", "holdout", "twin"])]
    layout = {
        "xaxis": axis(_title(axes, 1), _limits(drawn["pc1"]), zeroline=False),
        "yaxis": axis(_title(axes, 2), _limits(drawn["pc2"]), zeroline=False),
    }
    most = float(drawn["share"].max())
    panels = []
    for source in sources_of(drawn):
        part = drawn[drawn["source"] == source]
        # By the square root, so that rare types are seen beside common ones.
        level = np.minimum((np.sqrt(part["share"] / most) * len(SHADES)).astype(int), len(SHADES) - 1)
        data = [_hexagons(part[level == step], source, SHADES[step]) for step in range(len(SHADES))]
        data.append(_hover(part, source))
        name = SOURCE_NAMES[source]
        panels.append(
            Panel(data, {**layout, "annotations": _names(places, source)}, f"Map of the {name} cells", name, "square")
        )
    both = _side_by_side(drawn)
    marked = {**layout, "annotations": _names(places, "real")}
    panels.append(Panel(_difference(both), marked, "Where twin or real cells are denser", "difference", "square"))
    denser = {"real": "; in the difference: denser in real data", "twin": "; in the difference: denser in the twin"}
    legend = tuple(
        Key(f"block {name}", f"{SOURCE_NAMES[name]} cells{denser.get(name, '')}") for name in sources_of(drawn)
    )
    return Figure("Map of cells", READING, _findings(both), tuple(panels), legend)


def _title(axes: pd.DataFrame | None, component: int) -> str:
    if axes is not None and component <= len(axes):
        return f"PC{component} ({percent(float(axes['explained'].iloc[component - 1]))} of variance)"
    return f"PC{component}"


def _limits(values: pd.Series[float]) -> tuple[float, float]:
    return padded((float(values.min()), float(values.max())), 0.08)


def _hexagons(part: pd.DataFrame, source: str, shade: float) -> dict[str, object]:
    """Return filled hexagons with a vertex at the top, all in one trace."""
    half = part["width"].to_numpy(dtype=float)[:, None] / 2
    third = part["height"].to_numpy(dtype=float)[:, None] / 3
    x = part["pc1"].to_numpy(dtype=float)[:, None] + half * np.array([0, 1, 1, 0, -1, -1, 0, np.nan])
    y = part["pc2"].to_numpy(dtype=float)[:, None] + third * np.array([2, 1, -1, -2, -1, 1, 2, np.nan])
    return {
        "type": "scatter",
        "mode": "lines",
        "x": numbers(x.ravel(), 5),
        "y": numbers(y.ravel(), 5),
        "fill": "toself",
        "fillcolor": colour(source) if source in SOURCE_NAMES else source,
        "line": {"width": 0},
        "opacity": shade,
        "hoverinfo": "skip",
    }


def _hover(part: pd.DataFrame, source: str) -> dict[str, object]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": numbers(part["pc1"], 5),
        "y": numbers(part["pc2"], 5),
        "customdata": [[int(n), 100 * float(share)] for n, share in zip(part["n"], part["share"], strict=True)],
        "marker": {"opacity": 0, "size": 8},
        "hovertemplate": f"{SOURCE_NAMES[source]}: %{{customdata[0]:,}} cells, %{{customdata[1]:.2f}} %<extra></extra>",
    }


def _side_by_side(table: pd.DataFrame) -> pd.DataFrame:
    """Return hexagons with the shares of both sides, and how many times denser the twin is."""
    columns = np.rint(2 * table["pc1"] / table["width"]).astype(int)
    rows = np.rint(table["pc2"] / table["height"]).astype(int)
    placed = table.set_index(pd.MultiIndex.from_arrays([columns, rows]))
    real, twin = (placed[placed["source"] == source] for source in ("real", "twin"))
    both = pd.concat([real, twin])
    both = both[~both.index.duplicated()][["pc1", "pc2", "width", "height"]]
    for name, side in (("real", real), ("twin", twin)):
        n_cells = float((side["n"] / side["share"]).median())
        both[f"n_{name}"] = side["n"].reindex(both.index).fillna(0)
        both[name] = side["share"].reindex(both.index).fillna(UNSEEN / n_cells)
        both[f"share_{name}"] = side["share"].reindex(both.index).fillna(0.0)
    return both.assign(ratio=both["twin"] / both["real"])


def _difference(both: pd.DataFrame) -> list[dict[str, object]]:
    ratio = both["ratio"]
    some, much = DENSER
    data = [
        _hexagons(both[(ratio <= some) & (ratio >= 1 / some)], "var(--grid)", 1.0),
        _hexagons(both[(ratio > some) & (ratio <= much)], "twin", 0.4),
        _hexagons(both[ratio > much], "twin", 0.95),
        _hexagons(both[(ratio < 1 / some) & (ratio >= 1 / much)], "real", 0.4),
        _hexagons(both[ratio < 1 / much], "real", 0.95),
    ]
    hover: dict[str, object] = {
        "type": "scatter",
        "mode": "markers",
        "x": numbers(both["pc1"], 5),
        "y": numbers(both["pc2"], 5),
        "customdata": [[_cells(a), _cells(b)] for a, b in zip(both["n_real"], both["n_twin"], strict=True)],
        "marker": {"opacity": 0, "size": 8},
        "hovertemplate": "real %{customdata[0]}, twin %{customdata[1]} cells<extra></extra>",
    }
    return [*data, hover]


def _cells(n: float) -> str:
    return f"{int(n):,}" if n else "under 5"


def _names(places: pd.DataFrame | None, source: str) -> list[dict[str, object]]:
    if places is None:
        return []
    part = places[places["source"] == source].nlargest(NAMED, "n")
    return [
        {
            "x": float(row["pc1"]),
            "y": float(row["pc2"]),
            "text": f"<b>{in_plot(row['cell_type'], 20)}</b>",
            "showarrow": False,
            "font": {"color": "var(--ink)", "size": 12},
            "bgcolor": "var(--veil)",
        }
        for _, row in part.iterrows()
    ]


def _findings(both: pd.DataFrame) -> tuple[str, ...]:
    much = DENSER[1]
    ratio = both["ratio"]
    twin = float(both["share_twin"][ratio > much].sum())
    real = float(both["share_real"][ratio < 1 / much].sum())
    return (
        f"{percent(twin)} of the twin's cells lie where real cells are less than a third as dense, and {percent(real)} "
        "of the real cells where the twin's are",
    )
