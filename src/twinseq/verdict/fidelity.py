"""Whether the twin is good for anything: privacy of a useless twin is worth nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import metrics as registry
from ..results import AuditReport, MetricResult
from .check import FAIL, INCONCLUSIVE, PASS, REVIEW, Check, Outcome, told

if TYPE_CHECKING:
    from ..policy import Floor, Policy


def fidelity(report: AuditReport, policy: Policy) -> tuple[Check, ...]:
    """Return the checks of what the twin is good for; demands that the data cannot be held to stand aside.

    Where not one could be measured, nothing is known of what the twin is good for, and that counts.
    """
    cells = report.provenance.get("roles", {}).get("cell_type") is not None
    asked = [floor for floor in policy.fidelity if _applies(floor, report, cells)]
    checks = [_measured(floor, report) for floor in asked]
    if any(check is not None for check in checks):
        return tuple(
            _unmeasured(floor, report, cells, counts=False) if check is None else check
            for floor, check in zip(asked, checks, strict=True)
        )
    return tuple(_unmeasured(floor, report, cells, counts=True) for floor in asked)


def _applies(floor: Floor, report: AuditReport, cells: bool) -> bool:
    """Whether any of the metrics suits the kind of data, samples or cells."""
    names = {metric.name for metric in report.metrics}
    return any(name in names or ("cells" in registry.get(name).needs) == cells for name, _, _ in floor.first_of)


def _measured(floor: Floor, report: AuditReport) -> Check | None:
    found = {metric.name: metric for metric in report.metrics}
    for name, direction, limit in floor.first_of:
        if name in found:
            return _held(found[name], floor, direction, limit)
    return None


def _held(metric: MetricResult, floor: Floor, direction: str, limit: float) -> Check:
    sign = 1.0 if direction == "at least" else -1.0
    best = metric.value if metric.ci is None else max(sign * end for end in metric.ci) * sign
    outcome: Outcome = PASS
    if sign * metric.value < sign * limit:
        outcome = FAIL if sign * best < sign * limit else REVIEW
    within = "" if metric.ci is None else f" ({told(metric.ci[0], limit)} to {told(metric.ci[1], limit)})"
    real = "" if metric.ceiling is None else f"; real data in the twin's place reach {told(metric.ceiling)}"
    asked = f"the policy asks for {told(limit)} at {direction.removeprefix('at ')}"
    reason = f"{_sentence(floor.question)} {metric.name}: {told(metric.value, limit)}{within}; {asked}{real}."
    if outcome == FAIL:
        reason = f"The twin is not good for what it is meant for. {reason}"
    if outcome == REVIEW:
        reason = f"{reason[:-1]}. It falls short, by no more than the figure is uncertain."
    return Check(
        metric.name, floor.question, outcome, reason, metric.value, metric.ci, limit, direction, floor.why,
        of_fidelity=True,
    )  # fmt: skip


def _unmeasured(floor: Floor, report: AuditReport, cells: bool, *, counts: bool) -> Check:
    """Say why none of the metrics of a demand has a figure."""
    suitable = [one for one in floor.first_of if ("cells" in registry.get(one[0]).needs) == cells]
    name, direction, limit = (suitable or list(floor.first_of))[0]
    omitted = {one.name: one.reason for one in report.omitted}
    because = omitted.get(name, "it is not among the figures of this audit")
    if not report.metrics and report.red_team is not None and report.red_team.mode == "procedure":
        because = "an audit of a generator attacks it, and does not measure what its twins are good for"
    reason = f"{_sentence(floor.question)} Not known: {name} was not computed ({because})."
    return Check(
        name, floor.question, INCONCLUSIVE, reason, None, None, limit, direction, floor.why, of_fidelity=True,
        counts=counts,
    )  # fmt: skip


def _sentence(question: str) -> str:
    return question if question.endswith(("?", ".", ":")) else f"{question}:"
