"""Covariates under differential privacy: a noisy table of class × level for each of them.

A quantity (age) is counted in `BINS` equal bins between bounds that the caller states; any other column by its levels,
which are taken to be public. Missing values are one more level, in columns of a type that has them; where their count
over all classes does not stand out from its noise, the twin has none. Given the class, covariates are drawn
independently.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cohort import Cohort, shorten
from ..dp.budget import Spending
from ..dp.mechanisms import gaussian
from ..errors import ConfigError, suggest

Floats = NDArray[np.float64]
BINS = 10
SURE = 4.0
"""Standard deviations of its noise that a count of missing values must reach for the twin to have any."""


@dataclass(frozen=True)
class PrivateColumn:
    """One covariate: its levels, or ``None`` and the edges of the bins of a quantity; whether it may have gaps."""

    name: str
    levels: tuple[Any, ...] | None
    edges: tuple[float, ...] = ()
    whole: bool = False
    gaps: bool = True

    @property
    def n_levels(self) -> int:
        """Levels or bins, without the one for missing values."""
        return len(self.edges) - 1 if self.levels is None else len(self.levels)

    def codes(self, values: pd.Series[Any]) -> NDArray[np.intp]:
        """Return the level of each value; the last one for missing ones."""
        if self.levels is not None:
            place = {level: index for index, level in enumerate(self.levels)}
            found = [self.n_levels if pd.isna(value) else place[value] for value in values]
            return np.array(found, dtype=np.intp)
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        inside = np.clip(np.nan_to_num(numbers), self.edges[0], self.edges[-1])
        bins = np.clip(np.searchsorted(self.edges, inside, side="right") - 1, 0, self.n_levels - 1)
        return np.where(np.isnan(numbers), self.n_levels, bins).astype(np.intp)

    def values(self, codes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[Any]:
        """Return values of these levels, those of a quantity anywhere in the bin."""
        drawn = np.empty(len(codes), dtype=object)
        for row, code in enumerate(codes):
            if code == self.n_levels:
                drawn[row] = None
            elif self.levels is not None:
                drawn[row] = self.levels[code]
            else:
                number = rng.uniform(self.edges[code], self.edges[code + 1])
                drawn[row] = self._whole_in(code, number) if self.whole else number
        return drawn

    def _whole_in(self, code: int, number: float) -> int:
        """Return the whole number below ``number`` where that is in the bin too, else the lowest, or nearest, one."""
        least = math.ceil(self.edges[code])
        return max(math.floor(number), least) if least <= self.edges[code + 1] else round(number)


@dataclass(frozen=True)
class PrivateCovariates:
    """Noisy shares of the levels of each covariate in each class, ``n_classes × n_levels``, missing values last."""

    columns: tuple[PrivateColumn, ...]
    shares: tuple[Floats, ...]

    @classmethod
    def fit(
        cls, cohort: Cohort, codes: NDArray[np.intp], n_classes: int, weights: Floats, ranges: str | None,
        spending: Spending, share: float,
    ) -> PrivateCovariates:  # fmt: skip
        """Count the levels of all covariates, for ``share`` of the budget; nothing is spent where there are none.

        Raises
        ------
        ConfigError
            The range of a quantity is missing, or one is given of something else.
        """
        ledger = spending.ledger
        bounds = parse_ranges(ranges, cohort.covariates)
        if not cohort.covariates:
            return cls((), ())
        multiplier = spending.take(share)
        columns, tables = [], []
        for name in cohort.covariates:
            column = _column(name, cohort.obs[name], bounds.get(name))
            counts = np.zeros((n_classes, column.n_levels + column.gaps))
            np.add.at(counts, (codes, column.codes(cohort.obs[name])), weights)
            columns.append(column)
            tables.append(counts)
            what = f"range {column.edges[0]:g} to {column.edges[-1]:g}" if column.levels is None else "levels"
            ledger.assume(f"the {what} of covariate '{shorten(name)}'")
        # One answer for all tables: a donor adds a weight of 1 to each.
        lengths = np.cumsum([table.size for table in tables])[:-1]
        noisy = gaussian(
            np.concatenate([table.ravel() for table in tables]), np.sqrt(len(tables)), multiplier, ledger,
            f"tables of class × covariate ({len(tables)})",
        )  # fmt: skip
        noise = multiplier * np.sqrt(len(tables))
        shares = []
        for column, table, part in zip(columns, tables, np.split(noisy, lengths), strict=True):
            counts = part.reshape(table.shape)
            # Gaps that may well be noise alone would only puzzle whoever reads the twin.
            if column.gaps and counts[:, -1].sum() < SURE * noise * np.sqrt(n_classes):
                counts[:, -1] = 0.0
            shares.append(_shares(counts))
        return cls(tuple(columns), tuple(shares))

    def sample(self, codes: NDArray[np.intp], rng: np.random.Generator) -> pd.DataFrame:
        """Draw the covariates of samples of classes ``codes``."""
        known = pd.DataFrame(index=range(len(codes)))
        for column, shares in zip(self.columns, self.shares, strict=True):
            levels = (rng.random((len(codes), 1)) > np.cumsum(shares, axis=1)[codes]).sum(axis=1)
            known[column.name] = column.values(np.minimum(levels, shares.shape[1] - 1), rng)
        return known

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the model as plain arrays."""
        text = json.dumps([vars(column) for column in self.columns], default=_plain)
        header = np.frombuffer(text.encode(), dtype=np.uint8)
        return {"covariates.columns": header} | {
            f"covariates.shares.{place}": table for place, table in enumerate(self.shares)
        }

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> PrivateCovariates:
        """Invert `state`."""
        stored = json.loads(state["covariates.columns"].tobytes())
        columns = tuple(
            PrivateColumn(
                str(one["name"]), None if one["levels"] is None else tuple(one["levels"]), tuple(one["edges"]),
                bool(one["whole"]), bool(one["gaps"]),
            )
            for one in stored
        )  # fmt: skip
        return cls(columns, tuple(state[f"covariates.shares.{place}"] for place in range(len(columns))))


