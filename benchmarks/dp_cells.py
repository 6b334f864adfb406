"""Private twins of single cells: what a budget leaves of cell types, and of the donors' traces.

    python benchmarks/dp_cells.py [--only PART] [--table]

OneK1K (40 donors, 7,811 cells, 1,000 genes, four types) dealt into thirds by donors: 14 in the twin, 13 the attacker's
reference and the public basis, 13 unseen ones to test on; then 27 and 40 donors in the twin. 500 simulated donors show
what more of them buy. Each row is kept in ``benchmarks/results/dp_cells.json``; a run that is stopped goes on where it
was. Needs the real cohorts (``TWINSEQ_DATA``). Writes ``benchmarks/results/dp_cells.md``.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from anndata import read_h5ad
from scipy.stats import norm
from threadpoolctl import threadpool_limits

import twinseq as ts
from twinseq.attacks.roc import auc
from twinseq.cell_basis import build_cell_basis
from twinseq.cohort import Cohort
from twinseq.dp import Budget, PrivacyWarning
from twinseq.metrics.cells._cells import cell_types, log_normalised, moments
from twinseq.metrics.cells._nearest import drawn
from twinseq.metrics.cells._space import principal_components
from twinseq.metrics.cells.classifier import cell_type_tstr
from twinseq.metrics.cells.markers import marker_overlap, marker_scores
from twinseq.metrics.cells.mixing import lisi
from twinseq.redteam.trial import Trial, available, score

from _common import DATA, RESULTS, machine, publish, table

STORE = RESULTS / "dp_cells.json"
DELTA = 1e-3
EPSILONS = (1.0, 4.0, 10.0, 50.0)
SPLITS = 3
ATTACKS = ("pseudobulk_tracing", "copula_llr")
MOST_CELLS = 5000
"""Of training data and twin, whose mixing is measured."""
MOST_TARGETS = 40
"""Donors on either side of an attack. Where there are so many, `copula_llr` would take hours and is left out."""
NAMES = ("14 donors of OneK1K", "27 donors of OneK1K", "40 donors of OneK1K", "500 simulated donors")
WAYS = ("alone", "basis", "basis, other names")
FIGURES = ("profile r", "markers", "TSTR", "LISI", *ATTACKS)


def onek1k() -> Cohort:
    adata = read_h5ad(DATA / "onek1k-40donors" / "cells.h5ad")
    return Cohort(adata, donor="indiv", cell_type="cell_type", source="onek1k-40donors")


def thirds(split: int) -> tuple[Cohort, Cohort, Cohort]:
    cohort = onek1k()
    donors = cohort.donors()
    order = np.random.default_rng([split, 3]).permutation(np.unique(donors))
    first, second, third = (cohort.subset(np.isin(donors, part)) for part in (order[:14], order[14:27], order[27:]))
    return first, second, third


def without_label(cohort: Cohort) -> Cohort:
    return Cohort(cohort.adata, donor="donor", cell_type="cell_type")


def joined(one: Cohort, other: Cohort) -> Cohort:
    import anndata

    return one.with_adata(anndata.concat([one.adata, other.adata], merge="same"))


def dealt(name: str, split: int) -> tuple[Cohort, Cohort | None, Cohort | None]:
    """Donors of the twin, unseen ones to test on, and public ones, as far as there are."""
    if name == NAMES[3]:
        drawn_with = {"n_genes": 1000, "cells_per_donor": 60}
        train, test, public = (
            ts.datasets.simulate_cells(n, n, seed=10 * split + part, **drawn_with)
            for part, n in enumerate((250, 25, 25))
        )
        return (without_label(train), without_label(test), without_label(public))
    first, test, public = thirds(split)
    if name == NAMES[0]:
        return first, test, public
    if name == NAMES[1]:
        return joined(first, public), test, None
    return joined(joined(first, public), test), None, None


def profile_r(real: Cohort, twin: Cohort) -> float:
    """Correlation of log10(CPM + 1) of the pooled cells of a type, averaged over types; a type that is lost has 0."""
    found = []
    types, twins = cell_types(real), cell_types(twin)
    for name in np.unique(types):
        rows = (real.adata.X[types == name], twin.adata.X[twins == name])
        sums = [np.asarray(side.sum(axis=0)).ravel() for side in rows]
        logs = [np.log10(1e6 * one / max(one.sum(), 1) + 1) for one in sums]
        found.append(np.corrcoef(logs)[0, 1] if logs[1].any() else 0.0)
    return float(np.mean(found))


def figures(twin: Cohort, train: Cohort, test: Cohort | None, public: Cohort | None, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    sides = [moments(side, cell_types(side)) for side in (train, twin)]
    scores = [marker_scores(side.mean, side.variance, side.n_cells) for side in sides]
    whole = len(sides[0].types) == len(sides[1].types)
    logs = [log_normalised(side.subset(drawn(side.n_samples, MOST_CELLS, rng))) for side in (train, twin)]
    space = principal_components(sp.vstack(logs, format="csr"), seed)
    found = {
        "profile r": profile_r(train, twin),
        "markers": marker_overlap(*scores) if whole else float("nan"),
        "LISI": lisi(*(space.transform(side) for side in logs), rng),
    }
    if test is not None:
        found["TSTR"] = cell_type_tstr(
            log_normalised(twin), cell_types(twin), log_normalised(test), cell_types(test), rng
        )
    if test is not None and public is not None:
        found |= traced(twin, at_most(train, rng), at_most(test, rng), public, seed)
    return found


def at_most(cohort: Cohort, rng: np.random.Generator) -> Cohort:
    donors = cohort.donors()
    names = np.unique(donors)
    return cohort.subset(np.isin(donors, names[drawn(len(names), MOST_TARGETS, rng)]))


def traced(twin: Cohort, members: Cohort, others: Cohort, reference: Cohort, seed: int) -> dict[str, float]:
    """AUC of attacks on donors, each in the first of its settings that can be mounted."""
    trial = Trial.of(twin, members, others, reference, seed=seed)
    found: dict[str, float] = {}
    for attack in ATTACKS if len(trial.is_member) < MOST_TARGETS else ATTACKS[:1]:
        keys = [key for key in available(trial, slow=True) if key[0] == attack and key[1] == "T1"]
        for key in keys[:3]:
            columns = score(trial, [key]).values.T
            if len(columns):
                found[attack] = auc(columns[0][trial.is_member], columns[0][~trial.is_member])
                break
    return found


def tasks() -> Iterator[tuple[str, str, float, int]]:
    """Cohort, way, ε (0: without a guarantee) and split."""
    for name in NAMES:
        yield from of_cohort(name, 0)
    for split in range(1, SPLITS):
        yield from of_cohort(NAMES[0], split)


def of_cohort(name: str, split: int) -> Iterator[tuple[str, str, float, int]]:
    if name != NAMES[3]:
        yield name, "scdesign2", 0.0, split
    for epsilon in EPSILONS:
        ways = {NAMES[0]: WAYS, NAMES[3]: WAYS[:2]}.get(name, WAYS[:1])
        yield from ((name, way, epsilon, split) for way in ways)
    if name == NAMES[0]:
        yield name, "unseen donors", 0.0, split


def measured(name: str, way: str, epsilon: float, split: int) -> dict[str, float]:
    train, test, public = dealt(name, split)
    started = time.process_time()
    if way == "unseen donors":
        twin = test
    elif way == "scdesign2":
        twin = ts.generators.create("scdesign2").fit(train, seed=split).sample(seed=split + 1)
    else:
        with tempfile.TemporaryDirectory() as folder:
            params: dict[str, Any] = {"epsilon": epsilon, "delta": DELTA}
            if way != "alone":
                basis = build_cell_basis(public)
                if way != "basis":
                    basis = dataclasses.replace(basis, types=tuple(f"public {name}" for name in basis.types))
                params["basis"] = str(basis.save(Path(folder) / "public.basis"))
            model = ts.generators.create("dp-scdesign", **params).fit(train, seed=split)
        twin = model.sample(n=train.n_samples, seed=split + 1)
    seconds = time.process_time() - started
    return {**figures(twin, train, test, public, split), "CPU s": seconds}


def page(known: dict[str, dict[str, float]]) -> None:
    lines = [
        "# Private twins of single cells",
        "",
        machine("twinseq", "numpy", "opendp"),
        "Written by `benchmarks/dp_cells.py`. Profile r: correlation with the training cells of log10(CPM + 1) of",
        "pooled cells of a type, averaged over types. Markers: share of the 50 strongest of each type that are the",
        "twin's too. TSTR: balanced accuracy on unseen donors of a logistic regression trained on twin cells. LISI: on",
        "50 components of training and twin cells. Attacks: AUC of telling the twin's donors from unseen ones,",
        "black box, disjoint reference, first setting of each attack (14 + 13 donors in a split, so that .5 ± .11",
        "is chance). Ceiling: Φ(μ / √2), which no attack can pass on average. Means of the splits.",
        f"δ = {DELTA:g}. Basis: built from the 13 reference donors (simulated: 50), types of the same names as the",
        "private ones or of others. CPU s: fit and draw.",
    ]  # fmt: skip
    for name in NAMES:
        rows = []
        for way, epsilon in [("scdesign2", 0.0), ("unseen donors", 0.0), *((w, e) for w in WAYS for e in EPSILONS)]:
            found = [known[key] for key in (json.dumps([name, way, epsilon, s]) for s in range(SPLITS)) if key in known]
            if not found:
                continue
            values = [[one[figure] for one in found if figure in one] for figure in FIGURES]
            shown = [f"{np.mean(some):.3f}" if some else "–" for some in values]
            ceiling = f"{norm.cdf(Budget(epsilon, DELTA).mu / np.sqrt(2)):.3f}" if epsilon else "–"
            seconds = f"{np.mean([one['CPU s'] for one in found]):.1f}"
            title = f"dp-scdesign, {way}" if epsilon else way
            rows.append([title, f"{epsilon:g}" if epsilon else "–", len(found), *shown, ceiling, seconds])
        if rows:
            head = ["twin", "ε", "splits", *FIGURES, "ceiling", "CPU s"]
            lines += ["", f"## {name}", "", *table(head, rows, "lrrrrrrrrrr")]
    publish("dp_cells", lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=NAMES, help="one of the cohorts")
    parser.add_argument("--table", action="store_true", help="write the page from what is known")
    options = parser.parse_args()
    warnings.simplefilter("ignore", PrivacyWarning)  # small budgets are what this is about
    known = json.loads(STORE.read_text()) if STORE.exists() else {}
    for task in [] if options.table else tasks():
        key = json.dumps(list(task))
        if key in known or options.only not in (None, task[0]):
            continue
        with threadpool_limits(1):
            known[key] = measured(*task)
        STORE.write_text(json.dumps(known, indent=1) + "\n")
        print(*task, {name: round(value, 3) for name, value in known[key].items()}, file=sys.stderr, flush=True)
    page(known)


if __name__ == "__main__":
    main()
