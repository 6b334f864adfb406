"""Cohorts that every generator is tried on, small enough to fit in a fraction of a second."""

import numpy as np
import pytest
import scipy.sparse as sp

from twinseq import generators
from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cohort

from .fits import Fits
from .planted import SHAPES, as_continuous, dressed


@pytest.fixture(scope="session")
def bulk() -> Cohort:
    """24 + 32 samples × 800 genes of counts, with sex, age and crp."""
    return simulate_cohort(24, 32, 800, seed=0)


def in_every_shape(bulk: Cohort) -> dict[str, Cohort]:
    """Counts or continuous values, dense or sparse, with undeclared columns of every type."""
    counts = dressed(bulk)
    found = {}
    for kind, cohort in {"counts": counts, "continuous": as_continuous(counts)}.items():
        adata = cohort.adata.copy()
        adata.X = sp.csr_matrix(np.asarray(adata.X))
        found |= {f"{kind} dense": cohort, f"{kind} sparse": cohort.with_adata(adata)}
    return found


@pytest.fixture(scope="session")
def shapes(bulk: Cohort) -> dict[str, dict[str, Cohort]]:
    """By modality of generators: those of cells go through counts one by one, and get fewer of them."""
    shallow = simulate_cohort(24, 32, 800, library_size=1e6, seed=0)
    deep = in_every_shape(bulk)
    return {"bulk": deep, "both": deep, "single-cell": in_every_shape(shallow)}


@pytest.fixture(params=SHAPES)
def shaped(request: pytest.FixtureRequest, name: str, shapes: dict[str, dict[str, Cohort]]) -> Cohort:
    """The cohort for the generator ``name`` in one shape after the other."""
    return shapes[generators.info(name).modality][request.param]


@pytest.fixture
def whole(name: str, shapes: dict[str, dict[str, Cohort]]) -> Cohort:
    """The cohort for the generator ``name``: dense counts."""
    return shapes[generators.info(name).modality]["counts dense"]


@pytest.fixture(scope="session")
def fits() -> Fits:
    return Fits()
