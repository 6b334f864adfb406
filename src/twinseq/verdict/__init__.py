"""What follows from an audit under a policy: checks, the outcome, the reasons.

How uncertainty counts. A limit on what attackers reach is *met* where the whole interval lies within it. It is *broken*
where the whole interval lies beyond, or where the figure does and the attack is sure to see members (p at most 0.025,
corrected for all attacks tried); a leak that is clear counts however few donors there are. Between the two the outcome
is *review* if attackers do see something, and *inconclusive* if they do not: then there were too few donors to show
more. A demand on fidelity is met by the figure itself, broken where its whole interval falls short, and for review
between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..results import AuditReport
from .attacked import attacked
from .check import INCONCLUSIVE, PASS, SEVERITY, Check, Outcome
from .copies import copies
from .fidelity import fidelity
from .promise import promise
from .size import donors

if TYPE_CHECKING:
    from ..policy import Policy

__all__ = ["Check", "checks_of", "outcome_of", "reasons_of"]


def checks_of(report: AuditReport, policy: Policy) -> tuple[Check, ...]:
    """Return what a policy asks of an audit, answered; what the twin gives away first."""
    safety = (*attacked(report, policy), copies(report, policy), promise(report, policy), donors(report, policy))
    return (*(check for check in safety if check is not None), *fidelity(report, policy))


def outcome_of(checks: Sequence[Check]) -> Outcome:
    """Return the gravest outcome of the checks that count; of none, nothing follows."""
    found = {check.outcome for check in checks if check.counts}
    return next((outcome for outcome in SEVERITY if outcome in found), INCONCLUSIVE)


def reasons_of(checks: Sequence[Check]) -> list[str]:
    """Return the reasons of all checks, those that decide first.

    Where all passed, the strongest attack and the first figure of fidelity lead: the two halves of why.
    """
    first = [next((check for check in checks if check.of_fidelity is half), None) for half in (False, True)]
    decided = outcome_of(checks)

    def rank(check: Check) -> tuple[bool, int, bool]:
        leads = decided == PASS and check in first
        return not check.counts, SEVERITY.index(check.outcome), not leads

    return list(dict.fromkeys(check.reason for check in sorted(checks, key=rank)))
