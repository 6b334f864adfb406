"""Time and memory of differential expression: twinseq, PyDESeq2 with twinseq's backend, PyDESeq2 as it comes.

    python benchmarks/de_speed.py

Every measurement is a fresh process: wall seconds of the analysis itself, after imports and reading, and the
peak memory of the process with its workers (summed resident pages, sampled; Linux only). The kernels are
compiled beforehand; a separate line gives what that costs, once per installation. Writes
``benchmarks/results/de_speed.md``.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from joblib.externals.loky import get_reusable_executor
from pydeseq2.dds import DeseqDataSet
from pydeseq2.default_inference import DefaultInference
from pydeseq2.ds import DeseqStats

from twinseq.de import NumbaInference, fit_deseq2

from _common import DATA, machine, measured, publish, table, worker

N_CPUS = 2
ENGINES = {
    "twinseq": "`twinseq.de.fit_deseq2`",
    "backend": "PyDESeq2 with `NumbaInference`",
    "default": f"PyDESeq2 as it comes, n_cpus={N_CPUS}",
}
R_SECONDS = {"tb-blood-44": "10.0"}


def simulated(n_samples: int = 136, n_genes: int = 27_000, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two groups, log-normal means, a dispersion trend with scatter, a tenth of the genes changed."""
    rng = np.random.default_rng(seed)
    samples = [f"sample{i}" for i in range(n_samples)]
    group = np.arange(n_samples) % 2
    mean = np.exp(rng.normal(4, 2.2, n_genes))
    dispersion = (0.08 + 2 / mean) * np.exp(rng.normal(0, 0.5, n_genes))
    change = np.where(rng.random(n_genes) < 0.1, rng.normal(0, 1.2, n_genes), 0.0)
    depth = np.exp(rng.normal(0, 0.3, n_samples))
    mu = depth[:, None] * mean * np.exp(np.outer(group, change))
    counts = rng.negative_binomial(1 / dispersion, 1 / (1 + dispersion * mu))
    metadata = pd.DataFrame({"group": np.where(group, "case", "control")}, index=samples)
    return pd.DataFrame(counts, index=samples, columns=[f"gene{i}" for i in range(n_genes)]), metadata


def load(name: str, data: Path) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, str, str]]:
    if name == "simulated":
        counts, metadata = simulated()
        return counts, metadata, ("group", "case", "control")
    table = pd.read_csv(data / name / "counts.csv.gz", index_col=0)
    metadata = pd.read_csv(data / name / "samples.csv", index_col=0)
    return table[table.sum(axis=1) >= 10].T, metadata, ("group", "TB", "LTBI")


def analyse(engine: str, counts: pd.DataFrame, metadata: pd.DataFrame, contrast: tuple[str, str, str]) -> None:
    """Run one engine with its defaults."""
    if engine == "twinseq":
        fit_deseq2(counts, metadata, "group", contrast, n_cpus=N_CPUS)
        return
    inference = NumbaInference(n_cpus=N_CPUS) if engine == "backend" else DefaultInference(n_cpus=N_CPUS)
    dds = DeseqDataSet(counts=counts, metadata=metadata, design="~group", inference=inference, quiet=True)
    dds.deseq2()
    DeseqStats(dds, contrast=list(contrast), inference=inference, quiet=True).summary()


def timed(
    engine: str, counts: pd.DataFrame, metadata: pd.DataFrame, contrast: tuple[str, str, str]
) -> tuple[float, float]:
    """Wall seconds of :func:`analyse`, and processor seconds of it with its worker processes."""
    wall, cpu = time.perf_counter(), time.process_time()
    analyse(engine, counts, metadata, contrast)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # The time of a worker process is known to its parent once it has ended.
    get_reusable_executor().shutdown(wait=True)
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, cpu + workers.ru_utime + workers.ru_stime


def measure(name: str, engine: str, **environment: str) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak MiB of one engine on one cohort, in a fresh process."""
    (wall, cpu), peak = measured(worker(__file__, name, engine), **environment)
    return wall, cpu, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worker", nargs=2, metavar=("COHORT", "ENGINE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        name, engine = arguments.worker
        print(json.dumps(timed(engine, *load(name, DATA))))
        return

    before = os.getloadavg()[0]
    cohorts = ["simulated"]
    if (DATA / "tb-blood-44").is_dir():
        cohorts.insert(0, "tb-blood-44")
    with tempfile.TemporaryDirectory() as empty:
        cold, _, _ = measure(cohorts[0], "twinseq", NUMBA_CACHE_DIR=empty)
    for engine in ("twinseq", "backend"):
        measure(cohorts[0], engine)

    rows = []
    for name in cohorts:
        counts, _, _ = load(name, DATA)
        shape = f"{name}, {counts.shape[0]} × {counts.shape[1]:,}"
        runs = {engine: measure(name, engine) for engine in ENGINES}
        slowest = runs["default"][0]
        for engine, (seconds, cpu, peak) in runs.items():
            rows.append(
                [shape, ENGINES[engine], f"{seconds:.2f}", f"{cpu:.1f}", f"{slowest / seconds:.0f}×", f"{peak:,.0f}"]
            )
        if name in R_SECONDS:
            rows.append([shape, "R DESeq2 1.38.3, one thread, as recorded", R_SECONDS[name], "", "", ""])

    publish(
        "de_speed",
        [
            "# Differential expression: time and memory",
            "",
            machine("twinseq", "numpy", "numba", "scipy", "pandas", "pydeseq2"),
            "Counts to adjusted p-values with default settings (outliers replaced, filter on); each run in a",
            "process of its own, after imports and reading. Memory is the peak of the process with its workers,",
            "imports and data included. The very first run compiles the kernels, once per installation:",
            f"{cold:.1f} s for {cohorts[0]}. R's time was recorded on another occasion, with outlier replacement off.",
            f"Other work on the machine (load average before and after): {before:.1f}, {os.getloadavg()[0]:.1f}; the",
            "processor seconds depend on it least. Written by `benchmarks/de_speed.py`.",
            "",
            *table(
                ["cohort (samples × genes)", "program", "wall, s", "processor, s", "faster than PyDESeq2", "peak MiB"],
                rows,
                "llrrrr",
            ),
        ],
    )


if __name__ == "__main__":
    main()
