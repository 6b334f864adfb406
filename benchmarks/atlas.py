"""Time and memory of a twin of a cohort of cells that is never in memory: read from disk, learnt and drawn in parts.

    python benchmarks/atlas.py [--quick]

Cells of 100 donors and 8 types with 2,000 genes are simulated into an ``.h5ad``, part by part. Then, each in a process
of its own and on one thread: the file is read and checked, scdesign2 is fitted, and a twin of the same size is drawn
and written as ``.h5ad``; with the matrix left on disk, and, for comparison, in memory. CPU seconds of each step, and
the largest resident memory of the process; that of one that only imports what is needed stands in the first line.
Writes ``benchmarks/results/atlas.md``.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import twinseq as ts
from twinseq.drawing import draw_to_file
from twinseq.stored import StoredMatrix

from _common import machine, publish, table, worker

GENES = 2_000
DONORS = 100
TYPES = 8
RUNS = ((50_000, "memory"), (50_000, "disk"), (200_000, "disk"))
QUICK = ((2_000, "memory"), (2_000, "disk"))
GIB = 2**30


def simulate(path: Path, n_cells: int) -> dict[str, float]:
    start = time.process_time()
    ts.datasets.write_cells(
        path,
        n_cases=DONORS // 2,
        n_controls=DONORS // 2,
        n_genes=GENES,
        cells_per_donor=n_cells // DONORS,
        n_cell_types=TYPES,
    )
    return {"simulate": time.process_time() - start}


def twin(path: Path, place: str) -> dict[str, object]:
    """CPU seconds of each step, and a digest of fit and twin, which must not depend on where the matrix is."""
    spent = {}
    start = time.process_time()
    if place == "nothing":
        return spent
    cohort = ts.read(path, lazy=place == "disk")
    spent["read"] = time.process_time() - start
    start = time.process_time()
    with threadpool_limits(1):
        model = ts.generators.create("scdesign2").fit(cohort, seed=0)
    spent["fit"] = time.process_time() - start
    start = time.process_time()
    target = path.with_name(f"twin-{place}.h5ad")
    drawn = draw_to_file(model, None, 1, 1, target, lambda *_: None)
    spent["draw and write"] = time.process_time() - start
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    target.unlink()
    x = StoredMatrix.of(path)
    return {
        **spent,
        "digest": digest,
        "cells": drawn.n_samples,
        "dense": np.prod(x.shape, dtype=float) * 8 / GIB,
        "sparse": x.n_bytes / GIB,
        "file": path.stat().st_size / GIB,
    }


def once(*words: object) -> dict[str, object]:
    """Run one step in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    ended = subprocess.run(worker(__file__, *words), capture_output=True, text=True, check=True, env=environment)
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worker", nargs=3, metavar=("WHAT", "PATH", "CELLS"))
    options = parser.parse_args()
    if options.worker is not None:
        what, path, cells = options.worker
        found = simulate(Path(path), int(cells)) if what == "simulate" else twin(Path(path), what)
        found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps(found))
        return
    rows, digests, written = [], {}, {}
    with tempfile.TemporaryDirectory() as folder:
        idle = float(once("nothing", Path(folder) / "none", 0)["peak"])
        for n_cells, place in QUICK if options.quick else RUNS:
            path = Path(folder) / f"{n_cells}.h5ad"
            if not path.exists():
                written = once("simulate", path, n_cells)
            found = once(place, path, n_cells)
            digests.setdefault(n_cells, set()).add(found["digest"])
            rows.append(
                (
                    f"{found['cells']:,}",
                    place,
                    *(f"{found[name]:.2f}" for name in ("dense", "sparse", "file")),
                    *(f"{found[name]:.0f}" for name in ("read", "fit", "draw and write")),
                    f"{found['peak']:.2f}",
                )
            )
            print(rows[-1], f"simulated in {written['simulate']:.0f} s, {written['peak']:.1f} GiB", file=sys.stderr)
    same = all(len(found) == 1 for found in digests.values())
    header = (
        "cells", "matrix in", "dense, GiB", "csr, GiB", "file, GiB", "read and check, s", "fit, s", "draw and write, s",
        "peak, GiB",
    )  # fmt: skip
    publish(
        "atlas" if not options.quick else "atlas_quick",
        [
            "# A twin of an atlas",
            "",
            machine("twinseq", "numpy", "scipy", "anndata", "h5py"),
            "",
            f"{GENES:,} genes, {DONORS} donors, {TYPES} cell types × two conditions; scdesign2, a twin of the same "
            "size, one thread, CPU seconds.",
            f"A process that only imports what is needed has a peak of {idle:.1f} GiB. Dense: the matrix as float64.",
            f"Twins with the matrix on disk and in memory are {'the same, byte for byte' if same else 'NOT the same'}.",
            "`python benchmarks/atlas.py` measures this again.",
            "",
            *table(header, rows, "rlrrrrrrr"),
        ],
    )


if __name__ == "__main__":
    main()
