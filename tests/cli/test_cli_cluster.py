"""Twins of single cells whose models are learnt on a Dask cluster."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

import twinseq as ts
from twinseq import parallel
from twinseq.generators import _segments

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def scheduler():
    """Address of a scheduler with two workers, each a process."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def cells(tmp_path, monkeypatch):
    """Cells on disk that make five segments."""
    monkeypatch.setattr(_segments, "SEGMENT", 50)
    ts.datasets.write_cells(tmp_path / "cells.h5ad", n_cases=3, n_controls=3, n_genes=30, cells_per_donor=40)
    return tmp_path / "cells.h5ad"


def test_a_cluster_makes_the_same_twin_and_may_lose_a_worker(twinseq, scheduler, cells, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a worker that stands elsewhere finds the file
    common = ("generate", "cells.h5ad", "-g", "cell-copula", "-q")
    assert twinseq(*common, "-o", "here.h5ad").code == 0
    killed = threading.Event()

    def kill_one():
        client = parallel.connected(scheduler)[1]
        with client:
            workers = list(client.run(os.getpid).values())
        os.kill(workers[0], signal.SIGKILL)
        killed.set()

    cut = _segments.segments

    def deadly(*given):
        for number, segment in enumerate(cut(*given)):
            if number == 2 and not killed.is_set():
                kill_one()
            yield segment

    monkeypatch.setattr("twinseq.generators._count_histograms.segments", deadly)
    ended = twinseq(*common, "--scheduler", scheduler, "-o", "there.h5ad")
    assert ended.code == 0, ended.err
    assert killed.is_set()
    assert Path("here.h5ad").read_bytes() == Path("there.h5ad").read_bytes()


def test_a_scheduler_that_cannot_be_reached_is_told_at_once(twinseq, cells, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "PATIENCE", 300.0)  # longer than the command takes on a busy machine
    start = time.monotonic()
    ended = twinseq("generate", cells, "-o", tmp_path / "twin.h5ad", "--scheduler", "tcp://127.0.0.1:9")
    assert ended.code == 2
    assert "There is no Dask scheduler at tcp://127.0.0.1:9" in ended.err
    assert time.monotonic() - start < parallel.PATIENCE
    assert not (tmp_path / "twin.h5ad").exists()


def test_generators_that_would_not_use_a_cluster_say_so(twinseq, scheduler, cells, tmp_path):
    words = ("generate", cells, "-g", "nmf", "--scheduler", scheduler, "-o", tmp_path / "twin.h5ad")
    ended = twinseq(*words)
    assert ended.code == 2
    assert "generator 'nmf' learns from this cohort in one piece" in ended.err
