"""The design matrix of an additive model, built from columns whatever their names and levels contain.

No formula string is parsed: a column is taken by its label and a level by its value, so commas, quotes,
parentheses or any script in them mean nothing.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import CohortError, ConfigError, suggest

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ModelMatrix:
    """A design matrix and the contrast to test in it.

    Attributes
    ----------
    matrix
        ``n_samples × n_coefficients``, the intercept first.
    contrast
        Weights of the coefficients, ``n_coefficients``.
    tested, reference
        Samples of the two levels that are compared, ``n_samples`` each.
    column
        Name of the column of the contrast.
    codes, levels
        Level of each sample in that column, as a place in ``levels``.
    coefficients
        Coefficient that belongs to each level, −1 for the one that the intercept stands for.
    """

    matrix: Floats
    contrast: Floats
    tested: npt.NDArray[np.bool_]
    reference: npt.NDArray[np.bool_]
    column: Hashable
    codes: npt.NDArray[np.intp]
    levels: "pd.Index[Any]"
    coefficients: npt.NDArray[np.intp]

    def between(self, tested: Hashable, reference: Hashable) -> "ModelMatrix":
        """Return the same matrix with the contrast of two other levels of the same column.

        Raises
        ------
        ConfigError
            An unknown level.
        CohortError
            A level with fewer than two samples.
        """
        places = _positions(self.levels, self.column, tested, reference)
        members = _members(self.codes, self.column, places, (tested, reference))
        contrast = np.zeros(self.matrix.shape[1])
        for place, weight in zip(places, (1.0, -1.0), strict=True):
            if self.coefficients[place] >= 0:
                contrast[self.coefficients[place]] = weight
        return replace(self, contrast=contrast, tested=members[0], reference=members[1])


def model_matrix(
    metadata: pd.DataFrame, design: Sequence[Hashable], contrast: tuple[Hashable, Hashable, Hashable]
) -> ModelMatrix:
    """Build the design matrix of ``~ design[0] + design[1] + …`` and the contrast vector.

    Numeric columns enter as they are, centred and scaled to unit variance; every other column, and the
    column of the contrast, as indicators of all levels but one.

    Parameters
    ----------
    metadata
        One row per sample.
    design
        Columns of the model.
    contrast
        Column, tested level, reference level.

    Raises
    ------
    ConfigError
        A column or level does not exist, or the contrast's column is not in the design.
    CohortError
        A value is missing, a level has fewer than two samples, or the design is not of full rank.
    """
    column, tested_level, reference_level = contrast
    for name in design:
        if name not in metadata.columns:
            raise ConfigError(
                f"design column {name!r} is not in the metadata{suggest(str(name), map(str, metadata.columns))}"
            )
    if len(set(design)) != len(design):
        raise ConfigError(f"the design names a column twice: {list(design)!r}")
    if column not in design:
        raise ConfigError(f"the contrast is on column {column!r}, which is not in the design {list(design)!r}")

    blocks = [np.ones((len(metadata), 1))]
    owners: list[Hashable] = ["the intercept"]
    factor: tuple[npt.NDArray[np.intp], pd.Index[Any], npt.NDArray[np.intp]] | None = None
    for name in design:
        if sum(label == name for label in metadata.columns) > 1:
            raise CohortError(f"metadata has more than one column called {name!r}; rename one")
        values = metadata[name]
        if values.isna().any():
            row = metadata.index[int(np.argmax(values.isna().to_numpy()))]
            raise CohortError(f"column {name!r} has no value for sample {row!r}; fill it in or leave the sample out")
        is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        if is_number and name != column:
            block = _standardised(values.to_numpy(dtype=np.float64), name)
        else:
            codes, levels = pd.factorize(values, sort=False)
            base = 0
            if name == column:
                position = _positions(levels, name, tested_level, reference_level)
                _members(codes, name, position, (tested_level, reference_level))
                base = position[1]
            others = [k for k in range(len(levels)) if k != base]
            block = (codes[:, None] == np.array(others, dtype=np.int64)).astype(np.float64)
            if name == column:
                coefficients = np.full(len(levels), -1, dtype=np.intp)
                coefficients[others] = len(owners) + np.arange(len(others))
                factor = codes, levels, coefficients
        blocks.append(block)
        owners.extend([name] * block.shape[1])

    matrix = np.hstack(blocks)
    _check_rank(matrix, owners)
    assert factor is not None, "the contrast's column is in the design"
    nobody = np.zeros(len(metadata), dtype=np.bool_)
    blank = ModelMatrix(matrix, np.zeros(matrix.shape[1]), nobody, nobody, column, *factor)
    return blank.between(tested_level, reference_level)


def _standardised(values: Floats, name: Hashable) -> Floats:
    """Centre and scale a covariate: large raw values (years, say) would make the system ill-conditioned."""
    if not np.isfinite(values).all():
        raise CohortError(f"column {name!r} holds an infinite value")
    spread = values.std()
    return cast(Floats, ((values - values.mean()) / (spread if spread > 0 else 1.0))[:, None])


def _members(
    codes: npt.NDArray[np.intp], name: Hashable, places: tuple[int, int], levels: tuple[Hashable, Hashable]
) -> list[npt.NDArray[np.bool_]]:
    """Return the samples of two levels, or say which has too few."""
    members = [codes == place for place in places]
    for level, chosen in zip(levels, members, strict=True):
        if chosen.sum() < 2:
            raise CohortError(
                f"level {level!r} of column {name!r} has {int(chosen.sum())} sample; "
                "a contrast needs at least 2 samples on each side"
            )
    return members


def _positions(levels: "pd.Index[Any]", name: Hashable, tested: Hashable, reference: Hashable) -> tuple[int, int]:
    if tested == reference:
        raise ConfigError(f"the contrast compares level {tested!r} of column {name!r} with itself")
    known = list(levels)
    for level in (tested, reference):
        if level not in known:
            raise ConfigError(f"column {name!r} has no level {level!r}{suggest(str(level), map(str, known))}")
    return known.index(tested), known.index(reference)


def _check_rank(matrix: Floats, owners: list[Hashable]) -> None:
    n, p = matrix.shape
    if np.linalg.matrix_rank(matrix) < p:
        rank = 0
        for k in range(p):
            grown = int(np.linalg.matrix_rank(matrix[:, : k + 1]))
            if grown == rank:
                raise CohortError(
                    f"the design is not of full rank: column {owners[k]!r} is determined by the columns before "
                    "it (constant, or confounded with them); leave it out"
                )
            rank = grown
    if n <= p:
        raise CohortError(f"{n} samples cannot estimate {p} coefficients and a dispersion; use fewer design columns")
