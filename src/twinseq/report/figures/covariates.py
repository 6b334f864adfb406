"""Covariate shares: how often each level or range occurs in the real data and in the twin."""

from __future__ import annotations

import pandas as pd

from ..text import shown
from ._figure import Figure, Key, Panel, axis, colour, numbers, plot_names

READING = (
    "Each pair of bars is one level of a covariate, or one range of a number: the twin's bar should be about as long "
    "as the real one."
)
PANELS = 12
LEVELS = 20


def covariate_shares(table: pd.DataFrame) -> Figure | None:
    """Draw real and twin shares as paired bars, one panel a covariate."""
    panels, findings = [], []
    groups = list(table.groupby("covariate", sort=False, observed=True))
    for name, part in groups[:PANELS]:
        shown_part = part.head(LEVELS)
        # Positions rather than names on the axis: two long levels may be shortened to the same text.
        places = list(range(len(shown_part)))
        data = [_bars(shown_part, places, source) for source in ("real", "twin")]
        layout = {
            "barmode": "group",
            "bargap": 0.25,
            "xaxis": axis("% of samples", rangemode="tozero"),
            "yaxis": {
                "tickmode": "array",
                "tickvals": places,
                "ticktext": plot_names(shown_part["level_or_bin"], 18),
                "autorange": "reversed",
                "showgrid": False,
                "zeroline": False,
            },
        }
        heading = shown(name, 40)
        shape = "bars-few" if len(places) <= 4 else "bars" if len(places) <= 10 else "bars-many"
        panels.append(Panel(data, layout, f"Shares of {heading} in real data and twin", heading, shape))
        gap = (part["real_share"] - part["twin_share"]).abs()
        if len(gap.dropna()):
            at = shown(part["level_or_bin"].iloc[int(gap.argmax())], 40)
            findings.append(f"{heading}: largest difference {100 * float(gap.max()):.1f} percentage points, at {at}")
        if len(part) > LEVELS:
            findings.append(f"{heading}: {len(part) - LEVELS} more levels are in the table")
    if not panels:
        return None
    if len(groups) > PANELS:
        findings.append(f"{len(groups) - PANELS} more covariates are in the table")
    legend = (Key("block real", "real"), Key("block twin", "twin"))
    return Figure("Covariate shares", READING, tuple(findings), tuple(panels), legend)


def _bars(part: pd.DataFrame, places: list[int], source: str) -> dict[str, object]:
    return {
        "type": "bar",
        "orientation": "h",
        "y": places,
        "x": numbers(100 * part[f"{source}_share"].to_numpy(dtype=float)),
        "text": plot_names(part["level_or_bin"], 40),
        "textposition": "none",
        "hovertemplate": f"{source}, %{{text}}: %{{x:.1f}} %<extra></extra>",
        "marker": {"color": colour(source)},
    }
