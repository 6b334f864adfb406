"""What it costs in likeness to leak less of the donors: twins of 13 people, attacked and held against real cells.

    python benchmarks/single_cell_frontier.py [--splits N] [--again]

OneK1K: in each split 13 donors are in the twin, 13 others are the attacker's reference and 14 are non-members. Attacks
see the twin and the reference (T1), and whole donors. Where a twin rests on public donors, these are the reference:
the attacker has the same cells. Each attack has several settings; shown is the best of each by
its mean over the splits, so that figures lean high. A row is kept in a cache until it is asked for ``--again``. Needs
the real cohorts (``TWINSEQ_DATA``). Writes ``benchmarks/results/single_cell_frontier.md``.
"""

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from single_cell_attacks import cells, dealt, scores_of, trial_of
from single_cell_quality import figure
from twinseq import generators
from twinseq.cohort import Cohort
from twinseq.metrics.cells import CellComparison, CellSpace

from _common import ROOT, machine, publish, table

MEMBERS = 13
ATTACKS = ("pseudobulk_tracing", "copula_llr", "copula_mahalanobis", "marginal_llr")
MODELS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("scdesign2", "scdesign2", {}),
    ("cell-copula, faithful", "cell-copula", {"preset": "faithful"}),
    ("contrast 2", "cell-copula", {"contrast": 2.0}),
    ("contrast 2, blur 1", "cell-copula", {"contrast": 2.0, "blur": 1.0}),
    ("contrast 2, blur 2", "cell-copula", {"contrast": 2.0, "blur": 2.0}),
    ("contrast 2, blur 4", "cell-copula", {"contrast": 2.0, "blur": 4.0}),
    ("members and 13 public donors together", "cell-copula", {"preset": "faithful", "pooled": True}),
    ("the same, contrast 2, blur 1", "cell-copula", {"preset": "leakage-limited", "pooled": True}),
    ("on 13 public donors, beyond 2", "cell-copula", {"public": "", "beyond": 2.0}),
    ("on 13 public donors, beyond 3", "cell-copula", {"public": "", "beyond": 3.0}),
    ("on 13 public donors, beyond 4", "cell-copula", {"public": "", "beyond": 4.0}),
    ("13 other donors", "", {}),
)
"""Name, generator and settings; ``public`` stands for a model of the reference, ``pooled`` for its cells beside."""
CACHE = ROOT / "benchmarks" / ".cache" / "single_cell_frontier.json"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--splits", type=int, default=3)
    options.add_argument("--again", action="store_true", help="compute rows that are in the cache, too")
    asked = options.parse_args()
    splits = asked.splits
    rows = {} if asked.again or not CACHE.exists() else json.loads(CACHE.read_text())
    with threadpool_limits(1):
        for title, name, params in MODELS:
            key = f"{title}, {splits} splits"
            if key not in rows:
                rows[key] = frontier_row(title, name, params, splits) if name else real_row(title, splits)
                CACHE.parent.mkdir(parents=True, exist_ok=True)
                CACHE.write_text(json.dumps(rows))
        shifts = [shift_row(beyond, splits) for beyond in (2.0, 3.0, 4.0)]
    publish(
        "single_cell_frontier",
        [
            "# Likeness and leakage of twins of 13 donors",
            "",
            machine("numpy", "scipy", "numba", "scikit-learn", "anndata"),
            "",
            "LISI and MMD² × 10³ against the 13 training donors and against 14 unseen ones; AUC of attacks on donors "
            f"that know the twin and 13 other people, best setting of each. Means of {splits} splits. Public donors "
            "are those 13 other people: the attacker holds the very cells that twins rest on. The last row is the "
            "other 13 people's cells, played as a twin.",
            "",
            *table(
                ["twin", "LISI, training", "LISI, unseen", "MMD², unseen", *(f"{name}" for name in ATTACKS)],
                [rows[f"{title}, {splits} splits"] for title, _, _ in MODELS],
                "lrrrrrrr",
            ),
            "",
            "Twins on public donors: means of a gene in a type that moved, and the AUC of one who holds both fitted "
            "models and traces donors by these means alone.",
            "",
            *table(["beyond", "means that moved", "AUC"], shifts, "rrr"),
        ],
    )


def likeness(space: CellSpace, twin: Any, outer: Any) -> list[float]:
    """Return LISI to the training cells, and LISI and MMD to unseen donors."""
    side = space.cells(twin)
    unseen = CellComparison(space, space.train, side, outer)
    near = figure(CellComparison(space, space.train, side), "lisi")
    return [near, figure(unseen, "lisi"), 1000 * figure(unseen, "cells_mmd")]


