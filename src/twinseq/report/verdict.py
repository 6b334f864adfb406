"""The verdict in words: how it ended, why, and each check of the policy with its figure, its limit and its reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..results import AuditReport
from .text import DASH, count, is_number, number, shown

FIRST = 3
"""Reasons on the first page; the rest stand under "In short"."""


@dataclass(frozen=True)
class Check:
    """One check of the policy; all fields are plain text.

    Parameters
    ----------
    question, found, interval, limit
        What was asked, the twin's figure with its 95 % interval, and what the policy allows.
    tone, outcome
        CSS class and word.
    reason
        How the figure stands to the limit; it stands in for both where there is neither.
    why, more
        Why the limit lies there: the first sentence, and the rest.
    """

    question: str
    found: str
    interval: str
    limit: str
    tone: str
    outcome: str
    reason: str
    why: str
    more: str

    @property
    def told(self) -> bool:
        """Whether there are only words to show."""
        return self.found == DASH and self.limit == DASH and bool(self.reason)


@dataclass(frozen=True)
class Verdict:
    """The verdict as the first page shows it; all fields are plain text.

    Parameters
    ----------
    tone
        CSS class: ``pass``, ``review``, ``fail``, ``inconclusive`` or ``open``.
    headline, meaning
        The outcome in a word or two, and what it says.
    under, policy
        Whose verdict it is, and name and title of the policy, where one was applied.
    reasons, further
        The first three reasons, and the others.
    checks
        The checks of the policy in its order.
    """

    tone: str
    headline: str
    meaning: str
    under: str
    policy: str
    reasons: tuple[str, ...]
    further: tuple[str, ...]
    checks: tuple[Check, ...]


# By outcome of a policy, or of the attacks alone: CSS class, headline, what it says.
OUTCOMES = {
    "pass": ("pass", "Pass", "Every check of the policy is met."),
    "review": ("review", "Review", "Nothing rules the release out, but a person has to look at it and decide."),
    "fail": ("fail", "Fail", "The policy does not allow this twin to be released."),
    "inconclusive": ("inconclusive", "Inconclusive", "This audit cannot tell; that is no evidence of safety."),
    "leak": ("fail", "Leak found", "Attackers can tell who was in the training data."),
    "no leak found": ("pass", "No leak found", "None that these attacks could see with so many donors."),
}
UNJUDGED = ("open", "Not judged", "")
CHECKED = {"pass": "pass", "review": "review", "fail": "fail", "inconclusive": "inconclusive"}


def verdict(report: AuditReport, kept: str = "") -> Verdict:
    """Return the verdict; without attacks there is none.

    Parameters
    ----------
    report
        What an audit found.
    kept
        A sentence on what the twin keeps. Without a policy it follows the reasons, since whoever decides has to weigh
        the two.
    """
    given = report.verdict
    policy = _policy(given)
    outcome = str(given.get("outcome") or "not judged").replace("_", " ")
    tone, headline, meaning = OUTCOMES.get(outcome, UNJUDGED)
    if outcome not in OUTCOMES:
        if report.red_team is None:
            headline = "Not judged: no attacks run"
        elif outcome != "not judged":
            headline = f"Not judged: {shown(outcome)}"
    reasons = given.get("reasons") or ()
    reasons = (reasons,) if isinstance(reasons, str) else tuple(reasons)
    said = [_sentence(reason) for reason in reasons if str(reason).strip(". ").lower() not in headline.lower()]
    if not policy and report.red_team is not None and kept and len(said) < FIRST:
        said.append(kept)
    return Verdict(
        tone=tone,
        headline=headline,
        meaning=meaning,
        under="Policy" if policy else "No policy was applied",
        policy=policy,
        reasons=tuple(said[:FIRST]),
        further=tuple(said[FIRST:]),
        checks=tuple(_check(check) for check in given.get("checks") or ()),
    )


def _policy(given: Mapping[str, Any]) -> str:
    """Return name and title of the policy, or nothing where none was applied."""
    if not given.get("policy"):
        return ""
    name, title = f"“{shown(given['policy'], 60)}”", shown(given.get("title") or "", 160)
    return f"{name}: {title[:1].lower()}{title[1:]}" if title else name


def _sentence(reason: object) -> str:
    """Return a reason as a sentence: a capital at the head, a full stop at the end."""
    text = shown(reason, 480).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".") if text else DASH


def _check(check: Mapping[str, Any]) -> Check:
    outcome = str(check.get("outcome") or "").replace("_", " ")
    value, limit, interval = check.get("value"), check.get("limit"), check.get("interval") or ()
    figures = [figure for figure in (value, limit, *interval) if is_number(figure)]
    # An AUC of 1 among others with decimals is 1.000; a number of donors or of copies has none.
    written = count if all(float(figure).is_integer() for figure in figures) else number
    ends = [written(end) for end in interval] if len(interval) == 2 and all(map(is_number, interval)) else []
    # A sentence ends before a capital or a number; what is cut wrongly still follows on.
    first, *rest = re.split(r"(?<=[.!?])\s+(?=[A-Z0-9])", shown(check.get("why") or "", 800), maxsplit=1)
    return Check(
        question=shown(check.get("question") or check.get("key") or "", 200),
        found=written(value) if is_number(value) else DASH,
        interval=" to ".join(ends),
        limit=f"{shown(check.get('direction') or 'at most', 12)} {_stated(limit)}" if is_number(limit) else DASH,
        tone=CHECKED.get(outcome, "open"),
        outcome=CHECKED.get(outcome) or shown(outcome or "not judged", 30),
        reason=_sentence(check["reason"]) if check.get("reason") else "",
        why=_sentence(first) if first else "",
        more=_sentence(*rest) if rest else "",
    )


def _stated(limit: float) -> str:
    """Return a limit as its author wrote it, with two decimals at least where it is no whole number."""
    if float(limit).is_integer():
        return count(limit)
    whole, point, decimals = number(limit).partition(".")
    return whole + point + decimals[:2] + decimals[2:].rstrip("0")
