"""The audit: what a twin keeps of its data, beside ceiling and floor, and what attackers find out from it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from . import generators
from . import metrics as registry
from .cohort import Cohort, shorten
from .dp.claims import Claim
from .errors import ConfigError, TwinseqError
from .geneids import Matched, match
from .generators import Generator
from .genesets import read_gene_sets
from .knowledge import KnownGenerator, KnownModel
from .metrics import Comparison, Metric, NotComputableError, Profiles, Space
from .metrics import tables as aggregates
from .metrics._ceilings import Ceiling, Role, ceiling_of, ceilings
from .metrics._controls import CONTROLS, mean_profile, outliers, scrambled_genes, shuffled_labels
from .metrics._inputs import check_disjoint, check_matching, check_scale, in_order
from .metrics._resample import bootstrap_interval, jackknife_interval
from .metrics._survival import with_survival
from .provenance import basics, provenance
from .redteam import attack_procedure, attack_twin
from .results import AuditReport, MetricResult, Omitted

Progress = Callable[[int, int, str], None]
N_ATTACK_STEPS = 26
"""About how many steps the attacks of one trial take, for the progress bar."""


def audit(
    train: Cohort,
    twin: Cohort,
    *,
    holdout: Cohort | None = None,
    reference: Cohort | None = None,
    metrics: Sequence[str] | None = None,
    survival: tuple[str, str] | None = None,
    gene_sets: Sequence[str | Path] = (),
    gene_ids: str | Path | None = None,
    jackknife: int = 20,
    attacks: bool | None = None,
    generator: Generator | None = None,
    claim: Claim | None = None,
    slow: bool = False,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> AuditReport:
    """Measure what a twin keeps of the data it was made from, and what it gives away.

    The result does not depend on the order of samples or genes in any of the cohorts.

    Parameters
    ----------
    train
        Real data that the twin was made from.
    twin
        The twin: same genes in any order, same kind, classes among those of ``train``.
    holdout
        Real data that the generator never saw, no donor shared with ``train``. Without it the figures that need
        it are listed as omitted, ceilings come from two halves of the training data, and whether the twin gives its
        donors away cannot be judged.
    reference
        Further real data, disjoint from both: what an attacker of level T1 holds. It also plays the twin where the
        ceiling needs a third real set. Without it, half of a hold-out of 20 donors or more serves the attackers.
    metrics
        Names of the metrics to run; all by default. With a choice of metrics no tables are made.
    survival
        Columns of the time (to the event or to the end of follow-up) and of the event (0 or 1), for the survival
        metrics. The twin must have both: state them as covariates when it is made.
    gene_sets
        GMT files for the pathway metrics, or ``"enrichr:NAME"`` for a library to be fetched.
    gene_ids
        A csv table that translates the cohort's gene ids into those of the sets, where these do not match.
    jackknife
        Number of groups of donors, of the real data and of the twin, that are left out in turn for the intervals of
        differential expression. With 0, or with too few donors, these are bootstrap intervals over genes.
    attacks
        Whether to attack the twin; by default where all metrics are run.
    generator
        What the twin was made with, for attackers who know it (T2) and, where it is fitted, hold it (T3).
    claim
        What is promised of the twin (differential privacy); the report repeats it, and says whether an attack
        refutes it.
    slow
        Whether attacks that fit many models take part.
    seed
        Seed of every random choice.
    jobs
        Number of threads; it changes no result.
    progress
        Called as ``progress(step, total, description)`` before each step.

    Returns
    -------
    AuditReport
        Figures, omitted figures with reasons, aggregates for plots, provenance. Nothing in it belongs to a
        single real sample.

    Raises
    ------
    CohortError
        Genes, kind or classes do not match, real sets share donors or profiles, or gene sets cannot be used.
    ConfigError
        A metric of this name does not exist, or time and event are one column or have another role.
    """
    chosen = [registry.get(name) for name in (registry.names() if metrics is None else metrics)]
    if metrics is None and train.cell_type is None:
        chosen = [metric for metric in chosen if "cells" not in metric.needs]
    if metrics is None and survival is None:
        chosen = [metric for metric in chosen if "survival" not in metric.needs]
    if metrics is None and not gene_sets:
        chosen = [metric for metric in chosen if "gene sets" not in metric.needs]
    sides = {"train": train, "twin": twin, "holdout": holdout, "reference": reference}
    given = {name: cohort for name, cohort in sides.items() if cohort is not None}
    if claim is not None and claim.parameters.get("panel") is not None:
        given = _on_panel(given)
        train = given["train"]
    check_matching(given)
    if survival is not None:
        given = with_survival(given, survival)
        train = given["train"]
    check_scale(given)
    ordered = {name: in_order(cohort, train) for name, cohort in given.items()}
    check_disjoint(ordered)
    matched = _matched(ordered["train"], gene_sets, gene_ids)

    attacked = metrics is None if attacks is None else attacks
    steps = _Steps(progress, total=_n_steps(chosen, metrics is None) + (N_ATTACK_STEPS if attacked else 0))
    # One thread for linear algebra: results stay the same to the last bit, and small matrices gain nothing from more.
    with threadpool_limits(1):
        report = _measure(ordered, chosen, survival, matched, jackknife, seed, jobs, steps, with_tables=metrics is None)
        if attacked:
            report = _attacked(report, ordered, generator, slow, seed, jobs, steps)
    if claim is not None:
        report = dataclasses.replace(report, ledger=(claim.to_dict(),))
    steps.finish()
    report.provenance["seconds"].update({part: round(spent, 2) for part, spent in steps.seconds.items()})
    return report


def audit_procedure(
    cohort: Cohort,
    generator: Generator,
    *,
    splits: int = 5,
    fractions: Sequence[float] = (1 / 3, 1 / 3, 1 / 3),
    slow: bool = False,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> AuditReport:
    """Attack what a generator makes of a cohort, over several partitions of its donors.

    Parameters
    ----------
    cohort
        All donors; in each split they are dealt anew into members, non-members and a reference.
    generator
        Generator with its settings; it is fitted anew in each split, and left as it is.
    splits
        Number of partitions.
    fractions
        Shares of members, non-members and reference.
    slow
        Whether attacks that fit many models take part.
    seed, jobs, progress
        As for `audit`.

    Returns
    -------
    AuditReport
        Attacks, controls, exposure and their curves; no figures of fidelity.

    Raises
    ------
    CohortError
        A class has too few donors for three parts, or the generator cannot take the cohort.
    ConfigError
        There is not one split, or there are not three fractions.
    """
    ordered = in_order(cohort, cohort)
    known = known_generator(generator, ordered.genes)
    steps = _Steps(progress, total=splits * N_ATTACK_STEPS)
    with threadpool_limits(1):
        red_team, curves = attack_procedure(ordered, known, splits, fractions, slow, seed, jobs, steps.attack)
    steps.finish()
    return AuditReport(
        provenance={
            **basics({"cohort": ordered}, "cohort", seed, jobs, steps.seconds),
            "generator": described_generator(generator),
            "splits": splits,
        },
        verdict={"policy": None, "outcome": red_team.outcome, "reasons": list(red_team.reasons)},
        metrics=(),
        tables={"attack_roc": curves},
        red_team=red_team,
    )


def _on_panel(given: Mapping[str, Cohort]) -> dict[str, Cohort]:
    """Return the real cohorts with the genes of a twin that was made of a panel, which is no mistake of its maker."""
    genes = given["twin"].genes
    return {
        name: cohort.with_adata(cohort.adata[:, genes].copy()) if genes.isin(cohort.genes).all() else cohort
        for name, cohort in given.items()
    }


def _attacked(
    report: AuditReport,
    ordered: dict[str, Cohort],
    generator: Generator | None,
    slow: bool,
    seed: int,
    jobs: int,
    steps: _Steps,
) -> AuditReport:
    """Add what the attacks found."""
    known = None if generator is None else known_generator(generator, ordered["train"].genes)
    fitted = generator is not None and hasattr(generator, "frame_")
    model = (
        KnownModel(generator, None if ordered["train"].label else "all", ordered["train"].genes)
        if generator is not None and fitted
        else None
    )
    red_team, curves = attack_twin(
        ordered["train"],
        ordered["twin"],
        ordered.get("holdout"),
        ordered.get("reference"),
        known,
        model,
        None if known is None else known.unfitted(),
        slow,
        seed,
        jobs,
        steps.attack,
    )
    extra = {} if generator is None else {"generator": described_generator(generator)}
    return dataclasses.replace(
        report,
        provenance={**report.provenance, **extra},
        verdict={"policy": None, "outcome": red_team.outcome, "reasons": [*red_team.reasons, *_lost(report.omitted)]},
        tables={**report.tables, **({"attack_roc": curves} if len(curves) else {})},
        red_team=red_team,
    )


def known_generator(generator: Generator, genes: Iterable[str]) -> KnownGenerator:
    """Return a generator as an attacker knows it who holds ``genes``, whether it is fitted or not."""
    return KnownGenerator(generator.info.name, None, generator.params(), genes)


def described_generator(generator: Generator) -> dict[str, Any]:
    """Return name and settings of a generator, for the provenance."""
    return {"name": generator.info.name, "settings": generator.params()}


def _matched(train: Cohort, gene_sets: Sequence[str | Path], gene_ids: str | Path | None) -> Matched | None:
    """Read the gene sets and find their genes, before anything is spent on a cohort that they do not fit."""
    if not gene_sets:
        if gene_ids is not None:
            raise ConfigError("A table of gene ids (gene_ids, --gene-ids) serves gene sets only: give these too.")
        return None
    means = np.asarray(train.adata.X.mean(axis=0), dtype=np.float64).ravel()
    return match(train.genes.astype(str).tolist(), means, read_gene_sets(gene_sets), gene_ids)


def _measure(
    ordered: dict[str, Cohort],
    chosen: list[Metric],
    survival: tuple[str, str] | None,
    matched: Matched | None,
    jackknife: int,
    seed: int,
    jobs: int,
    steps: _Steps,
    *,
    with_tables: bool,
) -> AuditReport:
    """Run metrics, ceilings, floors and tables on cohorts that have been checked and put in order."""
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
            results.append(_evaluate(metric, main, tops, floors))
        except Exception as error:  # noqa: BLE001 - one metric that fails must not cost the others
            omitted.append(Omitted(metric.name, metric.group, _reason(error)))
    tables, without = _tables(main, ordered["train"], steps) if with_tables else ({}, [])
    omitted.extend(without)
    return AuditReport(
        provenance=provenance(ordered, main, tops, seed, jobs, steps.seconds),
        verdict=_verdict(omitted),
        metrics=tuple(results),
        omitted=tuple(omitted),
        tables=tables,
    )


class _Steps:
    """Tells the progress hook what comes next, and adds up the seconds of each part."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress
        self._total = total
        self._done = 0
        self._part = ""
        self._since = time.perf_counter()

    def start(self, description: str, part: str = "") -> None:
        self._close()
        self._part = part or description
        if self._progress is not None:
            self._progress(self._done, self._total, description)
        self._done += 1

    def attack(self, description: str) -> None:
        """Start one of the attacks."""
        self.start(description, part="attacks")

    def finish(self) -> None:
        self._close()
        self._part = ""
        if self._progress is not None:
            self._progress(self._total, self._total, "done")

    def _close(self) -> None:
        now = time.perf_counter()
        if self._part:
            self.seconds[self._part] = self.seconds.get(self._part, 0.0) + now - self._since
        self._since = now


