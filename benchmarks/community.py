"""The community benchmark's protocol, its measures and our attacks, for every generator there is.

    python benchmarks/community.py [--only TITLE ...] [--folds N] [--genes all landmarks] [--quick] [--shadow] [--table]

Öztürk et al. 2026 (bioRxiv 10.64898/2026.03.02.707794): twins of four fifths of a cohort of breast tumours, held
against the fifth that is left, over five stratified folds. Here on the PAM50 cohort and with our attacks beside. Each
fold of each model is a task in a process of its own, kept as one JSON file in ``--cache``: a run that is stopped goes
on where it was, and the table is written from all tasks that are there. The version of twinseq is part of a task's
name; between versions, ``--again`` measures anew. Needs the real cohorts (``TWINSEQ_DATA``). Writes
``benchmarks/results/community.md``.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

import twinseq as ts
from community_models import FOLDS, GENE_SETS, MEASURES, MODELS, SEED, SHADOWED, Model, Task, done
from community_page import page
from twinseq import metrics
from twinseq.attacks.roc import auc
from twinseq.cohort import Cohort
from twinseq.errors import TwinseqError, shorten
from twinseq.generators._extras import missing
from twinseq.knowledge import KnownGenerator
from twinseq.metrics import Comparison, NotComputableError, Profiles, Space
from twinseq.metrics._inputs import in_order
from twinseq.redteam.trial import Key, Trial, available, score

from _common import DATA, ROOT, publish
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


def measured(train: Cohort, twin: Cohort, holdout: Cohort) -> dict[str, dict[str, float | None]]:
    """Return the benchmark's measures of a twin, and those of the hold-out in its place where they say something."""
    ordered = [in_order(side, train) for side in (train, twin, holdout)]
    space = Space(ordered[0], SEED)
    sides = [Profiles.of(side, space) for side in ordered[1:]]
    of_twin, of_holdout = (Comparison(space, space.train, side, sides[1]) for side in sides)
    names = list(MEASURES.values())
    return {
        "metrics": {name: value_of(name, of_twin) for name in names},
        "real": {name: value_of(name, of_holdout) for name in names if metrics.get(name).against == "train"},
    }


def value_of(name: str, comparison: Comparison) -> float | None:
    """Return one metric, or ``None`` where these data have none."""
    metric = metrics.get(name)
    try:
        return float(metric.function(*comparison.arguments(metric)))
    except NotComputableError:
        return None


def fold(model: Model, cohort: Cohort, number: int) -> dict[str, Any]:
    """Measure one fold; members for the attacks are the next fold, as large as the hold-out and alike in classes."""
    folds = list(cohort.folds(FOLDS, seed=SEED))
    train, holdout = folds[number]
    members = folds[(number + 1) % FOLDS][1]
    twin, cost = twin_of(model, train)
    figures = measured(train, twin, holdout)
    attacks = areas(Trial.of(twin, members, holdout, seed=SEED), jobs=1)
    return {**cost, **figures, "attacks": listed(attacks)}


def thirds(model: Model, cohort: Cohort) -> dict[str, Any]:
    """Attack one split into members, others and a reference."""
    members, others, reference = cohort.split(THIRDS, seed=SEED)
    twin, cost = twin_of(model, members)
    attacks = areas(Trial.of(twin, members, others, reference, seed=SEED), jobs=1)
    return {**cost, "attacks": listed(attacks)}


def shadow(model: Model, cohort: Cohort) -> dict[str, Any]:
    """Attack the same split with all that one who knows the generator can do."""
    members, others, reference = cohort.split(THIRDS, seed=SEED)
    twin, cost = twin_of(model, members)
    known = KnownGenerator(model.name, model.preset, model.params)
    trial = Trial.of(twin, members, others, reference, known, seed=SEED)
    keys = available(trial, slow=True)
    return {**cost, "attacks": [timed(trial, key) for key in keys]}


def timed(trial: Trial, key: Key) -> list[Any]:
    """Return attack, level, AUC, CPU seconds and, in place of the AUC, the reason why there is none."""
    started = time.process_time()
    scores = score(trial, [key])
    spent = time.process_time() - started
    if not scores.keys:
        return [*key[:2], None, spent, ": ".join(scores.troubles[key[0], key[1]])]
    column, member = scores.values[:, 0], trial.is_member
    return [*key[:2], auc(column[member], column[~member]), spent, ""]


def work(task: Task, cohort: Cohort) -> dict[str, Any]:
    """Do one task; a failure is an outcome too."""
    try:
        if task.part == "thirds":
            return thirds(task.model, cohort)
        if task.part == "shadow":
            return shadow(task.model, cohort)
        return fold(task.model, cohort, int(task.part.split()[1]))
    except Exception as error:  # noqa: BLE001 - one model that fails must not cost the others
        return {"failed": f"{type(error).__name__}: {shorten(error, 300)}"}


def apart(task: Task, cohort: Cohort, file: Path) -> dict[str, Any]:
    """Do one task in a fork of this process, so that its memory is its own and its end is not ours."""

    def write() -> None:
        partial = file.with_suffix(".part")
        with threadpool_limits(1):
            partial.write_text(json.dumps(work(task, cohort), indent=1))
        partial.replace(file)

    file.unlink(missing_ok=True)
    child = get_context("fork").Process(target=write)
    child.start()
    child.join()
    if not file.exists():
        file.write_text(json.dumps({"failed": f"the process ended with {child.exitcode}"}))
    outcome: dict[str, Any] = json.loads(file.read_text())
    return outcome


def run(tasks: Sequence[Task], cache: Path, again: str | None) -> None:
    """Do the tasks that are not in the cache, one after the other."""
    cache.mkdir(parents=True, exist_ok=True)
    cohorts: dict[str, Cohort] = {}
    for number, task in enumerate(tasks, 1):
        if done(task, cache, again) is not None:
            continue
        if task.genes not in cohorts:
            cohorts[task.genes] = cohort_on(task.genes)
        started = time.perf_counter()
        outcome = apart(task, cohorts[task.genes], task.file(cache))
        words = f"[{number}/{len(tasks)}] {task.model.title}, {task.genes}, {task.part}"
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
    parser.add_argument("--only", nargs="+", metavar="TITLE", help="rows of the table, by title, else generator")
    parser.add_argument("--folds", type=int, default=FOLDS, choices=range(1, FOLDS + 1), help="most folds")
    parser.add_argument("--genes", nargs="+", choices=GENE_SETS, default=list(GENE_SETS), help="gene sets")
    parser.add_argument("--quick", action="store_true", help="one fold, landmark genes")
    parser.add_argument("--shadow", action="store_true", help="also the attacks that fit many models")
    parser.add_argument("--table", action="store_true", help="measure nothing, write the page from the cache")
    parser.add_argument("--again", choices=("failed", "all"), help="measure anew what the cache holds")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of the outcomes")
    options = parser.parse_args()
    titles = {m.title for m in MODELS}
    words = set(options.only or titles)
    chosen = [m for m in MODELS if m.title in words or m.name in words - titles]
    absent = {model.title: why for model in MODELS if (why := hindrance(model))}
    for model in chosen:
        if model.title in absent:
            print(f"{model.title}: skipped, {absent[model.title]}", file=sys.stderr)
    here = [model for model in chosen if model.title not in absent]
    genes, folds = (["landmarks"], 1) if options.quick else (options.genes, options.folds)
    if not options.table:
        run(planned(here, genes, folds, options.shadow), options.cache, options.again)
    publish("community", page(options.cache, absent))


if __name__ == "__main__":
    main()