def frontier_row(title: str, name: str, params: dict[str, Any], splits: int) -> list[str]:
    """Return the figures of one generator."""
    cohort = cells()
    like: list[list[float]] = []
    areas: dict[str, dict[str, list[float]]] = {attack: {} for attack in ATTACKS}
    for seed in range(splits):
        split = dealt(cohort, MEMBERS, seed)
        twin = made(name, params, split, seed)
        space = CellSpace(split.members)
        like.append(likeness(space, twin, space.cells(split.others)))
        for found in scores_of(trial_of(twin, split), "T1"):
            attack, *setting = found["key"]
            if attack in areas:
                members, others = found["members"], found["others"]
                truth = np.repeat([1, 0], [len(members), len(others)])
                area = roc_auc_score(truth, np.nan_to_num(np.array([*members, *others], dtype=float)))
                areas[attack].setdefault("/".join(map(str, setting)), []).append(float(area))
    best = [max(np.mean(values) for values in settings.values()) for settings in areas.values()]
    shown = [title, *(f"{value:.3f}" for value in (*np.mean(like, axis=0), *best))]
    print(shown, flush=True)
    return shown


def made(name: str, params: dict[str, Any], split: Any, seed: int) -> Cohort:
    """Return a twin of the members, as large as they are."""
    settings = dict(params)
    pooled = settings.pop("pooled", False)
    members = split.members
    if "public" in settings:
        model = on_public(split, seed, settings["beyond"])[0]
    else:
        training = together(members, split.reference) if pooled else members
        model = generators.create(name, **settings).fit(training, seed=seed)
    sizes = Counter(members.obs[members.cell_type].astype(str))
    return model.sample(design=dict(sizes), seed=seed) if pooled else model.sample(seed=seed)


def on_public(split: Any, seed: int, beyond: float) -> tuple[Any, Any]:
    """Return a model of the members on one of the reference, and the latter."""
    public = generators.create("cell-copula").fit(split.reference, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        path = public.save(Path(folder) / "public.model")
        model = generators.create("cell-copula", public=str(path), beyond=beyond).fit(split.members, seed=seed)
    return model, public


def shift_row(beyond: float, splits: int) -> list[str]:
    """Return what one who holds both models makes of the means that moved, and how many of them there are."""
    cohort = cells()
    areas, shares = [], []
    for seed in range(splits):
        split = dealt(cohort, MEMBERS, seed)
        model, public = on_public(split, seed, beyond)
        base = [_rates(public, code) for code in range(len(public.margins_))]
        moved = [_shift(_rates(model, code), base[code]) for code in range(len(base))]
        sides = [_scores(side, public, base, moved) for side in (split.members, split.others)]
        truth = np.repeat([1, 0], [len(side) for side in sides])
        areas.append(roc_auc_score(truth, np.concatenate(sides)))
        shares.append(np.mean([(shift != 0).mean() for shift in moved]))
    return [f"{beyond:g}", f"{np.mean(shares):.2%}", f"{np.mean(areas):.3f}"]


def _rates(model: Any, code: int) -> Any:
    margins = model.margins_[code]
    return (1 - margins.inflation) * margins.mean / model.unit_


def _shift(own: Any, base: Any) -> Any:
    """Return logarithms of what means were multiplied by, what all share left out."""
    seen = base > 0
    shift = np.where(seen, np.log(np.where(seen, own, 1.0) / np.where(seen, base, 1.0)), 0.0)
    shift[seen] -= np.median(shift[seen])
    return np.where(np.abs(shift) > 1e-6, shift, 0.0)


def _scores(side: Cohort, public: Any, base: list[Any], moved: list[Any]) -> list[float]:
    """Return for each donor how far its cells deviate from the public rates the way the model does."""
    x, donors, types = side.adata.X.tocsr(), side.donors(), side.obs[side.cell_type].astype(str).to_numpy()
    names = public.classes_[side.cell_type].astype(str).tolist()
    scores = []
    for donor in np.unique(donors):
        total = 0.0
        for name, rates, shift in zip(names, base, moved, strict=True):
            counts = np.asarray(x[(donors == donor) & (types == name)].sum(axis=0)).ravel()
            expected = counts.sum() * rates
            weight = 1.0 / (1.0 / np.maximum(expected, 0.1) + 0.05)
            total += float((weight * shift * np.clip(np.log((counts + 0.5) / (expected + 0.5)), -3, 3)).sum())
        scores.append(total)
    return scores


def together(one: Cohort, other: Cohort) -> Cohort:
    """Return the cells of two cohorts as one."""
    x = sp.vstack([one.adata.X, other.adata.X], format="csr")
    return one.with_adata(AnnData(x, obs=pd.concat([one.obs, other.obs]), var=one.adata.var.copy()))


def real_row(title: str, splits: int) -> list[str]:
    """Return the likeness of another set of real donors."""
    cohort = cells()
    like = []
    for seed in range(splits):
        split = dealt(cohort, MEMBERS, seed)
        space = CellSpace(split.members)
        like.append(likeness(space, split.reference, space.cells(split.others)))
    return [title, *(f"{value:.3f}" for value in np.mean(like, axis=0)), *[""] * len(ATTACKS)]


if __name__ == "__main__":
    main()
