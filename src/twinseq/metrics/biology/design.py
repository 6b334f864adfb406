"""The design of differential expression, decided on the training data and used on every side."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import pandas as pd

from ...de.modelmatrix import model_matrix
from ...errors import CohortError
from .._registry import NotComputableError
from ..covariates.variation import is_number

if TYPE_CHECKING:
    from .._profiles import Profiles

LABEL = "label"
Pair = tuple[str, str]


@dataclass(frozen=True)
class Design:
    """Additive design ``~ covariates + label``.

    Parameters
    ----------
    pairs
        Tested and reference class of each contrast.
    numeric, categorical
        Covariates in the model.
    left_out
        Stated covariates that are not, with the reason.
    """

    pairs: tuple[Pair, ...]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    left_out: dict[str, str]

    @classmethod
    def of(cls, train: Profiles) -> Design:
        """Decide on the design from labels and covariates of the training data.

        Raises
        ------
        NotComputableError
            There are fewer than two classes.
        """
        classes = train.space.classes
        if len(classes) < 2:
            raise NotComputableError("needs a label with two or more classes")
        pairs = tuple((tested, reference) for reference, tested in combinations(classes, 2))
        chosen = cls(pairs, (), (), {})
        left_out: dict[str, str] = {}
        for name in map(str, train.covariates.columns):
            column = train.covariates[name]
            if name in (train.space.survival or ()):
                left_out[name] = "is the outcome of the survival analysis"
            elif column.isna().any():
                left_out[name] = "has missing values"
            elif column.nunique() < 2:
                left_out[name] = "is constant"
            else:
                wider = (
                    cls(pairs, (*chosen.numeric, name), chosen.categorical, {})
                    if is_number(column)
                    else cls(pairs, chosen.numeric, (*chosen.categorical, name), {})
                )
                if estimable(wider.table(train)[0], pairs[0]):
                    chosen = wider
                else:
                    left_out[name] = "is collinear with the label or another covariate, or has too many levels"
        return cls(pairs, chosen.numeric, chosen.categorical, left_out)

    def table(self, profiles: Profiles) -> tuple[pd.DataFrame, list[str]]:
        """Return the variables of the model on one side, under names of our own, and the covariates it lacks.

        A covariate is lacking where the side has no such column or a missing value in it.
        """
        columns = {}
        lacking = []
        for number, name in enumerate((*self.numeric, *self.categorical)):
            if name not in profiles.covariates:
                lacking.append(name)
                continue
            column = profiles.covariates[name]
            values = pd.to_numeric(column, errors="coerce").astype(float) if name in self.numeric else column
            if values.isna().any():
                lacking.append(name)
            else:
                columns[f"covariate{number}"] = values if name in self.numeric else values.astype(str)
        return pd.DataFrame({**columns, LABEL: profiles.labels}), lacking


def estimable(table: pd.DataFrame, pair: Pair) -> bool:
    """Whether a contrast can be estimated with all columns of ``table`` in the model."""
    try:
        model_matrix(table, list(table.columns), (LABEL, *pair))
    except CohortError:
        return False
    return True
