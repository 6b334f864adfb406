"""Cohorts that differ by one donor, and what is asked of them: the promise of private generators, taken at its word."""

import sys
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from twinseq import generators
from twinseq.cohort import Cohort
from twinseq.dp import mechanisms
from twinseq.dp.ledger import GAUSSIAN, LAPLACE, Query

from .planted import cohort_of

GROUPS = ("a", "b", "c")
NORM = {"gaussian": 2, "laplace": 1}


@dataclass
class Asked:
    """One question: what the mechanism was called with, and what it answered."""

    mechanism: str
    values: np.ndarray
    sensitivity: float
    multiplier: float
    measured: str
    answer: np.ndarray

    @property
    def form(self) -> tuple[object, ...]:
        """All of a question that may not hang on a donor."""
        return self.mechanism, self.values.shape, self.sensitivity, self.multiplier, self.measured


@dataclass
class Double:
    """Stands in for the mechanisms: keeps every question, and answers with noise or as another double did.

    Parameters
    ----------
    noise
        Of the answers, where they are not given, in units of what is charged.
    script
        Questions whose answers are given, whatever the data say.
    """

    noise: float = 1.0
    script: list[Asked] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def answer(self, mechanism: str, *arguments: object) -> np.ndarray:
        values, sensitivity, multiplier, ledger, measured = arguments
        values = np.array(values, dtype=float)
        assert np.isfinite(values).all()
        if self.script:
            answer = self.script[len(self.asked)].answer
        else:
            answer = values + self.noise * multiplier * sensitivity * self.rng.standard_normal(values.shape)
        name = {"gaussian": GAUSSIAN, "laplace": LAPLACE}[mechanism]
        ledger.charge(Query(measured, name, sensitivity, multiplier * sensitivity))
        self.asked.append(Asked(mechanism, values, sensitivity, multiplier, measured, answer))
        return answer.copy()

    def fit(self, model: generators.Generator, cohort: Cohort) -> generators.Generator:
        """Fit ``model`` with this double in place of the mechanisms, and without steps of DP-SGD."""
        modules = [module for name, module in sys.modules.items() if name.startswith("twinseq.")]
        with pytest.MonkeyPatch.context() as patch:
            for mechanism in NORM:
                real = getattr(mechanisms, mechanism)
                for module in modules:
                    if getattr(module, mechanism, None) is real:
                        patch.setattr(module, mechanism, lambda *given, name=mechanism: self.answer(name, *given))
            if model.info.extra == "deep":
                patch.setattr("twinseq.generators._private_training.train_privately", lambda *given: None)
                patch.setattr("twinseq.generators._private_contest.compete_privately", lambda *given: None)
            return model.fit(cohort, seed=0)


def farthest(one: Asked, other: Asked) -> float:
    """Return how far two answers lie apart without noise, in units of the sensitivity that was charged."""
    apart = np.linalg.norm((one.values - other.values).ravel(), NORM[one.mechanism])
    return float(apart / one.sensitivity)


def crowd(kind: str, seed: int, n_donors: int = 12, n_genes: int = 9) -> Cohort:
    """Return donors of one to five samples (cells: 30 times as many), in any classes, with covariates that have gaps.

    Some are as far from the others as can be: beyond all bounds, or with all their counts in one gene.
    """
    rng = np.random.default_rng(seed)
    cells = kind == "cells"
    donors = np.repeat(np.arange(n_donors), rng.integers(1, 6, n_donors) * (30 if cells else 1))
    n = len(donors)
    if kind != "continuous":
        x = rng.poisson(rng.gamma(2, 40, n_genes) * rng.gamma(3, 0.3, (n, n_genes))) + 1
        x[donors == 0] = 0
        x[donors == 0, rng.integers(n_genes)] = 10**6
    else:
        x = rng.normal(8, 4, n_genes) + rng.normal(0, 2, (n, n_genes))
        x[donors == 0] = 1e5 * rng.choice([-1, 1], n_genes)
    x[donors == 1] = x[donors == 1][:1]
    columns = {
        "group": pd.Categorical(rng.choice(GROUPS, n), categories=GROUPS),
        "donor": [f"d{number}" for number in donors],
        "sex": pd.Categorical(rng.choice(["f", "m"], n), categories=["f", "m", "x"]),
        "age": np.where(rng.random(n) < 0.2, np.nan, rng.normal(50, 40, n)),
        "visits": rng.integers(0, 9, n),
    }
    covariates = ("sex", "age", "visits")
    if cells:
        columns["type"] = pd.Categorical(rng.choice(["t", "b"], n, p=[0.9, 0.1]), categories=["b", "nk", "t"])
        x[donors == 2] = np.sort(x[donors == 2], axis=1)
        return cohort_of(
            columns, x=sp.csr_matrix(x), label="group", cell_type="type", donor="donor", covariates=covariates
        )
    return cohort_of(columns, x=x, label="group", kind=kind, donor="donor", covariates=covariates)


def without(cohort: Cohort, donor: str) -> Cohort:
    """Return the cohort without a donor; AnnData's own way to take rows would drop levels that only the donor has."""
    others = cohort.donors() != donor
    adata = AnnData(cohort.adata.X[others], obs=cohort.obs[others], var=cohort.adata.var)
    return cohort.with_adata(adata)
