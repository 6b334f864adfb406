"""The PCA overlay: synthetic samples as points, groups of real samples as ellipses."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..text import in_plot, percent, shown
from ._figure import DASHES, SOURCE_NAMES, Figure, Key, Panel, axis, colour, numbers, plot_names, sources_of

READING = (
    "Axes are fitted on the real data; ellipses hold 50 % and 90 % of a real group, points are synthetic samples: "
    "about half of a class's points should lie within its inner ellipse and nine in ten within the outer one."
)
# With fewer samples, mean and covariance would nearly give back the samples themselves.
SMALLEST_GROUP = 5
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "triangle-down", "x")
# Squared radii of the ellipses: quantiles of chi-square with two degrees of freedom, -2 ln(1 - share).
RADII = {0.5: -2 * np.log(0.5), 0.9: -2 * np.log(0.1)}


def pca(groups: pd.DataFrame | None, twin: pd.DataFrame | None, axes: pd.DataFrame | None) -> Figure | None:
    """Draw the first two components; any of the tables may be missing."""
    groups = pd.DataFrame(columns=["source", "label", "n"]) if groups is None else groups
    twin = pd.DataFrame(columns=["label", "pc1", "pc2"]) if twin is None else twin
    known = groups[groups["source"].isin(["real", "holdout"]) & (groups["n"] >= SMALLEST_GROUP)]
    withheld = int((groups["source"].isin(["real", "holdout"]) & (groups["n"] < SMALLEST_GROUP)).sum())
    if known.empty and twin.empty:
        return None
    labels = list(dict.fromkeys([*twin["label"].astype(str), *known["label"].astype(str)]))
    symbols = {label: SYMBOLS[index % len(SYMBOLS)] for index, label in enumerate(labels)}
    data = [_points(label, part, symbols[label]) for label, part in _by_label(twin)]
    for _, group in known.iterrows():
        data += [_ellipse(group, share) for share in RADII]
    centres = known[known["source"] == "real"]
    annotations = [_name(group) for _, group in centres.iterrows()]
    layout = {
        "xaxis": axis(_axis_title(axes, 1), zeroline=False),
        "yaxis": axis(_axis_title(axes, 2), zeroline=False),
        "annotations": annotations,
    }
    panel = Panel(data, layout, "Principal components: twin samples over groups of real samples", shape="tall")
    present = sources_of(known) if len(known) else []
    legend = [Key(f"line {source}", f"{SOURCE_NAMES[source]}, 50 % and 90 % ellipses") for source in present]
    legend += [Key(f"symbol {symbols[label]} twin", f"twin, {shown(label, 40)}") for label in labels if len(twin)]
    findings = [*_coverage(centres, twin)]
    if withheld:
        what = "1 group" if withheld == 1 else f"{withheld} groups"
        findings.append(f"{what} of fewer than {SMALLEST_GROUP} real samples not drawn")
    return Figure("Principal components", READING, tuple(findings), (panel,), tuple(legend))


def _by_label(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(label), part) for label, part in table.groupby("label", sort=False, observed=True)]


def _points(label: str, part: pd.DataFrame, symbol: str) -> dict[str, object]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": numbers(part["pc1"]),
        "y": numbers(part["pc2"]),
        "text": plot_names([label] * len(part)),
        "hovertemplate": "twin, %{text}<extra></extra>",
        "marker": {
            "symbol": symbol,
            "size": 7,
            "opacity": 0.75,
            "color": "var(--twin)",
            "line": {"width": 0.8, "color": "var(--paper)"},
        },
    }


def _covariance(group: pd.Series) -> NDArray[np.float64]:
    return np.array([[group["cov11"], group["cov12"]], [group["cov12"], group["cov22"]]], dtype=float)


def _ellipse(group: pd.Series, share: float) -> dict[str, object]:
    """Return the outline that holds ``share`` of a normal distribution with the group's mean and covariance."""
    source = str(group["source"])
    values, vectors = np.linalg.eigh(_covariance(group))
    angle = np.linspace(0, 2 * np.pi, 73)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    outline = vectors @ (np.sqrt(np.maximum(values, 0) * RADII[share])[:, None] * circle)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": numbers(outline[0] + group["mean1"]),
        "y": numbers(outline[1] + group["mean2"]),
        "line": {"color": colour(source), "width": 1.8 if share < 0.9 else 1.1, "dash": DASHES[source]},
        "fill": "toself" if source == "real" else "none",
        "fillcolor": "var(--real-soft)",
        "hoverinfo": "skip",
    }


def _name(group: pd.Series) -> dict[str, object]:
    # Above the highest point of the outer ellipse, where it hides no sample.
    spread = float(np.sqrt(max(group["cov22"], 0)))
    aside = group["cov12"] / spread if spread > 0 else 0.0
    return {
        "x": float(group["mean1"] + np.sqrt(RADII[0.9]) * aside),
        "y": float(group["mean2"] + np.sqrt(RADII[0.9]) * spread),
        "yanchor": "bottom",
        "text": f"<b>{in_plot(group['label'])}</b>",
        "showarrow": False,
        "font": {"color": "var(--ink)", "size": 12},
    }


def _axis_title(axes: pd.DataFrame | None, component: int) -> str:
    if axes is not None and component <= len(axes):
        return f"PC{component} ({percent(float(axes['explained'].iloc[component - 1]))} of variance)"
    return f"PC{component}"


def _coverage(groups: pd.DataFrame, twin: pd.DataFrame) -> list[str]:
    """Say which share of each class's twin samples lies within the real ellipses."""
    found = []
    for _, group in groups.iterrows():
        points = twin.loc[twin["label"].astype(str) == str(group["label"]), ["pc1", "pc2"]].to_numpy(dtype=float)
        covariance = _covariance(group)
        if not len(points) or np.linalg.det(covariance) <= 0:
            continue
        centred = points - np.array([group["mean1"], group["mean2"]], dtype=float)
        squared = np.einsum("ij,jk,ik->i", centred, np.linalg.inv(covariance), centred)
        inner, outer = (percent(float((squared <= radius).mean())) for radius in RADII.values())
        found.append(
            f"{shown(group['label'], 40)}: {inner} of {len(points)} twin samples within the inner ellipse, "
            f"{outer} within the outer"
        )
    return found
