"""Runs of a grid: the same results however they came about."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from twinseq.benchmark.grid import read_grid
from twinseq.benchmark.runner import plan, run
from twinseq.benchmark.store import Store
from twinseq.errors import ConfigError

RUN = """
import sys
from twinseq.benchmark.grid import read_grid
from twinseq.benchmark.runner import run
run(read_grid(sys.argv[1]), sys.argv[2], jobs=int(sys.argv[3]))
"""


def results(folder) -> str:
    """Return all figures as text; what a run cost is no result."""
    return Store(folder).figures().to_csv()


def verdicts(folder) -> list[dict]:
    return [row for one in Store(folder).outcomes() for row in one.figures if row["part"] == "verdict"]


@pytest.fixture
def straight(small, tmp_path):
    """Results of a run without incident."""
    run(small, tmp_path / "straight")
    return results(tmp_path / "straight")


def test_what_was_done_stays_done(small, tmp_path):
    steps = []
    before = plan(small, Store(tmp_path / "out"))
    assert (len(before.every), len(before.left), before.seconds) == (4, 4, None)
    first = run(small, tmp_path / "out", step=lambda *step: steps.append(step))
    assert (first.done, first.before, first.failed) == (4, 0, ())
    assert [step[:2] for step in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "tasks").iterdir()}
    again = run(small, tmp_path / "out")
    assert (again.done, again.before) == (4, 4)
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "tasks").iterdir()}
    assert (tmp_path / "out" / "results" / "figures.parquet").exists()
    left = next((tmp_path / "out" / "tasks").glob("*.json"))
    left.unlink()
    after = plan(small, Store(tmp_path / "out"))
    assert len(after.left) <= 1
    if after.left:
        assert after.seconds > 0


@pytest.mark.slow
def test_killed_three_times_the_results_of_the_quick_grid_are_the_same(quick, tmp_path):
    run(read_grid(quick), tmp_path / "straight")
    straight = results(tmp_path / "straight")
    out, grid = tmp_path / "out", quick
    rng = np.random.default_rng()
    for enough, jobs in ((0, 1), (4, 2), (9, 1)):
        words = [sys.executable, "-c", RUN, str(grid), str(out), str(jobs)]
        running = subprocess.Popen(words, start_new_session=True)
        until = time.monotonic() + 120
        while len(list((out / "tasks").glob("*.json"))) <= enough and time.monotonic() < until:
            assert running.poll() is None or len(list((out / "tasks").glob("*.json"))) > enough
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    summary = run(read_grid(grid), out, jobs=1)
    assert summary.failed == ()
    assert 0 < summary.before < 6
    assert results(out) == straight
    assert {row["status"] for row in verdicts(out)} >= {"fail"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of Dask's own
def test_a_cluster_gives_the_same_results_even_if_a_worker_is_killed(small, straight, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        run(small, tmp_path / "cluster", scheduler=cluster.scheduler_address)
        assert results(tmp_path / "cluster") == straight
        victims = [worker.pid for worker in cluster.workers.values()][:1]

        def strike(done: int, total: int, title: str) -> None:
            while victims:
                os.kill(victims.pop(), signal.SIGKILL)

        summary = run(small, tmp_path / "killed", scheduler=cluster.scheduler_address, step=strike)
    assert not victims
    assert summary.failed == ()
    assert results(tmp_path / "killed") == straight


def test_a_folder_that_is_a_file(small, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file"):
        run(small, tmp_path / "file")
