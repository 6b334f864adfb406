"""A release: a procedure audited across its cohort, the twin of all donors, a verdict, and the papers that go along."""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import metrics as registry
from .audit import described_generator
from .cohort import Cohort
from .dp.claims import read_releases
from .errors import ConfigError
from .files import atomic_folder, check_writable
from .generators import Generator
from .io import samples_beside
from .measurement import Progress
from .metrics._inputs import check_disjoint, in_order
from .policy import Policy, judged, read_policy
from .private import warnings_kept
from .provenance import code_digest, content_digest, file_digest
from .redteam.dealing import THIRDS
from .releasing import words
from .releasing.crossfit import Question, cross_fitted
from .releasing.folder import check_free, listed, remove_stale
from .releasing.kept import Kept
from .releasing.papers import write_papers
from .releasing.procedure import Procedure, stated
from .releasing.shared import OWN_SEEDS, Wanted, is_shared, tuned
from .releasing.shared import WEIGHT as SEARCH
from .releasing.twin import Twin, check_name, checked, make_twin
from .results import AuditReport

TWIN = "twin.h5ad"
TITLE = "Synthetic twin"
"""Of the data sheet where none is given; it goes along with the twin, so that the cohort's file is not named in it."""
DRAWN, FINAL = 20, 40
"""Weights in the progress bar of drawing the twin of all donors, and of all that is done with it."""


@dataclass(frozen=True)
class Release:
    """What a release has made.

    Parameters
    ----------
    folder
        Where it lies.
    report
        The cross-fitted audit with its verdict.
    twin
        File of the twin of all donors.
    outgoing
        Files that may leave the institution where those who decide say so; all others stay.
    frontier
        Settings that were tried, with what each leaks and keeps; ``None`` where none were.
    """

    folder: Path
    report: AuditReport
    twin: Path
    outgoing: tuple[Path, ...]
    frontier: pd.DataFrame | None = None


