"""Covariates of a twin: strata where data allow, a mixed-type Gaussian copula for the rest.

A categorical covariate joins the class (label × cell type) in defining *strata* as long as every stratum that occurs
keeps at least `MIN_STRATUM` samples: inside strata nothing has to be modelled, so a batch effect or a sex-linked gene
comes out whatever its shape. All other covariates (numeric ones, and those with too many or too rare levels) are
drawn from a Gaussian copula whose margins belong to the stratum and whose correlations are shared by all. A covariate
of *k* levels takes *k − 1* latent normals, one for "this level, given none of the earlier ones"; missingness takes one
more. Within a stratum the draws are ranked before they are cut, so that the share of each level, and of missing
values, comes out exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import norm, rankdata

from ..cohort import Cohort
from ..splits import apportion
from ._margins import balanced_levels, interpolation_matrix, smoothing_matrix, stratum_rows

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
    strata
        One row per stratum: ``class`` (row of the generator's class table), ``size``, and the level of each
        stratifying covariate (text; missing allowed).
    columns
        Covariates left to the copula.
    quantiles
        Per stratum and numeric column, smoothed knots and the number of values behind them.
    shares
        Per stratum and column, the share of missing values, then of each level among the present ones.
    correlation
        Correlation of the latent normals.
    """

    strata: pd.DataFrame
    stratifying: tuple[str, ...] = ()
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
        stratifying: list[str] = []
        for name in table.columns:
            if not is_categorical(table[name]):
                continue
            finer = keys.assign(**{f"covariate.{name}": table[name]})
            if finer.groupby(list(finer.columns), dropna=False, observed=True).size().min() >= min_stratum:
                keys = finer
                stratifying.append(name)
        grouped = keys.groupby(list(keys.columns), dropna=False, observed=True, sort=True)
        strata = np.asarray(grouped.ngroup(), dtype=np.intp)
        first = pd.Series(np.arange(len(keys))).groupby(strata).first().to_numpy()
        rows = keys.iloc[first].reset_index(drop=True)
        rows.columns = pd.Index(["class", *stratifying])
        rows.insert(1, "size.", np.bincount(strata))
        rest = [name for name in table.columns if name not in stratifying]
        model = cls(rows, tuple(stratifying), tuple(describe(table[name]) for name in rest))
        if rest:
            model._fit_copula(table, strata)
        return model, strata

    def _fit_copula(self, table: pd.DataFrame, strata: NDArray[np.intp]) -> None:
        latents = np.zeros((len(table), sum(column.n_latent for column in self.columns)))
        inflation = np.ones(latents.shape[1])
        for stratum, rows in stratum_rows(strata):
            start = 0
            for column in self.columns:
                values = table[column.name].iloc[rows]
                block = latents[rows, start : start + column.n_latent]
                self._fit_column(column, values, stratum, block)
                latents[rows, start : start + column.n_latent] = block
                start += column.n_latent
        start = 0
        for column in self.columns:
            inflation[start : start + column.n_latent] = _latent_inflation(column, table[column.name])
            start += column.n_latent
        self.correlation = _latent_correlation(latents, inflation)

    def _fit_column(self, column: Column, values: pd.Series[Any], stratum: int, latents: Floats) -> None:
        """Store the margin of one column in one stratum and fill in its latent scores."""
        key = f"{stratum}.{column.name}"
        present = values.notna().to_numpy()
        shares = [1 - present.mean()]
        slot = 0
        if column.gaps:
            latents[:, 0] = binary_scores(~present)
            slot = 1
        if column.levels is None:
            known = np.sort(values[present].to_numpy(dtype=float))
            if len(known):
                knots = smoothing_matrix(len(known), 1.0) @ known
                self.quantiles[key] = (np.maximum.accumulate(knots), len(known))
                latents[present, slot] = normal_scores(values[present].to_numpy(dtype=float))
        else:
            codes = _level_codes(values, column.levels)
            n_present = max(int(present.sum()), 1)
            shares += [float((codes == level).sum()) / n_present for level in range(len(column.levels))]
            for level in range(len(column.levels) - 1):
                eligible = present & (codes >= level)
                latents[eligible, slot + level] = binary_scores(codes[eligible] == level)
        self.shares[key] = np.array(shares)

    def sample(self, codes: NDArray[np.intp], rng: np.random.Generator) -> tuple[pd.DataFrame, NDArray[np.intp]]:
        """Draw covariates for samples of classes ``codes``; also return their strata."""
        strata = np.empty(len(codes), dtype=np.intp)
        for code, rows in stratum_rows(codes):
            options = np.flatnonzero(self.strata["class"].to_numpy() == code)
            sizes = apportion(len(rows), self.strata["size."].to_numpy(dtype=float)[options])
            strata[rows] = np.repeat(options, sizes)
        known = pd.DataFrame({name: self.strata[name].to_numpy()[strata] for name in self.stratifying})
        if not self.columns:
            return known.reindex(range(len(codes))), strata
        latents = rng.multivariate_normal(
            np.zeros(len(self.correlation)), self.correlation, size=len(codes), method="eigh"
        )
        start = 0
        for column in self.columns:
            known[column.name] = self._draw_column(column, latents[:, start : start + column.n_latent], strata)
            start += column.n_latent
        return known, strata

    def _draw_column(self, column: Column, latents: Floats, strata: NDArray[np.intp]) -> pd.Series[Any]:
        numbers = np.full(len(strata), np.nan)
        for stratum, rows in stratum_rows(strata):
            key = f"{stratum}.{column.name}"
            shares = self.shares[key]
            present = np.ones(len(rows), dtype=bool)
            slot = 0
            if column.gaps:
                present = ~_top(latents[rows, 0], shares[0])
                slot = 1
            if column.levels is None:
                if key in self.quantiles and present.any():
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
            "stratifying": self.stratifying,
            "columns": [[c.name, None if c.levels is None else list(c.levels), c.whole, c.gaps] for c in self.columns],
            "strata": {name: _plain(self.strata[name]) for name in self.strata.columns},
            "numbers": {key: n for key, (_, n) in self.quantiles.items()},
        }
        arrays = {
            "covariates.header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
            "covariates.correlation": self.correlation,
        }
        arrays.update({f"covariates.quantiles.{key}": knots for key, (knots, _) in self.quantiles.items()})
        arrays.update({f"covariates.shares.{key}": shares for key, shares in self.shares.items()})
        return arrays

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> CovariateModel:
        """Invert `state`."""
        header = json.loads(state["covariates.header"].tobytes())
        quantiles, shares = "covariates.quantiles.", "covariates.shares."
        return cls(
            pd.DataFrame(header["strata"]),
            tuple(header["stratifying"]),
            tuple(
                Column(name, None if levels is None else tuple(levels), whole, gaps)
                for name, levels, whole, gaps in header["columns"]
            ),
            {
                key[len(quantiles) :]: (value, header["numbers"][key[len(quantiles) :]])
                for key, value in state.items()
                if key.startswith(quantiles)
            },
            {key[len(shares) :]: value for key, value in state.items() if key.startswith(shares)},
            state["covariates.correlation"],
        )


