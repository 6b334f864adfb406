"""Independent pieces of work on several threads, results in the order of the pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from joblib import Parallel, delayed

Item = TypeVar("Item")
Result = TypeVar("Result")


def run(function: Callable[[Item], Result], items: Iterable[Item], jobs: int = 1) -> list[Result]:
    """Return ``[function(item) for item in items]``, on ``jobs`` threads."""
    if jobs == 1:
        return [function(item) for item in items]
    return list(Parallel(n_jobs=jobs, prefer="threads")(delayed(function)(item) for item in items))
