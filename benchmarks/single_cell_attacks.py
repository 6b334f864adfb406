"""Attacks on single-cell twins by number of training donors.

    python benchmarks/single_cell_attacks.py [--only TITLE ...] [--splits N] [--parts PART ...] [--table] [--again]

OneK1K: 40 donors, 7,811 cells, 1,000 genes, four cell types. In each split 2, 5, 10 or 13 donors are in the twin, 13
strictly different ones are the attacker's reference, and 14 further ones are the non-members. Each task (generator,
number of donors, part, split) is kept as one JSON file in ``--cache`` with every donor's scores: a run that is stopped
goes on where it was, and the page is written from all tasks that are there. Needs the real cohorts
(``TWINSEQ_DATA``). Writes ``benchmarks/results/single_cell_attacks.md``.
"""

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from anndata import read_h5ad
from threadpoolctl import threadpool_limits

import twinseq as ts
from twinseq.attacks import NotApplicableError, Samples
from twinseq.cohort import Cohort, from_anndata
from twinseq.errors import TwinseqError, shorten
from twinseq.knowledge import KnownGenerator, KnownModel, cohort_of
from twinseq.redteam.comparable import comparable
from twinseq.redteam.trial import Key, Trial, available, score

from _common import DATA, ROOT, publish
from single_cell_page import page

CACHE = ROOT / "benchmarks" / ".cache" / "single_cell_attacks"
DONORS = (2, 5, 10, 13)
REFERENCE = 13
MOUNTED = ("copula_mahalanobis", "copula_llr", "pseudobulk_tracing", "composition", "denoised_tracing")
SPARSE = ("sparse counts", "sparse counts, depth included")
BUDGETS = (1, 10, 50)
NOISE = {"blurred means": (0.5, 0.0), "blurred correlations": (0.0, 0.2), "both blurred": (0.5, 0.2)}
"""Deviation of the noise on log means, and on correlations, of a defence that everybody knows."""


