"""Cohorts small enough to measure in a second: training data, unseen donors of the same population, a twin."""

from collections.abc import Iterator

import numpy as np
import pytest
from patients import SURVIVAL, followed
from threadpoolctl import threadpool_limits

from twinseq.cohort import Cohort
from twinseq.datasets import gene_sets, simulate_cohort
from twinseq.geneids import match
from twinseq.genesets import GeneSets
from twinseq.metrics import Comparison, Profiles, Space

SIZE = {"n_cases": 18, "n_controls": 22, "n_genes": 900, "missing_rate": 0.0}


@pytest.fixture(scope="session")
def train() -> Cohort:
    return simulate_cohort(**SIZE, seed=0)


@pytest.fixture(scope="session")
def holdout() -> Cohort:
    """Other donors of the same population."""
    return simulate_cohort(**SIZE, seed=1)


@pytest.fixture(scope="session")
def second_draw() -> Cohort:
    """Yet other donors: the perfect twin."""
    return simulate_cohort(**SIZE, seed=2)


@pytest.fixture(scope="session")
def comparison(train: Cohort, holdout: Cohort, second_draw: Cohort) -> Comparison:
    modules = GeneSets({name: tuple(genes) for name, genes in gene_sets(train).items()})
    space = Space(train, gene_sets=match(list(train.genes), np.ones(train.n_genes), modules))
    return Comparison(space, space.train, Profiles.of(second_draw, space), Profiles.of(holdout, space))


@pytest.fixture(scope="session")
def follow_up(train: Cohort, holdout: Cohort, second_draw: Cohort) -> Comparison:
    """The same with times and events."""
    sides = [followed(cohort, seed) for seed, cohort in enumerate((train, second_draw, holdout))]
    space = Space(sides[0], survival=SURVIVAL)
    return Comparison(space, space.train, *(Profiles.of(cohort, space) for cohort in sides[1:]))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """As in the audit: threads cost more than they bring on data this small."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
