"""The frontier: what twins give away against what they keep, with this twin on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...results import AuditReport
from ..attackers import auc as auc_in_words
from ..frontier import Ends, Frontier, Point
from ..frontier import frontier as placed
from ..text import in_plot, is_number, number, shown
from ._figure import Figure, Key, Panel, axis, numbers

TITLE = "What it gives away, against what it keeps"
READING = (
    "To the right a twin keeps more: {what}. Further up it gives away less: an AUC of 0.5 is a coin flip. Bars are "
    "95\xa0% intervals."
)
# Drawn in this order, the most important on top: colour, symbol, size, whether filled.
STYLES = {
    "searched": ("faint", "circle", 6, False),
    "beside": ("muted", "square", 10, True),
    "data": ("real", "star", 13, True),
    "reported": ("twin", "circle", 9, False),
    "setting": ("twin", "circle", 11, True),
    "twin": ("twin", "diamond", 15, True),
}
LEGEND = {
    "twin": "this twin",
    "setting": "its setting, when it was chosen",
    "reported": "other settings, on donors the search had not seen",
    "searched": "settings tried in the search",
    "beside": "other generators",
    "data": "real data in its place",
}
PLACES = (
    "middle right",
    "middle left",
    "top center",
    "bottom center",
    "top right",
    "bottom right",
    "top left",
    "bottom left",
)
"""Where a name may stand, the best place first."""
MOST_NAMED = 8
CHARACTER, LINE = 0.021, 0.055
"""Width of a character and height of a line, in fractions of the panel."""


def frontier(report: AuditReport) -> Figure | None:
    """Draw this twin between what it keeps and what it gives away.

    Parameters
    ----------
    report
        What the audit found.

    Returns
    -------
    Figure or None
        ``None`` where there is no attack, or no figure of what the twin keeps.
    """
    found = placed(report)
    if found is None:
        return None
    layout = _layout(found)
    layout["annotations"] += _labels(found.points, layout)
    by_kind = {kind: [one for one in found.points if one.kind == kind] for kind in STYLES}
    legend = [Key(_swatch(kind), LEGEND[kind]) for kind in LEGEND if by_kind[kind]]
    if found.most is not None:
        legend.append(Key("block allowed", "what the policy allows"))
    label = "AUC of the strongest attack against what the twin keeps; where this twin lies is said below"
    panel = Panel([trace for points in by_kind.values() for trace in _traces(points)], layout, label, shape="frontier")
    reading = READING.format(what=found.what)
    return Figure(TITLE, reading, tuple(_findings(found, report)), (panel,), tuple(legend))


def _swatch(kind: str) -> str:
    colour, symbol, _, filled = STYLES[kind]
    return f"symbol {symbol} {colour}" + ("" if filled else " hollow")


def _findings(found: Frontier, report: AuditReport) -> Iterator[str]:
    """Yield what the drawing says of this twin, of real data and of a twin that copies."""
    for one in found.points:
        keeps = auc_in_words(one.fidelity, one.fidelity_ends)
        if one.kind == "twin":
            yield f"This twin: keeps {keeps}; AUC of the strongest attack {auc_in_words(one.auc, one.auc_ends)}."
        elif one.kind == "data":
            name = one.name[:1].upper() + one.name[1:]
            yield f"{name} in its place: keep {keeps}; AUC {number(one.auc, 1)} by definition."
    copies = next((one.auc for one in report.controls if one.name == "positive" and is_number(one.auc)), None)
    if copies is not None:
        yield f"A twin that copies its donors (positive control): AUC {number(copies, 2)}."
    if found.most is not None:
        least = "" if found.least is None else f", and asks it to keep at least {number(found.least, 2)}"
        yield f"The policy allows an AUC of at most {number(found.most, 2)}{least}."


def _traces(points: Sequence[Point]) -> Iterator[dict[str, Any]]:
    if not points:
        return
    colour, symbol, size, filled = STYLES[points[0].kind]
    line = {"width": 1.6, "color": f"var(--{'paper' if filled else colour})"}
    yield {
        "type": "scatter",
        "mode": "markers",
        "x": numbers([one.fidelity for one in points]),
        "y": numbers([one.auc for one in points]),
        "text": [in_plot(one.name, 60) for one in points],
        "hovertemplate": "%{text}<br>keeps %{x:.3f}<br>AUC %{y:.3f}<extra></extra>",
        "marker": {
            "symbol": symbol, "size": size, "color": f"var(--{colour if filled else 'paper'})", "line": line,
        },
        "error_x": _bars([one.fidelity for one in points], [one.fidelity_ends for one in points], points[0].kind),
        "error_y": _bars([one.auc for one in points], [one.auc_ends for one in points], points[0].kind),
        "cliponaxis": False,
    }  # fmt: skip


def _bars(values: Sequence[float], ends: Sequence[Ends], kind: str) -> dict[str, Any]:
    """Return bars for the intervals; the settings of the search are too many for them."""
    if kind == "searched" or not any(ends):
        return {"visible": False}
    spans = [(value, value) if span is None else span for span, value in zip(ends, values, strict=True)]
    return {
        "type": "data", "symmetric": False, "thickness": 1.4, "width": 4, "color": f"var(--{STYLES[kind][0]})",
        "array": numbers([max(0.0, high - value) for (_, high), value in zip(spans, values, strict=True)]),
        "arrayminus": numbers([max(0.0, value - low) for (low, _), value in zip(spans, values, strict=True)]),
    }  # fmt: skip


def _layout(found: Frontier) -> dict[str, Any]:
    """Return axes that hold every point, and this twin's intervals; safer is up, so that the AUC runs downwards."""
    own = [one for one in found.points if one.kind == "twin"]
    x = [one.fidelity for one in found.points] + [end for one in own for end in one.fidelity_ends or ()]
    y = [one.auc for one in found.points] + [end for one in own for end in one.auc_ends or ()]
    if found.floor is not None:
        # One twin alone is seen against the whole range; settings, against each other.
        x += [edge for edge in (found.floor, found.least) if is_number(edge)]
    air = max(0.1 * (max(x) - min(x)), 0.02)
    left, right = min(x) - air, max(x) + air
    bottom, top = max(*y, found.most or 0.5, 0.65) + 0.05, min(*y, 0.5) - 0.05
    shapes = [_line({"xref": "paper", "x0": 0, "x1": 1, "y0": 0.5, "y1": 0.5})]
    # At the left there may be the line of the known-bad twin.
    aside = 0.01 if found.floor is None else 0.3
    annotations = [
        _remark("coin flip", {"xref": "paper", "x": aside, "xanchor": "left", "y": 0.5, "yanchor": "bottom"})
    ]
    if found.most is not None:
        start = left - 1 if found.least is None else found.least
        shapes.insert(0, _allowed(*numbers([start, right + 1, found.most, top - 1])))
    if is_number(found.floor):
        place = numbers([found.floor])[0]
        shapes.append(_line({"yref": "paper", "x0": place, "x1": place, "y0": 0, "y1": 1}))
        at = {"yref": "paper", "x": place, "xanchor": "left", "y": 0.02, "yanchor": "bottom", "xshift": 3}
        annotations.append(_remark("known-bad twin", at))
    return {
        "xaxis": axis(f"{in_plot(found.what, 60)} →", (left, right), nticks=6),
        "yaxis": axis("AUC of the strongest attack (safer ↑)", (bottom, top)),
        "shapes": shapes,
        "annotations": annotations,
    }


