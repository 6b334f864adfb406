"""The design of differential expression, decided on the training data and used on every side."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._registry import NotComputableError

if TYPE_CHECKING:
    from .._profiles import Profiles

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Additive design ``~ covariates + label``, decided on the training data.

    Parameters
    ----------
    pairs
        Tested and reference class of each contrast.
    numeric, categorical
        Covariates in the model; a numeric one with the centre and scale that it is standardised by.
    dropped
        Stated covariates that are not, with the reason.
    """

    pairs: tuple[tuple[str, str], ...]
    numeric: dict[str, tuple[float, float]]
    categorical: tuple[str, ...]
    dropped: dict[str, str]

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
        numeric: dict[str, tuple[float, float]] = {}
        categorical: list[str] = []
        dropped: dict[str, str] = {}
        for name, column in train.covariates.items():
            name = str(name)
            is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
            if column.isna().any():
                dropped[name] = "has missing values"
            elif column.nunique() < 2:
                dropped[name] = "is constant"
            else:
                if is_number:
                    values = column.to_numpy(dtype=float)
                    numeric[name] = (float(values.mean()), float(values.std()))
                else:
                    categorical.append(name)
                trial = cls((), numeric, tuple(categorical), {})
                if not trial.full_rank(train):
                    dropped[name] = "is collinear with the label or with another covariate"
                    numeric.pop(name, None)
                    categorical = [kept for kept in categorical if kept != name]
        pairs = tuple((tested, reference) for reference, tested in combinations(classes, 2))
        return cls(pairs, numeric, tuple(categorical), dropped)

    def table(self, profiles: Profiles) -> pd.DataFrame:
        """Return the variables of the model under safe names; a covariate that a side lacks is left out."""
        columns: dict[str, Any] = {}
        for number, (name, (centre, scale)) in enumerate(self.numeric.items()):
            if name in profiles.covariates:
                columns[f"numeric{number}"] = (profiles.covariates[name].to_numpy(dtype=float) - centre) / scale
        for number, name in enumerate(self.categorical):
            if name in profiles.covariates:
                columns[f"categorical{number}"] = profiles.covariates[name].astype(str).to_numpy()
        return pd.DataFrame({**columns, "label": profiles.labels})

    def full_rank(self, profiles: Profiles) -> bool:
        """Whether the model can be fitted to these samples."""
        return full_rank(self.table(profiles))


def full_rank(table: pd.DataFrame) -> bool:
    """Whether the additive model of all columns has full column rank and residual degrees of freedom."""
    if table.isna().any(axis=None):
        return False
    matrix = model_matrix(table)
    return bool(len(matrix) > matrix.shape[1] and np.linalg.matrix_rank(matrix) == matrix.shape[1])


def model_matrix(table: pd.DataFrame) -> Floats:
    """Return intercept, numbers as they are, and indicators of all levels but the first of each text column."""
    parts = [np.ones((len(table), 1))]
    for name in table.columns:
        column = table[name]
        if pd.api.types.is_numeric_dtype(column):
            parts.append(column.to_numpy(dtype=float)[:, None])
        else:
            parts.append(pd.get_dummies(column, drop_first=True, dtype=float).to_numpy())
    return np.hstack(parts)
