"""Small negative-binomial tables with awkward genes, for the differential-expression tests."""

from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Table:
    """Counts (``n_samples × n_genes``), size factors, design and true dispersions."""

    counts: np.ndarray
    size_factors: np.ndarray
    design: np.ndarray
    dispersions: np.ndarray


def _design(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    ones = np.ones(n)
    group = (np.arange(n) % 2).astype(float)
    batch = (np.arange(n) % 3).astype(float)
    if kind == "intercept":
        return ones[:, None]
    if kind == "two groups":
        return np.column_stack([ones, group])
    if kind == "two factors":
        return np.column_stack([ones, group, batch == 1, batch == 2])
    return np.column_stack([ones, group, rng.normal(size=n)])


@pytest.fixture(params=["intercept", "two groups", "two factors", "continuous"])
def table(request: pytest.FixtureRequest) -> Table:
    """Forty genes from 0.3 to 30,000 counts, dispersions 0.005 to 8, one gene silent in a group."""
    rng = np.random.default_rng(7)
    n, g = 18, 40
    design = _design(request.param, n, rng)
    mean = np.exp(np.linspace(np.log(0.3), np.log(3e4), g))
    dispersions = np.exp(rng.uniform(np.log(0.005), np.log(8.0), g))
    beta = rng.normal(0, 0.4, (g, design.shape[1]))
    beta[:, 0] = 0
    size_factors = np.exp(rng.normal(0, 0.3, n))
    mu = size_factors[:, None] * mean * np.exp(design @ beta.T)
    counts = rng.negative_binomial(1 / dispersions, 1 / (1 + dispersions * mu))
    counts[0, (counts == 0).all(axis=0)] = 1
    if design.shape[1] > 1:
        counts[design[:, 1] == 1, 20] = 0
    return Table(counts, size_factors, design, dispersions)
