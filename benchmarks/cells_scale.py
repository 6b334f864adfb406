"""Time and memory of the metrics of single cells, by number of cells.

    python benchmarks/cells_scale.py [--quick]

Training cells and a twin of the same size are simulated (two draws of the same donors' population) with 2,000 genes and
written to disk in a process of their own. Each row is a fresh process that reads both and computes every metric of the
group ``cells`` and the tables behind the plots, on one thread: CPU seconds, by part, and the largest resident memory of
the process. Writes ``benchmarks/results/cells_scale.md``.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from threadpoolctl import threadpool_limits

import twinseq as ts
from twinseq import metrics
from twinseq.metrics.cells import TABLES, CellComparison, CellSpace

from _common import machine, publish, table, worker

GENES = 2_000
CELLS = (5_000, 20_000, 100_000)
QUICK = (2_000, 5_000)
DONORS = 50


def write(n_cells: int, seed: int, path: Path) -> None:
    """Simulate cells and write them."""
    cells = ts.datasets.simulate_cells(
        DONORS // 2, DONORS // 2, GENES, seed=seed, cells_per_donor=n_cells // DONORS, n_cell_types=8
    )
    del cells.adata.uns["truth"]
    cells.adata.write_h5ad(path)


def every_metric(train: Path, twin: Path, lazy: bool) -> dict[str, object]:
    """CPU seconds of each part on one thread, and what shows that it was computed."""
    roles = {"label": "condition", "donor": "donor", "cell_type": "cell_type"}
    real, synthetic = (ts.read(path, **roles, lazy=lazy) for path in (train, twin))
    spent: dict[str, float] = {}
    figures: dict[str, float] = {}
    with threadpool_limits(1):
        start = time.process_time()
        space = CellSpace(real)
        # The twin is held against the training cells, which stand in for a hold-out too.
        comparison = CellComparison(space, space.train, space.cells(synthetic), space.train)
        for side in (comparison.train, comparison.twin):
            _ = side.moments, side.log
        spent["reading moments and variable genes"] = time.process_time() - start
        start = time.process_time()
        _ = comparison.joint, space.components
        spent["principal components"] = time.process_time() - start
        for name in metrics.names():
            metric = metrics.get(name)
            if metric.group == "cells":
                start = time.process_time()
                figures[name] = metric.function(*comparison.arguments(metric))
                spent[name] = time.process_time() - start
        start = time.process_time()
        for maker in TABLES.values():
            maker(comparison)
        spent["tables"] = time.process_time() - start
    filled = real.n_samples and sum(part.nnz for _, part in real.chunks()) / (real.n_samples * real.n_genes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"cells": real.n_samples, "filled": filled, "seconds": spent, "figures": figures, "peak": peak}


def fresh(*words: object) -> dict[str, object]:
    """Return what a process of its own has measured."""
    output = subprocess.run(worker(__file__, *words), capture_output=True, text=True, check=True).stdout
    found: dict[str, object] = json.loads(output.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worker", nargs="+")
    arguments = parser.parse_args()
    if arguments.worker:
        what, *words = arguments.worker
        if what == "write":
            write(int(words[0]), int(words[1]), Path(words[2]))
            print("null")
        else:
            print(json.dumps(every_metric(Path(words[0]), Path(words[1]), what == "lazy")))
        return
    sizes = QUICK if arguments.quick else CELLS
    rows, parts = [], []
    with tempfile.TemporaryDirectory() as folder:
        for n_cells in sizes:
            paths = [Path(folder) / f"{name}.h5ad" for name in ("train", "twin")]
            for seed, path in enumerate(paths):
                fresh("write", n_cells, seed, path)
            for how in ("memory", "lazy") if n_cells == sizes[-1] else ("memory",):
                found = fresh(how, *paths)
                spent = found["seconds"]
                rows.append(
                    [
                        f"{found['cells']:,} + as many",
                        "on disk" if how == "lazy" else "in memory",
                        f"{100 * found['filled']:.0f} %",
                        f"{sum(spent.values()):.0f}",
                        f"{found['peak']:.2f}",
                        f"{found['figures']['lisi']:.3f}",
                        f"{found['figures']['cells_mmd']:.1e}",
                    ]
                )
                parts.append((f"{found['cells']:,}", how, spent))
                report(rows, parts)


def report(rows: list[list[str]], parts: list[tuple[str, str, dict[str, float]]]) -> None:
    """Write what has been measured so far."""
    header = ["cells", "counts", "filled", "CPU seconds", "peak GiB", "LISI", "MMD²"]
    names = list(parts[-1][2])
    broken = table(
        ["part", *(f"{cells} {'on disk' if how == 'lazy' else ''}".strip() for cells, how, _ in parts)],
        [[name, *(f"{spent[name]:.1f}" for _, _, spent in parts)] for name in names],
        "l" + "r" * len(parts),
    )
    publish(
        "cells_scale",
        [
            "# Metrics of single cells, by number of cells",
            "",
            machine("twinseq", "numpy", "scipy", "scikit-learn", "scikit-network"),
            "",
            f"All metrics of the group `cells` and the tables behind the plots, {GENES:,} genes, eight cell types, "
            f"{DONORS} donors; one thread. The peak is of the whole process, with both cohorts in it. LISI and MMD² "
            "are of two draws from one population, each with donors of its own.",
            "",
            *table(header, rows, "llrrrrr"),
            "",
            "CPU seconds by part:",
            "",
            *broken,
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
