"""Whether what was promised of the twin is strong enough, and not refuted; and what it allows any attacker."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..dp.budget import Budget, PrivacyWarning
from ..dp.claims import Claim
from ..dp.ledger import GAUSSIAN
from ..dp.predict import ceiling
from ..results import AuditReport
from .check import FAIL, PASS, REVIEW, Check, told

if TYPE_CHECKING:
    from ..policy import Policy

QUESTION = "Is there a guarantee of differential privacy, and does it hold?"


@dataclass(frozen=True)
class Bound:
    """The most that a guarantee allows any attacker: AUC, and share of members named at 1 false alarm in 100."""

    auc: float
    tpr: float


def bound_of(report: AuditReport) -> Bound | None:
    """Return what the weakest claim in the report allows; ``None`` without one, or where one is refuted."""
    claims = [Claim.from_dict(values) for values in report.ledger]
    if not claims or any(_refuted(report, claim) for claim in claims):
        return None
    bounds = [_allowed(claim) for claim in claims]
    return Bound(max(bound.auc for bound in bounds), max(bound.tpr for bound in bounds))


def promise(report: AuditReport, policy: Policy) -> Check | None:
    """Return the check of the weakest claim; nothing where there is none, and none is asked for."""
    claims = [Claim.from_dict(values) for values in report.ledger]
    limit, why = (None, "") if policy.epsilon is None else (policy.epsilon.value, policy.epsilon.why)
    if not claims:
        if not policy.epsilon_required:
            return None
        reason = (
            f"The policy asks for differential privacy with ε of at most {limit:g}; nothing was promised of this twin."
        )
        return Check("epsilon", QUESTION, FAIL, reason, limit=limit, why=why)
    claim = max(claims, key=lambda one: one.epsilon)
    refuted = next((text for one in claims if (text := _refuted(report, one))), "")
    stated = f"({claim.epsilon:g}, {claim.delta:g})-differential privacy of {claim.ledger.unit}s is claimed"
    if refuted:
        outcome, reason = FAIL, f"{stated}, and refuted: {refuted}. Do not release."
    elif limit is not None and claim.epsilon > limit:
        outcome = FAIL if policy.epsilon_required else REVIEW
        reason = (
            f"{stated}, which promises less than an ε of {limit:g} that the policy asks for; judge it by the attacks."
        )
    else:
        tested = "no attack has refuted it" if report.red_team is not None else "no attack was run against it"
        allowed = "" if limit is None else f"; the policy allows ε up to {limit:g}"
        outcome, reason = PASS, f"{stated}{allowed}, and {tested}."
    return Check("epsilon", QUESTION, outcome, reason, claim.epsilon, None, limit, why=why)


def _allowed(claim: Claim) -> Bound:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)
        most = ceiling(Budget(claim.epsilon, claim.delta))
    if all(query.mechanism == GAUSSIAN for query in claim.ledger.queries):
        return Bound(most.auc, most.tpr)
    return Bound(most.auc_any, most.tpr_any)


def _refuted(report: AuditReport, claim: Claim) -> str:
    """Return how an attack refutes a claim, or nothing.

    Where controls failed, attacks may have seen something other than membership, and refute nothing.
    """
    red_team = report.red_team
    if red_team is None or any(one.passed is False and one.name != "positive" for one in red_team.controls):
        return ""
    certified = [one.epsilon_lower for one in red_team.headlines if math.isfinite(one.epsilon_lower)]
    if certified and max(certified) > claim.epsilon:
        return f"an attack certifies an ε of at least {told(max(certified), claim.epsilon)} at 95 % confidence"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)
        most = ceiling(Budget(claim.epsilon, claim.delta)).auc_any
    reached = max((one.auc_ci[0] for one in red_team.headlines), default=0.0)
    if reached > most:
        return f"an attack reaches an AUC of at least {told(reached, most)}, and the claim allows {told(most, reached)}"
    return ""
