"""Generators fitted once, for all tests that only look at the model or at its twin."""

from dataclasses import dataclass

import pytest

from twinseq import generators
from twinseq.cohort import Cohort

from .planted import made, takes


@dataclass(frozen=True)
class Fitted:
    """A model, the cohort it was fitted to, that cohort as it was before, and the model's twin (seed 1)."""

    cohort: Cohort
    before: Cohort
    model: generators.Generator
    twin: Cohort


class Fits:
    """Fits a generator when it is first asked for.

    Not for generators with noise: theirs is seeded by the test, so that what a test sees would hang on its forerunners.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Fitted] = {}

    def __call__(self, name: str, cohort: Cohort) -> Fitted:
        if not takes(name, cohort):
            pytest.skip(f"{name} takes no {cohort.kind} profiles")
        key = name, id(cohort)  # stays its own: the cohort is kept with the model
        if key not in self._known:
            before = cohort.with_adata(cohort.adata.copy())
            model = made(name, cohort).fit(cohort, seed=3)
            self._known[key] = Fitted(cohort, before, model, model.sample(seed=1))
        return self._known[key]
