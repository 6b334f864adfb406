"""One simulated cohort in four parts, twins of the first and of the last."""

import pytest

import twinseq as ts
from twinseq.cohort import Cohort


@pytest.fixture(scope="session")
def parts() -> dict[str, Cohort]:
    whole = ts.datasets.simulate_cohort(n_cases=100, n_controls=100, n_genes=300, seed=3)
    names = ("train", "holdout", "reference", "strangers")
    return dict(zip(names, whole.split((0.25, 0.25, 0.25, 0.25), seed=0), strict=True))


@pytest.fixture(scope="session")
def twin(parts: dict[str, Cohort]) -> Cohort:
    return ts.generators.create("copula").fit(parts["train"], seed=0).sample(seed=1)


@pytest.fixture(scope="session")
def foreign(parts: dict[str, Cohort]) -> Cohort:
    """A twin of donors that no other part holds."""
    return ts.generators.create("copula").fit(parts["strangers"], seed=0).sample(seed=1)
