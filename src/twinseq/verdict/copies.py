"""Whether training samples stand in the twin as they are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..results import AuditReport, MetricResult
from .check import FAIL, INCONCLUSIVE, PASS, REVIEW, Check

if TYPE_CHECKING:
    from ..policy import Policy

QUESTION = "Are training samples in the twin, value for value?"
CHANCE = 3.0
"""Standard errors, and copies, by which cells may exceed what other real cells share with the training cells."""


def copies(report: AuditReport, policy: Policy) -> Check | None:
    """Return whether the twin holds copies of samples, or of cells beyond those that shallow cells share by chance."""
    if policy.exact_copies is None:
        return None
    limit, why = policy.exact_copies.value, policy.exact_copies.why
    found = {metric.name: metric for metric in report.metrics}
    if "exact_copies" in found:
        return _samples(found["exact_copies"], limit, why)
    if "copied_cells" in found:
        return _cells(found["copied_cells"], limit, why)
    reasons = [one.reason for one in report.omitted if one.name in ("exact_copies", "copied_cells")]
    because = reasons[0] if reasons else "this audit measured no distances"
    reason = f"Whether the twin holds copies of training samples was not looked at: {because}."
    return Check("exact_copies", QUESTION, INCONCLUSIVE, reason, limit=limit, why=why)


def _samples(metric: MetricResult, limit: float, why: str) -> Check:
    number = int(metric.value)
    allowed = "none" if limit == 0 else f"{limit:g}"
    reason = (
        f"{number:,} of {metric.n:,} samples of the twin are training samples, value for value; {allowed} is allowed."
    )
    if number == 0:
        reason = f"None of the {metric.n:,} samples of the twin is a training sample, value for value."
    outcome = PASS if number <= limit else FAIL
    return Check("exact_copies", QUESTION, outcome, reason, metric.value, None, limit, why=why)


def _cells(metric: MetricResult, limit: float, why: str) -> Check:
    number = metric.value * metric.n
    if number <= limit:
        reason = f"None of the {metric.n:,} cells of the twin is a training cell, count for count."
        return Check("exact_copies", QUESTION, PASS, reason, number, None, limit, why=why)
    reason = f"{number:,.0f} of {metric.n:,} cells of the twin are training cells, count for count"
    if metric.ceiling is None:
        unknown = f"{reason}; how many other real cells are, by chance, is not known ({metric.ceiling_source})."
        return Check("exact_copies", QUESTION, REVIEW, unknown, number, None, limit, why=why)
    expected = metric.ceiling * metric.n
    allowed = limit + expected + CHANCE * (1 + math.sqrt(expected))
    outcome = PASS if number <= allowed else FAIL
    reason = f"{reason}; of as many other real cells {expected:,.0f} are, since shallow cells coincide by chance."
    return Check("exact_copies", QUESTION, outcome, reason, number, None, allowed, why=why)
