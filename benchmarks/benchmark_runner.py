"""What the benchmark's runner costs besides the work, and how long the grid takes that comes with the project.

    python benchmarks/benchmark_runner.py [--tasks N] [--jobs N]

Pieces that sleep for a second show what handing out, keeping and noting costs. ``grids/quick.yaml`` is run as a user
would run it. Writes ``benchmarks/results/benchmark_runner.md``.
"""

import argparse
import tempfile
import time
from pathlib import Path

from twinseq.benchmark.grid import read_grid
from twinseq.benchmark.pool import completed
from twinseq.benchmark.runner import run
from twinseq.benchmark.store import Outcome, Store

from _common import ROOT, machine, publish


def sleep_and_keep(piece: tuple[str, str, float]) -> None:
    """Do a piece of work that takes no processor time, and keep an outcome as the runner does."""
    name, folder, seconds = piece
    time.sleep(seconds)
    Store(folder).write(Outcome(name, "fit", "none", "none", 0, "done"))


def overhead(tasks: int, jobs: int, seconds: float = 1.0) -> float:
    """Return the wall-clock time of the pieces over that of the bare work."""
    with tempfile.TemporaryDirectory() as folder:
        pieces = {f"piece{number}": (f"piece{number}", folder, seconds) for number in range(tasks)}
        started = time.perf_counter()
        for _ in completed(sleep_and_keep, pieces, jobs, Path(folder) / "running"):
            pass
        return (time.perf_counter() - started) / (tasks * seconds / jobs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=200, help="pieces of a second")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    ratio = overhead(options.tasks, options.jobs)
    more = 100 * (ratio - 1)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        summary = run(read_grid(ROOT / "grids" / "quick.yaml"), folder, options.jobs)
        spent = time.perf_counter() - started
        tasks = Store(folder).tasks()
    publish(
        "benchmark_runner",
        [
            "# The runner of benchmarks",
            "",
            machine("twinseq", "joblib"),
            "Written by `benchmarks/benchmark_runner.py`.",
            "",
            f"- {options.tasks} pieces of one second on {options.jobs} processes: {more:.1f} % more than the bare "
            "work, start of the processes included.",
            f"- `grids/quick.yaml` on {options.jobs} processes: {summary.done} twins made, measured and attacked in "
            f"{spent / 60:.1f} minutes ({tasks['cpu'].sum():.0f} s of CPU time, {tasks['peak_mib'].max():,.0f} MiB at "
            f"most in one process); {len(summary.failed)} failed.",
        ],
    )


if __name__ == "__main__":
    main()
