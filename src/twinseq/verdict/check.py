"""One question that a policy asks of an audit, and its answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["fail", "inconclusive", "review", "pass"]
FAIL: Outcome = "fail"
INCONCLUSIVE: Outcome = "inconclusive"
REVIEW: Outcome = "review"
PASS: Outcome = "pass"
SEVERITY: tuple[Outcome, ...] = (FAIL, INCONCLUSIVE, REVIEW, PASS)
"""The gravest first."""
Interval = tuple[float, float]


@dataclass(frozen=True)
class Check:
    """One question and its answer.

    Parameters
    ----------
    key, question
        Its name, and what is asked.
    outcome, reason
        What follows, and the number and the limit in words.
    value, interval
        The number and its 95 % interval, where there are such.
    limit, direction
        What the policy asks for: ``"at most"`` or ``"at least"``.
    why
        Why the limit is where it is.
    of_fidelity
        Whether it asks what the twin is good for; else, what it gives away.
    counts
        Whether the outcome bears on the verdict: a figure that the data cannot give does not where others can.
    """

    key: str
    question: str
    outcome: Outcome
    reason: str
    value: float | None = None
    interval: Interval | None = None
    limit: float | None = None
    direction: str = "at most"
    why: str = ""
    of_fidelity: bool = False
    counts: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the check as it stands in ``metrics.json``."""
        values = asdict(self)
        del values["of_fidelity"], values["counts"]
        return values


def told(value: float, *others: float) -> str:
    """Return a number in two decimals, or in as many (up to four) as tell it from all ``others``."""
    for digits in (2, 3, 4):
        text = f"{value:.{digits}f}"
        if all(other == value or f"{other:.{digits}f}" != text for other in others):
            break
    return text