def release(
    cohort: Cohort,
    folder: str | Path,
    *,
    generator: str | Generator | None = None,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    epsilon: float | None = None,
    delta: float | None = None,
    basis: str | Path | None = None,
    target_auc: float | None = None,
    min_de_recall: float | None = None,
    policy: str | Path | Policy = "partner",
    splits: int = 5,
    n: int | None = None,
    twin: str = TWIN,
    metrics: Sequence[str] | None = None,
    survival: tuple[str, str] | None = None,
    gene_sets: Sequence[str | Path] = (),
    gene_ids: str | Path | None = None,
    slow: bool = False,
    keep_model: bool = False,
    ledger: str | Path | None = None,
    obs: str | Path | None = None,
    title: str = "",
    licence: str = "",
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = lambda done, total, text: None,
) -> Release:
    """Audit a procedure, make the twin of all donors, judge it by a policy, and write all that a committee needs.

    The audit is cross-fitted: donors are dealt anew into members, non-members and a reference; the generator is fitted
    to the members; its twin is attacked, and measured with the non-members as the hold-out. The twin that may be
    released is then made of all donors by the same procedure. Nothing is written but into ``folder``, which appears
    whole. What is interrupted is taken up again by the same call.

    Parameters
    ----------
    cohort
        All donors.
    folder
        New, empty, or that of an earlier release, which is written over.
    generator, preset, settings
        As for `twinseq.generators.create`, or an unfitted generator. By default, and with preset ``"share"``, settings
        are searched that keep attacks below a target (`twinseq.sharing`); of cohorts without a label the faithful
        copula is taken, of single cells the leakage-limited one.
    epsilon, delta
        Of a private generator; δ is 1e-5, or a tenth of one over the donors where that is less.
    basis
        File of a public basis.
    target_auc, min_de_recall
        For the search: most that attacks may reach, by default the policy's limit; least share of differential genes
        kept.
    policy
        ``"internal"``, ``"partner"``, ``"open"``, a YAML file or a policy.
    splits
        Number of partitions of the audit.
    n
        Samples of the twin; as many as in the cohort by default.
    twin
        Name of the twin's file, without a folder; it begins with ``twin.`` and tells the format.
    metrics, survival, gene_sets, gene_ids, slow
        As for `audit`. What a policy asks for and is not among ``metrics`` cannot be judged.
    keep_model
        Whether the fitted model is written too, under a name that says that it must not be released.
    ledger
        Ledger of the cohort (`dp.claims`), to which a private twin is added before it is drawn.
    obs
        Sample table that the cohort was read with, for the sums of what went in.
    title, licence
        Of the twin, for its data sheet.
    seed
        Seed of every random choice but the noise of privacy.
    jobs
        Number of threads; it changes no result.
    progress
        Called as ``progress(done, total, text)``.

    Raises
    ------
    ConfigError
        A setting does not fit, or ``folder`` holds files that no release wrote.
    CohortError
        A class has too few donors for three parts, parts share samples of one person, or the generator cannot take the
        cohort.
    OutputError
        The folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> import twinseq as ts
    >>> cohort = ts.datasets.simulate_cohort(n_cases=12, n_controls=12, n_genes=60, seed=0)
    >>> made = ts.release(cohort, f"{tempfile.mkdtemp()}/release", generator="independent", splits=1)
    >>> made.twin.name, made.report.verdict["policy"]
    ('twin.h5ad', 'partner')
    """
    folder = Path(folder)
    started = time.perf_counter()
    check_free(folder)
    check_name(twin, cohort)
    chosen_policy = read_policy(policy)
    for metric in metrics or ():
        registry.get(metric)
    if splits < 1:
        raise ConfigError(f"At least 1 split is needed, not {splits}.")
    shared = is_shared(cohort, generator, preset)
    wanted = Wanted(target_auc, min_de_recall, basis)
    wanted.check(shared, cohort.cell_type is not None, {"epsilon": epsilon, "delta": delta}, settings or {})
    question = Question(splits, metrics, slow, survival, gene_sets, gene_ids, seed + OWN_SEEDS if shared else seed)
    procedure = None if shared else stated(cohort, generator, preset, settings or {}, epsilon, delta, basis)
    if ledger is not None:
        _check_ledger(Path(ledger), procedure)
    files = _inputs(cohort, obs, basis, gene_sets, gene_ids)
    progress(0, 0, "checking the cohort")
    ordered = in_order(cohort, cohort)
    _check_parts(ordered, seed)
    sums = {name: file_digest(path) for name, path in files.items()}
    content = content_digest(ordered)
    given = {"code": code_digest(), "cohort": content, **{f"file {name}": found for name, found in sums.items()}}

    kept = Kept(folder)
    ahead = SEARCH if procedure is None else 0
    audited = ahead + question.weight
    total = audited + FINAL

    def searching(done: int, _: int, text: str) -> None:
        progress(done, total, text)

    def told(done: int, _: int, text: str) -> None:
        progress(ahead + done, total, text)

    def drawing(done: int, of: int, text: str) -> None:
        progress(audited + DRAWN * done // max(of, 1), total, f"twin of all donors: {text}")

    def finishing(done: int, of: int, text: str) -> None:
        progress(audited + DRAWN + (FINAL - DRAWN) * done // max(of, 1), total, f"twin of all donors: {text}")

    if procedure is None:
        procedure = tuned(cohort, wanted, chosen_policy, seed, jobs, kept, given, searching)
    report = cross_fitted(ordered, procedure.generator, question, kept, given, jobs, told)
    before = listed(folder)
    with atomic_folder(folder) as scratch:
        with warnings_kept() as warned:
            drawing(0, 1, "learning and drawing")
            made = make_twin(
                cohort, procedure.generator, scratch, twin, n, seed, jobs, keep_model=keep_model,
                ledger=None if ledger is None else Path(ledger), progress=drawing,
            )  # fmt: skip
        report = checked(report, cohort, made, seed, jobs, finishing)
        notes = [*words.notes(made.claim is not None, procedure.choice), *warned]
        spent = round(time.perf_counter() - started, 2)
        report = _described(report, cohort, made, procedure, chosen_policy, question, seed, notes, spent)
        recorded = {
            **{f"in: {name}": {"file": files[name].name, "sha256": found} for name, found in sums.items()},
            "in: the cohort as it was read": {"sha256": content},
            **{f"out: {path.name}": {"sha256": file_digest(path)} for path in made.files},
        }
        report = judged(dataclasses.replace(report, provenance={**report.provenance, "files": recorded}), chosen_policy)
        finishing(1, 1, "writing")
        outgoing = write_papers(scratch, report, made, procedure, notes, title or TITLE, licence)
        written = [path.name for path in scratch.iterdir()]
    remove_stale(folder, before, written)
    kept.remove()
    progress(total, total, "done")
    return Release(
        folder, report, folder / twin, tuple(folder / path.name for path in outgoing), report.tables.get("frontier")
    )


def _described(
    report: AuditReport, cohort: Cohort, made: Twin, procedure: Procedure, policy: Policy, question: Question,
    seed: int, notes: Sequence[str], spent: float,
) -> AuditReport:  # fmt: skip
    """Return the report with the provenance of a release: what was asked for, and how far the audit reaches."""
    audited, twin = report.provenance, made.file
    sizes = {name: size for name, size in audited["cohorts"].items() if name in ("holdout", "reference")}
    release_ = {
        "settings": {
            "preset": procedure.preset, "policy": policy.name, "splits": question.splits, "seed": seed,
            "seed of the audit": question.seed, "python": platform.python_version(),
        },
        "chosen": [procedure.choice, *procedure.reasons],
        "notes": list(notes),
        "seconds": spent,
    }  # fmt: skip
    provenance = {
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        **audited,
        "cohorts": {
            "cohort": _size(cohort, named=True),
            **sizes,
            "twin": {"file": twin.name, **_size(made.cohort)},
        },
        "generator": _nameless(described_generator(procedure.generator)),
        "splits": question.splits,
        "seed": seed,
        "release": release_,
    }
    frontier = {} if procedure.frontier is None else {"frontier": procedure.frontier}
    return dataclasses.replace(report, provenance=provenance, tables={**frontier, **report.tables})


def _check_ledger(ledger: Path, procedure: Procedure | None) -> None:
    """Refuse a ledger that cannot be written to, or for a generator that gives no guarantee."""
    if procedure is None or procedure.generator.info.family != "dp":
        raise ConfigError("ledger: this generator gives no guarantee to be written down.")
    check_writable(ledger)
    read_releases(ledger)


def _nameless(described: dict[str, Any]) -> dict[str, Any]:
    """Return a generator and its settings without the folder of its basis."""
    settings = {
        name: Path(value).name if name == "basis" and value is not None else value
        for name, value in described["settings"].items()
    }
    return {**described, "settings": settings}


def _size(cohort: Cohort, named: bool = False) -> dict[str, Any]:
    """Return the size of a cohort, with the name of its file or what else it was read from; no folder, no donor."""
    source = Path(cohort.source)
    told = named and cohort.source != Cohort.source  # which says nothing
    origin = {"file" if source.exists() else "name": source.name} if told else {}
    donors = {"donors": len(np.unique(cohort.donors()))} if named else {}
    unit = "cells" if cohort.cell_type is not None else "samples"
    return {**origin, unit: cohort.n_samples, **donors, "genes": cohort.n_genes}


def _inputs(
    cohort: Cohort, obs: str | Path | None, basis: str | Path | None, sets: Sequence[str | Path], ids: str | Path | None
) -> dict[str, Path]:
    """Return the files that a release hangs on, as far as they are known, by what they are."""
    real = Path(cohort.source)
    found: dict[str, str | Path | None] = {"cohort": real, "samples": samples_beside(real) if obs is None else obs}
    found |= {"basis": basis, "gene ids": ids} | {f"gene sets {place}": path for place, path in enumerate(sets, 1)}
    return {name: Path(path) for name, path in found.items() if path is not None and Path(path).exists()}


def _check_parts(cohort: Cohort, seed: int) -> None:
    """Refuse a cohort that cannot be dealt into three parts, or whose donors are not who they seem to be."""
    members, others, reference = cohort.split(THIRDS, seed=seed)
    check_disjoint({"train": members, "holdout": others, "reference": reference})
