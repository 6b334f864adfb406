"""The figures of an audit: metrics with their ceilings and floors, and the aggregates behind the plots."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import pandas as pd

from . import generators
from .cohort import Cohort
from .errors import TwinseqError
from .evaluation import evaluate, reason
from .geneids import Matched
from .metrics import Comparison, Metric, Profiles, Space
from .metrics import tables as aggregates
from .metrics._ceilings import Ceiling, Role, ceiling_of, ceilings
from .metrics._controls import mean_profile, outliers, scrambled_genes, shuffled_labels
from .provenance import provenance
from .results import AuditReport, MetricResult, Omitted, without_policy

Progress = Callable[[int, int, str], None]
DE_GENES = "de_genes"
ALL_TABLES = (*aggregates.TABLES, DE_GENES)


class Steps:
    """Tells the progress hook what comes next, and adds up the seconds of each part."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress
        self._total = total
        self._done = 0
        self._part = ""
        self._since = time.perf_counter()

    def start(self, description: str, part: str = "") -> None:
        """Say what comes next; its time counts for ``part``."""
        self._close()
        self._part = part or description
        if self._progress is not None:
            self._progress(self._done, self._total, description)
        self._done += 1

    def attack(self, description: str) -> None:
        """Start one of the attacks."""
        self.start(description, part="attacks")

    def finish(self) -> None:
        """Say that all is done."""
        self._close()
        self._part = ""
        if self._progress is not None:
            self._progress(self._total, self._total, "done")

    def _close(self) -> None:
        now = time.perf_counter()
        if self._part:
            self.seconds[self._part] = self.seconds.get(self._part, 0.0) + now - self._since
        self._since = now


def n_steps(chosen: Sequence[Metric], tables: bool) -> int:
    """Return about how many steps there will be."""
    ahead = 3 + any("gene sets" in metric.needs for metric in chosen)
    return ahead + len(chosen) + (len(aggregates.TABLES) + 1 if tables else 0)


def measure(
    ordered: dict[str, Cohort],
    chosen: list[Metric],
    survival: tuple[str, str] | None,
    matched: Matched | None,
    jackknife: int,
    seed: int,
    jobs: int,
    steps: Steps,
    *,
    tables: Collection[str],
) -> AuditReport:
    """Run metrics, ceilings, floors and tables on cohorts that have been checked and put in order.

    Parameters
    ----------
    ordered
        ``train``, ``twin`` and, where given, ``holdout`` and ``reference``.
    chosen
        Metrics to run.
    survival, matched, jackknife, seed, jobs
        As for `audit`; the gene sets with their genes found.
    steps
        Told what comes next.
    tables
        Names of the aggregates behind the plots that are wanted.
    """
    steps.start("prepare")
    space = Space(ordered["train"], seed, jobs, survival, matched)
    profiles = {name: Profiles.of(cohort, space) for name, cohort in ordered.items() if name != "train"}
    main = Comparison(space, space.train, profiles["twin"], profiles.get("holdout"))
    main.leave_out(jackknife)
    tops = ceilings(
        main,
        ordered["train"].donors(),
        ordered["holdout"].donors() if "holdout" in ordered else None,
        profiles.get("reference"),
    )
    floors = _floors(main, ordered["train"], steps)

    results: list[MetricResult] = []
    omitted: list[Omitted] = []
    if any(metric.group == "biology" for metric in chosen):
        _run_differential_expression(main, tops, floors, steps)
    for metric in chosen:
        steps.start(metric.name, part=metric.group)
        try:
            results.append(evaluate(metric, main, ceiling_of(metric, tops), floors))
        except Exception as error:  # noqa: BLE001 - one metric that fails must not cost the others
            omitted.append(Omitted(metric.name, metric.group, reason(error)))
    drawn, without = _tables(main, ordered["train"], tables, steps)
    omitted.extend(without)
    tested = DE_GENES in tables or any(metric.group == "biology" for metric in chosen)
    return AuditReport(
        provenance=provenance(ordered, main, tops, seed, jobs, steps.seconds, tested=tested),
        verdict=verdict(omitted),
        metrics=tuple(results),
        omitted=tuple(omitted),
        tables=drawn,
    )


