"""Where generators stand, as values: places on questions, standings of generators, views of cohorts, the board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .evidence import Evidence

Key = tuple[str, str]
"""``("axis", group)``, ``("level", threat level)``, ``("metric", name)`` or ``("weighted", threat level)``."""

PRIVACY = "privacy"
YARDSTICKS = (
    "tstr_ratio_auc", "tstr_auc_top500_logistic", "de_replication", "de_recall", "lfc_pearson", "correlation_r",
    "c2st_auc_trees", "cell_type_tstr", "lisi", "cluster_ari_ratio", "cells_mmd", "paper_accuracy", "paper_f1_ratio",
)  # fmt: skip
"""Single metrics that usefulness may be read off instead of an axis, where they were measured."""


@dataclass(frozen=True)
class Place:
    """Where a generator stands on one question.

    Parameters
    ----------
    value, interval
        Mean over splits, and the middle 95 % of its resamples; ``None`` where there is none.
    rank, ranks
        Rank by the mean, and the middle 95 % of the ranks in the resamples; no rank where too few splits have a value.
    reason
        Why there is no value, or no rank.
    """

    value: float | None
    interval: tuple[float, float] | None = None
    rank: int | None = None
    ranks: tuple[int, int] | None = None
    reason: str = ""


@dataclass(frozen=True)
class Standing:
    """One generator on one cohort, or on all.

    Parameters
    ----------
    generator
        Its name.
    audited, splits
        Twins that were judged, of how many.
    places
        By question.
    fronts
        By yardstick and threat level: whether it is on the front of the means, and in what share of resamples.
    fit_seconds
        Mean time of a fit with its twin.
    verdicts
        By policy: how many twins ended with which outcome.
    """

    generator: str
    audited: int
    splits: int
    places: Mapping[Key, Place]
    fronts: Mapping[tuple[Key, str], tuple[bool, float]]
    fit_seconds: float | None
    verdicts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """All generators on one cohort, or on all (``cohort`` is ``None``).

    Parameters
    ----------
    cohort
        Its name.
    resampled
        Whether there are splits enough for intervals.
    standings
        By generator.
    """

    cohort: str | None
    resampled: bool
    standings: tuple[Standing, ...]


@dataclass(frozen=True)
class Board:
    """All there is to see.

    Parameters
    ----------
    views
        All cohorts together first, where there are several.
    evidence
        What they were drawn from, by cohort.
    axes, levels, yardsticks
        Metric groups, threat levels, and what usefulness can be read off.
    reversed
        Questions on which less is better, as shown.
    weights
        As stated by the user, of all axes; empty where nothing was stated.
    superseded
        Outcomes of earlier runs that were left out.
    policies
        By which twins were judged.
    """

    views: tuple[View, ...]
    evidence: tuple[Evidence, ...]
    axes: tuple[str, ...]
    levels: tuple[str, ...]
    yardsticks: tuple[Key, ...]
    reversed: frozenset[Key]
    weights: Mapping[str, float]
    superseded: int
    policies: tuple[str, ...] = ()

    @property
    def level(self) -> str | None:
        """The threat level shown first: a reference cohort in the attacker's hands, as far as there is that."""
        usual = [level for level in self.levels if level <= "T1"]
        return usual[-1] if usual else self.levels[0] if self.levels else None

    @property
    def yardstick(self) -> Key | None:
        """What usefulness is read off first."""
        for axis in ("utility", "cells", "biology"):
            if axis in self.axes:
                return "axis", axis
        return self.yardsticks[0] if self.yardsticks else None
