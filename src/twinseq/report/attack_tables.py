"""The tables on attackers: all attacks by level, those without figures, and how exposure differs between people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..attacks import LEVELS, get
from ..errors import ConfigError
from ..results import AttackResult, RedTeam
from .figures._figure import Table
from .questions import readable, spoken
from .text import DASH, count, interval, is_number, number, percent, shown

FIRST = 5
"""Attacks of a level that stand open; the weaker ones are folded away."""
MOST = 20
"""Rows of a short table."""
FEW_DONORS = 5
"""A share that stands for fewer donors would be the exposure of single people."""


@dataclass(frozen=True)
class AttackRow:
    """One measured attack; all fields are plain text."""

    title: str
    threat: str
    reference: str
    setting: str
    auc: str
    auc_interval: str
    tpr10: str
    tpr10_interval: str
    tpr1: str
    tpr1_interval: str
    epsilon: str
    ties: str


@dataclass(frozen=True)
class LevelTable:
    """The measured attacks of one threat level, the strongest first."""

    title: str
    first: tuple[AttackRow, ...]
    further: tuple[AttackRow, ...]


@dataclass(frozen=True)
class Unmeasured:
    """An attack without figures, the levels at which it has none, and why."""

    title: str
    threat: str
    reference: str
    levels: str
    status: str
    reason: str


@dataclass(frozen=True)
class Detail:
    """A short table under a heading, with a sentence on how to read it and what it says."""

    title: str
    reading: str
    findings: tuple[str, ...]
    table: Table | None


def level_tables(attacks: Iterable[AttackResult]) -> tuple[LevelTable, ...]:
    """Return the measured attacks by level, those of the attackers who hold least first."""
    measured = [attack for attack in attacks if attack.status == "measured"]
    tables = []
    for level in sorted({attack.level for attack in measured}):
        rows = sorted((attack for attack in measured if attack.level == level), key=lambda one: -_size(one.auc))
        drawn = tuple(_row(attack) for attack in rows)
        tables.append(LevelTable(level_title(level), drawn[:FIRST], drawn[FIRST:]))
    return tuple(tables)


def level_title(level: str) -> str:
    """Return a threat level with what its attacker holds."""
    held = {str(name): words for name, words in LEVELS.items()}.get(level)
    return f"{level}: {held}" if held else shown(level, 20)


def _row(attack: AttackResult) -> AttackRow:
    threat, reference = about_attack(attack.name)
    setting = shown(attack.setting, 60)
    if attack.n_settings > 1:
        of_these = f"strongest of {attack.n_settings}"
        setting = f"{setting} ({of_these})" if setting else of_these
    return AttackRow(
        title=shown(readable(attack.name)),
        threat=threat,
        reference=reference,
        setting=setting,
        auc=number(attack.auc),
        auc_interval=interval(attack.auc_ci),
        tpr10=_share(attack.tpr_at_fpr.get("0.1")),
        tpr10_interval=share_interval(attack.tpr_ci.get("0.1")),
        tpr1=_share(attack.tpr_at_fpr.get("0.01")),
        tpr1_interval=share_interval(attack.tpr_ci.get("0.01")),
        epsilon=number(attack.epsilon_lower, 2),
        ties=_share(attack.tie_fraction),
    )


def about_attack(name: str) -> tuple[str, str]:
    """Return what the registry says an attacker does, and its source; nothing for an attack it does not know."""
    try:
        attack = get(name)
    except ConfigError:
        return "", ""
    return shown(attack.threat, 500), shown(attack.reference, 300)


def unmeasured(attacks: Iterable[AttackResult]) -> tuple[Unmeasured, ...]:
    """Return the attacks without figures, the failed ones first."""
    levels: dict[tuple[str, str, str], list[str]] = {}
    for attack in attacks:
        if attack.status != "measured":
            levels.setdefault((attack.name, attack.status, attack.reason), []).append(shown(attack.level, 20))
    order = {"failed": 0, "void": 1}
    keys = sorted(levels, key=lambda key: order.get(key[1], 2))
    return tuple(
        Unmeasured(
            shown(readable(name)), *about_attack(name), ", ".join(sorted(levels[name, status, reason])), shown(status),
            shown(reason, 400),
        )
        for name, status, reason in keys
    )  # fmt: skip


def details(red_team: RedTeam) -> tuple[Detail, ...]:
    """Return the short tables that have something to say."""
    made = (
        _subgroups(red_team.subgroups),
        _partial(red_team.partial),
        _attributes(red_team.attributes),
        _linkability(red_team.linkability),
        _exposure(red_team.exposure),
    )
    return tuple(detail for detail in made if detail is not None)


Rows = Sequence[Mapping[str, Any]]


def _subgroups(groups: Rows) -> Detail | None:
    strongest = sorted(groups, key=lambda group: -_size(group.get("auc")))
    return _detail(
        "Who is more exposed: subgroups",
        "The strongest attack of each level within one group, the most exposed group first. Small groups have wide "
        "intervals, and of many groups the highest is high partly by chance.",
        ("Group", "Attack", "Members, others", "AUC", "95 % interval"),
        [
            (
                f"{shown(group.get('column', ''), 40)}: {shown(group.get('group', ''), 60)}",
                _attack(group),
                f"{_count(group.get('n_members'))}, {_count(group.get('n_nonmembers'))}",
                number(group.get("auc")),
                interval(group.get("auc_ci")),
            )
            for group in strongest
        ],
    )


def _partial(known: Rows) -> Detail | None:
    return _detail(
        "If the attacker knows only some genes",
        "The strongest attack of each level by an attacker who holds only part of a person's profile, such as a "
        "panel of genes.",
        ("Genes known", "Attack", "AUC", "95 % interval"),
        [
            (
                _known(one),
                _attack(one),
                number(one.get("auc")),
                interval(one.get("auc_ci")),
            )
            for one in sorted(known, key=lambda one: (str(one.get("level", "")), -_size(one.get("share"))))
        ],
    )


def _known(one: Mapping[str, Any]) -> str:
    """Return how much of a person an attacker holds."""
    genes = f"{_count(one.get('genes'))} ({_share(one.get('share'))})"
    if one.get("unseen"):
        return f"{genes}, cells that were not used"
    return genes if one.get("cells") is None else f"{genes}, {_count(one['cells'])} cell(s)"


def _attributes(columns: Rows) -> Detail | None:
    return _detail(
        "Guessing what a column says of a person",
        "A model learns the column from the twin and guesses it from a person's profile. What counts is the advantage: "
        "how much more often it is right for members than for others. The rest is biology that anyone could learn.",
        ("Column", "Right for members", "Right for others", "Advantage", "95 % interval", "By chance"),
        [
            (
                shown(one.get("column", "")),
                _share(one.get("accuracy_members")),
                _share(one.get("accuracy_nonmembers")),
                points(one.get("advantage")),
                _points_interval(one.get("advantage_ci")),
                _share(one.get("chance")),
            )
            for one in sorted(columns, key=lambda one: -_size(one.get("advantage")))
        ],
    )


def _linkability(rates: Rows) -> Detail | None:
    return _detail(
        "Joining two halves of a profile",
        "An attacker with half of a person's genes from one source and half from another tries to join them through "
        "the twin: both halves must lie near the same twin samples. What counts is the advantage for members.",
        ("Twin samples looked at", "Joined for members", "Joined for others", "Advantage", "95 % interval"),
        [
            (
                _count(one.get("neighbours")),
                _share(one.get("rate_members")),
                _share(one.get("rate_nonmembers")),
                points(one.get("advantage")),
                _points_interval(one.get("advantage_ci")),
            )
            for one in sorted(rates, key=lambda one: _size(one.get("neighbours")))
        ],
    )


def _exposure(exposure: Mapping[str, Any]) -> Detail | None:
    """Return how exposure is spread over donors; shares that stand for fewer than five of them are left out."""
    n_donors = _size(exposure.get("n_donors"))
    quantiles = {share: _size(value) for share, value in _by_number(exposure.get("quantiles")) if is_number(value)}
    told = [
        f"{_who(share)} above {number(value, 2)}"
        for share, value in quantiles.items()
        if 0.5 <= share < 1 and n_donors * (1 - share) >= FEW_DONORS - 1e-9
    ]
    rows: list[tuple[str, ...]] = [
        (number(bound, 1), f"{_share(share)} of donors")
        for bound, share in _by_number(exposure.get("share_above"))
        if is_number(share) and (share == 0 or n_donors * share >= FEW_DONORS - 1e-9)
    ]
    if not told and not rows:
        return None
    refits = exposure.get("n_refits")
    how = f" in {_count(refits)} refits" if is_number(refits) else ""
    findings = [f"AUC between refits with and without a donor: {', '.join(told)}."] if told else []
    if exposure.get("note"):
        findings.append(shown(exposure["note"], 300))
    return Detail(
        "How exposure is spread over people",
        f"For {_count(exposure.get('n_donors'))} donors{how}: how well an attacker tells twins made with a donor from "
        "twins made without, where 0.5 is a coin flip. No donor is named, and shares of fewer than five are left out.",
        tuple(findings),
        Table("Donors by exposure", ("AUC above", "Share"), rows) if rows else None,
    )


def _who(quantile: float) -> str:
    words = {0.5: "half of the donors", 0.75: "a quarter", 0.9: "1 in 10", 0.95: "1 in 20", 0.99: "1 in 100"}
    return words.get(round(quantile, 4), percent(1 - quantile))


def _by_number(values: Any) -> list[tuple[float, Any]]:
    """Return a mapping whose keys are numbers, perhaps written as text, in their order."""
    if not isinstance(values, Mapping):
        return []
    return sorted((float(key), value) for key, value in values.items())


def _detail(title: str, reading: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Detail | None:
    if not rows:
        return None
    left = len(rows) - MOST
    findings = (f"{left} more rows are in metrics.json.",) if left > 0 else ()
    return Detail(title, reading, findings, Table(title, columns, rows[:MOST]))


def _attack(row: Mapping[str, Any]) -> str:
    words = [shown(row.get("level", ""), 20), spoken(str(row.get("attack", "")))]
    return ", ".join(word for word in words if word)


def _size(value: Any) -> float:
    """Return a number to sort by; what is none comes last."""
    return float(value) if is_number(value) else -math.inf


def _count(value: Any) -> str:
    return count(value) if is_number(value) else DASH


def _share(value: Any) -> str:
    return percent(value) if is_number(value) else DASH


def share_interval(ci: tuple[float, float] | None) -> str:
    """Return an interval of shares in per cent."""
    if ci is None or not all(map(is_number, ci)):
        return ""
    low, high = map(percent, ci)
    return f"{low[:-2]} to {high}"


def points(value: Any) -> str:
    """Return a difference of shares in percentage points."""
    if not is_number(value):
        return DASH
    rounded = round(100 * value)
    sign = "+" if rounded > 0 else "−" if rounded < 0 else ""
    return f"{sign}{abs(rounded)} {'point' if abs(rounded) == 1 else 'points'}"


def _points_interval(ci: Any) -> str:
    if ci is None or not all(map(is_number, ci)):
        return ""
    low, high = (points(end).split()[0] for end in ci)
    return f"{low} to {high}"