def _line(ends: dict[str, Any]) -> dict[str, Any]:
    return {"type": "line", "layer": "below", "line": {"color": "var(--faint)", "width": 1.2, "dash": "dot"}, **ends}


def _allowed(x0: float | None, x1: float | None, y0: float | None, y1: float | None) -> dict[str, Any]:
    """Return the corner that the policy allows; it runs on beyond the axes."""
    return {
        "type": "rect", "layer": "below", "x0": x0, "x1": x1, "y0": y0, "y1": y1, "fillcolor": "var(--allowed)",
        "line": {"color": "var(--pass)", "width": 1, "dash": "dash"},
    }  # fmt: skip


def _remark(text: str, place: dict[str, Any]) -> dict[str, Any]:
    return {"text": text, "showarrow": False, "font": {"size": 11, "color": "var(--muted)"}, **place}


Box = tuple[float, float, float, float]


def _labels(points: Sequence[Point], layout: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return names beside points, this twin's first; a name that would lie on something else is left to the hover."""
    order = {"twin": 0, "data": 1, "beside": 2}
    named = sorted((one for one in points if one.kind in order), key=lambda one: order[one.kind])[:MOST_NAMED]
    (left, right), (bottom, top) = layout["xaxis"]["range"], layout["yaxis"]["range"]

    def spot(fidelity: float, auc: float) -> tuple[float, float]:
        return (fidelity - left) / (right - left), (auc - bottom) / (top - bottom)

    taken: list[Box] = []
    for one in points:
        if one.kind != "searched":
            taken.append(_around([spot(one.fidelity, one.auc)], 0.02))
            taken.append(_around([spot(end, one.auc) for end in one.fidelity_ends or ()], 0.008))
            taken.append(_around([spot(one.fidelity, end) for end in one.auc_ends or ()], 0.008))
    labels = []
    for one in named:
        text = in_plot("this twin" if one.kind == "twin" else one.name, 24)
        for place in PLACES:
            box = _box(place, *spot(one.fidelity, one.auc), len(shown(one.name, 24)))
            inside = box[0] >= 0 and box[1] <= 1 and box[2] >= 0 and box[3] <= 1
            if inside and not any(_meet(box, other) for other in taken):
                taken.append(box)
                labels.append(_label(f"<b>{text}</b>" if one.kind == "twin" else text, one, place))
                break
    return labels


def _around(spots: Sequence[tuple[float, float]], air: float) -> Box:
    """Return the box that holds some spots; nothing lies in that of none."""
    x, y = [x for x, _ in spots], [y for _, y in spots]
    return (min(x) - air, max(x) + air, min(y) - air, max(y) + air) if spots else (0.0, 0.0, 0.0, 0.0)


def _box(place: str, x: float, y: float, characters: int) -> Box:
    """Return the box of a text beside a point: left, right, bottom, top, in fractions of the panel."""
    vertical, horizontal = place.split()
    width = CHARACTER * characters
    start = {"right": x + 0.03, "left": x - 0.03 - width, "center": x - width / 2}[horizontal]
    base = {"middle": y - LINE / 2, "top": y + 0.03, "bottom": y - 0.03 - LINE}[vertical]
    return start, start + width, base, base + LINE


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _label(text: str, one: Point, place: str) -> dict[str, Any]:
    vertical, horizontal = place.split()
    return {
        "text": text,
        "x": numbers([one.fidelity])[0],
        "y": numbers([one.auc])[0],
        "xanchor": {"right": "left", "left": "right", "center": "center"}[horizontal],
        "yanchor": {"middle": "middle", "top": "bottom", "bottom": "top"}[vertical],
        "xshift": {"right": 9, "left": -9, "center": 0}[horizontal],
        "yshift": {"middle": 0, "top": 8, "bottom": -8}[vertical],
        "showarrow": False,
        "font": {"size": 12, "color": "var(--ink)"},
    }
