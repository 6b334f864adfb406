"""Covariates of a twin: strata where data allow, a mixed-type Gaussian copula for the rest.

A categorical covariate joins the class (label × cell type) in defining *strata* as long as every stratum that it cuts
leaves pieces of at least `MIN_STRATUM` samples: inside strata nothing has to be modelled, so a batch effect or a
sex-linked gene comes out whatever its shape. All other covariates (numeric ones, and those with too many or too rare
levels) are drawn from a Gaussian copula whose margins belong to the stratum and whose correlations are shared by all.
A covariate of *k* levels takes *k − 1* latent normals, one for "this level, given none of the earlier ones";
missingness takes one more. Within a stratum the draws are ranked before they are cut, so that the share of each level,
and of missing values, comes out exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import norm, rankdata

from ..cohort import Cohort
from ..splits import apportion
from ._margins import balanced_levels, interpolation_matrix, smoothing_matrix, stratum_rows, under
from ._modelfile import pack_frame, unpack_frame

MIN_STRATUM = 5
CODED_LEVELS = 10
"""Whole numbers with up to this many values are codes (batch 1, 2, 3), not quantities."""
MISSING = -1

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Column:
    """One covariate: its levels, or ``None`` for a quantity; whether it is whole-numbered or has gaps."""

    name: str
    levels: tuple[Any, ...] | None
    whole: bool
    gaps: bool

    @property
    def n_latent(self) -> int:
        """Number of latent normals it takes."""
        return (1 if self.levels is None else max(len(self.levels) - 1, 0)) + int(self.gaps)


@dataclass
class CovariateModel:
    """Joint distribution of class and covariates.

    Parameters
    ----------
    classes, sizes
        Of each stratum, its row in the generator's class table and its number of training samples.
    strata
        One row per stratum: the level, possibly missing, of each stratifying covariate.
    columns
        Covariates left to the copula.
    quantiles
        Per stratum and number of a numeric column, smoothed knots and the number of values behind them.
    shares
        Per stratum and number of the column, the share of missing values, then of each level among the present ones.
    correlation
        Correlation of the latent normals.
    """

    classes: NDArray[np.intp]
    sizes: NDArray[np.intp]
    strata: pd.DataFrame
    columns: tuple[Column, ...] = ()
    quantiles: dict[str, tuple[Floats, int]] = field(default_factory=dict)
    shares: dict[str, Floats] = field(default_factory=dict)
    correlation: Floats = field(default_factory=lambda: np.eye(0))

    @classmethod
    def fit(
        cls, cohort: Cohort, codes: NDArray[np.intp], min_stratum: int = MIN_STRATUM
    ) -> tuple[CovariateModel, NDArray[np.intp]]:
        """Learn from ``cohort``, whose samples have classes ``codes``; also return the stratum of each sample."""
        table = cohort.obs[list(cohort.covariates)].reset_index(drop=True)
        keys = pd.DataFrame({"class": codes})
        for name in table.columns:
            if not is_categorical(table[name]):
                continue
            # The prefix keeps a covariate that is itself called "class" apart.
            finer = keys.assign(**{f"covariate.{name}": table[name]})
            sizes = _group_sizes(finer)
            if not ((sizes < _group_sizes(keys)) & (sizes < min_stratum)).any():
                keys = finer
        grouped = keys.groupby(list(keys.columns), dropna=False, observed=True, sort=True)
        strata = np.asarray(grouped.ngroup(), dtype=np.intp)
        first = pd.Series(np.arange(len(keys))).groupby(strata).first().to_numpy()
        stratifying = [name for name in table.columns if f"covariate.{name}" in keys.columns]
        model = cls(
            codes[first],
            np.bincount(strata).astype(np.intp),
            table[stratifying].iloc[first].reset_index(drop=True),
            tuple(describe(table[name]) for name in table.columns if name not in stratifying),
        )
        if model.columns:
            model._fit_copula(table, strata)
        return model, strata

    @property
    def n_strata(self) -> int:
        """Number of strata."""
        return len(self.sizes)

    def _slots(self) -> Iterator[tuple[int, Column, slice]]:
        """Yield number and description of each column, and the latents that are its."""
        start = 0
        for number, column in enumerate(self.columns):
            yield number, column, slice(start, start + column.n_latent)
            start += column.n_latent

    def _fit_copula(self, table: pd.DataFrame, strata: NDArray[np.intp]) -> None:
        latents = np.full((len(table), sum(column.n_latent for column in self.columns)), np.nan)
        for stratum, rows in stratum_rows(strata):
            for number, column, slots in self._slots():
                key = f"{stratum}.{number}"
                latents[rows, slots] = self._fit_column(column, table[column.name].iloc[rows], key)
        discrete = np.ones(latents.shape[1], dtype=bool)
        for _, column, slots in self._slots():
            if column.levels is None:
                discrete[slots.stop - 1] = False
        self.correlation = _latent_correlation(latents, discrete)

    def _fit_column(self, column: Column, values: pd.Series[Any], key: str) -> Floats:
        """Store the margin of one column in one stratum; return its latent scores, missing where it tells nothing."""
        latents = np.full((len(values), column.n_latent), np.nan)
        present = values.notna().to_numpy()
        shares = [1 - present.mean()]
        slot = int(column.gaps)
        if column.gaps:
            latents[:, 0] = binary_scores(~present)
        if column.levels is None:
            numbers = values[present].to_numpy(dtype=float)
            if len(numbers):
                knots = smoothing_matrix(len(numbers), 1.0) @ np.sort(numbers)
                if numbers.min() >= 0:
                    # The local line may pass 0 at the lower end, and a time or a concentration cannot.
                    knots = np.sort(np.abs(knots))
                self.quantiles[key] = (np.maximum.accumulate(knots), len(numbers))
                latents[present, slot] = normal_scores(numbers)
        else:
            codes = _level_codes(values, column.levels)
            n_present = max(int(present.sum()), 1)
            shares += [float((codes == level).sum()) / n_present for level in range(len(column.levels))]
            for level in range(len(column.levels) - 1):
                eligible = codes >= level
                latents[eligible, slot + level] = binary_scores(codes[eligible] == level)
        self.shares[key] = np.array(shares)
        return latents

    def sample(self, codes: NDArray[np.intp], rng: np.random.Generator) -> tuple[pd.DataFrame, NDArray[np.intp]]:
        """Draw covariates for samples of classes ``codes``; also return their strata."""
        strata = np.empty(len(codes), dtype=np.intp)
        for code, rows in stratum_rows(codes):
            options = np.flatnonzero(self.classes == code)
            sizes = apportion(len(rows), self.sizes[options].astype(float))
            strata[rows] = np.repeat(options, sizes)
        known = self.strata.iloc[strata].reset_index(drop=True)
        if not self.columns:
            return known, strata
        latents = rng.multivariate_normal(
            np.zeros(len(self.correlation)), self.correlation, size=len(codes), method="eigh"
        )
        for number, column, slots in self._slots():
            known[column.name] = self._draw_column(number, column, latents[:, slots], strata)
        return known, strata

    def _draw_column(self, number: int, column: Column, latents: Floats, strata: NDArray[np.intp]) -> pd.Series[Any]:
        numbers = np.full(len(strata), np.nan)
        for stratum, rows in stratum_rows(strata):
            key = f"{stratum}.{number}"
            shares = self.shares[key]
            present = np.ones(len(rows), dtype=bool)
            slot = 0
            if column.gaps:
                present = ~_top(latents[rows, 0], shares[0])
                slot = 1
            if not present.any():
                continue
            if column.levels is None:
                if key in self.quantiles:
                    knots, n = self.quantiles[key]
                    levels = balanced_levels(int(present.sum()))
                    ordered = interpolation_matrix(levels, len(knots), n) @ knots
                    order = np.argsort(np.argsort(latents[rows[present], slot], kind="stable"), kind="stable")
                    numbers[rows[present]] = ordered[order]
            else:
                numbers[rows[present]] = _draw_levels(latents[rows[present]][:, slot:], shares[1:])
        if column.levels is None:
            return pd.Series(np.rint(numbers) if column.whole else numbers)
        return pd.Series([None if np.isnan(code) else column.levels[int(code)] for code in numbers], dtype=object)

    def encode(self, known: pd.DataFrame, strata: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the copula's covariates as standardised columns, ``n × q``, for genes to be regressed on.

        Quantities become normal scores within the stratum, levels (all but the last) and missingness become
        indicators centred within the stratum; a missing value counts as average.
        """
        parts: list[Floats] = []
        for column in self.columns:
            values = known[column.name].reset_index(drop=True)
            present = values.notna().to_numpy()
            if column.gaps:
                parts.append((~present).astype(float))
            if column.levels is None:
                scores = np.zeros(len(values))
                for _, rows in stratum_rows(strata):
                    seen = rows[present[rows]]
                    if len(seen):
                        scores[seen] = normal_scores(values.iloc[seen].to_numpy(dtype=float))
                parts.append(scores)
            else:
                codes = _level_codes(values, column.levels)
                parts += [(codes == level).astype(float) for level in range(len(column.levels) - 1)]
        if not parts:
            return np.zeros((len(known), 0))
        encoded: NDArray[np.float64] = np.column_stack(parts)
        for _, rows in stratum_rows(strata):
            encoded[rows] -= encoded[rows].mean(axis=0)
        return encoded

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the model as plain arrays."""
        header = {
            "columns": [[c.name, None if c.levels is None else list(c.levels), c.whole, c.gaps] for c in self.columns],
            "numbers": {key: n for key, (_, n) in self.quantiles.items()},
        }
        arrays: dict[str, NDArray[Any]] = {
            # A date becomes text here, and a date again in the twin's column of dates.
            "covariates.header": np.frombuffer(json.dumps(header, default=str).encode(), dtype=np.uint8),
            "covariates.classes": self.classes,
            "covariates.sizes": self.sizes,
            "covariates.strata": pack_frame(self.strata),
            "covariates.correlation": self.correlation,
        }
        arrays.update({f"covariates.quantiles.{key}": knots for key, (knots, _) in self.quantiles.items()})
        arrays.update({f"covariates.shares.{key}": shares for key, shares in self.shares.items()})
        return arrays

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> CovariateModel:
        """Invert `state`."""
        header = json.loads(state["covariates.header"].tobytes())
        quantiles = under("covariates.quantiles.", state)
        return cls(
            state["covariates.classes"],
            state["covariates.sizes"],
            unpack_frame(state["covariates.strata"]),
            tuple(
                Column(name, None if levels is None else tuple(levels), whole, gaps)
                for name, levels, whole, gaps in header["columns"]
            ),
            {key: (knots, header["numbers"][key]) for key, knots in quantiles.items()},
            under("covariates.shares.", state),
            state["covariates.correlation"],
        )


def _group_sizes(keys: pd.DataFrame) -> NDArray[np.intp]:
    """Return for each row how many rows share its values."""
    grouped = keys.groupby(list(keys.columns), dropna=False, observed=True)
    return np.asarray(grouped["class"].transform("size"), dtype=np.intp)


def is_categorical(values: pd.Series[Any]) -> bool:
    """Tell levels (text, booleans, few whole numbers) from quantities."""
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return True
    present = values.dropna().to_numpy(dtype=float)
    return bool((present == np.rint(present)).all() and len(np.unique(present)) <= min(CODED_LEVELS, len(present) // 3))


def describe(values: pd.Series[Any]) -> Column:
    """Return what kind of column ``values`` is; levels come most frequent first."""
    present = values.dropna()
    gaps = bool(values.isna().any())
    if is_categorical(values):
        counts = present.value_counts()
        order = sorted(counts.index[counts > 0], key=lambda level: (-counts[level], str(level)))
        return Column(
            str(values.name), tuple(getattr(level, "item", lambda level=level: level)() for level in order), False, gaps
        )
    numbers = present.to_numpy(dtype=float)
    return Column(str(values.name), None, bool((numbers == np.rint(numbers)).all()), gaps)


def _level_codes(values: pd.Series[Any], levels: tuple[Any, ...]) -> NDArray[np.intp]:
    place = {level: code for code, level in enumerate(levels)}
    return np.array([MISSING if pd.isna(value) else place[value] for value in values], dtype=np.intp)


def normal_scores(values: Floats) -> NDArray[np.float64]:
    """Return Φ⁻¹((rank − ½) / n) along the first axis, ties sharing their mean rank."""
    scores: NDArray[np.float64] = ndtri((rankdata(values, axis=0) - 0.5) / len(values))
    return scores


def binary_scores(is_one: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the expectation of the normal behind a yes/no variable, given its value."""
    share = float(is_one.mean()) if len(is_one) else 0.0
    if not 0 < share < 1:
        return np.zeros(len(is_one))
    density = float(norm.pdf(ndtri(share)))
    return np.where(is_one, density / share, -density / (1 - share))