def _plain(level: Any) -> Any:
    """Return a level as JSON can hold it; a date becomes text, which the column's type makes a date again."""
    return level.item() if isinstance(level, np.generic) else str(level)


def parse_ranges(ranges: str | None, covariates: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """Read the ranges of quantities, written as ``"age=18:90,bmi=10:60"``.

    Raises
    ------
    ConfigError
        The text is nothing of the kind, or names something that is not a covariate.
    """
    from ._private_scale import parse_bounds

    found = {}
    for part in (ranges or "").split(","):
        name, equals, bounds = part.strip().rpartition("=")
        if not part.strip():
            continue
        if not equals:
            raise ConfigError(f"ranges: write name=low:high, with commas between, not '{shorten(part)}'.")
        if name not in covariates:
            raise ConfigError(f"ranges: there is no covariate '{shorten(name)}'{suggest(name, covariates)}")
        found[name] = parse_bounds(f"ranges of '{shorten(name)}'", bounds)
    return found


def _column(name: str, values: pd.Series[Any], bounds: tuple[float, float] | None) -> PrivateColumn:
    dtype = values.dtype
    gaps = not (isinstance(dtype, np.dtype) and dtype.kind in "iub")
    quantity = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
    if quantity:
        if bounds is None:
            raise ConfigError(
                f"Covariate '{shorten(name)}' is a quantity, and its range in the data is private. "
                f"State one that is known beforehand: ranges={shorten(name)}=LOW:HIGH."
            )
        edges = np.linspace(*bounds, BINS + 1)
        return PrivateColumn(name, None, tuple(map(float, edges)), pd.api.types.is_integer_dtype(dtype), gaps)
    if bounds is not None:
        raise ConfigError(f"ranges: covariate '{shorten(name)}' is not a quantity.")
    if isinstance(dtype, pd.CategoricalDtype):
        return PrivateColumn(name, tuple(dtype.categories), gaps=gaps)
    return PrivateColumn(name, tuple(sorted(values.dropna().unique(), key=str)), gaps=gaps)


def _shares(noisy: Floats) -> Floats:
    """Return shares in each class; what noise made negative is none, and a class without anything takes the pool's."""
    counts = np.maximum(noisy, 0.0)
    pool = counts.sum(axis=0)
    pool = pool / pool.sum() if pool.sum() > 0 else np.full(len(pool), 1.0 / len(pool))
    totals = counts.sum(axis=1, keepdims=True)
    shares: Floats = np.where(totals > 0, counts / np.maximum(totals, 1e-300), pool)
    return shares
