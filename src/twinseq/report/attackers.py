"""What attackers can find out, in words: for each threat level, the outcome, the power of the audit, its controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..attacks import LEVELS
from ..results import AuditReport, Control, Headline, RedTeam
from .attack_tables import AttackRow, Detail, LevelTable, Unmeasured, details, level_tables, unmeasured
from .figures._figure import Figure
from .figures.attack_roc import attack_roc
from .questions import spoken
from .text import count, is_number, number, shown

TITLE = "What attackers can find out"
LEADS = {
    "artefact": "This one twin was attacked, as anyone could who gets hold of it.",
    "procedure": "The generator was fitted again on several partitions of the cohort, and each of its twins attacked: "
    "the figures are those of the procedure, whichever twin it makes.",
}
GAME = (
    "An attacker holds the profile of a person and guesses whether that person is a member, one of those the twin was "
    "made from. Wrongly accusing someone else is a false alarm."
)
AUC = (
    "AUC: shown one member and one other person, how often the attacker points at the member. "
    "0.5 is a coin flip, 1 is always right. Intervals are 95\xa0%."
)
OUTCOMES = {
    "leak": ("fail", "Leak: attackers can tell who was in the training data"),
    "no leak found": ("pass", "No leak found"),
    "inconclusive": ("inconclusive", "Inconclusive: too few donors to tell"),
    "not judged": ("open", "Not judged"),
}
CONTROLS = {
    "null": "Null: members against members",
    "positive": "Positive: a twin that copies its training samples",
    "negative": "Negative: a twin made from other donors",
}
WITHHELD = (
    "A control failed, so the audit withholds its verdict: it did not find what is known to be so, and what it says "
    "of attackers cannot be relied on."
)
READABLE = 100
"""Non-members from which on one false alarm in a hundred is a number of people."""


@dataclass(frozen=True)
class Told:
    """What the strongest attacker of one level can do: who, what, and the figures behind it."""

    who: str
    did: str
    figures: str

    def __str__(self) -> str:
        return f"{self.who} {self.did} ({self.figures})."


@dataclass(frozen=True)
class ControlRow:
    """One control: what was expected, what came out, and ``passed``, ``failed`` or ``not made``."""

    name: str
    title: str
    expected: str
    found: str
    note: str
    result: str

    @property
    def tone(self) -> str:
        """CSS class of the result."""
        return {"passed": "pass", "failed": "fail"}.get(self.result, "open")


@dataclass(frozen=True)
class Attackers:
    """The section on attackers, all of it plain text.

    Parameters
    ----------
    lead, warning
        What was done; what is wrong with it, if anything.
    sentences, notes
        One sentence a threat level, and how to read them.
    tone, outcome, reasons
        CSS class, outcome and why.
    power
        What the audit could have seen at all.
    controls, figures
        The controls, and the drawing.
    levels, not_measured
        All attacks, those with figures by level and those without.
    details
        Short tables: subgroups, partial knowledge, attributes, linkability, exposure.
    """

    lead: tuple[str, ...]
    warning: str
    sentences: tuple[Told, ...]
    notes: tuple[str, ...]
    tone: str
    outcome: str
    reasons: tuple[str, ...]
    power: str
    controls: tuple[ControlRow, ...]
    figures: tuple[Figure, ...]
    levels: tuple[LevelTable, ...]
    not_measured: tuple[Unmeasured, ...]
    details: tuple[Detail, ...]

    @property
    def all_rows(self) -> tuple[AttackRow, ...]:
        """All measured attacks in the order of the page."""
        return tuple(row for level in self.levels for row in level.first + level.further)


def attackers(report: AuditReport) -> Attackers | None:
    """Return the section, or ``None`` where no attacks were run."""
    red_team = report.red_team
    if red_team is None:
        return None
    tone, outcome = outcome_words(red_team.outcome)
    figure = attack_roc(report.tables, red_team)
    return Attackers(
        lead=(GAME, LEADS[red_team.mode]) if red_team.headlines and red_team.mode in LEADS else (GAME,),
        warning=WITHHELD if failed_controls(red_team) else "",
        sentences=tuple(sentence(headline, red_team) for headline in by_level(red_team)),
        notes=notes(red_team),
        tone=tone,
        outcome=outcome,
        # The verdict at the head of the page has most of them already.
        reasons=tuple(shown(reason, 400) for reason in red_team.reasons if reason not in report.verdict["reasons"]),
        power=power(red_team.power),
        controls=control_rows(red_team),
        figures=() if figure is None else (figure,),
        levels=level_tables(red_team.attacks),
        not_measured=unmeasured(red_team.attacks),
        details=details(red_team),
    )


def outcome_words(outcome: str) -> tuple[str, str]:
    """Return the CSS class and the words of an outcome."""
    return OUTCOMES.get(outcome, ("open", shown(outcome)))


def by_level(red_team: RedTeam) -> list[Headline]:
    """Return the headlines, those of the attackers who hold least first."""
    return sorted(red_team.headlines, key=lambda headline: headline.level)


def sentence(headline: Headline, red_team: RedTeam) -> Told:
    """Return what the strongest attacker of one level can do."""
    level = shown(headline.level, 20)
    held = {str(name): words for name, words in LEVELS.items()}.get(headline.level)
    who = f"An attacker with {held} (level {level})" if held else f"An attacker of level {level}"
    facts = [f"AUC {auc(headline.auc, headline.auc_ci)}", p_value(headline.p_value), spoken(headline.attack)]
    if not headline.leaks:
        facts.insert(1, "chance is 0.5")
        did = "was not found to tell members from others"
    elif rate := _false_alarms(headline, red_team):
        tpr, alarms = headline.tpr_at_fpr[rate], round(100 * float(rate))
        did = f"names {_of_hundred(tpr)} members at {_alarms(alarms)} in 100, where guessing names {alarms}"
    else:
        did = "tells members from others"
    return Told(who, did, "; ".join(fact for fact in facts if fact))


def _of_hundred(share: float) -> str:
    named = round(100 * share)
    return f"{named} of 100" if named or not share else "fewer than 1 of 100"


def _alarms(number_of: int) -> str:
    return "1 false alarm" if number_of == 1 else f"{number_of} false alarms"


def _false_alarms(headline: Headline, red_team: RedTeam) -> str:
    """Return the false-alarm rate to speak of: 1 %, or 10 % where there are too few to read it at 1 %."""
    others = _others(headline, red_team)
    wanted = ("0.01", "0.1") if others is None or others >= READABLE else ("0.1",)
    return next((rate for rate in wanted if is_number(headline.tpr_at_fpr.get(rate))), "")


def _others(headline: Headline, red_team: RedTeam) -> int | None:
    """Return how many non-members the attack was tried on."""
    key = (headline.level, headline.attack)
    tried = [attack.n_nonmembers for attack in red_team.attacks if (attack.level, attack.name) == key]
    known = next((n for n in tried if n), red_team.power.get("n_nonmembers"))
    return int(known) if is_number(known) else None


def auc(value: float | None, ci: tuple[float, float] | None) -> str:
    """Return an AUC and its interval in two decimals."""
    if ci is None or not all(map(is_number, ci)):
        return number(value, 2)
    return f"{number(value, 2)}, {number(ci[0], 2)} to {number(ci[1], 2)}"


def p_value(value: float) -> str:
    """Return a p-value as it is printed."""
    if not is_number(value):
        return ""
    return "p\xa0<\xa00.001" if value < 0.001 else f"p\xa0=\xa0{number(value, 3 if value < 0.1 else 2)}"


def notes(red_team: RedTeam) -> tuple[str, ...]:
    """Return how to read the sentences on the levels."""
    headlines = by_level(red_team)
    if not headlines:
        return ()
    texts = [AUC]
    if any(headline.n_tried > 1 for headline in headlines):
        tried = ", ".join(f"{count(headline.n_tried)} at {shown(headline.level, 20)}" for headline in headlines)
        texts.append(
            f"Several attacks and settings were tried ({tried}), and each sentence tells of the strongest. Its "
            "interval and p-value account for all that were tried: trying more does not by itself raise them."
        )
    texts.extend(few_others(red_team))
    return tuple(texts)


def few_others(red_team: RedTeam) -> tuple[str, ...]:
    """Return why ten false alarms in a hundred are spoken of and not one, where that is so."""
    few = [n for headline in red_team.headlines if headline.leaks and (n := _others(headline, red_team)) is not None]
    if not few or min(few) >= READABLE:
        return ()
    return (
        f"With only {min(few)} people who are not members, 1 false alarm in 100 cannot be read well, so 10 in 100 is "
        "given instead.",
    )


def power(facts: Mapping[str, Any]) -> str:
    """Return what this audit could have seen at all, or nothing where it does not say."""
    members, others = facts.get("n_members"), facts.get("n_nonmembers")
    if not (is_number(members) and is_number(others)):
        return ""
    parts = []
    if is_number(epsilon := facts.get("largest_epsilon")):
        parts.append(f"a perfect attack could prove at most ε\xa0=\xa0{number(epsilon, 1)}")
    if is_number(width := facts.get("auc_half_width")):
        parts.append(f"an AUC is known to ±{number(width, 2)}")
    if not parts:
        return ""
    who = f"With {count(members)} members and {count(others)} others"
    return f"{who}, {' and '.join(parts)}. Smaller leaks can go unseen."


def failed_controls(red_team: RedTeam) -> list[str]:
    """Return the names of the controls that failed."""
    return [shown(control.name) for control in red_team.controls if control.passed is False]


def control_rows(red_team: RedTeam) -> tuple[ControlRow, ...]:
    """Return the three controls, also those that were not made, and any others; nothing where there are none."""
    made = {control.name: control for control in red_team.controls}
    if not made:
        return ()
    names = [*CONTROLS, *(name for name in made if name not in CONTROLS)]
    return tuple(_control_row(made.get(name, Control(name, "", None))) for name in names)


def _control_row(control: Control) -> ControlRow:
    found = ""
    if control.auc is not None:
        with_what = ", ".join(part for part in (spoken(control.attack), shown(control.level, 20)) if part)
        found = f"AUC {auc(control.auc, control.auc_ci)}" + (f" ({with_what})" if with_what else "")
    return ControlRow(
        name=shown(control.name),
        title=CONTROLS.get(control.name, shown(control.name)),
        expected=shown(control.expected, 200),
        found=found,
        note=shown(control.note, 300),
        result=control_result(control),
    )


def control_result(control: Control) -> str:
    """Return how a control ended."""
    return {True: "passed", False: "failed", None: "not made"}[control.passed]


def safety(red_team: RedTeam) -> str:
    """Return one sentence for the summary, without its full stop."""
    leaking = [headline for headline in red_team.headlines if headline.leaks]
    see = f"see “{TITLE}”"
    if red_team.outcome == "leak" and leaking:
        worst = max(leaking, key=lambda headline: headline.auc)
        return (
            f"Attackers can tell who was in the training data, with an AUC of up to {number(worst.auc, 2)} where 0.5 "
            f"is a coin flip; {see}"
        )
    return {
        "leak": f"Attackers can tell who was in the training data; {see}",
        "no leak found": f"The attacks found no leak, as far as this audit can see; {see}",
        "inconclusive": f"There are too few donors to tell what attackers can find out; {see}",
    }.get(red_team.outcome, f"What attackers can find out could not be judged; {see} for the reasons")
