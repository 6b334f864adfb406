"""The outcomes of one cohort as arrays: generators × metrics × splits, and why something is not there."""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ConfigError
from ..metrics import get
from .ranking import Floats, discriminates, merit
from .store import Store

CELL = ["cohort", "generator", "split"]
NOT_RUN = "not run"


@dataclass(frozen=True)
class Evidence:
    """What was found on one cohort.

    Parameters
    ----------
    cohort, generators, splits
        Names and numbers that the arrays are ordered by.
    figures, tasks
        Figures and outcomes of the tasks of this cohort, as in the store.
    audited
        Which twins were judged, generators × splits.
    metrics
        Table of the metrics by name: ``group``, ``direction``, ``ideal``.
    values, ceilings, floors
        As measured, generators × metrics × splits; NaN where there is no figure.
    asked
        Whether a metric was asked for at all, generators × metrics.
    reasons
        Why a generator has no figure of a metric.
    levels
        AUC of the strongest attack by threat level, generators × splits.
    verdicts
        How often each outcome came out under each policy: policy to generator to outcome to number of twins.
    """

    cohort: str
    generators: tuple[str, ...]
    splits: tuple[int, ...]
    figures: pd.DataFrame
    tasks: pd.DataFrame
    audited: NDArray[np.bool_]
    metrics: pd.DataFrame
    values: Floats
    ceilings: Floats
    floors: Floats
    asked: NDArray[np.bool_]
    reasons: dict[tuple[str, str], str]
    levels: dict[str, Floats]
    verdicts: dict[str, dict[str, Counter[str]]]

    def without(self, generator: str) -> str:
        """Return why a generator has no figures at all, or nothing where it has some."""
        if self.audited[self.generators.index(generator)].any():
            return ""
        failed = self.tasks[(self.tasks["generator"] == generator) & (self.tasks["status"] == "failed")]
        return f"{failed['stage'].iloc[0]} failed: {failed['error'].iloc[0]}" if len(failed) else NOT_RUN

    def has(self, generator: str, metric: str) -> bool:
        """Whether a generator has a figure of a metric."""
        if metric not in self.names:
            return False
        return bool(np.isfinite(self.values[self.generators.index(generator), self.place(metric)]).any())

    def attacked(self, generator: str, level: str) -> bool:
        """Whether a twin of a generator was attacked by somebody of a threat level."""
        return level in self.levels and bool(np.isfinite(self.levels[level][self.generators.index(generator)]).any())

    def fit_seconds(self, generator: str) -> list[float]:
        """Return how long each fit took that ended well."""
        fits = self.tasks[(self.tasks["stage"] == "fit") & (self.tasks["status"] == "done")]
        return [float(seconds) for seconds in fits.loc[fits["generator"] == generator, "seconds"]]

    def place(self, metric: str) -> int:
        """Return where a metric stands in the arrays."""
        return self.names.index(metric)

    @property
    def names(self) -> list[str]:
        """Names of the metrics, in the order of the arrays."""
        return [str(name) for name in self.metrics.index]

    @functools.cached_property
    def ends(self) -> tuple[Floats, Floats]:
        """What real data and the known-bad twin reach, metrics × splits: medians over generators."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a metric without either keeps NaN
            return np.nanmedian(self.ceilings, axis=0), np.nanmedian(self.floors, axis=0)

    def merits(self, metric: str) -> tuple[Floats, Floats, Floats]:
        """Return merits of the twins (generators × splits), of real data and of the known-bad twin (splits).

        Real data and the known-bad twin are those of the split, whichever twin they were measured beside.
        """
        place = self.place(metric)
        direction, ideal = str(self.metrics["direction"].iloc[place]), float(self.metrics["ideal"].iloc[place])
        ceiling, floor = self.ends[0][place], self.ends[1][place]
        target = ceiling if np.isnan(ideal) else ideal
        value = merit(self.values[:, place, :], direction, target)
        return value, merit(ceiling, direction, target), merit(floor, direction, target)

    def group(self, group: str) -> tuple[list[str], Floats, Floats, Floats]:
        """Return the metrics of a group that generators can be held against each other by, and their merits.

        Left out are metrics that were not asked for everywhere, and those on which real data do no better than the
        known-bad twin. A figure that cannot be given for a twin, but for another one of the same split, counts as that
        of the known-bad twin: it is the twin that lacks what the figure needs.

        Returns
        -------
        Names, merits (generators × metrics × splits), those of real data and of the known-bad twin (metrics × splits).
        """
        names, parts = [], []
        for name in self.names:
            if self.metrics["group"].iloc[self.place(name)] != group:
                continue
            value, ceiling, floor = self.merits(name)
            asked = self.asked[:, self.place(name)]
            if asked[self.audited.any(axis=1)].all() and discriminates(ceiling, floor):
                lacking = self.audited & ~np.isfinite(value) & np.isfinite(value).any(axis=0)
                names.append(name)
                parts.append((np.where(lacking, floor, value), ceiling, floor))
        shape = (len(self.generators), 0, len(self.splits))
        if not parts:
            return [], np.empty(shape), np.empty(shape[1:]), np.empty(shape[1:])
        values, ceilings, floors = zip(*parts, strict=True)
        return names, np.stack(values, axis=1), np.stack(ceilings), np.stack(floors)


def latest(store: Store) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Return figures and tasks of a store, one outcome for each twin, and how many earlier ones were left out.

    A changed setting or a newer twinseq leaves the outcomes of earlier runs in the folder; what was written last
    counts. A twin that could not be made has no figures, whatever an earlier one had.
    """
    figures, tasks = store.figures(), store.tasks()
    kept: dict[tuple[Any, ...], str] = {}
    files = {key: store.file(key) for key in tasks["task"]}
    written = {key: file.stat().st_mtime_ns if file.exists() else 0 for key, file in files.items()}
    for _, row in sorted(tasks.iterrows(), key=lambda item: (written[item[1]["task"]], item[1]["task"])):
        cell = tuple(row[CELL])
        if row["stage"] == "fit" and row["status"] == "failed":
            kept.pop((*cell, "audit"), None)
            kept.pop((*cell, "verdict"), None)
        kept[*cell, row["stage"]] = row["task"]
    current = tasks[tasks["task"].isin(kept.values())]
    # A verdict on an audit that has been made anew since is none.
    stale = (current["stage"] == "verdict") & ~current["rests_on"].isin(current["task"])
    current = current[~stale].reset_index(drop=True)
    return figures[figures["task"].isin(current["task"])], current, len(tasks) - len(current)


