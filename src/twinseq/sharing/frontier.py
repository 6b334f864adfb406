"""What was tried, what it reached, and which of it meets the target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from .deal import Outcome
from .settings import Setting

COLUMNS = (
    "setting", "stage", "auc", "auc_low", "auc_high", "attack", "tpr_at_1", "lfc_replication", "lfc_replication_low",
    "lfc_replication_high", "de_recall", "f1_ratio", "chosen", "generator", "settings",
)  # fmt: skip
NEAR = 0.005
ONE_SIDED, TWO_SIDED = float(ndtri(0.95)), float(ndtri(0.975))


@dataclass(frozen=True)
class Measured:
    """A setting over several deals.

    Areas are means over deals, attack by attack and setting by setting of each attack, and then the largest is taken:
    the largest of many areas of a single deal would be above one half even where nothing leaks. Whoever the donors of
    a cohort are, deals are independent of each other, so that the error of a mean shrinks with their number.

    Parameters
    ----------
    setting
        What was measured.
    stage
        ``"searched"``, ``"reported"`` (on deals that had no part in the choice) or ``"beside"``.
    auc, error, attack, tpr_at_1
        Area of the strongest attack, its standard error, its name, and the mean share of members that it names at 1
        false alarm in 100.
    kept
        Mean of each figure over the deals in which it could be computed, and its standard error.
    """

    setting: Setting
    stage: str
    auc: float
    error: float
    attack: str
    tpr_at_1: float
    kept: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, setting: Setting, stage: str, outcomes: Sequence[Outcome]) -> Measured:
        """Average the outcomes of several deals."""
        keys = [key for key in outcomes[0].attacks if all(key in one.attacks for one in outcomes)]
        table = np.array([[one.attacks[key] for key in keys] for one in outcomes])
        means = table.mean(axis=0)
        best = int(np.argmax(means[:, 0]))
        name, level, how = keys[best]
        kept = {}
        for figure in {name for one in outcomes for name in one.kept}:
            values = np.array([one.kept[figure] for one in outcomes if figure in one.kept])
            spread = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
            kept[figure] = (float(values.mean()), float(spread))
        return cls(
            setting,
            stage,
            float(means[best, 0]),
            float(np.sqrt(means[best, 1] / len(outcomes))),
            f"{name} ({level}, {how})" if how else f"{name} ({level})",
            float(means[best, 2]),
            kept,
        )

    @property
    def auc_high(self) -> float:
        """Upper confidence bound of the area, one-sided at 95 %."""
        return min(self.auc + ONE_SIDED * self.error, 1.0)

    def figure(self, name: str) -> float:
        """Return the mean of a figure; NaN where there is none."""
        return self.kept[name][0] if name in self.kept else math.nan

    def row(self, chosen: bool) -> dict[str, Any]:
        """Return the row of the table."""
        value, error = self.kept.get("lfc_replication", (math.nan, math.nan))
        return {
            "setting": self.setting.words,
            "stage": self.stage,
            "auc": self.auc,
            "auc_low": max(self.auc - TWO_SIDED * self.error, 0.0),
            "auc_high": min(self.auc + TWO_SIDED * self.error, 1.0),
            "attack": self.attack,
            "tpr_at_1": self.tpr_at_1,
            "lfc_replication": value,
            "lfc_replication_low": value - TWO_SIDED * error,
            "lfc_replication_high": value + TWO_SIDED * error,
            "de_recall": self.figure("de_recall"),
            "f1_ratio": self.figure("paper_f1_ratio"),
            "chosen": chosen,
            "generator": self.setting.generator,
            "settings": self.setting.as_json,
        }


@dataclass(frozen=True)
class Frontier:
    """Everything that was tried, and the choice.

    Parameters
    ----------
    table
        A row a setting and stage; columns `COLUMNS`.
    chosen
        Generator and settings.
    reasons
        Whether the target was met, why this setting, and what would do where it was not.
    """

    table: pd.DataFrame
    chosen: tuple[str, dict[str, Any]]
    reasons: tuple[str, ...]


def faithful(one: Measured) -> tuple[float, float]:
    """Return what settings are ordered by: the lesser of replication and F1 ratio, and what is left of the calls.

    Neither counts for more than the members' own; the one that could not be computed is left out.
    """
    shares = [one.figure(name) for name in ("lfc_replication", "paper_f1_ratio") if name in one.kept]
    recall = one.figure("de_recall")
    return min([1.0, *shares]) if shares else -math.inf, -math.inf if math.isnan(recall) else recall


def pick(searched: Sequence[Measured], target_auc: float, floors: Mapping[str, float]) -> Measured:
    """Return the most faithful setting that meets what is asked for, or one that misses the target least.

    Of settings within `NEAR` of the most faithful one, that with the least noise on the mean profile is taken, which no
    figure sees, and then the one that leaks least. Where none meets the target, those are alike whose areas lie within
    a standard error of the smallest.

    Parameters
    ----------
    searched
        What was measured.
    target_auc
        Largest area.
    floors
        Least value of each figure; settings that meet them all come first, whatever their area.
    """
    enough = [one for one in searched if all(one.figure(name) >= least for name, least in floors.items())] or searched
    able = [one for one in enough if one.auc_high <= target_auc]
    if not able:
        least = min(enough, key=lambda one: one.auc)
        able = [one for one in enough if one.auc <= least.auc + least.error]
    best = max(faithful(one)[0] for one in able)
    near = [one for one in able if faithful(one)[0] >= best - NEAR]
    return min(near, key=lambda one: (one.setting.settings.get("mean_noise", 0.0), one.auc))


def on_frontier(searched: Sequence[Measured]) -> list[Measured]:
    """Return the settings of which no other keeps more and leaks less, those that leak least first."""
    kept: list[Measured] = []
    for one in sorted(searched, key=lambda one: one.auc):
        if not kept or faithful(one) > faithful(kept[-1]):
            kept.append(one)
    return kept


def table_of(measured: Sequence[Measured], chosen: Setting) -> pd.DataFrame:
    """Return the table of everything that was measured."""
    rows = [one.row(one.setting == chosen) for one in measured]
    return pd.DataFrame(rows, columns=list(COLUMNS))
