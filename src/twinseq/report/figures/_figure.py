"""What a figure consists of, and the conventions all of them share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..text import in_plot

Tables = Mapping[str, pd.DataFrame]

SOURCES = ("real", "holdout", "twin")
SOURCE_NAMES = {"real": "real", "holdout": "hold-out", "twin": "twin"}
# Told apart by dash as well as by colour, for print in grey and for colour-blind readers.
DASHES = {"real": "solid", "holdout": "dot", "twin": "dash"}


@dataclass(frozen=True)
class Panel:
    """One plotly drawing; colours are names of CSS variables, so that the page's theme decides them.

    Parameters
    ----------
    data, layout
        As plotly.js takes them.
    label
        What the panel shows, for readers who cannot see it.
    heading
        Short line above the panel.
    shape
        CSS class that fixes the proportions: ``wide``, ``square``, ``square narrow``, ``low`` or ``bars``.
    """

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    label: str
    heading: str = ""
    shape: str = "wide"


@dataclass(frozen=True)
class Table:
    """A small table under a figure: plain text in every cell."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class Key:
    """One entry of the legend: a CSS class for the swatch, and its meaning."""

    swatch: str
    meaning: str


@dataclass(frozen=True)
class Figure:
    """Panels with the words that go with them.

    Parameters
    ----------
    title
        What is drawn.
    reading
        One sentence: how to read it.
    findings
        The key figures in words; they stand for the plot where it is not drawn.
    panels, legend, table
        The drawings, what the colours mean, and the figures behind them.
    """

    title: str
    reading: str
    findings: tuple[str, ...]
    panels: tuple[Panel, ...]
    legend: tuple[Key, ...] = ()
    table: Table | None = None


def colour(source: str) -> str:
    """Return the CSS variable of a source's colour."""
    return f"var(--{source})"


def sources_of(table: pd.DataFrame) -> list[str]:
    """Return the known sources that occur in ``table``, real data first."""
    present = set(table["source"].astype(str))
    return [source for source in SOURCES if source in present]


def legend_of(sources: Iterable[str]) -> tuple[Key, ...]:
    """Return legend entries for lines of the given sources."""
    return tuple(Key(f"line {source}", SOURCE_NAMES[source]) for source in sources)


def numbers(values: ArrayLike, digits: int = 4) -> list[float | None]:
    """Return values as JSON can hold them: ``digits`` significant digits, ``None`` for what is not finite."""
    array = np.asarray(values, dtype=float)
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in array.tolist()]


def line(source: str, x: ArrayLike, y: ArrayLike, hover: str) -> dict[str, Any]:
    """Return a line in the colour and dash of its source; ``hover`` is a template of plotly's."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": numbers(x),
        "y": numbers(y),
        "line": {"color": colour(source), "dash": DASHES[source], "width": 2.2},
        "hovertemplate": f"{SOURCE_NAMES[source]}<br>{hover}<extra></extra>",
    }


def axis(title: str, limits: tuple[float, float] | None = None, **more: Any) -> dict[str, Any]:
    """Return an axis; ``title`` is ours or has gone through `in_plot`."""
    settings: dict[str, Any] = {"title": {"text": title}, **more}
    if limits is not None:
        settings["range"] = [float(f"{limit:.5g}") for limit in limits]
    return settings


def padded(limits: tuple[float, float], share: float = 0.05) -> tuple[float, float]:
    """Return limits with some air, so that what is drawn at the border is not cut."""
    air = share * (limits[1] - limits[0])
    return limits[0] - air, limits[1] + air


def note(text: str, x: float, y: float, anchor: str = "left") -> dict[str, Any]:
    """Return a text inside the panel, placed in fractions of it."""
    return {
        "text": text,
        "x": x,
        "y": y,
        "xref": "paper",
        "yref": "paper",
        "xanchor": anchor,
        "yanchor": "top",
        "align": anchor,
        "showarrow": False,
    }


def by_label(table: pd.DataFrame, most: int) -> tuple[list[tuple[str, pd.DataFrame]], int]:
    """Return the rows of each label, in order of appearance, at most ``most`` of them, and how many are left."""
    groups = [(str(label), part) for label, part in table.groupby("label", sort=False, observed=True)]
    return groups[:most], max(0, len(groups) - most)


def finite(table: pd.DataFrame, *columns: str) -> NDArray[np.bool_]:
    """Return which rows have a finite number in all of ``columns``."""
    values = table[list(columns)].to_numpy(dtype=float)
    mask: NDArray[np.bool_] = np.isfinite(values).all(axis=1)
    return mask


def plot_names(names: Iterable[object], width: int = 28) -> list[str]:
    """Return names from data as plotly may draw them."""
    return [in_plot(name, width) for name in names]