def _n_steps(chosen: Sequence[Metric], tables: bool) -> int:
    ahead = 3 + any("gene sets" in metric.needs for metric in chosen)
    return ahead + len(chosen) + (len(aggregates.TABLES) + 1 if tables else 0)


def _floors(main: Comparison, train: Cohort, steps: _Steps) -> dict[str, Comparison | str]:
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
    main: Comparison, tops: dict[Role, Ceiling], floors: dict[str, Comparison | str], steps: _Steps
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


def _evaluate(
    metric: Metric, main: Comparison, tops: dict[Role, Ceiling], floors: dict[str, Comparison | str]
) -> MetricResult:
    """Return the twin's figure with interval, ceiling and floor.

    Raises
    ------
    NotComputableError
        The figure itself cannot be given. A missing ceiling or floor is only said.
    """
    arguments = main.arguments(metric)
    value = _number(metric, arguments)
    interval, interval_note = _interval(metric, main, arguments)
    top = ceiling_of(metric, tops)
    ceiling, ceiling_source = _beside(metric, top.comparison, top.source)
    control = floors[metric.floor]
    made = isinstance(control, Comparison)
    floor, floor_source = _beside(
        metric,
        control if isinstance(control, Comparison) else None,
        f"{metric.floor}: {CONTROLS[metric.floor]}" if made else f"{metric.floor} could not be made: {control}",
    )
    first = arguments[0]
    per_row = metric.unit != "samples" and isinstance(first, np.ndarray)
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


