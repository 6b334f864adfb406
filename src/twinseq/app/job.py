"""One release in a process of its own, which can be watched, stopped, and may fail without harm to the server."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import TwinseqError

if TYPE_CHECKING:
    from ..measurement import Progress

PAUSE = 0.2
"""Least seconds between two notes of progress."""
PATIENCE = 5.0
"""Seconds that a process is given to end by itself."""


@dataclass(frozen=True)
class Order:
    """What is to be released and how: plain values, so that another process can take them.

    Parameters
    ----------
    cohort, samples, basis
        Files; ``samples`` and ``basis`` may be ``None``.
    roles
        Keywords of `twinseq.read`: label, donor, cell type, covariates, kind.
    settings
        Keywords of `twinseq.release`: preset, policy, splits, seed and the like.
    folder
        Where the release goes.
    """

    cohort: Path
    samples: Path | None
    basis: Path | None
    roles: dict[str, Any]
    settings: dict[str, Any]
    folder: Path


@dataclass(frozen=True)
class State:
    """How far a job is.

    Parameters
    ----------
    phase
        ``"running"``, ``"done"``, ``"failed"`` or ``"stopped"``.
    text
        What it is doing, or why it failed.
    done, total
        Steps; ``total`` is 0 where it is not known.
    seconds
        Since it was started, or how long it took.
    outgoing
        Of a release that is done: names of the files that may leave, where those who decide say so.
    """

    phase: str
    text: str
    done: int
    total: int
    seconds: float
    outgoing: tuple[str, ...] = ()


class Job:
    """A release that has been started.

    Parameters
    ----------
    order
        What to do.
    notes
        Folder for the notes of progress; has to exist.
    """

    def __init__(self, order: Order, notes: Path) -> None:
        self.order = order
        self._progress = notes / "progress.json"
        self._outcome = notes / "outcome.json"
        for path in (self._progress, self._outcome):
            path.unlink(missing_ok=True)
        self._started = time.monotonic()
        self._took: float | None = None
        self._stopped = False
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_work, args=(order, self._progress, self._outcome), name="release")
        self._process.start()

    def state(self) -> State:
        """Return how far it is."""
        alive = self._process.is_alive()
        if not alive and self._took is None:
            self._took = time.monotonic() - self._started
        seconds = time.monotonic() - self._started if self._took is None else self._took
        note = _read(self._progress)
        done, total = int(note.get("done", 0)), int(note.get("total", 0))
        if alive:
            return State("running", str(note.get("text", "starting")), done, total, seconds)
        if self._stopped:
            return State("stopped", "Stopped. Nothing was written.", done, total, seconds)
        outcome = _read(self._outcome)
        if "text" not in outcome:
            reason = f"The work ended unexpectedly (exit code {self._process.exitcode}): too little memory, most often."
            return State("failed", reason, done, total, seconds)
        outgoing = tuple(outcome.get("outgoing", ()))
        return State(str(outcome["phase"]), str(outcome["text"]), done, total, seconds, outgoing)

    def stop(self) -> None:
        """End the work, and the processes that it started; no harm where it has ended."""
        if self._process.is_alive():
            self._stopped = True
            self._signal(signal.SIGTERM)
            self._process.join(PATIENCE)
            if self._process.is_alive():
                self._signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
                self._process.join(PATIENCE)

    def _signal(self, number: int) -> None:
        pid = self._process.pid
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg") and os.getpgid(pid) == pid:
                os.killpg(pid, number)
            else:
                os.kill(pid, number)


def _work(order: Order, progress: Path, outcome: Path) -> None:
    """Do the release; runs in the process of the job."""
    if hasattr(os, "setsid"):
        os.setsid()  # so that what it starts ends with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which then ends this process
    last = 0.0

    def note(done: int, total: int, text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= PAUSE:
            last = time.monotonic()
            _write(progress, {"done": done, "total": total, "text": text})

    try:
        outgoing = _release(order, note)
    except TwinseqError as error:
        _write(outcome, {"phase": "failed", "text": str(error)})
    except MemoryError:
        _write(outcome, {"phase": "failed", "text": "Not enough memory for a cohort of this size."})
    except Exception as error:  # noqa: BLE001 - the user has no shell in which a trace could be read
        text = f"This is a bug in twinseq; please report it. {type(error).__name__}: {error}"
        _write(outcome, {"phase": "failed", "text": text})
    else:
        _write(outcome, {"phase": "done", "text": "Done.", "outgoing": outgoing})


def _release(order: Order, note: Progress) -> list[str]:
    """Make the release and return the names of the files that may leave."""
    from ..io import read
    from ..options import threads
    from ..release import release

    note(0, 0, "reading")
    cohort = read(order.cohort, obs=order.samples, **order.roles)
    basis = None if order.basis is None else str(order.basis)
    made = release(cohort, order.folder, basis=basis, jobs=threads(0), progress=note, **order.settings)
    return [path.name for path in made.outgoing]


def _write(path: Path, content: dict[str, Any]) -> None:
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(content))
    scratch.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return content
