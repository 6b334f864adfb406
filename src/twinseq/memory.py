"""How much memory there is, and what fits into it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from .errors import CohortError

LAZY_SHARE = 0.25
"""A matrix that would take more than this share of the memory is left on disk and read a part at a time."""
LOAD_SHARE = 0.5
"""A matrix on disk is loaded whole, where that is asked for, up to this share of the memory."""
GIB = 2**30
UNKNOWN = 8 * GIB
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_bytes() -> int:
    """Return the memory of the machine, or of the container or batch job where that has less."""
    found = []
    with contextlib.suppress(AttributeError, ValueError, OSError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for place in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # absent, or "max"
            found.append(int(Path(place).read_text()))
    return min((size for size in found if size > 0), default=UNKNOWN)


def check_fits(n_bytes: int, what: str) -> None:
    """Refuse to load what would take more than `LOAD_SHARE` of the memory.

    Raises
    ------
    CohortError
        It would; the message says what to do instead.
    """
    memory = memory_bytes()
    if n_bytes > LOAD_SHARE * memory:
        raise CohortError(
            f"{what} would take {n_bytes / GIB:,.1f} GiB at once, more than half of the {memory / GIB:,.1f} GiB of "
            "memory here. Use what works on parts (Cohort.chunks, generators that learn in parts: see "
            "`twinseq list generators`), take fewer samples or genes, or take a machine with more memory."
        )
