"""Time and memory of a twin of an atlas of cells that is never in memory: read from disk, learnt and drawn in parts.

    python benchmarks/atlas.py [--quick] [--folder FOLDER]

Cells of 981 donors and 14 types with 1,118 genes, as in OneK1K, are simulated into an ``.h5ad``, part by part: from ten
thousand cells to 1.27 million. Then, each in a process of its own and on two threads: the file is read and checked, a
generator is fitted, and a twin of the same size is drawn and written as ``.h5ad``; with the matrix left on disk, and,
for comparison, in memory and on a Dask cluster of two workers. CPU and wall seconds of each step, and the largest
resident memory of the process; on the cluster, of the process that asks, and of the larger of its workers.
Writes ``benchmarks/results/atlas.md``; files that are in the folder already are not simulated again.
"""

import argparse
import contextlib
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import twinseq as ts
from twinseq.drawing import draw_to_file
from twinseq.parallel import on_cluster
from twinseq.stored import StoredMatrix

from _common import machine, publish, table, worker

SIZE = {"n_cases": 491, "n_controls": 490, "n_genes": 1_118, "n_cell_types": 14, "fraction_markers": 0.03}
DEPTH = {"depth": 600.0, "depth_sd": 0.6}
THREADS = 2
GENERATORS = ("scdesign2", "cell-copula")
# Cells of a donor, where the matrix is or who learns.
RUNS = ((10, "disk"), (102, "memory"), (102, "disk"), (102, "cluster"), (1_295, "disk"))
QUICK = ((10, "memory"), (10, "disk"), (10, "cluster"))
STEPS = ("read and check", "fit", "draw and write")
GIB = 2**30


def simulate(path: Path, per_donor: int) -> None:
    ts.datasets.write_cells(path, **SIZE, **DEPTH, cells_per_donor=per_donor)


class Clock:
    """CPU and wall seconds of each step."""

    def __init__(self) -> None:
        self.spent: dict[str, tuple[float, float]] = {}

    @contextlib.contextmanager
    def timing(self, step: str):
        """Time what is done inside."""
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.spent[step] = time.process_time() - cpu, time.perf_counter() - wall


@contextlib.contextmanager
def two_workers():
    """Learn on a cluster of two processes of this machine."""
    import distributed

    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        on_cluster(cluster.scheduler_address),
    ):
        yield cluster


def twin(path: Path, place: str, generator: str) -> dict[str, object]:
    """Time of each step, and a digest of the twin, which must not depend on where the matrix is nor who learns."""
    clock = Clock()
    found: dict[str, object] = {}
    with two_workers() if place == "cluster" else contextlib.nullcontext() as cluster:
        with clock.timing("read and check"):
            cohort = ts.read(path, lazy=place != "memory", covariates=())
        with clock.timing("fit"):
            model = ts.generators.create(generator).fit(cohort, seed=0, jobs=THREADS)
        if cluster is not None:
            client = cluster.get_client()
            found["workers"] = max(client.run(peak).values())
            client.close()
    target = path.with_name(f"twin-{place}-{generator}.h5ad")
    with clock.timing("draw and write"):
        drawn = draw_to_file(model, None, 1, THREADS, target, lambda *_: None)
    digest = hashlib.sha256()
    with target.open("rb") as file:
        while part := file.read(2**24):
            digest.update(part)
    target.unlink()
    return {**found, "spent": clock.spent, "digest": digest.hexdigest(), "cells": drawn.n_samples}


def peak() -> float:
    """Largest resident memory of this process so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def once(*words: object) -> dict[str, object]:
    """Run one step in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    ended = subprocess.run(worker(__file__, *words), capture_output=True, text=True, check=True, env=environment)
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def seconds(spent: dict[str, tuple[float, float]], step: str) -> str:
    cpu, wall = spent[step]
    return f"{cpu:.0f} / {wall:.0f}"


def measure(folder: Path, runs: tuple[tuple[int, str], ...]) -> None:
    rows, digests, sizes = [], {}, {}
    idle = float(once("nothing", folder / "none", 0, "none")["peak"])
    for per_donor, place in runs:
        path = folder / f"{per_donor}.h5ad"
        if not path.exists():
            once("simulate", path, per_donor, "none")
        x = StoredMatrix.of(path)
        sizes[x.shape[0]] = x.n_bytes / GIB, path.stat().st_size / GIB
        for generator in GENERATORS:
            found = once(place, path, per_donor, generator)
            digests.setdefault((per_donor, generator), set()).add(found["digest"])
            memory = f"{found['peak']:.2f}" + (f" and {found['workers']:.2f}" if "workers" in found else "")
            spent = found["spent"]
            cpu = sum(spent[step][0] for step in STEPS[1:])
            rows.append(
                (
                    f"{found['cells']:,}",
                    generator,
                    place,
                    *(seconds(spent, step) for step in STEPS),
                    f"{1e5 * cpu / found['cells']:.0f}",
                    f"{sum(spent[step][1] for step in STEPS[1:]) / 60:.1f}",
                    memory,
                )
            )
            print(rows[-1], file=sys.stderr, flush=True)
    rows.sort(key=lambda row: (row[1], int(row[0].replace(",", "")), row[2]))
    same = all(len(found) == 1 for found in digests.values())
    header = (
        "cells", "generator", "matrix in, or learnt by", *(f"{step}, s" for step in STEPS),
        "fit + draw, CPU s per 100,000 cells", "fit + draw, minutes", "peak, GiB",
    )  # fmt: skip
    csr = "; ".join(f"{n:,} cells {memory:.2f} GiB ({disk:.2f} in the file)" for n, (memory, disk) in sizes.items())
    publish(
        "atlas" if runs is RUNS else "atlas_quick",
        [
            "# A twin of an atlas",
            "",
            machine("twinseq", "numpy", "scipy", "anndata", "h5py", "distributed"),
            "",
            f"Simulated cells: {SIZE['n_genes']:,} genes, 981 donors, {SIZE['n_cell_types']} cell types × two "
            f"conditions (28 classes), a fifth of the values above 0; a twin of the same size, {THREADS} threads. "
            "Seconds are CPU / wall; other programs ran on the machine, so that wall times are upper bounds.",
            f"Matrix as csr: {csr}.",
            f"A process that only imports what is needed has a peak of {idle:.1f} GiB. On the cluster of two workers "
            "they fit and the process that asks draws: CPU seconds are its own, and the second peak is the larger "
            "worker's.",
            "Twins from disk, from memory and by the cluster are "
            f"{'the same, byte for byte' if same else 'NOT the same'}.",
            "`python benchmarks/atlas.py` measures this again.",
            "",
            *table(header, rows, "rllrrrrrr"),
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--worker", nargs=4, metavar=("WHAT", "PATH", "CELLS", "GENERATOR"))
    options = parser.parse_args()
    if options.worker is not None:
        what, path, cells, generator = options.worker
        found: dict[str, object] = {}
        if what == "simulate":
            simulate(Path(path), int(cells))
        elif what != "nothing":
            found = twin(Path(path), what, generator)
        print(json.dumps({**found, "peak": peak()}))
        return
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        measure(folder, QUICK if options.quick else RUNS)


if __name__ == "__main__":
    main()
