"""Independent pieces of work on threads, on processes or on a Dask cluster; results in the order of the pieces."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from .errors import ConfigError, TwinseqError

Common = TypeVar("Common")
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


def spread(
    function: Callable[[Common, Item], Result], items: Iterable[Item], common: Common, jobs: int = 1
) -> Iterator[Result]:
    """Yield ``function(common, item)`` for each item, in order, as soon as it is there.

    On threads, or wherever `on_cluster` or `in_processes` say; who does the work changes no result.

    Parameters
    ----------
    function
        Work on one item, of a module, that only returns what it finds.
    items
        Pieces of work. They are made one by one, shortly before it is their turn.
    common
        What all pieces need. A worker is sent it once, however many calls name the same object.
    jobs
        Number of threads; without meaning elsewhere.

    Raises
    ------
    ClusterError
        A piece of work killed every worker that it was given to, the cluster went away, or does not see a file.
    """
    elsewhere = _ELSEWHERE.get()
    if elsewhere is not None:
        yield from elsewhere.spread(function, items, common)
    elif jobs == 1:
        yield from (function(common, item) for item in items)
    else:
        threads = Parallel(n_jobs=jobs, prefer="threads", return_as="generator")
        yield from threads(delayed(function)(common, item) for item in items)


@contextmanager
def on_cluster(scheduler: str) -> Iterator[None]:
    """Have what generators share out while they learn done by the workers of a Dask scheduler.

    Cohorts left on disk (``lazy=True``) are sent as the path of their file, which the workers have to see; others are
    sent whole. What comes back are sums. A worker that dies is made up for by the others, and changes no result.

    Parameters
    ----------
    scheduler
        Its address, such as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    ConfigError
        There is no scheduler at the address, it has no workers, or Dask is not installed.

    Examples
    --------
    >>> with on_cluster("tcp://10.0.0.1:8786"):  # doctest: +SKIP
    ...     model = ts.generators.create("cell-copula").fit(ts.read("cells.h5ad", lazy=True))
    """
    distributed, client = connected(scheduler)
    # Tables of counts are large, and meant to be.
    quiet = import_module("dask").config.set({"distributed.admin.large-graph-warning-threshold": "1TB"})
    with client, quiet, _elsewhere(_Cluster(distributed, client, scheduler)):
        yield


@contextmanager
def in_processes(jobs: int) -> Iterator[None]:
    """Have what generators share out while they learn done by ``jobs`` processes (loky) instead of threads."""
    with _elsewhere(_Processes(jobs)):
        yield


class _Elsewhere(Protocol):
    """Where work is done if not here."""

    def spread(
        self, function: Callable[[Common, Item], Result], items: Iterable[Item], common: Common
    ) -> Iterator[Result]: ...


_ELSEWHERE: ContextVar[_Elsewhere | None] = ContextVar("elsewhere", default=None)


@contextmanager
def _elsewhere(place: _Elsewhere) -> Iterator[None]:
    token = _ELSEWHERE.set(place)
    try:
        yield
    finally:
        _ELSEWHERE.reset(token)


class _Processes:
    """Processes of this machine."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def spread(
        self, function: Callable[[Common, Item], Result], items: Iterable[Item], common: Common
    ) -> Iterator[Result]:
        processes = Parallel(n_jobs=self._jobs, backend="loky", return_as="generator", max_nbytes=None)
        yield from processes(delayed(_alone)(function, common, item) for item in items)


class _Cluster:
    """Workers of a Dask scheduler."""

    def __init__(self, distributed: Any, client: Any, scheduler: str) -> None:
        self._distributed = distributed
        self._client = client
        self._scheduler = scheduler
        self._sent: tuple[object, Any] | None = None

    def spread(
        self, function: Callable[[Common, Item], Result], items: Iterable[Item], common: Common
    ) -> Iterator[Result]:
        ahead = 2 * max(1, sum(self._client.nthreads().values()))
        waiting: deque[Any] = deque()
        with _told(self._distributed, self._scheduler):
            shared = self._at_workers(common)
            for item in items:
                waiting.append(self._client.submit(_alone, function, shared, item, pure=False))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _at_workers(self, common: Any) -> Any:
        """Return a future of ``common``: a task, so that it is had again where all workers that hold it are lost."""
        if self._sent is None or self._sent[0] is not common:
            self._sent = common, self._client.submit(_itself, common, pure=False)
        return self._sent[1]


def _itself(value: Item) -> Item:
    return value


def _alone(function: Callable[[Common, Item], Result], common: Common, item: Item) -> Result:
    """Do a piece of work on one thread of linear algebra, as it is done here: more would change the last digits."""
    with threadpool_limits(1):
        return function(common, item)


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
        There is no scheduler at the address, it has no workers, or Dask is not installed.
    """
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise ConfigError("A cluster needs Dask. Install it with: pip install 'twinseq[distributed]'") from error
    try:
        _knock(scheduler)
        client = distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"There is no Dask scheduler at {scheduler} ({type(error).__name__}). Start one with `dask scheduler`, and "
            "workers with `dask worker ADDRESS`."
        ) from error
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        client.close()
        raise ConfigError(
            f"The Dask scheduler at {scheduler} has no workers. Start some with `dask worker {scheduler}`."
        ) from error
    return distributed, client


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
    with client, _told(distributed, scheduler):
        results: list[Result] = client.gather(client.map(_Alone(function), items, pure=False))
    return results


@contextmanager
def _told(distributed: Any, scheduler: str) -> Iterator[None]:
    """Say what became of work on a cluster."""
    try:
        yield
    except distributed.KilledWorker as error:
        raise ClusterError(
            f"A piece of work killed every worker of {scheduler} that it was given to: too little memory, most "
            "often. Give the workers more, or fewer threads each."
        ) from error
    except distributed.CancelledError as error:
        raise ClusterError(f"The cluster at {scheduler} went away. Start it again.") from error
    except FileNotFoundError as error:
        raise ClusterError(
            f"A worker of {scheduler} does not see {error.filename}: workers have to see the files of the cohort, "
            "under the same path."
        ) from error