def _latent_correlation(latents: Floats, discrete: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return a positive-definite correlation matrix of the latent normals behind scores.

    Each pair is correlated over the samples that have both scores. An expectation given a yes/no value correlates with
    other variables less than the normal behind it, by the factor of its standard deviation (biserial correction).
    """
    seen = (~np.isnan(latents)).astype(float)
    scores = np.where(seen > 0, latents, 0.0)
    squares = (scores**2).T @ seen
    spread = np.sqrt(squares * squares.T)
    correlation = scores.T @ scores / np.where(spread > 1e-9, spread, np.inf)
    own = np.sqrt(np.diag(squares) / np.maximum(seen.sum(axis=0), 1.0))
    inflation = np.where(discrete & (own > 1e-6), 1.0 / np.maximum(own, 1e-6), 1.0)
    correlation = np.clip(correlation * np.outer(inflation, inflation), -0.97, 0.97)
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    correlation = (vectors * np.maximum(values, 1e-4)) @ vectors.T
    scale = np.sqrt(np.diag(correlation))
    result: NDArray[np.float64] = correlation / np.outer(scale, scale)
    return result


def _top(latents: Floats, share: float) -> NDArray[np.bool_]:
    """Mark the ``share`` of the samples with the largest latent values."""
    chosen = np.zeros(len(latents), dtype=bool)
    wanted = int(np.floor(share * len(latents) + 0.5))
    chosen[np.argsort(-latents, kind="stable")[:wanted]] = True
    return chosen


def _draw_levels(latents: Floats, shares: Floats) -> NDArray[np.float64]:
    """Give each sample a level: the first level to those with the largest first latent, and so on."""
    counts = apportion(len(latents), shares)
    codes = np.full(len(latents), float(np.flatnonzero(shares > 0)[-1]))
    free = np.arange(len(latents))
    for level in range(len(shares) - 1):
        order = free[np.argsort(-latents[free, level], kind="stable")]
        codes[order[: counts[level]]] = level
        free = np.sort(order[counts[level] :])
    return codes
