"""Work for several processes, outcomes as they come: on this machine, or on a Dask cluster.

A process that is killed takes nothing along but what it was working on. On this machine that is tried once more, and
given up for what it is if the process is killed again; a Dask scheduler does the like by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from ..parallel import connected

Item = TypeVar("Item")
Result = TypeVar("Result")
ATTEMPTS = 2


class Killed(Exception):
    """The process that worked on a piece was killed, each time."""


def completed(
    function: Callable[[Item], Result], items: Mapping[str, Item], jobs: int, folder: Path, scheduler: str | None = None
) -> Iterator[tuple[str, Result | Killed]]:
    """Yield name and result of each piece of work as it ends.

    Parameters
    ----------
    function
        What is done with a piece; other processes must be able to import it.
    items
        Pieces by name.
    jobs
        Processes on this machine; no matter to a cluster.
    folder
        Where processes of this machine note what they are working on; all can write there.
    scheduler
        Address of a Dask scheduler, whose workers see the same files.

    Raises
    ------
    ConfigError
        There is no scheduler at the address, or Dask is not installed.
    """
    if scheduler is not None:
        yield from _on_cluster(function, items, scheduler)
    else:
        yield from _on_this_machine(function, items, jobs, folder)


def _on_this_machine(
    function: Callable[[Item], Result], items: Mapping[str, Item], jobs: int, folder: Path
) -> Iterator[tuple[str, Result | Killed]]:
    folder.mkdir(parents=True, exist_ok=True)
    for note in folder.iterdir():
        note.unlink()  # of a run that was killed
    left, killed = dict(items), Counter[str]()
    while left:
        # With the default, joblib would hand out pieces ahead, and a killed process would take several along.
        pool = Parallel(n_jobs=jobs, backend="loky", batch_size=1, pre_dispatch=jobs, return_as="generator_unordered")
        try:
            for name, result in pool(
                delayed(_noted)(function, name, item, folder) for name, item in list(left.items())
            ):
                del left[name]
                yield name, result
        except TerminatedWorkerError:
            for note in list(folder.iterdir()):
                note.unlink()
                killed[note.name] += 1
                if killed[note.name] >= ATTEMPTS and note.name in left:
                    del left[note.name]
                    yield note.name, Killed()
    folder.rmdir()


def _noted(function: Callable[[Item], Result], name: str, item: Item, folder: Path) -> tuple[str, Result]:
    note = folder / name
    note.touch()
    result = function(item)
    note.unlink(missing_ok=True)
    return name, result


def _on_cluster(
    function: Callable[[Item], Result], items: Mapping[str, Item], scheduler: str
) -> Iterator[tuple[str, Result | Killed]]:
    distributed, client = connected(scheduler)
    with client:
        futures: dict[Any, str] = {client.submit(function, item, pure=False): name for name, item in items.items()}
        for future in distributed.as_completed(futures, loop=client.loop):
            failed = future.exception()
            yield futures[future], Killed() if failed is not None else future.result()
