"""Cohorts that every generator is tried on, small enough to fit in a fraction of a second."""

import numpy as np
import pytest
import scipy.sparse as sp

from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cohort

from .planted import SHAPES, as_continuous, dressed


@pytest.fixture(scope="session")
def bulk() -> Cohort:
    """24 + 32 samples × 800 genes of counts, with sex, age and crp."""
    return simulate_cohort(24, 32, 800, seed=0)


@pytest.fixture(scope="session", params=SHAPES)
def shaped(request: pytest.FixtureRequest, bulk: Cohort) -> Cohort:
    """Counts or continuous values, dense or sparse, with undeclared columns of every type."""
    cohort = dressed(bulk)
    if request.param.startswith("continuous"):
        cohort = as_continuous(cohort)
    if request.param.endswith("sparse"):
        adata = cohort.adata.copy()
        adata.X = sp.csr_matrix(np.asarray(adata.X))
        cohort = cohort.with_adata(adata)
    return cohort
