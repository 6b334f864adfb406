"""Figures of several splits as one: means of values, intervals, ceilings and floors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..results import AuditReport, MetricResult


def merged(reports: Sequence[AuditReport]) -> AuditReport:
    """Return the first report with each figure averaged over all.

    Donors recur from split to split, so that the splits are not independent: an interval stays as wide as one split's.
    Seconds are added up; tables and what else the provenance says are those of the first.
    """
    found: dict[str, list[MetricResult]] = {metric.name: [] for metric in reports[0].metrics}
    for report in reports:
        for metric in report.metrics:
            if metric.name in found:
                found[metric.name].append(metric)
    seconds: dict[str, float] = {}
    for report in reports:
        for part, spent in report.provenance.get("seconds", {}).items():
            seconds[part] = round(seconds.get(part, 0.0) + spent, 2)
    return replace(
        reports[0],
        provenance={**reports[0].provenance, "seconds": seconds},
        metrics=tuple(_mean(each, len(reports)) for each in found.values()),
    )


def _mean(each: Sequence[MetricResult], splits: int) -> MetricResult:
    first = each[0]
    value = sum(metric.value for metric in each) / len(each)
    intervals = [metric.ci for metric in each if metric.ci is not None]
    ci = None
    if len(intervals) == len(each):
        low, high = (sum(bounds) / len(bounds) for bounds in zip(*intervals, strict=True))
        ci = min(low, value), max(high, value)
    of = (
        f"mean of {len(each)} splits" if len(each) == splits else f"mean of {len(each)} of {splits} splits, where given"
    )
    note = f"{first.ci_note}; {of}, each interval as wide as one split's" if ci is not None else of
    return replace(
        first,
        value=value,
        ideal=_of_all(metric.ideal for metric in each) if first.direction == "target" else first.ideal,
        ci=ci,
        ci_note=note,
        ceiling=_of_known(metric.ceiling for metric in each),
        floor=_of_known(metric.floor for metric in each),
    )


def _of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None


def _of_all(values: Iterable[float]) -> float:
    mean = _of_known(values)
    return float("nan") if mean is None else mean
