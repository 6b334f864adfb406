"""Metrics by name: what each one asks, how to read it, and which fields of a comparison it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ..errors import ConfigError, TwinseqError, suggest
from ..plugins import load_plugins

Direction = Literal["higher", "lower", "target"]
Against = Literal["real", "train", "holdout", "both"]
Resampling = Literal["none", "apart", "together", "donors"]
Function = TypeVar("Function", bound=Callable[..., float])

GROUPS = ("fidelity", "biology", "utility", "covariates", "cells", "privacy", "paper")


class NotComputableError(TwinseqError):
    """A figure cannot be given for these data; the message says why."""


@dataclass(frozen=True)
class Metric:
    """One figure: a pure function, the fields it is called with, and how to read what it returns.

    Parameters
    ----------
    name, group
        Registry key, and one of `GROUPS`.
    question
        What it answers, one sentence in plain words.
    reading
        How to read the figure.
    formula
        Definition in one line.
    direction
        ``"higher"``, ``"lower"`` or ``"target"`` (nearest to ``ideal``).
    ideal
        Perfect value; ``None`` where the ceiling is the ideal.
    bounds
        Smallest and largest possible value.
    reference
        Where the metric comes from.
    fields
        Arguments of ``function``, as dotted names of a `Comparison` (``"real.library_size"``).
    function
        Arrays in, one number out; raises `NotComputableError` with the reason where there is none.
    against
        What the twin is held against, which decides who plays the twin for the ceiling: ``"real"`` (the
        hold-out, or the training data where there is none), ``"train"``, ``"holdout"``, or ``"both"``.
    floor
        The control that is bad for this metric (see `metrics._controls`).
    needs
        What the data must have: ``"counts"``, ``"label"``, ``"covariates"``, ``"survival"``,
        ``"gene sets"``, ``"cells"`` (a column of cell types).
    resampling
        How the interval resamples the rows of the arguments: not at all, each argument ``"apart"``
        (independent samples), all ``"together"`` (one row is one gene or test sample everywhere), or by leaving
        ``"donors"`` out where that was asked for and can be done, else together.
    unit
        What one row is: ``"samples"``, ``"genes"``, ``"test samples"``, ``"gene pairs"``, ``"modules"``,
        ``"gene sets"``, ``"cells"``, ``"test cells"``.
    """

    name: str
    group: str
    question: str
    reading: str
    formula: str
    direction: Direction
    ideal: float | None
    bounds: tuple[float, float]
    reference: str
    fields: tuple[str, ...]
    function: Callable[..., float]
    against: Against = "real"
    floor: str = "independent"
    needs: tuple[str, ...] = ()
    resampling: Resampling = "none"
    unit: str = "samples"


_REGISTRY: dict[str, Metric] = {}
PLUGINS = "twinseq.metrics"
"""Entry points at which other packages announce theirs."""


def register(**entry: Any) -> Callable[[Function], Function]:
    """Make the decorated function known as a metric; see `Metric` for the keywords.

    Raises
    ------
    ConfigError
        Two metrics carry the same name, or the group is unknown.
    """

    def keep(function: Function) -> Function:
        metric = Metric(function=function, **entry)
        if metric.name in _REGISTRY:
            raise ConfigError(f"Two metrics are called '{metric.name}'.")
        if metric.group not in GROUPS:
            raise ConfigError(f"Unknown metric group '{metric.group}'{suggest(metric.group, GROUPS)}")
        _REGISTRY[metric.name] = metric
        return function

    return keep


def names() -> list[str]:
    """Return the known metrics, group by group."""
    load_plugins(PLUGINS)
    return [metric.name for group in GROUPS for metric in _REGISTRY.values() if metric.group == group]


def get(name: str) -> Metric:
    """Return a metric.

    Raises
    ------
    ConfigError
        No metric has this name; the nearest is suggested.
    """
    if name not in _REGISTRY:
        load_plugins(PLUGINS)
    if name not in _REGISTRY:
        raise ConfigError(f"Unknown metric '{name}'{suggest(name, _REGISTRY)}")
    return _REGISTRY[name]
