"""Whether attackers stay within what a policy allows: AUC, members named at few false alarms, groups, controls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..attacks import LEVELS
from ..errors import shorten
from ..results import AttackResult, AuditReport, Headline, RedTeam
from .check import FAIL, INCONCLUSIVE, PASS, REVIEW, Check, Interval, Outcome, told
from .promise import Bound, bound_of

if TYPE_CHECKING:
    from ..policy import Limit, Policy

CONTROLS = ("null", "positive", "negative")
CONTROLS_WHY = (
    "An audit that sees leaks where there are none, or none where there is one, says nothing; no policy can do without."
)
AT_ONE = "0.01"
MOST_NEEDED = 20_000
"""Donors beyond which it is no use to say how many would be needed."""


@dataclass(frozen=True)
class Evidence:
    """What is known of attackers of the level that a policy names.

    Parameters
    ----------
    headline
        The strongest attack of the highest level played, up to that level; ``None`` where there is none.
    missing
        Why there is none.
    withheld
        Controls that failed in such a way that success of an attack may be due to something else than membership.
    blind
        Whether the attacks missed a twin that copies its training samples.
    unplayed
        What was not played of the level that the policy names, and how to have it played.
    chosen
        Whether only some attacks were run.
    red_team
        All that was found.
    promised
        What a guarantee allows any attacker, where there is one.
    """

    headline: Headline | None
    missing: str
    withheld: tuple[str, ...]
    blind: bool
    unplayed: str
    chosen: bool
    red_team: RedTeam | None
    promised: Bound | None

    @classmethod
    def of(cls, report: AuditReport, level: str) -> Evidence:
        """Gather what bears on attackers of ``level``."""
        red_team = report.red_team
        found = [one for one in (red_team.headlines if red_team else ()) if one.level <= level]
        headline = max(found, key=lambda one: one.level) if found else None
        failed = tuple(one.name for one in report.controls if one.passed is False)
        return cls(
            headline=headline,
            missing="" if headline else _missing(red_team, level),
            withheld=tuple(name for name in failed if name != "positive"),
            blind="positive" in failed,
            unplayed=_unplayed(report, headline, level),
            chosen=bool(report.provenance.get("attacks")),
            red_team=red_team,
            promised=bound_of(report),
        )


def attacked(report: AuditReport, policy: Policy) -> list[Check]:
    """Return the checks on attackers."""
    evidence = Evidence.of(report, policy.attacker)
    checks = []
    if policy.auc is not None:
        checks.append(_auc(evidence, policy.auc))
    if policy.tpr_at_1 is not None:
        checks.append(_tpr(evidence, policy.tpr_at_1, policy.attacker))
    if policy.groups is not None and (groups := _groups(evidence, policy.groups)) is not None:
        checks.append(groups)
    if checks:
        checks.append(_controls(report))
    return checks


def _auc(evidence: Evidence, limit: Limit) -> Check:
    question = "Can attackers tell who was in the training data?"
    if evidence.headline is None:
        return Check("auc", question, INCONCLUSIVE, evidence.missing, limit=limit.value, why=limit.why)
    strongest = evidence.headline
    value, interval = strongest.auc, strongest.auc_ci
    outcome = _bounded(value, interval, limit.value, strongest.leaks)
    low, high = (told(end, limit.value) for end in interval)
    figure = (
        f"{_who(strongest.level)} tells members from outsiders with an AUC of {told(value, limit.value)} ({low} to "
        f"{high}; {_spoken(strongest.attack)}), where 0.5 is a coin flip and the policy allows {limit.value:.2f}"
    )
    promised = None if evidence.promised is None else evidence.promised.auc
    outcome, reason = _weighed(evidence, outcome, figure, value, interval, limit.value, promised)
    return Check("auc", question, outcome, reason, value, interval, limit.value, why=limit.why)


def _tpr(evidence: Evidence, limit: Limit, level: str) -> Check:
    question = "How many members can attackers name at 1 false alarm in 100?"
    asked: dict[str, Any] = {"limit": limit.value, "why": limit.why}
    strongest = evidence.headline
    if strongest is None or strongest.tpr_at_fpr.get(AT_ONE) is None or strongest.tpr_ci.get(AT_ONE) is None:
        reason = evidence.missing or "The share of members named at 1 false alarm in 100 was not measured."
        return Check("tpr_at_1", question, INCONCLUSIVE, reason, **asked)
    attack, value, interval = strongest.attack, strongest.tpr_at_fpr[AT_ONE], strongest.tpr_ci[AT_ONE]
    worse = _names_most(evidence.red_team, level, limit.value)
    if worse is not None:
        # The strongest by AUC is not always the one that is surest of a few.
        attack, value, interval = worse.name, worse.tpr_at_fpr[AT_ONE], worse.tpr_ci[AT_ONE]
    outcome = _bounded(value, interval, limit.value, strongest.leaks)
    low, high, most = (f"{100 * share:.0f}" for share in (*interval, limit.value))
    figure = (
        f"At 1 false alarm in 100, {_spoken(attack)} names {100 * value:.0f} of 100 members ({low} to {high}), where "
        f"guessing names 1 and the policy allows {most}"
    )
    promised = None if evidence.promised is None else evidence.promised.tpr
    outcome, reason = _weighed(evidence, outcome, figure, value, interval, limit.value, promised)
    return Check("tpr_at_1", question, outcome, reason, value, interval, **asked)


def _names_most(red_team: RedTeam | None, level: str, limit: float) -> AttackResult | None:
    """Return the attack that is sure to name more members than allowed, the surest of them."""
    sure = [
        one
        for one in (red_team.attacks if red_team else ())
        if one.level <= level and one.status == "measured" and one.tpr_ci.get(AT_ONE, (0.0, 0.0))[0] > limit
    ]
    return max(sure, key=lambda one: one.tpr_ci[AT_ONE][0]) if sure else None


def _bounded(value: float, interval: Interval, limit: float, clear: bool) -> Outcome:
    """Return what follows from a figure with a limit; ``clear``: attackers are sure to see something."""
    low, high = interval
    if low > limit or (clear and value > limit):
        return FAIL
    if high <= limit:
        return PASS
    return REVIEW if clear else INCONCLUSIVE


def _weighed(
    evidence: Evidence, outcome: Outcome, figure: str, value: float, interval: Interval, limit: float,
    promised: float | None,
) -> tuple[Outcome, str]:  # fmt: skip
    """Return the outcome in the light of controls, of attackers that were not played and of a guarantee; in words."""
    if evidence.withheld:
        return INCONCLUSIVE, (
            f"{figure}; but the {' and '.join(evidence.withheld)} control failed, so this may be due to something "
            "other than membership, such as a batch that members and outsiders do not share."
        )
    if outcome == FAIL:
        return FAIL, f"{figure}."
    if evidence.blind:
        return INCONCLUSIVE, f"{figure}; but the attacks missed even a twin that copies its training samples."
    if outcome == PASS and evidence.unplayed:
        known = evidence.headline is not None and evidence.headline.level != "T0" and not evidence.chosen
        return (REVIEW if known else INCONCLUSIVE), f"{figure}. But {evidence.unplayed}"
    if outcome == PASS:
        sees = evidence.headline is not None and evidence.headline.leaks
        return PASS, f"{figure}.{' Attackers do see something, within what is allowed.' if sees else ''}"
    if promised is not None and promised <= limit:
        return PASS, (
            f"{figure}. The audit alone cannot show that it holds, with too few donors; the guarantee of differential "
            f"privacy does: it holds any attacker to {promised:.2f}, and no attack has refuted it."
        )
    if outcome == REVIEW:
        return REVIEW, (
            f"{figure}. Attackers do see something; that it stays within the limit is likely, and not shown."
        )
    return (
        INCONCLUSIVE,
        f"{figure}. No attack is sure to see anything, but {_lacking(evidence, value, interval, limit)}",
    )


def _lacking(evidence: Evidence, value: float, interval: Interval, limit: float) -> str:
    """Say that there are too few donors, and where it can be reckoned, how many would do."""
    power = {} if evidence.red_team is None else evidence.red_team.power
    members, others = power.get("n_members"), power.get("n_nonmembers")
    if not members or not others:
        return "there were too few donors to show that the limit holds."
    few = f"{members:,} members and {others:,} outsiders are too few to show that the limit holds."
    if limit - value <= 0:
        return few
    # Intervals shrink as the root of the number of donors.
    needed = min(members, others) * ((interval[1] - value) / (limit - value)) ** 2
    if not needed < MOST_NEEDED:
        return few
    step = 10 ** max(1, int(math.log10(needed)) - 1)
    return f"{few} About {math.ceil(round(needed / step, 6)) * step:,} of each would do, were the figure the same."


def _groups(evidence: Evidence, limit: Limit) -> Check | None:
    """Return whether any class or level of a covariate stands out; nothing where none was large enough to look at."""
    rows = [row for row in (evidence.red_team.subgroups if evidence.red_team else ()) if row.get("auc_ci")]
    if not rows or evidence.withheld:
        return None
    question = "Is any group of donors given away more than the rest?"
    above = [row for row in rows if row["auc_ci"][0] > limit.value]
    worst = max(above, key=lambda row: row["auc_ci"][0]) if above else max(rows, key=lambda row: row["auc"])
    low, high = worst["auc_ci"]
    figure = (
        f"{shorten(worst['column'], 40)} = {shorten(worst['group'], 40)}: AUC {told(worst['auc'], limit.value)} "
        f"({told(low, limit.value)} to {told(high, limit.value)}), {worst['n_members']} members"
    )
    if above:
        outcome = REVIEW
        reason = f"A group is given away more than the policy allows ({limit.value:.2f}): {figure}."
    else:
        outcome, reason = PASS, f"No group is sure to be given away beyond {limit.value:.2f}; the highest: {figure}."
    return Check("groups", question, outcome, reason, worst["auc"], (low, high), limit.value, why=limit.why)


def _controls(report: AuditReport) -> Check:
    question = "Do the attacks see what is known to be there, and nothing else?"
    made = {control.name: control for control in report.controls}
    failed = [name for name in made if made[name].passed is False]
    lacking = [name for name in CONTROLS if name not in made or made[name].passed is None]
    if failed:
        outcome: Outcome = INCONCLUSIVE
        expected = "; ".join(made[name].expected for name in failed)
        names = ", ".join(failed)
        reason = f"Control failed ({names}), so what the attacks say is not to be relied on. Expected: {expected}."
    elif len(lacking) == len(CONTROLS):
        outcome, reason = INCONCLUSIVE, "No control was made: whether attacks can be relied on is not known."
    elif lacking:
        notes = "; ".join(dict.fromkeys(made[name].note for name in lacking if name in made and made[name].note))
        outcome = REVIEW
        reason = f"Not all controls could be made: {', '.join(lacking)}{f' ({notes})' if notes else ''}."
    else:
        outcome, reason = PASS, "The three controls (null, positive, negative) came out as they must."
    return Check("controls", question, outcome, reason, why=CONTROLS_WHY)


def _missing(red_team: RedTeam | None, level: str) -> str:
    if red_team is None:
        return "No attack was run, so nothing is known of what the twin gives away."
    if not red_team.attacks and red_team.reasons:
        return f"What attackers find out could not be measured: {red_team.reasons[0]}."
    return f"No attack up to level {level} could be measured."


def _unplayed(report: AuditReport, headline: Headline | None, level: str) -> str:
    """Say what of a level was not played, and how to have it played."""
    chosen = report.provenance.get("attacks", ())
    wanted = {one for one in LEVELS if one <= level}
    if headline is None:
        return ""
    if chosen and not wanted <= set(chosen) <= set(LEVELS):
        return f"only some attacks were run, by choice ({', '.join(chosen)}); the policy asks for all."
    played = headline.level
    if played == level:
        return ""
    if played == "T0":
        return "only attackers of level T0 were played: the audit had no reference cohort for others (--reference)."
    if level == "T3":
        return f"attackers of level {played} were played at most: the audit was not given the fitted model (--model)."
    return (
        f"attackers of level {played} were played at most: the audit was not told what made the twin (--generator), "
        "and whoever gets it may know."
    )


def _who(level: str) -> str:
    held = {str(name): words for name, words in LEVELS.items()}.get(level)
    return f"An attacker with {held} (level {level})" if held else f"An attacker of level {level}"


def _spoken(attack: str) -> str:
    return attack.replace("_", " ")
