"""Whether the twin is made of donors enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..results import AuditReport
from .check import INCONCLUSIVE, PASS, Check, Outcome

if TYPE_CHECKING:
    from ..policy import Policy

QUESTION = "Is the twin made of donors enough?"


def donors(report: AuditReport, policy: Policy) -> Check | None:
    """Return whether the cohort has as many donors as the policy asks for; without a donor column, samples count."""
    if policy.donors is None:
        return None
    least = policy.donors.value
    cohorts = report.provenance.get("cohorts", {})
    size = cohorts.get("train") or cohorts.get("cohort") or {}
    attacked = {} if report.red_team is None else report.red_team.power
    number = size.get("donors", size.get("samples", attacked.get("n_members")))
    outcome: Outcome = INCONCLUSIVE
    if number is None:
        reason = "The audit does not say of how many donors the twin is."
    elif number < least:
        reason = (
            f"The twin is made of {number:,} donors, and the policy asks for {least:,.0f}: of so few no audit can show "
            "that they are safe."
        )
    else:
        outcome, reason = PASS, f"The twin is made of {number:,} donors; the policy asks for {least:,.0f}."
    value = None if number is None else float(number)
    return Check("donors", QUESTION, outcome, reason, value, None, least, "at least", policy.donors.why)
