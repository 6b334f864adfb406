"""One unit of a benchmark: make the twin, judge it, and keep what came out, failures included."""

from __future__ import annotations

import resource
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..audit import audit
from ..dp.budget import PrivacyWarning
from ..errors import TwinseqError, shorten
from ..files import atomic_path
from ..io import write
from ..results import AuditReport
from .external import twin_by_command
from .inputs import read_twin
from .store import Outcome, Store
from .tasks import Unit, parts_of


def do(unit: Unit, folder: Path) -> list[Outcome]:
    """Do what is left to do of a unit, and return the outcomes of its tasks.

    A twin that could not be made is not judged; its ``fit`` says why.
    """
    store = Store(folder)
    fit = store.read(unit.fit_key)
    if fit is None or fit.status != "done" or not store.twin(unit.fit_key).exists():
        fit = _timed(unit, unit.fit_key, "fit", lambda: _fit(unit, store))
        store.write(fit)
    if fit.status != "done":
        return [fit]
    found = store.read(unit.audit_key)
    if found is None or found.status != "done":
        found = _timed(unit, unit.audit_key, "audit", lambda: _audit(unit, store))
        store.write(found)
    return [fit, found]


def is_done(unit: Unit, store: Store) -> bool:
    """Whether nothing is left to do of a unit."""
    found = store.read(unit.audit_key)
    return found is not None and found.status == "done"


def _timed(unit: Unit, key: str, stage: str, work: Callable[[], list[dict[str, Any]]]) -> Outcome:
    """Do one task; a failure is an outcome too."""
    outcome = Outcome(key, stage, unit.cohort.name, unit.generator.name, unit.split, "done")
    started, cpu = time.perf_counter(), _cpu()
    try:
        outcome = replace(outcome, figures=tuple(work()))
    except TwinseqError as error:
        outcome = replace(outcome, status="failed", error=shorten(error, 500))
    except Exception as error:  # noqa: BLE001 - one task that fails must not cost the others
        outcome = replace(outcome, status="failed", error=f"{type(error).__name__}: {shorten(error, 400)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent = time.perf_counter() - started
    return replace(outcome, seconds=round(spent, 3), cpu=round(_cpu() - cpu, 3), peak_mib=round(peak, 1))


def _cpu() -> float:
    """Return processor time of this process and of those that it has run."""
    own, run = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + run.ru_utime + run.ru_stime


def _fit(unit: Unit, store: Store) -> list[dict[str, Any]]:
    train = parts_of(unit)["train"]
    maker = unit.generator
    if maker.command is not None:
        twin = twin_by_command(maker.command, train, unit.seed, maker.timeout, maker.home)
    else:
        model = maker.unfitted()
        assert model is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PrivacyWarning)  # the figures will show what noise has done
            twin = model.fit(train, seed=unit.seed).sample(seed=unit.seed)
    path = store.twin(unit.fit_key)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        write(twin, temporary)
    return []


def _audit(unit: Unit, store: Store) -> list[dict[str, Any]]:
    grid, parts = unit.grid, parts_of(unit)
    twin = read_twin(store.twin(unit.fit_key), parts["train"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)  # controls are fitted too
        report = audit(
            parts["train"], twin, holdout=parts["holdout"], reference=parts.get("reference"), metrics=grid.metrics,
            gene_sets=grid.gene_sets, attacks=grid.attacks, generator=unit.generator.unfitted(), slow=grid.slow,
            seed=unit.seed,
        )  # fmt: skip
    report.save(store.report(unit.audit_key))
    return _figures(report)


def _figures(report: AuditReport) -> list[dict[str, Any]]:
    """Return metrics, attacks and the strongest attack of each level as rows of one table."""
    rows: list[dict[str, Any]] = []
    for metric in report.metrics:
        low, high = metric.ci or (None, None)
        rows.append(
            {"part": "metric", "name": metric.name, "group": metric.group, "value": metric.value, "low": low,
             "high": high, "ceiling": metric.ceiling, "floor": metric.floor, "direction": metric.direction,
             "status": "measured"}
        )  # fmt: skip
    rows += [
        {"part": "metric", "name": omitted.name, "group": omitted.group, "status": omitted.reason}
        for omitted in report.omitted
    ]
    for attack in report.attacks:
        low, high = attack.auc_ci or (None, None)
        rows.append(
            {"part": "attack", "name": attack.name, "group": attack.level, "value": attack.auc, "low": low,
             "high": high, "direction": "target", "status": attack.status if not attack.reason else attack.reason}
        )  # fmt: skip
    for headline in () if report.red_team is None else report.red_team.headlines:
        low, high = headline.auc_ci
        rows.append(
            {"part": "headline", "name": headline.attack, "group": headline.level, "value": headline.auc, "low": low,
             "high": high, "direction": "target", "status": "measured"}
        )  # fmt: skip
    return rows
