"""How like real cells the twins of single-cell generators are, beside the R program's twin and real cells.

    python benchmarks/single_cell_quality.py [--seeds N]

OneK1K: 40 donors, 7,811 cells, 1,000 genes, four cell types. First as R scDesign2 was run: all cells of two types,
every twin held against the cells that it was fitted to. Then all four types, fitted to 26 donors and held against these
and against the other 14. Needs the real cohorts and the reference outputs (``TWINSEQ_DATA``). Writes
``benchmarks/results/single_cell_quality.md``.
"""

import argparse
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from anndata import read_h5ad
from threadpoolctl import threadpool_limits

from twinseq import generators, metrics
from twinseq.cohort import Cohort
from twinseq.metrics.cells import CellComparison, CellSpace

from _common import DATA, machine, publish, table

R_SECONDS = 560.8
"""Fit of R scDesign2 0.1.0 to the two types, one core; measured on another machine."""
MODELS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("scdesign2", "scdesign2", {}),
    ("scdesign2, library offset", "scdesign2", {"library": "offset"}),
    ("cell-copula, faithful", "cell-copula", {"preset": "faithful"}),
    ("cell-copula, faithful, no donors", "cell-copula", {"preset": "faithful", "donors": 0}),
    ("cell-copula, leakage-limited", "cell-copula", {"preset": "leakage-limited"}),
    ("independent", "independent", {}),
)
FIGURES = ("lisi", "cells_mmd", "correlation_of_correlations", "cell_gene_zeros")
TRAINING = 26


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=3, help="donor splits, and draws of each twin")
    seeds = range(options.parse_args().seeds)
    with threadpool_limits(1):
        cells = read_h5ad(DATA / "onek1k-40donors" / "cells.h5ad")
        first = list(as_in_r(cells[cells.obs["cell_type"].isin(["cd4nc", "bmem"])].copy(), seeds))
        second = list(unseen_donors(cells, seeds))
    publish(
        "single_cell_quality",
        [
            "# Twins of single cells",
            "",
            machine("numpy", "scipy", "numba", "scikit-learn", "anndata"),
            "Times are CPU seconds of a fit on one core, compiled code at hand.",
            "",
            "LISI: mixing of twin and real cells, 0 to 1. MMD² × 10³: distance of the two clouds. ARI: clusters of the "
            "side alone against its cell types. Correlations, zeros: agreement of gene–gene correlations and of the "
            f"shares of zeros by cell type with those of the real cells. Means of {len(seeds)} draws.",
            "",
            "## As R scDesign2 was run",
            "",
            "5,372 cells of two types, 1,000 genes; every twin against the cells that it was fitted to. TSTR: balanced "
            f"accuracy of a classifier of cell types on these cells. R's fit took {R_SECONDS} s on its own machine. "
            "Real halves: cells dealt at random, same donors; they are held against each other.",
            "",
            *table(["twin", "LISI", "MMD² × 10³", "ARI", "correlations", "zeros", "TSTR", "fit, s"], first, "lrrrrrrr"),
            "",
            "## Unseen donors",
            "",
            f"Four types; {TRAINING} donors to learn from, {40 - TRAINING} unseen ones. The first row is the training "
            "cells themselves, played as a twin: what a second set of real donors reaches.",
            "",
            *table(
                [
                    "twin",
                    "LISI to training",
                    "LISI to unseen",
                    "MMD² × 10³ to unseen",
                    "ARI",
                    "correlations",
                    "zeros",
                    "TSTR − TRTR",
                    "fit, s",
                ],
                second,
                "lrrrrrrrr",
            ),
        ],
    )


def cohort(adata: Any) -> Cohort:
    """Return cells with their roles."""
    return Cohort(adata, cell_type="cell_type", donor="indiv")


def twins(train: Cohort, seed: int) -> Iterator[tuple[str, Cohort, float]]:
    """Yield title, twin and CPU seconds of the fit for each generator."""
    for title, name, params in MODELS:
        model = generators.create(name, **params)
        start = time.process_time()
        model.fit(train, seed=seed)
        seconds = time.process_time() - start
        yield title, model.sample(seed=seed + 1), seconds


def figure(comparison: CellComparison, name: str) -> float:
    """Return one metric of a comparison."""
    metric = metrics.get(name)
    return float(metric.function(*comparison.arguments(metric)))


def likeness(comparison: CellComparison) -> list[float]:
    """Return LISI, MMD, ARI, correlations and zeros."""
    lisi, mmd, ties, zeros = (figure(comparison, name) for name in FIGURES)
    return [lisi, 1000 * mmd, comparison.twin.clustered, ties, zeros]


def rows(found: dict[str, list[list[float]]]) -> Iterator[list[str]]:
    """Yield table rows of means over draws; NaN where there is nothing to show."""
    for title, draws in found.items():
        means = np.mean(draws, axis=0)
        yield [title, *("" if np.isnan(value) else f"{value:.3f}" for value in means[:-1]), _seconds(means[-1])]


def _seconds(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def as_in_r(cells: Any, seeds: range) -> Iterator[list[str]]:
    """Yield rows for twins of all cells of two types, against these cells."""
    real = cohort(cells)
    space = CellSpace(real)
    by_r = Cohort(read_h5ad(DATA.parent / "reference" / "scdesign2_simulated.h5ad"), cell_type="cell_type")
    found: dict[str, list[list[float]]] = {}

    def keep(title: str, twin: Cohort, seconds: float) -> None:
        side = space.cells(twin)
        tstr = figure(CellComparison(space, space.train, side, space.train), "cell_type_tstr")
        found.setdefault(title, []).append([*likeness(CellComparison(space, space.train, side)), tstr, seconds])

    for seed in seeds:
        order = np.random.default_rng(seed).permutation(real.n_samples)
        one, other = (real.subset(np.sort(half)) for half in np.array_split(order, 2))
        halves = CellSpace(one)
        side = halves.cells(other)
        tstr = figure(CellComparison(halves, halves.train, side, halves.train), "cell_type_tstr")
        shown = [*likeness(CellComparison(halves, halves.train, side)), tstr, np.nan]
        found.setdefault("real halves", []).append(shown)
        if seed == 0:
            keep("R scDesign2", by_r, R_SECONDS)
        for title, twin, seconds in twins(real, seed):
            keep(title, twin, seconds)
    return rows(found)


def unseen_donors(cells: Any, seeds: range) -> Iterator[list[str]]:
    """Yield rows for twins of 26 donors, against these and 14 others."""
    real = cohort(cells)
    donors = np.unique(real.donors())
    found: dict[str, list[list[float]]] = {}
    for seed in seeds:
        chosen = np.random.default_rng(seed).permutation(donors)[:TRAINING]
        inside = np.isin(real.donors(), chosen)
        train, holdout = real.subset(np.flatnonzero(inside)), real.subset(np.flatnonzero(~inside))
        space = CellSpace(train)
        outer = space.cells(holdout)

        def keep(title: str, twin: Cohort, seconds: float, space: CellSpace = space, outer: Any = outer) -> None:
            side = space.cells(twin)
            main = CellComparison(space, space.train, side, outer)
            near = np.nan
            if seconds == seconds:
                near = figure(CellComparison(space, space.train, side), "lisi")
            lost = figure(main, "cell_type_tstr_difference")
            found.setdefault(title, []).append([near, *likeness(main), lost, seconds])

        keep("training cells", train, np.nan)
        for title, twin, seconds in twins(train, seed):
            keep(title, twin, seconds)
    return rows(found)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