def _floors(main: Comparison, train: Cohort, steps: Steps) -> dict[str, Comparison | str]:
    """Return the controls in the twin's place, by name; a control that cannot be made leaves its reason."""
    steps.start("controls")
    space = main.space

    def drawn(generator: str) -> Profiles:
        known_bad = generators.create(generator).fit(train, seed=space.seed).sample(seed=space.seed)
        return Profiles.of(known_bad, space)

    made: dict[str, Callable[[], Profiles]] = {
        "shuffled labels": lambda: shuffled_labels(main.train, space.rng(2)),
        "mean profile": lambda: mean_profile(main.train, space.rng(3)),
        "scrambled genes": lambda: scrambled_genes(main.train, space.rng(4)),
        "outliers": lambda: outliers(main.train, space.rng(8)),
        "independent": lambda: drawn("independent"),
        "bootstrap": lambda: drawn("bootstrap"),
    }
    floors: dict[str, Comparison | str] = {}
    for name, make in made.items():
        try:
            holdout = main.holdout if main.has_holdout else None
            floors[name] = Comparison(space, main.train, make(), holdout)
        except TwinseqError as error:
            floors[name] = str(error)
    return floors


def _run_differential_expression(
    main: Comparison, tops: dict[Role, Ceiling[Comparison]], floors: dict[str, Comparison | str], steps: Steps
) -> None:
    """Run the dearest part ahead of the metrics, so that its time is told apart from theirs."""
    steps.start("differential expression")
    shuffled = floors["shuffled labels"]
    comparisons = [main, tops["real"].comparison, shuffled if isinstance(shuffled, Comparison) else None]
    sides = [
        side
        for comparison in comparisons
        if comparison is not None
        for side in (comparison.train, comparison.twin, *((comparison.holdout,) if comparison.has_holdout else ()))
    ]
    for side in sides:
        with contextlib.suppress(TwinseqError):  # the metrics that need it will say why it failed
            _ = side.contrasts
    if main.space.gene_sets is not None:
        steps.start("pathways")
        for side in sides:
            with contextlib.suppress(TwinseqError):
                _ = side.enrichment


def _tables(
    main: Comparison, train: Cohort, wanted: Collection[str], steps: Steps
) -> tuple[dict[str, pd.DataFrame], list[Omitted]]:
    """Return the aggregates behind the plots, and those that could not be made."""
    makers: dict[str, Callable[[], pd.DataFrame]] = {
        name: functools.partial(maker, main)
        for name, (need, maker) in aggregates.TABLES.items()
        if name in wanted
        and not (
            (need == "counts" and main.space.kind != "counts")
            or (need == "label" and not (main.space.has_label and main.has_holdout))
            or (need == "covariates" and not main.space.covariates)
            or (need == "survival" and main.space.survival is None)
            or (need == "gene sets" and main.space.gene_sets is None)
        )
    }
    if main.space.has_label and DE_GENES in wanted:
        makers[DE_GENES] = lambda: aggregates.de_genes(main, train.genes)
    tables: dict[str, pd.DataFrame] = {}
    omitted = []
    for name, maker in makers.items():
        steps.start(f"table {name}", part="tables")
        try:
            tables[name] = maker()
        except Exception as error:  # noqa: BLE001 - one table that fails must not cost the others
            omitted.append(Omitted(name, "tables", reason(error)))
    return tables, omitted


def verdict(omitted: Sequence[Omitted]) -> dict[str, Any]:
    """Return the verdict of an audit without attacks."""
    reasons = ["no attacks run", "fidelity and utility say nothing about what the twin gives away"]
    return without_policy("not judged", [*reasons, *lost(omitted)])


def lost(omitted: Sequence[Omitted]) -> list[str]:
    """Say how many figures the lack of a hold-out has cost, and how to get them."""
    lost = sum("needs a hold-out" in item.reason for item in omitted)
    if not lost:
        return []
    return [
        f"no hold-out: {lost} figure(s) could not be given. Set real samples aside with `twinseq split` "
        "before the twin is made, and hand them in as the hold-out"
    ]
