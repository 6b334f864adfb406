"""Independent pieces of work on several threads, results in the order of the pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def run(function: Callable[[Item], Result], items: Iterable[Item], jobs: int = 1) -> list[Result]:
    """Return ``[function(item) for item in items]``, on ``jobs`` threads.

    Numerical libraries are held to one thread each meanwhile, since their own threads would change the order of
    summation, and with it the last digits, from one machine load to the next.
    """
    with threadpool_limits(1):
        if jobs == 1:
            return [function(item) for item in items]
        return list(Parallel(n_jobs=jobs, prefer="threads")(delayed(function)(item) for item in items))
