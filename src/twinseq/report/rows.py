"""One row of a metric table: the figure, what it is compared with, and where it lies between the two."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ..results import MetricResult
from .questions import about
from .text import interval, number, shown

MEMORISATION = "above the real-vs-real ceiling: memorisation suspected"


@dataclass(frozen=True)
class Scale:
    """Positions in per cent of the width, better to the right.

    Parameters
    ----------
    value, floor, ceiling, ideal
        The twin, a known-bad twin, real against real, and the best conceivable figure.
    span
        Both ends of the twin's 95 % interval.
    """

    value: float
    floor: float | None
    ceiling: float | None
    ideal: float | None
    span: tuple[float, float] | None


@dataclass(frozen=True)
class Row:
    """A metric as the page shows it; all fields are plain text."""

    name: str
    title: str
    question: str
    reading: str
    formula: str
    reference: str
    value: str
    interval: str
    interval_note: str
    ceiling: str
    ceiling_source: str
    floor: str
    floor_source: str
    n: str
    flag: str
    scale: Scale | None
    spoken: str


def row(metric: MetricResult, *, holdout: bool = False) -> Row:
    """Return the row of one metric; ``holdout`` says whether there were donors that the generator never saw."""
    words = about(metric.name)
    # Agreement with donors that the generator never saw cannot come from memory.
    unseen = words.against in ("holdout", "both") or (words.against == "real" and holdout)
    parts = [f"twin {number(metric.value)}"]
    if metric.ceiling is not None:
        parts.append(f"real against real {number(metric.ceiling)}")
    if metric.floor is not None:
        parts.append(f"known-bad twin {number(metric.floor)}")
    return Row(
        name=shown(metric.name),
        title=shown(words.title, 120),
        question=shown(words.question, 400),
        reading=shown(words.reading, 400),
        formula=shown(words.formula, 400),
        reference=shown(words.reference, 300),
        value=number(metric.value),
        interval=interval(metric.ci),
        interval_note=shown(metric.ci_note, 120),
        ceiling=number(metric.ceiling),
        ceiling_source=_source(metric.ceiling_source, metric.ceiling),
        floor=number(metric.floor),
        floor_source=_source(metric.floor_source, metric.floor),
        n=f"{metric.n:,} {shown(metric.n_unit, 30)}".strip() if metric.n else "",
        flag=MEMORISATION if beyond_ceiling(metric) and not unseen else "",
        scale=scale(metric),
        spoken="; ".join(parts),
    )


def _source(source: str, figure: float | None) -> str:
    """Return who played the twin; where there is no figure, why. What a control is, the provenance says once."""
    name, _, explanation = source.partition(":")
    if figure is not None or not explanation:
        return shown(name, 120)
    return shown(f"{name}: {explanation.rpartition(': ')[2].strip()}", 160)


def rows(metrics: Iterable[MetricResult], group: str, *, holdout: bool = False) -> list[Row]:
    """Return the rows of one group, in the order of the audit; ``holdout`` as for `row`."""
    return [row(metric, holdout=holdout) for metric in metrics if metric.group == group]


def beyond_ceiling(metric: MetricResult) -> bool:
    """Whether the whole interval of a higher-is-better figure lies above what real data reach.

    A twin that agrees with its training data better than other real donors do has learnt their noise.
    Distances to the training data are higher-is-better too, but being far is no sign of memory: the privacy
    group is left out. Without an interval, a difference cannot be called clear.
    """
    if metric.direction != "higher" or metric.group == "privacy" or metric.ceiling is None or metric.ci is None:
        return False
    return math.isfinite(metric.ci[0]) and metric.ci[0] > metric.ceiling


def scale(metric: MetricResult) -> Scale | None:
    """Return where the figures lie between the worst and the best of them, or ``None`` for a lone figure."""
    value = _goodness(metric, metric.value)
    floor = _goodness(metric, metric.floor)
    ceiling = _goodness(metric, metric.ceiling)
    ideal = _goodness(metric, _ideal(metric))
    if value is None or (floor is None and ceiling is None):
        return None
    marks = [mark for mark in (value, floor, ceiling, ideal) if mark is not None]
    low, high = min(marks), max(marks)
    if high <= low:
        return None

    def place(mark: float | None) -> float | None:
        return None if mark is None else round(3 + 94 * (mark - low) / (high - low), 2)

    def inside(mark: float) -> float:
        return min(100.0, max(0.0, place(mark) or 0.0))

    ends = _goodness_interval(metric)
    span = None if ends is None else (inside(ends[0]), inside(ends[1]))
    return Scale(inside(value), place(floor), place(ceiling), place(ideal), span)


def _goodness(metric: MetricResult, figure: float | None) -> float | None:
    """Return a number that grows as the figure gets better."""
    if figure is None or not math.isfinite(figure):
        return None
    if metric.direction == "higher":
        return figure
    if metric.direction == "lower":
        return -figure
    ideal = _ideal(metric)
    return None if ideal is None else -abs(figure - ideal)


def _ideal(metric: MetricResult) -> float | None:
    """Return the best conceivable figure; that of real data where there is no other."""
    return metric.ceiling if metric.ideal is None else metric.ideal


def _goodness_interval(metric: MetricResult) -> tuple[float, float] | None:
    if metric.ci is None:
        return None
    ends = [_goodness(metric, end) for end in metric.ci]
    if ends[0] is None or ends[1] is None:
        return None
    low, high = min(ends[0], ends[1]), max(ends[0], ends[1])
    ideal = _ideal(metric)
    straddles_ideal = metric.direction == "target" and ideal is not None and metric.ci[0] <= ideal <= metric.ci[1]
    return low, 0.0 if straddles_ideal else high
