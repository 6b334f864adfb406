r"""`scdesign2`: count margins and a Gaussian copula for each cell type.

In each class (label × cell type), genes detected in more than a fifth of the cells have Poisson or negative binomial
margins, with or without extra zeros, and a Gaussian copula between them:

.. math:: u = F(x - 1) + v f(x),\; v \sim U(0, 1), \qquad R = \operatorname{corr} Φ^{-1}(u), \qquad
          x = F^{-1}(Φ(z)),\; z \sim N(0, R).

Less frequent genes are drawn on their own; those seen in fewer than three cells are left at zero.

Source: Sun, Song, Li & Li 2021, *Genome Biology* 22:163.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from sklearn.covariance import ledoit_wolf

from ..cohort import Cohort
from ..errors import CohortError, ConfigError
from ._base import Generator, GeneratorInfo
from ._count_margins import CountMargins, fit_count_margins
from ._count_tables import distributional_transform, quantiles
from ._covariates import CovariateModel
from ._margins import stratum_rows
from ._registry import register

Floats = NDArray[np.float64]
RARE = 0.8
"""Share of zeros from which on a gene is drawn on its own."""
SEEN = 3
"""Cells in which a gene has to be seen to be drawn at all; of a type with fewer cells, all of them."""
EXTREME = 1e-10
LARGEST = 2**24
"""Largest count: a distribution is tabulated up to there."""


@dataclass(frozen=True)
class CellType:
    """Model of one class.

    Parameters
    ----------
    together, alone
        Genes under the copula, and genes on their own; all others are zero.
    margins
        Of all genes.
    correlation
        Of the normal scores of the genes under the copula, ``k × k``.
    """

    together: NDArray[np.intp]
    alone: NDArray[np.intp]
    margins: CountMargins
    correlation: Floats


@register
class ScDesign2(Generator):
    """Negative binomial margins and a Gaussian copula by cell type, as scDesign2 fits them.

    Parameters
    ----------
    shrinkage
        How far correlations are moved towards 0, between 0 and 1. ``None``: by Ledoit and Wolf's rule where a cell type
        has no more cells than genes under the copula, and not at all elsewhere, as published.
    depth
        Sequencing depth of the twin in units of that of the cohort: means are multiplied by it.
    """

    info = GeneratorInfo(
        name="scdesign2",
        title="Count margins and Gaussian copula by cell type",
        family="statistical",
        kinds=("counts",),
        guarantee="none",
        reference="Sun et al. 2021, Genome Biology 22:163",
        modality="single-cell",
    )

    def __init__(self, shrinkage: float | None = None, depth: float = 1.0) -> None:
        self.shrinkage = shrinkage
        self.depth = depth
        if shrinkage is not None and not 0 <= shrinkage <= 1:
            raise ConfigError(f"scdesign2: shrinkage must lie between 0 and 1, or be None, not {shrinkage}.")
        if not depth > 0:
            raise ConfigError(f"scdesign2: depth must be above 0, not {depth}.")

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        counts = cohort.adata.X
        if counts.max() > LARGEST:
            raise CohortError(
                f"{cohort.source}: scdesign2 is made for UMI counts of cells, and the largest count is "
                f"{counts.max():,.0f}. For bulk profiles take copula."
            )
        self.types_ = [self._cell_type(counts[rows], rng, jobs) for _, rows in stratum_rows(codes)]
        self.covariates_, _ = CovariateModel.fit(cohort, codes)

    def _cell_type(self, counts: Any, rng: np.random.Generator, jobs: int) -> CellType:
        n = counts.shape[0]
        seen = np.asarray((counts > 0).sum(axis=0)).ravel()
        frequent = 1.0 - seen / n < RARE
        known = seen >= min(SEEN, n)
        together, alone = np.flatnonzero(frequent & known), np.flatnonzero(~frequent & known)
        margins = fit_count_margins(counts, jobs)
        chosen = counts[:, together]
        dense = np.asarray(chosen.toarray() if hasattr(chosen, "toarray") else chosen).astype(np.int64)
        levels = distributional_transform(dense, margins.take(together), rng.random(dense.shape), jobs)
        return CellType(together, alone, margins, self._correlation(ndtri(np.clip(levels, EXTREME, 1 - EXTREME))))

    def _correlation(self, scores: Floats) -> Floats:
        n, k = scores.shape
        if k == 0:
            return np.zeros((0, 0))
        centred = scores - scores.mean(axis=0)
        spread = centred.std(axis=0)
        standard = centred / np.where(spread > 0, spread, 1.0)
        correlation = standard.T @ standard / n
        share = self.shrinkage
        if share is None:
            share = float(ledoit_wolf(standard, assume_centered=True)[1]) if n <= k else 0.0
        correlation *= 1.0 - share
        np.fill_diagonal(correlation, 1.0)
        return np.asarray(correlation)

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known, _ = self.covariates_.sample(codes, rng)
        values = np.zeros((len(codes), len(self.frame_.var)), dtype=np.int64)
        for code, rows in stratum_rows(codes):
            model = self.types_[code]
            deeper = CountMargins(model.margins.inflation, model.margins.size, model.margins.mean * self.depth)
            eigenvalues, axes = np.linalg.eigh(model.correlation)
            root = (axes * np.sqrt(np.maximum(eigenvalues, 0.0))).T
            levels = ndtr(rng.standard_normal((len(rows), len(root))) @ root)
            values[np.ix_(rows, model.together)] = quantiles(levels, deeper.take(model.together), jobs)
            apart = rng.random((len(rows), len(model.alone)))
            values[np.ix_(rows, model.alone)] = quantiles(apart, deeper.take(model.alone), jobs)
        return values, known

    def _state(self) -> dict[str, NDArray[Any]]:
        state = dict(self.covariates_.state())
        for code, model in enumerate(self.types_):
            parts = {"together": model.together, "alone": model.alone, "correlation": model.correlation}
            parts |= vars(model.margins)
            state |= {f"type.{code}.{name}": value for name, value in parts.items()}
        return state

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.covariates_ = CovariateModel.restore(state)
        number = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("type."))
        self.types_ = []
        for code in range(number):
            margins = CountMargins(*(state[f"type.{code}.{name}"] for name in ("inflation", "size", "mean")))
            together, alone = state[f"type.{code}.together"], state[f"type.{code}.alone"]
            self.types_.append(CellType(together, alone, margins, state[f"type.{code}.correlation"]))
