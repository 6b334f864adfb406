"""The audit of a procedure with its figures cross-fitted: what each twin keeps, held against donors it never saw.

In each split the donors are dealt anew into members, non-members and a reference. The generator is fitted to the
members; its twin is attacked, and measured with the non-members as the hold-out. No twin of a part is released, so that
the audit costs the released twin no donor.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..audit import audit, described_generator, known_generator
from ..cohort import Cohort
from ..dp.budget import PrivacyWarning
from ..generators import Generator
from ..knowledge import KnownGenerator
from ..measurement import Progress
from ..private import claim_of
from ..redteam.dealing import THIRDS, Dealt, Found, attacked, deal, set_up
from ..redteam.procedure import conclude
from ..results import AuditReport
from .kept import Kept, key_of
from .merged import merged

ATTACKS, FIGURES = 60, 140
"""Weights of attacks and figures of one split in the progress bar, about as their times are."""


@dataclass(frozen=True)
class Question:
    """How a procedure is audited.

    Parameters
    ----------
    splits
        Number of partitions.
    metrics, slow, survival, gene_sets, gene_ids
        As for `twinseq.audit`.
    seed
        Seed of partitions, fits and attacks.
    """

    splits: int = 5
    metrics: Sequence[str] | None = None
    slow: bool = False
    survival: tuple[str, str] | None = None
    gene_sets: Sequence[str | Path] = ()
    gene_ids: str | Path | None = None
    seed: int = 0

    @property
    def weight(self) -> int:
        """Steps of the progress bar."""
        return self.splits * (ATTACKS + FIGURES) + ATTACKS


def cross_fitted(
    cohort: Cohort,
    generator: Generator,
    question: Question,
    kept: Kept,
    given: Mapping[str, str],
    jobs: int = 1,
    progress: Progress = lambda done, total, text: None,
) -> AuditReport:
    """Attack and measure what a generator makes of parts of a cohort; take up what was kept of an earlier run.

    Parameters
    ----------
    cohort
        All donors, samples and genes in the order of `in_order`.
    generator
        Unfitted; it is left as it is.
    question
        Splits, seed, gene sets.
    kept
        Where the outcome of each split is kept.
    given
        Digests of all that the outcomes hang on besides the settings.
    jobs
        Number of threads; it changes no result.
    progress
        Called as ``progress(done, question.weight, text)``.

    Returns
    -------
    AuditReport
        Attacks and controls as in `audit_procedure`; figures are means over the splits, tables those of the first.

    Raises
    ------
    CohortError
        A class has too few donors for three parts, or the generator cannot take a part.
    """
    known = known_generator(generator, cohort.genes)
    keys = [
        key_of([dict(given), described_generator(generator), _plain(replace(question, splits=0)), number])
        for number in range(question.splits)
    ]
    names = {name: str(place) for place, name in enumerate(np.unique(cohort.donors()).tolist())}
    first: Dealt | None = None
    every: list[Found] = []
    reports: list[AuditReport] = []
    for number, key in enumerate(keys):
        told = _Told(progress, number, question)
        # The noise of a private generator hangs on no seed: the first twin, of which more is asked, is made anew.
        again = number == 0 and generator.info.family == "dp"
        done = kept.has(key) and not again
        if number == 0 or not done:
            dealt = _dealt(cohort, known, question, number, jobs, told)
            first = first or dealt
        if not done:
            measured = [metric.name for metric in reports[0].metrics] if reports else question.metrics
            found, report = _one(dealt, known, question, number, measured, jobs, told)
            kept.write(key, _coded(found, names), report)
        every.append(kept.found(key))
        reports.append(kept.report(key))
    assert first is not None
    told = _Told(progress, question.splits, question)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)
        trial, _ = set_up(first, known, question.seed, 0)
        red_team, curves = conclude(first, trial, every, known, question.seed, jobs, told.attack)
    report = merged(reports)
    return replace(
        report,
        verdict={"policy": None, "outcome": red_team.outcome, "reasons": list(red_team.reasons)},
        tables={**report.tables, "attack_roc": curves},
        red_team=red_team,
    )


def _dealt(cohort: Cohort, known: KnownGenerator, question: Question, number: int, jobs: int, told: _Told) -> Dealt:
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)  # said of the twin that is released
        dealt = deal(cohort, known, THIRDS, question.seed, number, jobs, told.attack)
    if dealt.twin.genes.equals(cohort.genes):
        return dealt
    panel = cohort.genes.get_indexer(dealt.twin.genes)
    members, others, reference = (part.take_genes(panel) for part in (dealt.members, dealt.others, dealt.reference))
    return replace(dealt, members=members, others=others, reference=reference)


def _one(
    dealt: Dealt,
    known: KnownGenerator,
    question: Question,
    number: int,
    metrics: Sequence[str] | None,
    jobs: int,
    told: _Told,
) -> tuple[Found, AuditReport]:
    """Attack and measure one twin; ``metrics``: those that the first split gave, whose tables will do for all."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)  # the generator is fitted anew by attackers
        trial, dropped = set_up(dealt, known, question.seed, number)
        found = attacked(trial, dropped, question.slow, jobs, told.attack)
        report = audit(
            dealt.members, dealt.twin, holdout=dealt.others, reference=dealt.reference, metrics=metrics,
            survival=question.survival, gene_sets=question.gene_sets, gene_ids=question.gene_ids, attacks=False,
            claim=claim_of(dealt.model), seed=question.seed + number, jobs=jobs, progress=told.figure,
        )  # fmt: skip
    return found, replace(report, ledger=())


def _coded(found: Found, names: Mapping[str, str]) -> Found:
    """Return scores with numbers in place of the donors' names."""
    return replace(found, people=np.array([names[name] for name in found.people.tolist()]))


def _plain(question: Question) -> dict[str, Any]:
    return {name: str(value) for name, value in vars(question).items()}


class _Told:
    """Progress of one split: attacks have no total of their own, figures have one."""

    def __init__(self, progress: Progress, number: int, question: Question) -> None:
        self._progress = progress
        self._start = number * (ATTACKS + FIGURES)
        self._total = question.weight
        self._label = f"split {number + 1} of {question.splits}: " if number < question.splits else ""
        self._attacks = 0

    def attack(self, text: str) -> None:
        """Say which attack comes next."""
        self._progress(self._start + min(self._attacks, ATTACKS), self._total, self._label + text)
        self._attacks += 1

    def figure(self, done: int, total: int, text: str) -> None:
        """Say which figure comes next."""
        self._progress(self._start + ATTACKS + FIGURES * done // max(total, 1), self._total, self._label + text)
