"""One figure with its interval, its ceiling and its floor; what cannot be given says why."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from .cohort import shorten
from .errors import TwinseqError
from .metrics import Metric, NotComputableError
from .metrics._ceilings import Ceiling
from .metrics._controls import CONTROLS
from .metrics._resample import bootstrap_interval, jackknife_interval
from .results import MetricResult


class Side(Protocol):
    """One side of a comparison."""

    @property
    def n_samples(self) -> int:
        """Number of samples or cells."""


class Seeded(Protocol):
    """What was fitted on the training data, with the seed of all random choices."""

    seed: int


class Compared(Protocol):
    """A candidate twin against real data, of samples or of cells."""

    @property
    def space(self) -> Seeded:
        """What was fitted on the training data."""

    @property
    def twin(self) -> Side:
        """The candidate."""

    def arguments(self, metric: Metric) -> tuple[Any, ...]:
        """Return what a metric is called with, or say why it cannot be."""

    def left_out(self, metric: Metric) -> list[tuple[Any, ...]]:
        """Return what a metric is called with when groups of donors are left out."""


def evaluate(metric: Metric, main: Compared, top: Ceiling[Any], floors: Mapping[str, Compared | str]) -> MetricResult:
    """Return the twin's figure with interval, ceiling and floor.

    Parameters
    ----------
    metric
        Which figure.
    main
        The twin against real data.
    top
        Real data in the twin's place.
    floors
        Controls in the twin's place, by name, or why one could not be made.

    Raises
    ------
    NotComputableError
        The figure itself cannot be given. A missing ceiling or floor is only said.
    """
    arguments = main.arguments(metric)
    value = _number(metric, arguments)
    interval, interval_note = _interval(metric, main, arguments)
    ceiling, ceiling_source = _beside(metric, top.comparison, top.source)
    control = floors[metric.floor]
    said = isinstance(control, str)
    floor, floor_source = _beside(
        metric,
        None if isinstance(control, str) else control,
        f"{metric.floor} could not be made: {control}" if said else f"{metric.floor}: {CONTROLS[metric.floor]}",
    )
    first = arguments[0]
    per_row = metric.unit not in ("samples", "cells") and isinstance(first, np.ndarray)
    ideal = metric.ideal if metric.ideal is not None else ceiling
    return MetricResult(
        name=metric.name,
        group=metric.group,
        value=value,
        direction=metric.direction,
        ideal=float("nan") if ideal is None else ideal,
        ci=interval,
        ci_note=interval_note,
        ceiling=ceiling,
        ceiling_source=ceiling_source,
        floor=floor,
        floor_source=floor_source,
        n=len(first) if per_row else main.twin.n_samples,
        n_unit=metric.unit,
    )


def _interval(metric: Metric, main: Compared, arguments: tuple[Any, ...]) -> tuple[tuple[float, float] | None, str]:
    """Return the 95 % interval of a figure, and over what it was taken."""
    if metric.resampling == "donors":
        left_out = main.left_out(metric)
        interval = jackknife_interval(metric.function, arguments, left_out, metric.bounds)
        if interval is not None:
            return interval, f"jackknife over donors, {len(left_out)} groups"
    if metric.resampling == "none":
        return None, ""
    rng = np.random.default_rng([main.space.seed, zlib.crc32(metric.name.encode())])
    together = metric.resampling != "apart"
    interval = bootstrap_interval(metric.function, arguments, rng, together=together, bounds=metric.bounds)
    return interval, f"bootstrap over {metric.unit}" if interval is not None else ""


def _number(metric: Metric, arguments: tuple[Any, ...]) -> float:
    value = metric.function(*arguments)
    if not np.isfinite(value):
        raise NotComputableError("the figure is not a finite number for these data")
    return float(value)


def _beside(metric: Metric, comparison: Compared | None, source: str) -> tuple[float | None, str]:
    """Return the figure of real data or of a control in the twin's place, or why there is none."""
    if comparison is None:
        return None, source
    try:
        return _number(metric, comparison.arguments(metric)), source
    except Exception as error:  # noqa: BLE001 - a ceiling that fails must not cost the figure
        return None, f"{source}: {reason(error)}"


def reason(error: Exception) -> str:
    """Return why something could not be computed, in a sentence for the reader."""
    if isinstance(error, TwinseqError):
        return shorten(error, 300)
    return f"failed unexpectedly ({type(error).__name__}: {shorten(error, 200)})"
