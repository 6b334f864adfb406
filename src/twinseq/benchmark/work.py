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
from ..dp.claims import read_claim, write_claim
from ..errors import TwinseqError, shorten
from ..files import atomic_path
from ..io import write
from ..policy import judged
from ..private import claim_of
from ..reading import read_report
from ..results import AuditReport
from .external import twin_by_command
from .inputs import read_twin
from .store import Outcome, Store
from .tasks import Unit, parts_of

REASONS = 3
"""Reasons of a verdict that are kept with it; the checks have all of them."""


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
    if found is None or found.status != "done" or not store.report(unit.audit_key).is_dir():
        found = _timed(unit, unit.audit_key, "audit", lambda: _audit(unit, store))
        store.write(found)
    if found.status != "done" or not unit.grid.policies:
        return [fit, found]
    verdict = store.read(unit.verdict_key)
    if verdict is None or verdict.status != "done" or not store.report(unit.verdict_key).is_dir():
        judged = _timed(unit, unit.verdict_key, "verdict", lambda: _verdicts(unit, store))
        verdict = replace(judged, rests_on=unit.audit_key)
        store.write(verdict)
    return [fit, found, verdict]


def is_done(unit: Unit, store: Store) -> bool:
    """Whether nothing is left to do of a unit."""
    last = store.read(unit.verdict_key if unit.grid.policies else unit.audit_key)
    return last is not None and last.status == "done"


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
    maker, claim = unit.generator, None
    if maker.command is not None:
        twin = twin_by_command(maker.command, train, unit.seed, maker.timeout, maker.home)
    else:
        model = maker.unfitted()
        assert model is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PrivacyWarning)  # the figures will show what noise has done
            twin = model.fit(train, seed=unit.seed).sample(seed=unit.seed)
        claim = claim_of(model)
    path = store.twin(unit.fit_key)
    path.parent.mkdir(parents=True, exist_ok=True)
    if claim is not None:
        write_claim(claim, store.claim(unit.fit_key))
    with atomic_path(path) as temporary:
        write(twin, temporary)
    return []


def _audit(unit: Unit, store: Store) -> list[dict[str, Any]]:
    grid, parts = unit.grid, parts_of(unit)
    twin = read_twin(store.twin(unit.fit_key), parts["train"])
    promised = store.claim(unit.fit_key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)  # controls are fitted too
        report = audit(
            parts["train"], twin, holdout=parts["holdout"], reference=parts.get("reference"), metrics=grid.metrics,
            gene_sets=grid.gene_sets, attacks=grid.chosen or grid.attacks, generator=unit.generator.unfitted(),
            claim=read_claim(promised) if promised.exists() else None, slow=grid.slow, seed=unit.seed,
        )  # fmt: skip
    report.save(store.report(unit.audit_key))
    return _figures(report)


def _verdicts(unit: Unit, store: Store) -> list[dict[str, Any]]:
    """Return what each policy makes of an audit: a row for the verdict, with its reasons, and one for each check.

    The report is written once more, with the verdict under the first policy, and those under the others in a sentence.
    """
    report = read_report(store.report(unit.audit_key))
    found = [judged(report, policy).verdict for policy in unit.grid.policies]
    rows: list[dict[str, Any]] = []
    for policy, verdict in zip(unit.grid.policies, found, strict=True):
        rows.append(
            {"part": "verdict", "name": policy.name, "group": "verdict", "status": verdict["outcome"],
             "reason": " ".join(verdict["reasons"][:REASONS])}
        )  # fmt: skip
        for check in verdict["checks"]:
            low, high = check["interval"] or (None, None)
            rows.append(
                {"part": "check", "name": check["key"], "group": policy.name, "value": check["value"], "low": low,
                 "high": high, "status": check["outcome"], "reason": check["reason"]}
            )  # fmt: skip
    first, *others = found
    beside = [f"Under the policy '{other['policy']}' of the same grid: {other['outcome']}." for other in others]
    told = {**first, "reasons": [*first["reasons"], *beside]}
    replace(report, verdict=told).save(store.report(unit.verdict_key))
    return rows


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
