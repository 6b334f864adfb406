"""Threads, processes and a real Dask cluster give the same results, in order, whoever does the work."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from twinseq import datasets, generators, parallel
from twinseq.audit import audit_procedure
from twinseq.errors import CohortError, ConfigError
from twinseq.parallel import ClusterError, run

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def scheduler():
    """Address of a scheduler with two workers, each a process, that gives work up when it has killed both."""
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as cluster,
    ):
        yield cluster.scheduler_address


def ways(scheduler):
    return [{}, {"jobs": 2}, {"jobs": 2, "processes": True}, {"scheduler": scheduler}]


def test_every_way_gives_the_same_in_order(scheduler):
    def work(number):
        time.sleep(0.02 * (number % 3))
        return number, np.random.default_rng(number).normal(size=50) @ np.arange(50.0)

    first, *others = [run(work, range(12), **way) for way in ways(scheduler)]
    assert [number for number, _ in first] == list(range(12))
    assert all(other == first for other in others)


def test_nothing_to_do(scheduler):
    assert [run(abs, [], **way) for way in ways(scheduler)] == [[]] * 4


def test_work_goes_to_other_processes(scheduler):
    here = os.getpid()
    assert set(run(lambda _: os.getpid(), range(4), jobs=2)) == {here}
    for way in ({"jobs": 2, "processes": True}, {"scheduler": scheduler}):
        assert here not in run(lambda _: os.getpid(), range(4), **way)


def test_cohorts_on_disk_are_worked_on_elsewhere(scheduler, tmp_path):
    """Cell types are fitted wherever there is room, from the file that all see."""
    import twinseq as ts

    cells = datasets.simulate_cells(3, 3, 40, cells_per_donor=30, n_cell_types=2)
    ts.write(cells, tmp_path / "c.h5ad")
    stored = ts.read(tmp_path / "c.h5ad", lazy=True)
    parts = [stored.subset(stored.classes() == name) for name in sorted(set(stored.classes()))]

    def fitted(part):
        model = generators.create("scdesign2").fit(part, seed=3)
        return model.sample(20, seed=4).dense()

    here = [fitted(part) for part in parts]
    for one, other in zip(here, run(fitted, parts, scheduler=scheduler), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_splits_of_an_audit_are_done_elsewhere(scheduler):
    cohort = datasets.simulate_cohort(9, 9, 60)
    here, there = (
        audit_procedure(cohort, generators.create("bootstrap"), splits=2, seed=1, scheduler=address)
        for address in (None, scheduler)
    )
    assert [one.auc for one in here.red_team.headlines] == [one.auc for one in there.red_team.headlines]
    assert here.red_team.attacks == there.red_team.attacks
    assert here.red_team.headlines[0].auc > 0.7


def test_a_worker_that_is_killed_costs_nothing(scheduler, tmp_path):
    def work(number, mark=tmp_path / "killed"):
        if number == 3 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number**2

    assert run(work, range(8), scheduler=scheduler) == [number**2 for number in range(8)]
    assert (tmp_path / "killed").exists()


def test_what_fails_elsewhere_is_raised_here(scheduler):
    def work(number):
        raise CohortError(f"bad piece {number}")

    for way in ways(scheduler):
        with pytest.raises(CohortError, match="bad piece"):
            run(work, [5], **way)


def test_work_that_kills_every_worker(scheduler):
    with pytest.raises(ClusterError, match="killed every worker"):
        run(lambda _: os.kill(os.getpid(), signal.SIGKILL), [0], scheduler=scheduler)
    assert run(abs, [-1], scheduler=scheduler) == [1]


def test_no_scheduler(monkeypatch):
    monkeypatch.setattr(parallel, "PATIENCE", 0.2)
    for address in ("nowhere", "nowhere:port", "tcp://127.0.0.1:9", "127.0.0.1:9"):
        with pytest.raises(ConfigError, match=f"no Dask scheduler at {address}"):
            run(abs, [1], scheduler=address)


def test_no_dask(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"twinseq\[distributed\]"):
        run(abs, [1], scheduler="tcp://127.0.0.1:9")


def test_dask_is_not_loaded_without_need():
    source = Path(parallel.__file__).read_text()
    assert "import dask" not in source
    assert "import distributed" not in source
