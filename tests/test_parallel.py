"""Threads, processes and a real Dask cluster give the same results, in order, whoever does the work."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import twinseq as ts
from twinseq import datasets, generators, parallel
from twinseq.audit import audit_procedure
from twinseq.errors import CohortError, ConfigError
from twinseq.generators import _count_histograms, _segments
from twinseq.generators._pseudobulk import Pseudobulk
from twinseq.parallel import ClusterError, in_processes, on_cluster, run, spread

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


def added(common, number):
    return common[number % 2] + number


def test_work_that_is_shared_out_comes_in_order_from_anywhere(scheduler):
    common, wanted = [10, 20], [10, 21, 12, 23, 14]
    assert list(spread(added, range(5), common)) == wanted
    assert list(spread(added, range(5), common, jobs=2)) == wanted
    with in_processes(2):
        assert list(spread(added, range(5), common)) == wanted
    with on_cluster(scheduler):
        assert list(spread(added, range(5), common)) == wanted
        assert list(spread(added, range(5), [1, 2])) == [1, 3, 3, 5, 5]
    assert list(spread(added, (), common)) == []


@pytest.fixture
def cells(tmp_path, monkeypatch):
    """Cells on disk that make five segments."""
    monkeypatch.setattr(_segments, "SEGMENT", 50)
    datasets.write_cells(tmp_path / "cells.h5ad", n_cases=3, n_controls=3, n_genes=30, cells_per_donor=40)
    return tmp_path / "cells.h5ad"


def learnt(cohort, name, jobs=1):
    return generators.create(name).fit(cohort, seed=3, jobs=jobs)


def same_model(one, other):
    pairs = zip(sorted(one._state().items()), sorted(other._state().items()), strict=True)
    return all(name == label and np.array_equal(a, b) for (name, a), (label, b) in pairs)


@pytest.mark.parametrize("name", ["scdesign2", "cell-copula"])
def test_a_model_is_the_same_bytes_whoever_learns_it(scheduler, cells, name):
    stored = ts.read(cells, lazy=True)
    here = learnt(stored, name)
    assert same_model(here, learnt(stored, name, jobs=2))
    assert same_model(here, learnt(ts.read(cells, lazy=False), name))
    with on_cluster(scheduler):
        assert same_model(here, learnt(stored, name))
    with in_processes(2):
        assert same_model(here, learnt(stored, name))


def test_sums_that_noise_is_added_to_are_the_same_from_anywhere(scheduler, cells):
    stored = ts.read(cells, lazy=True)
    codes = np.arange(stored.n_samples, dtype=np.intp) % 2
    here = Pseudobulk.of(stored, codes, 2).sums
    assert here.counts.sum() == stored.dense().sum()
    with on_cluster(scheduler):
        there = Pseudobulk.of(stored, codes, 2).sums
    assert (here.counts != there.counts).nnz == (here.squares != there.squares).nnz == 0
    np.testing.assert_array_equal(here.totals, there.totals)


def test_a_worker_lost_half_way_changes_no_model(scheduler, cells, monkeypatch):
    stored = ts.read(cells, lazy=True)
    here = learnt(stored, "scdesign2")
    killed = []

    def deadly(*given):
        for number, segment in enumerate(_segments.segments(*given)):
            if number == 3 and not killed:
                client = parallel.connected(scheduler)[1]
                with client:
                    # Those that hold what is shared by all, and results that have not been fetched.
                    killed.append(next(iter(client.run(os.getpid).values())))
                os.kill(killed[0], signal.SIGKILL)
            yield segment

    monkeypatch.setattr(_count_histograms, "segments", deadly)
    with on_cluster(scheduler):
        assert same_model(here, learnt(stored, "scdesign2"))
    assert killed


def test_a_scheduler_without_workers(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(parallel, "PATIENCE", 0.5)
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as empty:
        address = empty.scheduler_address
        with pytest.raises(ConfigError, match=f"scheduler at {address} has no workers"), on_cluster(address):
            pass


def test_workers_that_do_not_see_the_file(scheduler, cells):
    stored = ts.read(cells, lazy=True)
    cells.rename(cells.with_name("elsewhere.h5ad"))
    with on_cluster(scheduler), pytest.raises((ClusterError, CohortError), match=r"cells\.h5ad"):
        learnt(stored, "scdesign2")


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
