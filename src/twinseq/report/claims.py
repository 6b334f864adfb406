"""What was promised of the twin, in words: the guarantee, what it rests on, and whether an attack has refuted it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..dp.claims import Claim
from ..results import AuditReport
from .text import count, number, shown

TITLE = "What is promised: differential privacy"
MEANING = (
    "With or without all samples of any one {unit}, the chance of any twin changes by a factor of at most {factor}, "
    "but for a probability of {delta}. Attacks cannot be better than that, whatever the attacker knows; and the "
    "promise is only as good as the code and the assumptions below."
)


@dataclass(frozen=True)
class Promise:
    """The guarantee of one twin, all of it plain text.

    Parameters
    ----------
    headline, meaning
        The guarantee, and what it says.
    tone, tested
        CSS class, and what the attacks of this audit say of it.
    queries
        What was asked of the data: question, mechanism, noise.
    public
        What was taken to be public.
    """

    headline: str
    meaning: str
    tone: str
    tested: str
    queries: tuple[tuple[str, str, str], ...]
    public: tuple[str, ...]


def promises(report: AuditReport) -> tuple[Promise, ...]:
    """Return the guarantees in the report; none for a twin without."""
    return tuple(_promise(Claim.from_dict(values), report) for values in report.ledger)


def _promise(claim: Claim, report: AuditReport) -> Promise:
    unit = shown(claim.ledger.unit, 20)
    factor = math.exp(claim.epsilon)
    meaning = MEANING.format(unit=unit, factor=number(factor), delta=number(claim.delta))
    found = _certified(report)
    if report.red_team is None:
        tone, tested = "open", "No attack was run against it in this audit."
    elif found > claim.epsilon:
        tone = "fail"
        tested = f"Refuted: an attack certifies ε of at least {number(found, 2)}, at 95 % confidence. Do not release."
    else:
        tone = "pass"
        least = f"they certify an ε of at least {number(found, 2)}" if found > 0 else "they certify no loss of privacy"
        tested = f"No attack of this audit refutes it: {least}. This is a test, not a proof."
    queries = tuple(
        (
            shown(query.measured, 120),
            shown(query.mechanism, 40) + (f", {count(query.times)} times" if query.times > 1 else ""),
            f"{number(query.multiplier)} × sensitivity",
        )
        for query in claim.ledger.queries
    )
    return Promise(
        f"ε = {claim.epsilon:g}, δ = {claim.delta:g} for each {unit}, by {shown(claim.generator, 40)}",
        meaning,
        tone,
        tested,
        queries,
        tuple(shown(text, 200) for text in claim.ledger.public),
    )


def _certified(report: AuditReport) -> float:
    """Return the largest lower bound of ε that the strongest attack of a level certifies."""
    bounds = [] if report.red_team is None else [headline.epsilon_lower for headline in report.red_team.headlines]
    return max((float(bound) for bound in bounds if math.isfinite(bound)), default=0.0)