def gather(figures: pd.DataFrame, tasks: pd.DataFrame, cohort: str, generators: tuple[str, ...]) -> Evidence:
    """Return what was found on one cohort.

    Parameters
    ----------
    figures, tasks
        Tables of `latest`.
    cohort
        Which one.
    generators
        All generators of the benchmark, in the order wanted.
    """
    figures, tasks = figures[figures["cohort"] == cohort], tasks[tasks["cohort"] == cohort]
    splits = tuple(sorted(int(split) for split in tasks["split"].unique()))
    measured = figures[figures["part"] == "metric"]
    known = measured.drop_duplicates("name").set_index("name")
    ideals = [_ideal(name) for name in known.index]
    directions = measured.dropna(subset=["direction"]).drop_duplicates("name").set_index("name")["direction"]
    metrics = pd.DataFrame(
        {"group": known["group"], "direction": directions.reindex(known.index), "ideal": ideals}, index=known.index
    )
    places = (
        _places(generators, measured["generator"]),
        _places(metrics.index, measured["name"]),
        _places(splits, measured["split"]),
    )

    def table(column: str) -> Floats:
        cells = np.full((len(generators), len(metrics), len(splits)), np.nan)
        cells[places] = measured[column].to_numpy(dtype=float)
        return cells

    asked = np.zeros((len(generators), len(metrics)), dtype=bool)
    asked[places[:2]] = True
    done = tasks[(tasks["stage"] == "audit") & (tasks["status"] == "done")]
    audited = np.zeros((len(generators), len(splits)), dtype=bool)
    audited[_places(generators, done["generator"]), _places(splits, done["split"])] = True
    lacking = measured[measured["status"] != "measured"].drop_duplicates(["generator", "name"])
    return Evidence(
        cohort=cohort,
        generators=generators,
        splits=splits,
        figures=figures,
        tasks=tasks,
        audited=audited,
        metrics=metrics,
        values=table("value"),
        ceilings=table("ceiling"),
        floors=table("floor"),
        asked=asked,
        reasons={(row["generator"], row["name"]): str(row["status"]) for _, row in lacking.iterrows()},
        levels=_levels(figures[figures["part"] == "headline"], generators, splits),
        verdicts=_verdicts(figures[figures["part"] == "verdict"]),
    )


def _verdicts(rows: pd.DataFrame) -> dict[str, dict[str, Counter[str]]]:
    found: dict[str, dict[str, Counter[str]]] = {}
    for _, row in rows.iterrows():
        by_generator = found.setdefault(str(row["name"]), {})
        by_generator.setdefault(str(row["generator"]), Counter())[str(row["status"])] += 1
    return found


def _levels(headlines: pd.DataFrame, generators: tuple[str, ...], splits: tuple[int, ...]) -> dict[str, Floats]:
    found = {}
    for level, rows in headlines.groupby("group"):
        table = np.full((len(generators), len(splits)), np.nan)
        table[_places(generators, rows["generator"]), _places(splits, rows["split"])] = rows["value"].to_numpy()
        found[str(level)] = table
    return found


def _places(names: Iterable[Any], column: pd.Series[Any]) -> NDArray[np.intp]:
    """Return at which place of ``names`` each entry of a column is."""
    return np.asarray(pd.Index(list(names)).get_indexer(pd.Index(column)), dtype=np.intp)


def _ideal(name: str) -> float:
    """Return the perfect value of a metric; NaN where real data set it, or this version does not know the metric."""
    try:
        ideal = get(name).ideal
    except ConfigError:
        return np.nan
    return np.nan if ideal is None else ideal