def _plain(column: pd.Series[Any]) -> list[Any]:
    return [None if pd.isna(value) else getattr(value, "item", lambda value=value: value)() for value in column]


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
        return Column(str(values.name), tuple(_plain(pd.Series(order, dtype=object))), False, gaps)
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
    """Return the normal scores of a yes/no variable, each value at the middle of its probability mass."""
    return normal_scores(is_one.astype(float)) if len(is_one) else np.zeros(0)


def _latent_inflation(column: Column, values: pd.Series[Any]) -> NDArray[np.float64]:
    """Return by how much a correlation with a yes/no score falls short of that with the normal behind it.

    The biserial correction ``√(p(1−p)) / φ(Φ⁻¹(p))``, one for each latent of the column.
    """

    def biserial(share: float) -> float:
        return float(np.sqrt(share * (1 - share)) / norm.pdf(ndtri(share))) if 0 < share < 1 else 1.0

    factors = [biserial(float(values.isna().mean()))] if column.gaps else []
    if column.levels is None:
        return np.array([*factors, 1.0])
    codes = _level_codes(values, column.levels)
    for level in range(len(column.levels) - 1):
        eligible = codes >= level
        factors.append(biserial(float((codes[eligible] == level).mean())) if eligible.any() else 1.0)
    return np.array(factors)


def _latent_correlation(latents: Floats, inflation: Floats) -> NDArray[np.float64]:
    """Return a positive-definite correlation matrix of the latent columns, corrected for discreteness."""
    spread = np.sqrt((latents**2).mean(axis=0))
    scaled = latents / np.where(spread > 0, spread, 1.0)
    correlation = (scaled.T @ scaled) / len(scaled) * np.outer(inflation, inflation)
    correlation = np.clip(correlation, -0.97, 0.97)
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
