r"""`cell-copula`: the flagship for single cells, with donors of its own.

A cell i of class c (label × cell type) and donor d shows of gene g

.. math:: x_{ig} = F^{-1}\big(Φ(z_{ig});\; s_i\, μ_{cg} e^{δ_{dcg}},\, θ_{cg}, π_{cg}\big), \qquad
          z_i = L_c^\top f_i + ψ_c^{1/2} e_i, \qquad f, e \sim N(0, I),

with F a negative binomial distribution, with or without extra zeros, whose mean is proportional to the library size
:math:`s_i` (`_library_margins`); :math:`L_c` loadings of all genes on a few factors within donors (`_cell_factors`);
and :math:`δ` the effect of a donor that never was (`_donor_effects`). Everything is fitted in passes over parts of the
cohort; memory grows with classes × donors × genes and the tables of counts, not with cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ..cohort import Cohort
from ..errors import ConfigError
from ..parallel import spread
from ._base import Generator, GeneratorInfo
from ._cell_centres import centres, class_margins, overdispersion
from ._cell_factors import cell_factors
from ._cell_public import PublicCells
from ._cell_scores import EXTREME, ScoreTable
from ._cell_types import library_unit
from ._count_histograms import (
    GRID,
    STEP,
    CountHistogram,
    count_histograms,
    draw_places,
    grid_sizes,
    library_places,
)
from ._count_margins import CountMargins
from ._count_tables import count_steps, quantiles, shifted_quantiles
from ._covariates import CovariateModel
from ._donor_cast import Cast
from ._donor_effects import DonorSums, gene_effects
from ._library_margins import fit_library_margins
from ._likelihood import LADDER, factor_log_density
from ._margins import stratum_rows, under
from ._registry import load, register
from ._segments import class_parts, drawn_together

Floats = NDArray[np.float64]


@register
class CellCopula(Generator):
    """Count margins with library sizes, low-rank dependence over all genes, and synthetic donors.

    Parameters
    ----------
    factors
        Most factors of co-expression in a class; fewer are taken where fewer stand out of the noise.
    donors
        Number of synthetic donors; ``None``: as many as in training, none where no donor column is stated; 0: none.
    contrast
        Standard errors between donors that a class mean has to be away from the mean of all classes to stay apart.
    blur
        Standard errors between donors of noise on the means.
    trend
        Share of the way from each gene's own dispersion to that of genes as frequent, 0 to 1.
    public
        File of a cell-copula fitted to open cells of the same types and genes, without a label (`Generator.save`). All
        but the mix of classes, library sizes, covariates and means far from the public ones comes from there
        (`_cell_public`); ``factors``, ``contrast``, ``blur`` and ``trend`` are those of that model then.
    beyond
        Standard errors between donors that a mean has to be away from the public one to count.
    """

    info = GeneratorInfo(
        name="cell-copula",
        title="Low-rank copula of cells with synthetic donors",
        family="statistical",
        kinds=("counts",),
        guarantee="none",
        reference="twinseq; margins as in Sun et al. 2021, Genome Biology 22:163, factors by randomised SVD",
        modality="single-cell",
        in_parts=True,
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "faithful": {"factors": 20, "contrast": 0.0, "blur": 0.0, "trend": 0.0},
        "leakage-limited": {"factors": 20, "contrast": 2.0, "blur": 1.0, "trend": 0.0},
    }

    def __init__(
        self,
        factors: int = 20,
        donors: int | None = None,
        contrast: float = 0.0,
        blur: float = 0.0,
        trend: float = 0.0,
        public: str | None = None,
        beyond: float = 4.0,
    ) -> None:
        self.factors = factors
        self.donors = donors
        self.contrast = contrast
        self.blur = blur
        self.trend = trend
        self.public = public
        self.beyond = beyond
        if not beyond >= 0:
            raise ConfigError(f"cell-copula: beyond must be 0 or more, not {beyond}.")
        if factors < 0:
            raise ConfigError(f"cell-copula: factors must be 0 or more, not {factors}.")
        if donors is not None and donors < 0:
            raise ConfigError(f"cell-copula: donors must be 0 or more, not {donors}.")
        if not contrast >= 0:
            raise ConfigError(f"cell-copula: contrast must be 0 or more, not {contrast}.")
        if not blur >= 0:
            raise ConfigError(f"cell-copula: blur must be 0 or more, not {blur}.")
        if not 0 <= trend <= 1:
            raise ConfigError(f"cell-copula: trend must lie between 0 and 1, not {trend}.")

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        n_classes = len(self.classes_)
        known = cohort.donor is not None
        donors = np.unique(cohort.donors(), return_inverse=True)[1] if known else np.zeros(len(codes), dtype=np.intp)
        public = None if self.public is None else PublicCells.of(self._public_model(), cohort, self.classes_)
        histograms = count_histograms(cohort, codes, n_classes, by_library=True, jobs=jobs)
        self.unit_ = library_unit(histograms)
        self.cells_ = np.stack([histogram.cells for histogram in histograms])
        sums = DonorSums.of(cohort, codes, donors, self.unit_, jobs)
        exposures = np.bincount(sums.classes, weights=sums.exposure).astype(np.float64)
        if public is not None:
            effects = public.effects(sums)
            self.margins_, self.loadings_ = public.moved(effects, exposures, self.unit_, self.beyond), public.loadings
        else:
            fitted = list(spread(_fit_class, histograms, (self.unit_, max(1, jobs // n_classes)), jobs))
            pooled, tables = [margins for margins, _ in fitted], [table for _, table in fitted]
            effects = [gene_effects(sums, code, overdispersion(margins)) for code, margins in enumerate(pooled)]
            rates = centres(effects, exposures, self.contrast, self.blur, rng)
            self.margins_ = [
                class_margins(margins, found, rate, self.trend)
                for margins, found, rate in zip(pooled, effects, rates, strict=True)
            ]
            groups = np.unique(codes * (int(donors.max()) + 1) + donors, return_inverse=True)[1].astype(np.intp)
            self.loadings_ = cell_factors(cohort, codes, groups, tables, self.factors, rng, jobs)
        self.errors_ = np.stack([found.error for found in effects])
        self.cast_ = None
        if known and self.donors != 0:
            self.cast_ = Cast.fit(cohort, self.classes_, sums, effects, donors, self.cells_, self.donors, rng)
        left = () if self.cast_ is None else self.cast_.names
        cells = cohort.with_adata(cohort.adata, covariates=tuple(n for n in cohort.covariates if n not in left))
        self.covariates_, _ = CovariateModel.fit(cells, codes)

    def _public_model(self) -> CellCopula:
        model = load(str(self.public))
        if not isinstance(model, CellCopula):
            raise ConfigError(f"cell-copula: public={self.public} holds a model of '{model.info.name}'.")
        return model

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        table, _ = self.covariates_.sample(codes, rng)
        values = np.zeros((len(codes), len(self.margins_[0].mean)), dtype=np.int64)
        donors = np.zeros(len(codes), dtype=np.intp)
        for code, rows in stratum_rows(codes):
            margins, loadings = self.margins_[code], self.loadings_[code]
            logs = STEP * draw_places(self.cells_[code], len(rows), rng).astype(np.float64)
            if self.cast_ is not None:
                donors[rows] = self.cast_.draw(code, len(rows), rng)
                logs = self.cast_.library_sizes(code, logs, donors[rows])
            places = np.clip(np.rint(logs / STEP), 0, GRID - 1).astype(np.int64)
            exposures = grid_sizes()[places] / self.unit_
            latent = rng.standard_normal((len(rows), values.shape[1]))
            latent *= np.sqrt(1.0 - (loadings**2).sum(axis=0))
            latent += rng.standard_normal((len(rows), len(loadings))) @ loadings
            levels = ndtr(latent)
            if self.cast_ is None:
                values[rows] = quantiles(levels, margins, jobs, exposures)
            else:
                present, own = np.unique(donors[rows], return_inverse=True)
                shifts = np.stack([self.cast_.shifts(code, donor) for donor in present])
                values[rows] = shifted_quantiles(levels, margins, exposures, own, shifts, jobs)
        if self.cast_ is not None:
            table = pd.concat([table, self.cast_.columns(donors)], axis=1)
        return values, table

    def _sample_blocks(
        self, blocks: Sequence[NDArray[np.intp]], rng: np.random.Generator, jobs: int
    ) -> Iterator[tuple[NDArray[Any], pd.DataFrame]]:
        yield from drawn_together(self._sample, blocks, rng, jobs)

    def _densities(self, cohort: Cohort, codes: NDArray[np.intp], ridges: tuple[float, ...]) -> tuple[Floats, Floats]:
        """Return log-probabilities under the margins, and what the factors add at each share of the residual."""
        margin, dependence = np.empty(len(codes)), np.empty((len(codes), len(ridges)))
        for part in class_parts(cohort, codes):
            for code, rows, counts in part:
                exposures = grid_sizes()[library_places(counts)] / self.unit_
                below, step = count_steps(counts.toarray().astype(np.int64), self.margins_[code], exposures=exposures)
                margin[rows] = np.log(np.maximum(step, EXTREME)).sum(axis=1)
                scores = ndtri(np.clip(below + 0.5 * step, EXTREME, 1 - EXTREME))
                loadings = self.loadings_[code]
                residual = 1.0 - (loadings**2).sum(axis=0)
                plain = -0.5 * (scores**2).sum(axis=1, keepdims=True) - 0.5 * scores.shape[1] * np.log(2 * np.pi)
                dependence[rows] = factor_log_density(scores, loadings, residual, ridges) - plain
        return margin, dependence

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        return -np.column_stack(self._densities(cohort, codes, LADDER)) / cohort.n_genes

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        margin, dependence = self._densities(cohort, codes, (1.0,))
        total: Floats = margin + dependence[:, 0]
        return total

    def _state(self) -> dict[str, NDArray[Any]]:
        state = {"unit": np.array(self.unit_), "cells": self.cells_, "errors": self.errors_}
        state |= self.covariates_.state()
        for code, (margins, loadings) in enumerate(zip(self.margins_, self.loadings_, strict=True)):
            state |= {f"margins.{code}.{name}": value for name, value in vars(margins).items()}
            state[f"loadings.{code}"] = loadings
        return state if self.cast_ is None else state | self.cast_.state()

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.unit_, self.cells_, self.errors_ = float(state["unit"]), state["cells"], state["errors"]
        self.covariates_ = CovariateModel.restore(state)
        numbers = range(len(self.cells_))
        self.margins_ = [CountMargins(**under(f"margins.{code}.", state)) for code in numbers]
        self.loadings_ = [state[f"loadings.{code}"] for code in numbers]
        self.cast_ = Cast.restore(state)


def _fit_class(how: tuple[float, int], histogram: CountHistogram) -> tuple[CountMargins, ScoreTable]:
    """Return the margins of the cells of one class, and their scores; given the unit of library size, and threads."""
    unit, threads = how
    exposures = grid_sizes() / unit
    margins, _ = fit_library_margins(histogram, exposures, threads)
    return margins, ScoreTable.of(histogram, margins, exposures, threads)
