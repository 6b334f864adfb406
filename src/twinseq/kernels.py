"""How compiled kernels are made and spread over threads.

A kernel is a plain loop over genes ``start … stop`` that releases the interpreter lock. Blocks of genes
are handed to a small pool of threads. No gene's result depends on another gene, nor on the block it is
in, so the output is the same to the last bit whatever the number of threads. A pool of ordinary threads
is preferred to numba's own parallel loops because those add half a second of compilation to
each kernel, and their ``workqueue`` layer aborts the process when two threads enter it at once.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_BLOCK = 256


def kernel(function: Function) -> Function:
    """Compile with numba on the first call, without the interpreter lock, and keep the result on disk.

    Division by zero gives infinity or NaN, as in numpy. Where no folder can be written, nothing is kept.
    """
    try:
        compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:
        compiled = numba.njit(nogil=True, error_model="numpy")(function)
    return cast(Function, compiled)


def available_cpus() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def over_genes(function: Callable[..., None], n_genes: int, n_threads: int, *arguments: Any) -> None:
    """Call ``function(start, stop, *arguments)`` for consecutive blocks of genes, on ``n_threads`` threads.

    Parameters
    ----------
    function
        A kernel that writes its results for genes ``start … stop - 1`` into arrays among ``arguments``.
    n_genes
        Number of genes.
    n_threads
        Number of threads.
    *arguments
        Passed to every call.
    """
    starts = range(0, n_genes, _BLOCK)
    if n_threads == 1 or len(starts) <= 1:
        if n_genes:
            function(0, n_genes, *arguments)
        return
    with ThreadPoolExecutor(max_workers=n_threads) as pool:
        calls = [pool.submit(function, at, min(at + _BLOCK, n_genes), *arguments) for at in starts]
        for call in calls:
            call.result()
