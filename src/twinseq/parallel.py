"""Independent pieces of work on threads, on processes or on a Dask cluster; results in the order of the pieces."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Generic, TypeVar

from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from .errors import ConfigError, TwinseqError

Item = TypeVar("Item")
Result = TypeVar("Result")
PATIENCE = 10.0
"""How long a scheduler is waited for, seconds."""


class ClusterError(TwinseqError):
    """A cluster could not do a piece of work."""


def run(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    jobs: int = 1,
    *,
    processes: bool = False,
    scheduler: str | None = None,
) -> list[Result]:
    """Return ``[function(item) for item in items]``; who does the work changes no result.

    Parameters
    ----------
    function
        Work on one item. For processes and clusters, one that only returns what it finds: what it does to arrays that
        it shares with others is lost.
    items
        Pieces of work. For processes and clusters they are copied to where the work is done, so that cohorts on disk
        (`Cohort.lazy`) are better than such in memory; a cluster has to see the same files.
    jobs
        Threads or processes; without meaning where there is a scheduler.
    processes
        Whether to work in processes of their own (loky) instead of threads: for work that holds Python's lock.
    scheduler
        Address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``. A worker that dies is made up for by the others.

    Returns
    -------
    Results, in the order of ``items``.

    Raises
    ------
    ConfigError
        There is no scheduler at the address, or Dask is not installed.
    ClusterError
        A piece of work killed every worker that it was given to.
    """
    if scheduler is not None:
        return _on_cluster(function, list(items), scheduler)
    if jobs == 1:
        return [function(item) for item in items]
    if processes:
        return list(Parallel(n_jobs=jobs, backend="loky")(delayed(_Alone(function))(item) for item in items))
    return list(Parallel(n_jobs=jobs, prefer="threads")(delayed(function)(item) for item in items))


class _Alone(Generic[Item, Result]):
    """A function whose linear algebra keeps to one thread, as it does here: more would change the last digits."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self.function = function

    def __call__(self, item: Item) -> Result:
        with threadpool_limits(1):
            return self.function(item)


def connected(scheduler: str) -> tuple[Any, Any]:
    """Return Dask's module and a client of the scheduler at an address, to be closed by whoever asked for it.

    Raises
    ------
    ConfigError
        There is no scheduler at the address, or Dask is not installed.
    """
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise ConfigError("A cluster needs Dask. Install it with: pip install 'twinseq[distributed]'") from error
    try:
        _knock(scheduler)
        return distributed, distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"There is no Dask scheduler at {scheduler} ({type(error).__name__}). Start one with `dask scheduler`, and "
            "workers with `dask worker ADDRESS`."
        ) from error


def _knock(scheduler: str) -> None:
    """Raise an error at once where nobody listens; Dask's client would start its threads and ask again and again."""
    protocol, _, place = scheduler.rpartition("://")
    if protocol not in ("", "tcp", "tls"):
        return
    host, _, port = place.rpartition(":")
    if not host:
        raise ValueError("an address has a port, as in tcp://10.0.0.1:8786")
    socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()


def _on_cluster(function: Callable[[Item], Result], items: list[Item], scheduler: str) -> list[Result]:
    distributed, client = connected(scheduler)
    with client:
        futures = client.map(_Alone(function), items, pure=False)
        try:
            results: list[Result] = client.gather(futures)
        except distributed.KilledWorker as error:
            raise ClusterError(
                f"A piece of work killed every worker of {scheduler} that it was given to: too little memory, most "
                "often. Give the workers more, or fewer threads each."
            ) from error
        except distributed.CancelledError as error:
            raise ClusterError(f"The cluster at {scheduler} went away. Start it again.") from error
    return results
