"""What tuning tells the user: whether the target was met, why not, and what would do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .bound import Room
from .frontier import Measured, faithful

FLOORS = {"de_recall": "DE recall", "lfc_replication": "replication of fold changes"}
"""Figures of which a least value can be asked."""


def reasons_of(
    best: Measured,
    final: Measured,
    searched: Sequence[Measured],
    target: float,
    floors: Mapping[str, float],
    room: Room,
    *,
    based: bool,
) -> tuple[str, ...]:
    """Return plain sentences, the most important first.

    Parameters
    ----------
    best, final
        The choice, as the search saw it and as measured on new deals.
    searched
        All settings.
    target, floors
        What was asked for.
    room
        What cohort and panel allow.
    based
        Whether there was a public basis.
    """
    reasons = [_met(best, final, target)]
    kept, recall, learnt = map(final.figure, ("lfc_replication", "de_recall", "paper_f1_ratio"))
    if not math.isnan(kept):
        named = "" if math.isnan(recall) else f", and {recall:.0%} of their differential genes"
        reasons.append(
            f"Of the agreement of the training data's fold changes with unseen donors it keeps {kept:.0%}{named}."
        )
    if not math.isnan(learnt):
        reasons.append(
            f"Classifiers that learn from it reach {learnt:.0%} of the F1 of those that learn from patients."
        )
    reasons.extend(_floored(name, least, searched, final, target) for name, least in floors.items())
    reasons.append(_possible(room, target, max(min(kept, 1.0), 0.01) if not math.isnan(kept) else 0.95))
    if not based:
        reasons.append(
            f"At this size, class means can be kept without noise in about {room.directions_for(target):,} directions "
            "that are known beforehand. A public cohort of the same tissue knows them: give it with --public, or a "
            "basis of it with --basis."
        )
    return tuple(reasons)


def _met(best: Measured, final: Measured, target: float) -> str:
    reached = (
        f"on donors dealt anew the strongest attack, {final.attack}, reaches an AUC of {final.auc:.3f} (95 % upper "
        f"bound {final.auc_high:.3f})"
    )
    if best.auc_high > target:
        return (
            f"The target AUC of {target:g} was not met: no setting has an upper bound below it. Of those that leak "
            f"least the most faithful was taken; {reached}."
        )
    if final.auc_high <= target:
        return f"The target AUC of {target:g} is met: {reached}."
    how = "holds on average but not with confidence" if final.auc <= target else "is missed on new deals"
    return f"The target AUC of {target:g} was met in the search and {how}: {reached}."


def _floored(name: str, least: float, searched: Sequence[Measured], final: Measured, target: float) -> str:
    value, words = final.figure(name), FLOORS[name]
    if value >= least:
        return f"The least {words} of {least:g} is met: {value:.3f}."
    able = [one for one in searched if one.figure(name) >= least]
    if not able:
        top = max((one.figure(name) for one in searched if name in one.kept), default=math.nan)
        return f"The least {words} of {least:g} was not met: of all settings the best reaches {top:.3f}."
    cost = min(able, key=lambda one: (one.auc, -faithful(one)[0]))
    return (
        f"The least {words} of {least:g} was not met ({value:.3f}); it takes an AUC of {cost.auc:.3f} in place of "
        f"{target:g} ({cost.setting.words})."
    )


def _possible(room: Room, target: float, kept: float) -> str:
    people = int(room.members.sum())
    plain = room.auc(0.0)
    best = room.best(target)
    said = (
        f"Theory: fold changes kept gene by gene, of {people:,} members and {room.directions:,.0f} effective genes, "
        f"allow an AUC of {plain:.2f}; noise that brings it to {target:g} leaves {best:.0%} of their replication."
    )
    if best >= kept:
        return said
    times = room.people_for(target, kept)
    more = f"about {times:,.0f} times as many donors" if times < 1e4 else "more donors than any cohort has"
    return f"{said} For {kept:.0%} that way it would take {more}."
