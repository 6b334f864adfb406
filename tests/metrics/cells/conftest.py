"""Cohorts of cells small enough to measure in a second: training donors, unseen donors of the population, a twin."""

import pytest

from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cells
from twinseq.metrics.cells import CellComparison, CellSpace

SIZE = {"n_cases": 4, "n_controls": 4, "n_genes": 300, "cells_per_donor": 60, "n_cell_types": 3}


@pytest.fixture(scope="session")
def train() -> Cohort:
    return simulate_cells(**SIZE, seed=0)


@pytest.fixture(scope="session")
def holdout() -> Cohort:
    """Other donors of the same population."""
    return simulate_cells(**SIZE, seed=1)


@pytest.fixture(scope="session")
def second_draw() -> Cohort:
    """Yet other donors: the perfect twin."""
    return simulate_cells(**SIZE, seed=2)


@pytest.fixture(scope="session")
def comparison(train: Cohort, holdout: Cohort, second_draw: Cohort) -> CellComparison:
    space = CellSpace(train)
    return CellComparison(space, space.train, space.cells(second_draw), space.cells(holdout))
