"""One deal of a cohort's donors into members, others and a reference, and how a setting fares on it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import metrics
from ..attacks.roc import auc, auc_covariance, tpr_at_fpr
from ..cohort import Cohort
from ..knowledge import KnownGenerator
from ..metrics import Comparison, NotComputableError, Profiles, Space
from ..redteam.comparable import comparable
from ..redteam.trial import Key, Trial, available, score
from ..transforms import log_cpm
from .settings import Setting

FIGURES = ("lfc_replication", "de_recall", "paper_f1_ratio")
QUICK = (
    "mean_tracing",
    "contrast_tracing",
    "subspace_tracing",
    "basis_tracing",
    "gaussian_lrt",
    "mahalanobis",
    "span_residual",
    "nearest_distance",
    "marginal_llr",
)
"""Attacks of the search: together they were the strongest on every leakage-limited twin that was seen."""


@dataclass(frozen=True)
class Outcome:
    """How one setting fared on one deal.

    Parameters
    ----------
    attacks
        By attack, level and setting: AUC, its variance, and the share of members named at 1 false alarm in 100.
    kept
        Figures of `FIGURES` that could be computed.
    """

    attacks: dict[Key, tuple[float, float, float]]
    kept: dict[str, float]


class Deal:
    """Members, others and a reference, no donor in two of them, with what does not hang on the twin computed once.

    Parameters
    ----------
    cohort
        All donors.
    fractions
        Shares of members, others and reference.
    seed
        Seed of the deal, of fits and of attacks.
    on_log
        Whether fold changes are those of log2(CPM + 1), in a fraction of the time that DESeq2 takes for counts.
    jobs
        Threads; they change no result.
    """

    def __init__(self, cohort: Cohort, fractions: Sequence[float], seed: int, *, on_log: bool, jobs: int = 1) -> None:
        self.seed = seed
        self.jobs = jobs
        self.members, self.others, self.reference = cohort.split(fractions, seed=seed)
        self._scale: Callable[[Cohort], Cohort] = _logged if on_log and cohort.kind == "counts" else _as_is

    @functools.cached_property
    def space(self) -> Space:
        """What metrics fix on the members."""
        return Space(self._scale(self.members), self.seed, self.jobs)

    @functools.cached_property
    def unseen(self) -> Profiles:
        """The others, in the hold-out's place."""
        return Profiles.of(self._scale(self.others), self.space)

    @functools.cached_property
    def agreement(self) -> float:
        """Correlation of the fold changes of members and others; 0 where there is none to be had."""
        comparison = Comparison(self.space, self.space.train, self.space.train, self.unseen)
        metric = metrics.get("lfc_pearson_holdout")
        try:
            return max(float(metric.function(*comparison.arguments(metric))), 0.0)
        except NotComputableError:
            return 0.0

    def outcome(self, setting: Setting, figures: Sequence[str], quick: bool) -> Outcome:
        """Return how a twin of the members, made with ``setting``, fares against ``figures`` and attacks.

        Raises
        ------
        TwinseqError
            The generator cannot learn from the members, or is set wrongly.
        """
        twin = (
            setting.unfitted().fit(self.members, seed=self.seed, jobs=self.jobs).sample(seed=self.seed, jobs=self.jobs)
        )
        return Outcome(self._attacked(twin, setting, quick), self._kept(twin, figures))

    def _attacked(self, twin: Cohort, setting: Setting, quick: bool) -> dict[Key, tuple[float, float, float]]:
        inside, outside, _ = comparable(self.members, self.others, twin, self.reference)
        genes = list(map(str, self.members.genes))
        known = KnownGenerator(setting.generator, params=dict(setting.settings), genes=genes)
        trial = Trial.of(twin, inside, outside, self.reference, known, seed=self.seed)
        keys = [key for key in available(trial) if not quick or key[0] in QUICK]
        scores = score(trial, keys, self.jobs)
        member = trial.is_member
        found = {}
        for key, column in zip(scores.keys, scores.values.T, strict=True):
            ours, theirs = column[member], column[~member]
            variance = float(auc_covariance(ours[:, None], theirs[:, None])[1][0, 0])
            found[key] = (auc(ours, theirs), variance, tpr_at_fpr(ours, theirs, 0.01))
        return found

    def _kept(self, twin: Cohort, figures: Sequence[str]) -> dict[str, float]:
        comparison = Comparison(self.space, self.space.train, Profiles.of(self._scale(twin), self.space), self.unseen)
        found = {}
        for name in figures:
            metric = metrics.get(name)
            try:
                value = float(metric.function(*comparison.arguments(metric)))
            except NotComputableError:
                continue
            if np.isfinite(value):
                found[name] = value
        return found


def _as_is(cohort: Cohort) -> Cohort:
    return cohort


def _logged(cohort: Cohort) -> Cohort:
    """Return counts as log2(CPM + 1)."""
    adata: Any = cohort.adata.copy()
    adata.X = log_cpm(cohort.dense())
    return cohort.with_adata(adata, kind="continuous")
