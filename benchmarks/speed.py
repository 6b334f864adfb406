"""Time and memory of fitting a generator and drawing a twin of the same size, by genes and by samples; of an audit.

    python benchmarks/speed.py [--copulas-python PYTHON] [--quick]

Every measurement is a fresh process on a simulated cohort (two classes): wall seconds of fit + sample, after imports
and simulation, the best of three (of one beyond ten seconds), and the peak memory of the process. ``--copulas-python``
names the interpreter of an environment that has the package ``copulas`` (the engine of SDV's Gaussian copula), which
is then measured too. Writes ``benchmarks/results/speed.md``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import twinseq as ts

from _common import machine, measured, publish, table, worker
from peers import COPULAS_SCRIPT, dense_gaussian_copula

JOBS = 2
BY_GENES = [(136, genes) for genes in (1_000, 3_000, 9_000, 27_000, 60_000)]
BY_SAMPLES = [(samples, 27_000) for samples in (136, 500, 1_500, 5_000)]
PEERS = ("independent", "lowrank-mvn", "mvn")
DENSE = [(136, 1_000), (136, 3_000)]


def simulated(n_samples: int, n_genes: int) -> ts.Cohort:
    cases = round(n_samples * 56 / 136)
    cohort = ts.datasets.simulate_cohort(n_cases=cases, n_controls=n_samples - cases, n_genes=n_genes, seed=0)
    return ts.Cohort(cohort.adata, label=cohort.label, donor=cohort.donor)


def seconds(name: str, n_samples: int, n_genes: int) -> float | None:
    """Best wall seconds of fit + sample; ``None`` for the process that only makes the cohort."""
    cohort = simulated(n_samples, n_genes)
    if name == "nothing":
        return None
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        if name == "dense":
            dense_gaussian_copula(np.log2(cohort.dense() + 1), n_samples, np.random.default_rng(0))
        else:
            ts.generators.create(name).fit(cohort, seed=0, jobs=JOBS).sample(seed=1, jobs=JOBS)
        best = min(best, time.perf_counter() - start)
        if best > 10:
            break
    return best


def audit_seconds(n_genes: int) -> float:
    """Wall seconds of a whole audit of 136 samples with a hold-out of 68, planted modules as gene sets."""
    cohort, holdout = (
        ts.datasets.simulate_cohort(n_cases=cases, n_controls=controls, n_genes=n_genes, seed=seed)
        for seed, cases, controls in ((0, 56, 80), (1, 28, 40))
    )
    twin = ts.generators.create("copula").fit(cohort, jobs=JOBS).sample(seed=1, jobs=JOBS)
    with tempfile.TemporaryDirectory() as folder:
        sets = Path(folder) / "modules.gmt"
        sets.write_text("\n".join(ts.datasets.gmt_lines(ts.datasets.gene_sets(cohort))) + "\n")
        start = time.perf_counter()
        ts.audit(cohort, twin, holdout=holdout, gene_sets=[sets], jobs=JOBS)
        return time.perf_counter() - start


def copulas_seconds(python: str, n_samples: int, n_genes: int) -> float:
    """Seconds of the package ``copulas`` in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.npy"
        np.save(path, np.log2(simulated(n_samples, n_genes).dense() + 1))
        script = Path(folder) / "run.py"
        script.write_text(COPULAS_SCRIPT)
        done = subprocess.run([python, str(script), str(path)], capture_output=True, text=True, check=True)
        return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copulas-python", help="interpreter of an environment with the package copulas")
    parser.add_argument("--quick", action="store_true", help="the smallest size of each only")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        name, n_samples, n_genes = arguments.worker
        wall = audit_seconds(int(n_genes)) if name == "audit" else seconds(name, int(n_samples), int(n_genes))
        print(json.dumps(wall))
        return

    rows = []

    def row(name: str, title: str, size: tuple[int, int]) -> None:
        _, base = measured(worker(__file__, "nothing", *size))
        wall, peak = measured(worker(__file__, name, *size))
        cells = size[0] * size[1] / 1e6
        rows.append(
            [f"{size[0]:,} × {size[1]:,}", title, f"{wall:.2f}", f"{wall / cells:.3f}", f"{peak:,.0f}", f"{base:,.0f}"]
        )
        print(rows[-1], file=sys.stderr)

    by_genes, by_samples, dense = (
        (BY_GENES[:1], BY_SAMPLES[:1], DENSE[:1]) if arguments.quick else (BY_GENES, BY_SAMPLES, DENSE)
    )
    for size in by_genes:
        row("copula", "**twinseq `copula`**", size)
    for size in by_samples[1:]:
        row("copula", "**twinseq `copula`**", size)
    for name in PEERS:
        row(name, f"twinseq `{name}`", by_genes[-2] if len(by_genes) > 1 else by_genes[0])
    for size in dense:
        row("dense", "dense Gaussian copula, beta margins, written naively", size)
        if arguments.copulas_python:
            wall = copulas_seconds(arguments.copulas_python, *size)
            rows.append(
                [
                    f"{size[0]} × {size[1]:,}",
                    "package `copulas` 0.14 (SDV), beta margins",
                    f"{wall:.2f}",
                    f"{wall / (size[0] * size[1] / 1e6):.3f}",
                    "",
                    "",
                ]
            )
            print(rows[-1], file=sys.stderr)
    audits = []
    for genes in (1_000,) if arguments.quick else (9_000, 27_000):
        wall, peak = measured(worker(__file__, "audit", 136, genes))
        audits.append([f"136 + 68 × {genes:,}", f"{wall:.1f}", f"{peak:,.0f}"])
    publish(
        "speed",
        [
            "# Fit and sample: time and memory",
            "",
            machine("twinseq", "numpy", "scipy", "scikit-learn"),
            "Simulated counts, two classes (the dense copulas know none). Wall seconds of fit + sample of a twin of",
            f"the same size on {JOBS} threads, best of three (of one beyond ten seconds), each row in a process of its",
            "own. Peak memory is that of the whole process, imports and cohort included; the column beside it is that",
            "of a process that only makes the cohort. At 27,000 genes a dense correlation matrix takes 5.8 GB, and its",
            "Cholesky factor 6.6 TFLOP: the dense copulas are not run there. Written by `benchmarks/speed.py`.",
            f"Load average at the end: {os.getloadavg()[0]:.1f}.",
            "",
            *table(
                [
                    "samples × genes",
                    "generator",
                    "seconds",
                    "seconds per million values",
                    "peak MiB",
                    "cohort alone, MiB",
                ],
                rows,
                "llrrrr",
            ),
            "",
            "## Audit",
            "All figures with ceilings, floors, intervals and pathways, for a twin of 136 samples, a hold-out of 68",
            "and three covariates. Wall seconds, and the peak memory of the process, which also simulates the cohort.",
            "",
            *table(["samples × genes", "seconds", "peak MiB"], audits, "lrr"),
        ],
    )


if __name__ == "__main__":
    main()
