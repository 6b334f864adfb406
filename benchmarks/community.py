"""The community benchmark's protocol, its measures and our attacks, for every generator there is.

    python benchmarks/community.py [--only TITLE ...] [--folds N] [--quick] [--shadow] [--again failed|all]

Öztürk et al. 2026 (bioRxiv 10.64898/2026.03.02.707794): twins of four fifths of a cohort of breast tumours, held
against the fifth that is left, over five stratified folds. Here on the PAM50 cohort and with our attacks beside. Each
fold of each model is a task in a process of its own, kept as one JSON file in ``--cache``: a run that is stopped goes
on where it was, and the table is written from all tasks that are there. The version of twinseq is part of a task's
name; between versions, ``--again`` measures anew. Needs the real cohorts (``TWINSEQ_DATA``). Writes
``benchmarks/results/community.md``.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

import twinseq as ts
from community_models import FOLDS, GENE_SETS, MANY_FITS, MEASURES, MODELS, SEED, SHADOWED, Model, Task, done
from community_page import page
from twinseq.attacks.roc import auc
from twinseq.cohort import Cohort
from twinseq.errors import TwinseqError, shorten
from twinseq.generators._extras import missing
from twinseq.knowledge import KnownGenerator
from twinseq.redteam.trial import Key, Trial, available, score

from _common import DATA, ROOT, publish, worker
from red_team import THIRDS, areas, continuous, tumours

CACHE = ROOT / "benchmarks" / ".cache" / "community"


def hindrance(model: Model) -> str:
    """Say why a model cannot take part here; empty: it can."""
    if model.name not in ts.generators.names():
        return "no such generator"
    info = ts.generators.info(model.name)
    if "continuous" not in info.kinds:
        return "takes counts only"
    if lacking := missing(info.extra):
        return f"needs twinseq[{info.extra}]: {', '.join(lacking)} not installed"
    try:
        ts.generators.create(model.name, model.preset, **model.params)
    except TwinseqError as error:
        return str(error)
    return ""


def cohort_on(genes: str) -> Cohort:
    """Return the tumours as log2 CPM of all genes or of the landmarks."""
    counts = tumours()
    if genes == "all":
        return continuous(counts)
    landmarks = pd.read_csv(DATA / "genesets" / "f1000_lm_ensembl.csv")["Symbol"]
    return continuous(counts, counts.genes.isin(landmarks))


def twin_of(model: Model, cohort: Cohort) -> tuple[Cohort, dict[str, float]]:
    """Return a twin of the cohort's size, and what fitting and drawing cost: CPU seconds and peak MiB."""
    started = time.process_time()
    made = ts.generators.create(model.name, model.preset, **model.params).fit(cohort, seed=SEED)
    between = time.process_time()
    twin = made.sample(seed=SEED + 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return twin, {"fit": between - started, "sample": time.process_time() - between, "peak": peak}


def listed(found: dict[tuple[str, str], tuple[float, float]]) -> list[list[Any]]:
    return [[name, level, *map(float, figures)] for (name, level), figures in found.items()]


def fold(model: Model, cohort: Cohort, number: int) -> dict[str, Any]:
    """Measure one fold; members for the attacks are the next fold, as large as the hold-out and alike in classes."""
    folds = list(cohort.folds(FOLDS, seed=SEED))
    train, holdout = folds[number]
    members = folds[(number + 1) % FOLDS][1]
    twin, cost = twin_of(model, train)
    report = ts.audit(train, twin, holdout=holdout, metrics=list(MEASURES.values()), attacks=False, seed=SEED)
    with threadpool_limits(1):
        attacks = areas(Trial.of(twin, members, holdout, seed=SEED), jobs=1)
    return {
        **cost,
        "metrics": {metric.name: metric.value for metric in report.metrics},
        "real": {metric.name: metric.ceiling for metric in report.metrics},
        "omitted": {item.name: item.reason for item in report.omitted},
        "attacks": listed(attacks),
    }


def thirds(model: Model, cohort: Cohort) -> dict[str, Any]:
    """Attack one split into members, others and a reference."""
    members, others, reference = cohort.split(THIRDS, seed=SEED)
    twin, cost = twin_of(model, members)
    with threadpool_limits(1):
        attacks = areas(Trial.of(twin, members, others, reference, seed=SEED), jobs=1)
    return {**cost, "attacks": listed(attacks)}


def shadow(model: Model, cohort: Cohort) -> dict[str, Any]:
    """Attack the same split with all that one who knows the generator can do."""
    members, others, reference = cohort.split(THIRDS, seed=SEED)
    twin, cost = twin_of(model, members)
    known = KnownGenerator(model.name, model.preset, model.params)
    trial = Trial.of(twin, members, others, reference, known, seed=SEED)
    keys = available(trial, slow=True)
    with threadpool_limits(1):
        found = [timed(trial, key) for key in keys if key[0] in MANY_FITS]
        found += [timed(trial, key) for key in keys if key[0] not in MANY_FITS]
    return {**cost, "attacks": found}


def timed(trial: Trial, key: Key) -> list[Any]:
    """Return attack, level, AUC, CPU seconds and, in place of the AUC, the reason why there is none."""
    started = time.process_time()
    scores = score(trial, [key])
    spent = time.process_time() - started
    if not scores.keys:
        return [*key[:2], None, spent, ": ".join(scores.troubles[key[0], key[1]])]
    column, member = scores.values[:, 0], trial.is_member
    return [*key[:2], auc(column[member], column[~member]), spent, ""]


def work(title: str, genes: str, part: str) -> dict[str, Any]:
    """Do one task; a failure is an outcome too."""
    model = next(model for model in MODELS if model.title == title)
    cohort = cohort_on(genes)
    try:
        if part == "thirds":
            return thirds(model, cohort)
        return shadow(model, cohort) if part == "shadow" else fold(model, cohort, int(part.split()[1]))
    except Exception as error:  # noqa: BLE001 - one model that fails must not cost the others
        return {"failed": f"{type(error).__name__}: {shorten(error, 300)}"}


def run(tasks: Sequence[Task], cache: Path, again: str | None) -> None:
    """Do the tasks that are not in the cache, one after the other."""
    cache.mkdir(parents=True, exist_ok=True)
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    for number, task in enumerate(tasks, 1):
        words = f"[{number}/{len(tasks)}] {task.model.title}, {task.genes}, {task.part}"
        if done(task, cache, again) is not None:
            continue
        started = time.perf_counter()
        command = worker(__file__, task.model.title, task.genes, task.part)
        ended = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, **one_thread}, check=False
        )
        outcome = (
            {"failed": f"the process ended with {ended.returncode}"}
            if ended.returncode
            else json.loads(ended.stdout.splitlines()[-1])
        )
        file = task.file(cache)
        partial = file.with_suffix(".part")
        partial.write_text(json.dumps(outcome, indent=1))
        partial.replace(file)
        said = outcome.get("failed") or f"fit {outcome['fit']:.1f} s of CPU time"
        print(f"{words}: {time.perf_counter() - started:.0f} s; {said}", file=sys.stderr, flush=True)


