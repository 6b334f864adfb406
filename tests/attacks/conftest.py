"""Worlds small enough to follow every attack by hand."""

from collections.abc import Iterator

import numpy as np
import pytest
from planted_donors import leaky, rows, world
from threadpoolctl import threadpool_limits

from twinseq.attacks import View


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Matrices this small gain nothing from threads, and lose much where cores are few."""
    with threadpool_limits(1):
        yield


def small(kind: str, n_genes: int) -> View:
    """Two classes of unequal size on every side, and a twin between its donors and noise."""
    donors = world(kind, 14, n_genes, seed=3)
    twin = rows(leaky(donors.members), np.r_[0:14, 14:25])
    reference = rows(donors.reference, np.r_[0:11, 14:28])
    targets = rows(donors.targets, np.r_[0:6, 14:18, 28:33, 42:48])
    return View("T1", twin, targets, reference, seed=7)


@pytest.fixture(scope="session", params=["wide", "tall"])
def held(request: pytest.FixtureRequest) -> View:
    """Continuous profiles of more and of fewer genes than samples."""
    return small("continuous", {"wide": 60, "tall": 22}[request.param])


@pytest.fixture(scope="session")
def wide() -> View:
    return small("continuous", 60)


@pytest.fixture(scope="session")
def counted() -> View:
    """Counts."""
    return small("counts", 60)
