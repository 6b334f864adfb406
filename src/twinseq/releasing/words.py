"""What is said in plain words in a release: its README, and the notes on how far the audit reaches."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..results import AuditReport
from ..terminal import clean

WIDTH = 96
OUTCOMES = {
    "pass": "PASSED",
    "review": "NEEDS A REVIEW",
    "fail": "FAILED",
    "inconclusive": "INCONCLUSIVE: too few donors to tell",
}
ADVICE = {
    "pass": "The policy is met. Whether the twin leaves is still the committee's decision, not the program's.",
    "review": "Nothing in the policy is broken, but somebody who knows the cohort has to look at what is listed below.",
    "fail": "The policy is not met. The twin should not leave under it.",
    "inconclusive": "The audit cannot tell. Treat the twin as unsafe to share: absence of evidence is no evidence.",
}
LEAVING = {
    "pass": "May leave, if the committee says so",
    "review": "May leave, if the committee says so after a review",
    "fail": "The twin and its papers, which stay inside: the policy is not met",
}
UNDECIDED = "The twin and its papers, which stay inside: the audit cannot tell"
LARGER = (
    "The audit's twins are made of a third of the donors each, the released twin of all. With more donors each one "
    "weighs less: as a rule, attacks on the released twin do worse, and its figures are better. Neither was measured."
)
PRIVATE = (
    "Each fit of a private generator spends budget. The fits of the audit are not in the ledger, since their twins "
    "never leave; the ledger counts the released twin only.",
    "The verdict, the figures and the outcome on the data sheet were computed from the real donors without noise. That "
    "they are made known is not covered by the guarantee. Where that matters, keep them inside, and release the twin "
    "and its claim only.",
    "The noise of privacy hangs on no seed: the same command gives another twin, and spends budget again.",
)


def notes(private: bool, choice: str) -> list[str]:
    """Return what a reader of the verdict has to know of the audit behind it."""
    return [choice, LARGER, *(PRIVATE if private else ())]


def leaving(outcome: str) -> str:
    """Return what to write over the twin and its papers: whether they may leave hangs on the verdict."""
    return LEAVING.get(outcome, UNDECIDED)


def readme(
    report: AuditReport,
    outgoing: Sequence[str],
    inside: Mapping[str, str],
    made: Sequence[str],
    notes: Sequence[str],
    limits: Sequence[str],
) -> str:
    """Return the README of a release.

    Parameters
    ----------
    report
        The audit with its verdict.
    outgoing
        Names of the files that may leave where verdict and committee say so.
    inside
        Name to what it is, of files that stay.
    made
        Sentences on how the twin was made.
    notes
        How far the audit reaches.
    limits
        What the twin is not good for.
    """
    verdict = report.verdict
    outcome = str(verdict["outcome"])
    policy = f" under the policy '{verdict['policy']}' ({verdict.get('title', '')})" if verdict.get("policy") else ""
    parts = [
        "A TWIN, AND WHAT IS KNOWN OF IT",
        _paragraph(_origin(report.provenance)),
        _paragraph(f"Verdict{policy}: {OUTCOMES.get(outcome, outcome.upper())}."),
        _paragraph(ADVICE.get(outcome, "No policy was applied; read the report before anything leaves.")),
        _list(verdict.get("reasons", ())),
        leaving(outcome).upper(),
        _list(outgoing),
        "STAYS INSIDE, WHATEVER THE VERDICT",
        _list(f"{name}: {what}" for name, what in inside.items()),
        "HOW THE TWIN WAS MADE",
        _list(made),
        "HOW FAR THE AUDIT REACHES",
        _list(notes),
        "WHAT THE TWIN IS NOT FOR",
        _list(limits),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _origin(provenance: Mapping[str, Any]) -> str:
    """Say when the twin was made, and of what; the README stays with the cohort."""
    cohort = provenance["cohorts"]["cohort"]
    origin = cohort.get("file") or cohort.get("name")
    of = f"{cohort['donors']:,} donors" + (f" in {origin}" if origin else "")
    return f"Made on {provenance['created']} of {of}. Sums of what went in are in metrics.json."


def _paragraph(text: object) -> str:
    return textwrap.fill(clean(str(text)), WIDTH, break_long_words=False, break_on_hyphens=False)


def _list(items: Iterable[object]) -> str:
    lines = [
        textwrap.fill(
            clean(str(item)), WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False,
            break_on_hyphens=False,
        )
        for item in items
    ]  # fmt: skip
    return "\n".join(lines)