def planned(models: Iterable[Model], genes: Iterable[str], folds: int, with_shadow: bool) -> list[Task]:
    """Return the tasks, first folds first, so that a run that is stopped leaves a table of every model."""
    models = list(models)
    parts = ["fold 0", "thirds", *(f"fold {number}" for number in range(1, folds))]
    tasks = [
        Task(model, chosen, part)
        for part in parts
        for chosen in genes
        for model in models
        if part == "thirds" or int(part.split()[1]) < model.folds
    ]
    shadowed = [model for model in models if model.title in SHADOWED and with_shadow]
    return tasks + [Task(model, "all", "shadow") for model in shadowed]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="TITLE", help="rows of the table, by title or generator")
    parser.add_argument("--folds", type=int, default=FOLDS, choices=range(1, FOLDS + 1), help="most folds")
    parser.add_argument("--genes", nargs="+", choices=GENE_SETS, default=list(GENE_SETS), help="gene sets")
    parser.add_argument("--quick", action="store_true", help="one fold, landmark genes")
    parser.add_argument("--shadow", action="store_true", help="also the attacks that fit many models")
    parser.add_argument("--again", choices=("failed", "all"), help="measure anew what the cache holds")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of the outcomes")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(*options.worker)))
        return
    chosen = [m for m in MODELS if options.only is None or m.title in options.only or m.name in options.only]
    absent = {model.title: why for model in MODELS if (why := hindrance(model))}
    for model in chosen:
        if model.title in absent:
            print(f"{model.title}: skipped, {absent[model.title]}", file=sys.stderr)
    here = [model for model in chosen if model.title not in absent]
    genes, folds = (["landmarks"], 1) if options.quick else (options.genes, options.folds)
    run(planned(here, genes, folds, options.shadow), options.cache, options.again)
    publish("community", page(options.cache, absent))


if __name__ == "__main__":
    main()