@dataclass(frozen=True)
class Model:
    """A row of the table."""

    title: str
    name: str
    params: dict[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ("exact", "unseen")
    preset: str | None = None


MODELS = (
    Model("scdesign2", "scdesign2", parts=("exact", "unseen", "white box", "few cells", *NOISE)),
    Model("cell-copula", "cell-copula"),
    Model(
        "cell-copula, leakage-limited", "cell-copula", parts=("exact", "unseen", "knowing"), preset="leakage-limited"
    ),
    Model("dp-scdesign, ε = 10", "dp-scdesign", {"epsilon": 10.0, "delta": 1e-5}),
    Model("bootstrap", "bootstrap", parts=("exact",)),
)
WHERE = {"few cells": (5, 13), "unseen": (5, 10), "knowing": (13,), **dict.fromkeys(NOISE, (13,))}
"""Numbers of training donors of the parts that do not take all of `DONORS`."""


@dataclass(frozen=True)
class Dealt:
    """One split."""

    members: Cohort
    others: Cohort
    reference: Cohort
    seed: int


def cells() -> Cohort:
    adata = read_h5ad(DATA / "onek1k-40donors" / "cells.h5ad")
    return from_anndata(adata, donor="indiv", cell_type="cell_type", source="onek1k-40donors")


def dealt(cohort: Cohort, n: int, seed: int) -> Dealt:
    donors = cohort.donors()
    order = np.random.default_rng([seed, 100]).permutation(np.unique(donors))
    parts = order[:n], order[2 * REFERENCE :], order[REFERENCE : 2 * REFERENCE]
    return Dealt(*(cohort.subset(np.isin(donors, part)) for part in parts), seed)


def scores_of(trial: Trial, level: str, only: Callable[[Key], bool] = lambda _: True) -> list[dict[str, Any]]:
    """Every donor's scores by every setting of the attacks on cells at a level (and, at T1, without a reference)."""
    keys = [
        key
        for key in available(trial, slow=True)
        if (key[0] in MOUNTED or (key[0] == "marginal_llr" and key[2].startswith(SPARSE)) or key[0] == DISTANCE)
        and (key[1] == level or (key[1] == "T0" and level == "T1"))
        and only(key)
    ]
    found, member, donors = score(trial, keys), trial.is_member, trial.people[0].tolist()
    return [
        {
            "key": list(key),
            "members": column[member].tolist(),
            "others": column[~member].tolist(),
            "who": [[d for d, m in zip(donors, member, strict=True) if m is side] for side in (np.True_, np.False_)],
        }
        for key, column in zip(found.keys, found.values.T, strict=True)
    ]


DISTANCE = "nearest_distance"


def trial_of(
    twin: Cohort, split: Dealt, members: Cohort | None = None, others: Cohort | None = None, **known: Any
) -> Trial:
    held = split.members if members is None else members
    inside, outside, _ = comparable(held, split.others if others is None else others, twin, split.reference)
    return Trial.of(twin, inside, outside, split.reference, seed=split.seed, **known)


def fitted(model: Model, cohort: Cohort, seed: int) -> Any:
    return ts.generators.create(model.name, model.preset, **model.params).fit(cohort, seed=seed)


def exact(model: Model, split: Dealt) -> list[dict[str, Any]]:
    """Attack with the very cells that the generator was fitted to."""
    twin = fitted(model, split.members, split.seed).sample(seed=split.seed + 1)
    return scores_of(trial_of(twin, split), "T1")


def few_cells(model: Model, split: Dealt) -> list[dict[str, Any]]:
    twin = fitted(model, split.members, split.seed).sample(seed=split.seed + 1)
    trial = trial_of(twin, split)
    return [
        {**row, "cells": budget} for budget in BUDGETS for row in scores_of(trial.on_cells(budget), "T1", no_distance)
    ]


def no_distance(key: Key) -> bool:
    return key[0] != DISTANCE and key[1] != "T0"


def unseen(model: Model, split: Dealt) -> list[dict[str, Any]]:
    """Fit the generator to half of the members' cells, and attack with the other half."""
    halves = [
        (cohort.subset(half), cohort.subset(~half))
        for cohort, half in (
            (side, np.random.default_rng([split.seed, place]).random(side.n_samples) < 0.5)
            for place, side in enumerate((split.members, split.others))
        )
    ]
    twin = fitted(model, halves[0][0], split.seed).sample(seed=split.seed + 1)
    return scores_of(trial_of(twin, split, halves[0][1], halves[1][1]), "T1", no_distance)


def white_box(model: Model, split: Dealt) -> list[dict[str, Any]]:
    made = fitted(model, split.members, split.seed)
    genes = split.members.genes
    known = {
        "generator": KnownGenerator(model.name, model.preset, model.params, genes),
        "model": KnownModel(made, "all", genes),
    }
    return scores_of(trial_of(made.sample(seed=split.seed + 1), split, **known), "T3")


def knowing(model: Model, split: Dealt) -> list[dict[str, Any]]:
    """Attack with the generator and its settings known, not what it has learnt."""
    twin = fitted(model, split.members, split.seed).sample(seed=split.seed + 1)
    known = KnownGenerator(model.name, model.preset, model.params, split.members.genes)
    return scores_of(trial_of(twin, split, generator=known), "T2")


class Blurred:
    """scdesign2 with noise on what it has learnt, as its attackers know it (`twinseq.attacks.Definition`)."""

    def __init__(self, model: Model, means: float, correlations: float) -> None:
        self.model, self.means, self.correlations = model, means, correlations

    def blurred(self, cohort: Cohort, seed: int) -> Any:
        """Return the fitted generator, its means and correlations blurred."""
        made = copy.deepcopy(fitted(self.model, cohort, seed))
        rng = np.random.default_rng([seed, 7])
        for kind in made.types_:
            kind.margins.mean[:] *= np.exp(self.means * rng.standard_normal(len(kind.margins.mean)))
            noise = np.tril(rng.standard_normal(kind.correlation.shape), -1)
            values, axes = np.linalg.eigh(kind.correlation + self.correlations * (noise + noise.T))
            repaired = (axes * np.maximum(values, 1e-3)) @ axes.T
            deviation = np.sqrt(np.diag(repaired))
            kind.correlation[:] = repaired / np.outer(deviation, deviation)
        return made

    def fit(self, samples: Samples, seed: int) -> KnownModel:
        """Fit to what the attacker holds; the noise is drawn anew."""
        return KnownModel(self.blurred(cohort_of(samples), seed))

    def public_axes(self) -> None:
        """There is no public basis."""


def blurred(model: Model, split: Dealt, part: str) -> list[dict[str, Any]]:
    """Attack a defence whose noise is known."""
    defence = Blurred(model, *NOISE[part])
    twin = defence.blurred(split.members, split.seed).sample(seed=split.seed + 1)
    trial = trial_of(twin, split, generator=defence)
    return scores_of(trial, "T1", no_distance) + scores_of(trial, "T2")


PARTS: dict[str, Callable[[Model, Dealt], list[dict[str, Any]]]] = {
    "exact": exact,
    "unseen": unseen,
    "white box": white_box,
    "knowing": knowing,
    "few cells": few_cells,
}


def work(model: Model, part: str, split: Dealt) -> dict[str, Any]:
    """Do one task; a failure is an outcome too."""
    started = time.process_time()
    try:
        rows = PARTS[part](model, split) if part in PARTS else blurred(model, split, part)
    except (TwinseqError, NotApplicableError) as error:
        return {"failed": f"{type(error).__name__}: {shorten(error, 300)}"}
    return {"rows": rows, "seconds": time.process_time() - started, "donors": len(set(split.members.donors()))}


def tasks(models: list[Model], parts: list[str], splits: int) -> Iterator[tuple[Model, int, str, int]]:
    """First splits first, so that a run that is stopped leaves a table of everything."""
    for seed in range(splits):
        for model in models:
            for part in parts:
                for n in WHERE.get(part, DONORS) if part in model.parts else ():
                    yield model, n, part, seed


def file_of(cache: Path, model: Model, n: int, part: str, seed: int) -> Path:
    words = "".join(letter if letter.isalnum() else "-" for letter in f"{model.title} {part}")
    return cache / f"{words}.{n}.{seed}.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    titles = [model.title for model in MODELS]
    every = [*PARTS, *NOISE]
    parser.add_argument("--only", nargs="+", choices=titles, default=titles, help="rows of the table")
    parser.add_argument("--parts", nargs="+", choices=every, default=every)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--table", action="store_true", help="measure nothing, write the page from the cache")
    parser.add_argument("--again", action="store_true", help="measure anew what the cache holds")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of the outcomes")
    options = parser.parse_args()
    known = [model for model in MODELS if model.name in ts.generators.names()]
    chosen = [model for model in known if model.title in options.only]
    options.cache.mkdir(parents=True, exist_ok=True)
    if not options.table:
        cohort = cells()
        with threadpool_limits(1):
            for model, n, part, seed in tasks(chosen, options.parts, options.splits):
                file = file_of(options.cache, model, n, part, seed)
                if file.exists() and not options.again:
                    continue
                outcome = work(model, part, dealt(cohort, n, seed))
                file.with_suffix(".part").write_text(json.dumps(outcome))
                file.with_suffix(".part").replace(file)
                said = outcome.get("failed") or f"{outcome['seconds']:.1f} s of CPU time"
                print(f"{model.title}, {n} donors, {part}, split {seed}: {said}", file=sys.stderr, flush=True)
    found = {
        (model.title, part, n): [
            json.loads(file.read_text())
            for seed in range(options.splits)
            if (file := file_of(options.cache, model, n, part, seed)).exists()
        ]
        for model in known
        for part in model.parts
        for n in WHERE.get(part, DONORS)
    }
    publish("single_cell_attacks", page(found, DONORS, BUDGETS, tuple(NOISE)))


if __name__ == "__main__":
    main()
