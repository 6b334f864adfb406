"""What may be concluded from headlines, controls and power, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..results import Control, Headline, RedTeam

FEWEST = 10
"""Members and non-members below which nothing is concluded."""
WIDEST = 0.1
"""Half-width of the interval of an AUC of 0.5 above which the absence of a leak is not concluded."""


def judge(
    headlines: Sequence[Headline], controls: Sequence[Control], power: Mapping[str, Any]
) -> tuple[str, tuple[str, ...]]:
    """Return the outcome and the sentences that justify it."""
    failed = [control for control in controls if control.passed is False]
    if failed:
        names = ", ".join(control.name for control in failed)
        return "not judged", (
            f"control(s) failed: {names}; what the attacks report may be due to something other than membership, "
            "such as a batch that members and non-members do not share",
        )
    if not headlines:
        return "not judged", ("no attack could be measured",)
    n, m = power["n_members"], power["n_nonmembers"]
    reach = (
        f"with {n} members and {m} non-members a perfect attack could certify an ε of {power['largest_epsilon']:.1f} "
        f"at most, and an AUC is known to ±{power['auc_half_width']:.2f}"
    )
    if min(n, m) < FEWEST:
        return "inconclusive", (f"fewer than {FEWEST} members or non-members", reach)
    leaking = [headline for headline in headlines if headline.leaks]
    if leaking:
        worst = max(leaking, key=lambda headline: headline.auc)
        p = "p < 0.001" if worst.p_value < 0.001 else f"p = {worst.p_value:.2g}"
        return "leak", (
            f"{worst.attack.replace('_', ' ')} at level {worst.level} tells members from non-members with an AUC of "
            f"{worst.auc:.2f} ({p}, corrected for {worst.n_tried} attacks and settings)",
        )
    if power["auc_half_width"] > WIDEST:
        return "inconclusive", ("no attack succeeded, but too few donors took part to conclude anything", reach)
    return "no leak found", (
        f"none of {max(headline.n_tried for headline in headlines)} attacks and settings tells members from "
        "non-members better than chance would",
        reach,
    )


def not_judged() -> RedTeam:
    """Return what is said where there is no hold-out."""
    return RedTeam(
        mode="artefact",
        outcome="not judged",
        reasons=(
            "membership cannot be judged without a hold-out: there is nobody to tell the members from",
            "set donors aside with `twinseq split` before the twin is made, and hand them in with --holdout; or audit "
            "the procedure with `twinseq audit REAL --generator NAME`, which makes its own",
        ),
    )