def _interval(metric: Metric, main: Comparison, arguments: tuple[Any, ...]) -> tuple[tuple[float, float] | None, str]:
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


def _beside(metric: Metric, comparison: Comparison | None, source: str) -> tuple[float | None, str]:
    """Return the figure of real data or of a control in the twin's place, or why there is none."""
    if comparison is None:
        return None, source
    try:
        return _number(metric, comparison.arguments(metric)), source
    except Exception as error:  # noqa: BLE001 - a ceiling that fails must not cost the figure
        return None, f"{source}: {_reason(error)}"


def _reason(error: Exception) -> str:
    if isinstance(error, TwinseqError):
        return shorten(error, 300)
    return f"failed unexpectedly ({type(error).__name__}: {shorten(error, 200)})"


def _tables(main: Comparison, train: Cohort, steps: _Steps) -> tuple[dict[str, pd.DataFrame], list[Omitted]]:
    """Return the aggregates behind the plots, and those that could not be made."""
    makers: dict[str, Callable[[], pd.DataFrame]] = {
        name: functools.partial(maker, main)
        for name, (need, maker) in aggregates.TABLES.items()
        if not (
            (need == "counts" and main.space.kind != "counts")
            or (need == "label" and not (main.space.has_label and main.has_holdout))
            or (need == "covariates" and not main.space.covariates)
            or (need == "survival" and main.space.survival is None)
            or (need == "gene sets" and main.space.gene_sets is None)
        )
    }
    if main.space.has_label:
        makers["de_genes"] = lambda: aggregates.de_genes(main, train.genes)
    tables: dict[str, pd.DataFrame] = {}
    omitted = []
    for name, maker in makers.items():
        steps.start(f"table {name}", part="tables")
        try:
            tables[name] = maker()
        except Exception as error:  # noqa: BLE001 - one table that fails must not cost the others
            omitted.append(Omitted(name, "tables", _reason(error)))
    return tables, omitted


def _verdict(omitted: Sequence[Omitted]) -> dict[str, Any]:
    reasons = ["no attacks run", "fidelity and utility say nothing about what the twin gives away"]
    return {"policy": None, "outcome": "not judged", "reasons": [*reasons, *_lost(omitted)]}


def _lost(omitted: Sequence[Omitted]) -> list[str]:
    """Say how many figures the lack of a hold-out has cost, and how to get them."""
    lost = sum("needs a hold-out" in item.reason for item in omitted)
    if not lost:
        return []
    return [
        f"no hold-out: {lost} figure(s) could not be given. Set real samples aside with `twinseq split` "
        "before the twin is made, and hand them in as the hold-out"
    ]
