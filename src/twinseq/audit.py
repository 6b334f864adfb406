"""The audit: what a twin keeps of its data, beside ceiling and floor, and what attackers find out from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from . import metrics as registry
from .attacks import LEVELS
from .attacks import names as attack_names
from .cohort import Cohort
from .dp.claims import Claim
from .errors import ConfigError, shorten, suggest
from .geneids import Matched, match
from .generators import Generator
from .genesets import read_gene_sets
from .knowledge import KnownGenerator, KnownModel
from .measurement import ALL_TABLES, Progress, Steps, lost, measure, n_steps
from .measurement_cells import measure_cells
from .metrics._inputs import check_disjoint, check_matching, check_scale, in_order
from .metrics._survival import with_survival
from .policy import Policy, judged, read_policy
from .provenance import basics
from .redteam import attack_procedure, attack_twin
from .results import AuditReport, without_policy

N_ATTACK_STEPS = 26
"""About how many steps the attacks of one trial take, for the progress bar."""


def audit(
    train: Cohort,
    twin: Cohort,
    *,
    holdout: Cohort | None = None,
    reference: Cohort | None = None,
    metrics: Sequence[str] | None = None,
    survival: tuple[str, str] | None = None,
    gene_sets: Sequence[str | Path] = (),
    gene_ids: str | Path | None = None,
    jackknife: int = 20,
    attacks: bool | Sequence[str] | None = None,
    generator: Generator | None = None,
    claim: Claim | None = None,
    policy: str | Path | Policy | None = None,
    slow: bool = False,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> AuditReport:
    """Measure what a twin keeps of the data it was made from, and what it gives away.

    The result does not depend on the order of samples or genes in any of the cohorts.

    Where ``train`` states a column of cell types, metrics of single cells are run on all cells; those made for samples
    are left out, with the reason, or run on a part of the cells, and tests of differential expression, survival and
    gene sets are not run.

    Parameters
    ----------
    train
        Real data that the twin was made from.
    twin
        The twin: same genes in any order, same kind, classes among those of ``train``.
    holdout
        Real data that the generator never saw, no donor shared with ``train``. Without it the figures that need
        it are listed as omitted, ceilings come from two halves of the training data, and whether the twin gives its
        donors away cannot be judged.
    reference
        Further real data, disjoint from both: what an attacker of level T1 holds. It also plays the twin where the
        ceiling needs a third real set. Without it, half of a hold-out of 20 donors or more serves the attackers.
    metrics
        Names of the metrics to run; all by default. With a choice of metrics no tables are made.
    survival
        Columns of the time (to the event or to the end of follow-up) and of the event (0 or 1), for the survival
        metrics. The twin must have both: state them as covariates when it is made.
    gene_sets
        GMT files for the pathway metrics, or ``"enrichr:NAME"`` for a library to be fetched.
    gene_ids
        A csv table that translates the cohort's gene ids into those of the sets, where these do not match.
    jackknife
        Number of groups of donors, of the real data and of the twin, that are left out in turn for the intervals of
        differential expression. With 0, or with too few donors, these are bootstrap intervals over genes.
    attacks
        Whether to attack the twin; by default where all metrics are run. Names of attacks and threat levels: only
        these are played, and no policy is passed by them alone.
    generator
        What the twin was made with, for attackers who know it (T2) and, where it is fitted, hold it (T3).
    claim
        What is promised of the twin (differential privacy); the report repeats it, and says whether an attack
        refutes it.
    policy
        What must hold before the twin is handed on, for the verdict: ``"internal"``, ``"partner"``, ``"open"``, or a
        YAML file.
    slow
        Whether attacks that fit many models take part.
    seed
        Seed of every random choice.
    jobs
        Number of threads; it changes no result.
    progress
        Called as ``progress(step, total, description)`` before each step.

    Returns
    -------
    AuditReport
        Figures, omitted figures with reasons, aggregates for plots, provenance. Nothing in it belongs to a
        single real sample.

    Raises
    ------
    CohortError
        Genes, kind or classes do not match, real sets share donors or profiles, or gene sets cannot be used.
    ConfigError
        A metric, attack or policy of this name does not exist, or time and event are one column or have another role.
    """
    rules = None if policy is None else read_policy(policy)
    only = () if attacks is None or isinstance(attacks, bool) else tuple(dict.fromkeys(attacks))
    check_attacks(only)
    chosen = [registry.get(name) for name in (registry.names() if metrics is None else metrics)]
    if metrics is None and train.cell_type is None:
        chosen = [metric for metric in chosen if "cells" not in metric.needs]
    if metrics is None and survival is None:
        chosen = [metric for metric in chosen if "survival" not in metric.needs]
    if metrics is None and not gene_sets:
        chosen = [metric for metric in chosen if "gene sets" not in metric.needs]
    sides = {"train": train, "twin": twin, "holdout": holdout, "reference": reference}
    given = {name: cohort for name, cohort in sides.items() if cohort is not None}
    if claim is not None and claim.parameters.get("panel") is not None:
        given = _on_panel(given)
        train = given["train"]
    check_matching(given)
    if survival is not None:
        given = with_survival(given, survival)
        train = given["train"]
    # Noise may put the library sizes of a private twin anywhere: that is no mistake of units, and the figures show it.
    check_scale({name: side for name, side in given.items() if name != "twin" or claim is None})
    ordered = {name: in_order(cohort, train) for name, cohort in given.items()}
    check_disjoint(ordered)
    matched = _matched(ordered["train"], gene_sets, gene_ids)

    attacked = metrics is None if attacks is None else bool(attacks)
    steps = Steps(progress, total=n_steps(chosen, metrics is None) + (N_ATTACK_STEPS if attacked else 0))
    # One thread for linear algebra: results stay the same to the last bit, and small matrices gain nothing from more.
    with threadpool_limits(1):
        if train.cell_type is not None:
            report = measure_cells(ordered, chosen, seed, jobs, steps, with_tables=metrics is None)
        else:
            tables = ALL_TABLES if metrics is None else ()
            report = measure(ordered, chosen, survival, matched, jackknife, seed, jobs, steps, tables=tables)
        if attacked:
            report = _attacked(report, ordered, generator, slow, only, seed, jobs, steps)
    if claim is not None:
        report = dataclasses.replace(report, ledger=(claim.to_dict(),))
    if rules is not None:
        report = judged(report, rules)
    steps.finish()
    report.provenance["seconds"].update({part: round(spent, 2) for part, spent in steps.seconds.items()})
    return report


def audit_procedure(
    cohort: Cohort,
    generator: Generator,
    *,
    splits: int = 5,
    fractions: Sequence[float] = (1 / 3, 1 / 3, 1 / 3),
    policy: str | Path | Policy | None = None,
    slow: bool = False,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
    scheduler: str | None = None,
) -> AuditReport:
    """Attack what a generator makes of a cohort, over several partitions of its donors.

    Parameters
    ----------
    cohort
        All donors; in each split they are dealt anew into members, non-members and a reference.
    generator
        Generator with its settings; it is fitted anew in each split, and left as it is.
    splits
        Number of partitions.
    fractions
        Shares of members, non-members and reference.
    policy
        As for `audit`. What twins are good for is not measured here, so that no policy is passed by this alone.
    slow
        Whether attacks that fit many models take part.
    seed, jobs, progress
        As for `audit`.
    scheduler
        Address of a Dask scheduler whose workers do the splits, one each; it changes no result.

    Returns
    -------
    AuditReport
        Attacks, controls, exposure and their curves; no figures of fidelity.

    Raises
    ------
    CohortError
        A class has too few donors for three parts, or the generator cannot take the cohort.
    ConfigError
        There is not one split, there are not three fractions, there is no scheduler, or no such policy.
    """
    rules = None if policy is None else read_policy(policy)
    ordered = in_order(cohort, cohort)
    known = known_generator(generator, ordered.genes)
    steps = Steps(progress, total=splits * N_ATTACK_STEPS)
    with threadpool_limits(1):
        red_team, curves = attack_procedure(
            ordered, known, splits, fractions, slow, seed, jobs, steps.attack, scheduler
        )
    steps.finish()
    report = AuditReport(
        provenance={
            **basics({"cohort": ordered}, "cohort", seed, jobs, steps.seconds),
            "generator": described_generator(generator),
            "splits": splits,
        },
        verdict=without_policy(red_team.outcome, red_team.reasons),
        metrics=(),
        tables={"attack_roc": curves},
        red_team=red_team,
    )
    return report if rules is None else judged(report, rules)


def _on_panel(given: Mapping[str, Cohort]) -> dict[str, Cohort]:
    """Return the real cohorts with the genes of a twin that was made of a panel, which is no mistake of its maker."""
    genes = given["twin"].genes
    return {
        name: cohort.with_adata(cohort.adata[:, genes].copy()) if genes.isin(cohort.genes).all() else cohort
        for name, cohort in given.items()
    }


def _attacked(
    report: AuditReport,
    ordered: dict[str, Cohort],
    generator: Generator | None,
    slow: bool,
    only: Sequence[str],
    seed: int,
    jobs: int,
    steps: Steps,
) -> AuditReport:
    """Add what the attacks found."""
    known = None if generator is None else known_generator(generator, ordered["train"].genes)
    fitted = generator is not None and hasattr(generator, "frame_")
    model = (
        KnownModel(generator, None if ordered["train"].label else "all", ordered["train"].genes)
        if generator is not None and fitted
        else None
    )
    red_team, curves = attack_twin(
        ordered["train"],
        ordered["twin"],
        ordered.get("holdout"),
        ordered.get("reference"),
        known,
        model,
        None if known is None else known.unfitted(),
        slow,
        seed,
        jobs,
        steps.attack,
        only,
    )
    extra: dict[str, Any] = {} if generator is None else {"generator": described_generator(generator)}
    if only:
        extra["attacks"] = list(only)
    return dataclasses.replace(
        report,
        provenance={**report.provenance, **extra},
        verdict=without_policy(red_team.outcome, [*red_team.reasons, *lost(report.omitted)]),
        tables={**report.tables, **({"attack_roc": curves} if len(curves) else {})},
        red_team=red_team,
    )


def check_attacks(names: Iterable[str]) -> None:
    """Refuse names that are neither those of attacks nor of threat levels.

    Raises
    ------
    ConfigError
        One is not; the message says what was probably meant.
    """
    known = (*LEVELS, *attack_names())
    for name in names:
        if name not in known:
            raise ConfigError(f"There is no attack or threat level '{shorten(name)}'{suggest(name, known)}")


def known_generator(generator: Generator, genes: Iterable[str]) -> KnownGenerator:
    """Return a generator as an attacker knows it who holds ``genes``, whether it is fitted or not."""
    return KnownGenerator(generator.info.name, None, generator.params(), genes)


def described_generator(generator: Generator) -> dict[str, Any]:
    """Return name and settings of a generator, for the provenance."""
    return {"name": generator.info.name, "settings": generator.params()}


def _matched(train: Cohort, gene_sets: Sequence[str | Path], gene_ids: str | Path | None) -> Matched | None:
    """Read the gene sets and find their genes, before anything is spent on a cohort that they do not fit."""
    if not gene_sets:
        if gene_ids is not None:
            raise ConfigError("A table of gene ids (gene_ids, --gene-ids) serves gene sets only: give these too.")
        return None
    means = np.asarray(train.adata.X.mean(axis=0), dtype=np.float64).ravel()
    return match(train.genes.astype(str).tolist(), means, read_gene_sets(gene_sets), gene_ids)
