"""Work for several processes: every piece once, and what becomes of processes that are killed."""

import os
import signal
from pathlib import Path

import pytest

from twinseq.benchmark.pool import Killed, completed
from twinseq.errors import ConfigError


def test_every_piece_is_done_and_nothing_is_left_behind(tmp_path):
    items = {f"piece{number}": number for number in range(12)}
    found = dict(completed(lambda number: number**2, items, 2, tmp_path / "running"))
    assert found == {name: number**2 for name, number in items.items()}
    assert not (tmp_path / "running").exists()


def test_a_process_that_is_killed_costs_what_it_worked_on(tmp_path):
    def work(number: int, once: Path = tmp_path / "once", always: int = 3) -> int:
        if number == always:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 5 and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    found = dict(completed(work, {str(number): number for number in range(8)}, 2, tmp_path / "running"))
    assert isinstance(found.pop("3"), Killed)
    assert found == {str(number): number for number in range(8) if number != 3}


def test_notes_of_a_run_that_was_killed_are_no_strikes(tmp_path):
    (tmp_path / "running").mkdir()
    (tmp_path / "running" / "0").touch()
    assert dict(completed(abs, {"0": -1}, 1, tmp_path / "running")) == {"0": 1}


def test_no_scheduler(tmp_path):
    with pytest.raises(ConfigError, match="There is no Dask scheduler at nowhere"):
        list(completed(abs, {"0": -1}, 1, tmp_path, "nowhere"))
