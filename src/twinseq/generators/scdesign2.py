r"""`scdesign2`: count margins and a Gaussian copula for each cell type.

In each class (label × cell type), genes detected in more than a fifth of the cells have Poisson or negative binomial
margins, with or without extra zeros, and a Gaussian copula between them (`_cell_types`). Less frequent genes are drawn
on their own; those seen in fewer than three cells are left at zero. With ``library="offset"`` means are proportional to
the library size of the cell (`_library_margins`), and twin cells get library sizes like those of their class.

Source: Sun, Song, Li & Li 2021, *Genome Biology* 22:163.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cohort import Cohort
from ..errors import ConfigError, suggest
from ._base import Generator, GeneratorInfo, class_names
from ._cell_types import CellType, fit_types
from ._count_histograms import count_histograms
from ._count_margins import CountMargins
from ._covariates import CovariateModel
from ._likelihood import LADDER, RIDGE
from ._margins import stratum_rows
from ._registry import register
from ._segments import class_parts, drawn_together

Floats = NDArray[np.float64]
LIBRARIES = ("none", "offset")


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
    library
        ``"none"``: counts of a type are alike in all cells, as published. ``"offset"``: means are proportional to the
        cell's library size.

    Attributes
    ----------
    families_
        Number of genes with each distribution in each class, and of those whose fit fell back to a simpler one.
    """

    info = GeneratorInfo(
        name="scdesign2",
        title="Count margins and Gaussian copula by cell type",
        family="statistical",
        kinds=("counts",),
        guarantee="none",
        reference="Sun et al. 2021, Genome Biology 22:163",
        modality="single-cell",
        in_parts=True,
    )

    def __init__(self, shrinkage: float | None = None, depth: float = 1.0, library: str = "none") -> None:
        self.shrinkage = shrinkage
        self.depth = depth
        self.library = library
        if shrinkage is not None and not 0 <= shrinkage <= 1:
            raise ConfigError(f"scdesign2: shrinkage must lie between 0 and 1, or be None, not {shrinkage}.")
        if not depth > 0:
            raise ConfigError(f"scdesign2: depth must be above 0, not {depth}.")
        if library not in LIBRARIES:
            raise ConfigError(f"scdesign2: library is 'none' or 'offset', not '{library}'{suggest(library, LIBRARIES)}")

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        by_library = self.library == "offset"
        histograms = count_histograms(cohort, codes, len(self.classes_), by_library, jobs)
        self.types_, self.fallbacks_ = fit_types(cohort, codes, histograms, by_library, self.shrinkage, rng, jobs)
        self.covariates_, _ = CovariateModel.fit(cohort, codes)

    @property
    def families_(self) -> pd.DataFrame:
        """Number of genes with each distribution, one row for each class.

        ``zero``: drawn as zeros; ``fallbacks``: genes for which a richer distribution was tried and could not be
        fitted (a parameter at the end of its range, or no finite likelihood).
        """
        rows = []
        for model, fallbacks in zip(self.types_, self.fallbacks_, strict=True):
            drawn = model.margins.take(np.concatenate([model.together, model.alone]))
            kind = (drawn.inflation > 0) + 2 * np.isfinite(drawn.size)
            poisson, zip_, nb, zinb = np.bincount(kind, minlength=4)
            zero = len(model.margins.mean) - len(kind)
            rows.append({"poisson": poisson, "zip": zip_, "nb": nb, "zinb": zinb, "zero": zero, "fallbacks": fallbacks})
        return pd.DataFrame(rows, index=class_names(self.classes_))

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known, _ = self.covariates_.sample(codes, rng)
        values = np.zeros((len(codes), len(self.frame_.var)), dtype=np.int64)
        for code, rows in stratum_rows(codes):
            drawn = np.zeros((len(rows), values.shape[1]), dtype=np.int64)
            self.types_[code].draw(len(rows), self.depth, rng, jobs, drawn)
            values[rows] = drawn
        return values, known

    def _sample_blocks(
        self, blocks: Sequence[NDArray[np.intp]], rng: np.random.Generator, jobs: int
    ) -> Iterator[tuple[NDArray[Any], pd.DataFrame]]:
        yield from drawn_together(self._sample, blocks, rng, jobs)

    def _densities(self, cohort: Cohort, codes: NDArray[np.intp], ridges: tuple[float, ...]) -> tuple[Floats, Floats]:
        margins, dependence = np.empty(len(codes)), np.empty((len(codes), len(ridges)))
        for part in class_parts(cohort, codes):
            for code, rows, counts in part:
                margins[rows], dependence[rows] = self.types_[code].densities(counts, ridges)
        return margins, dependence

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        return -np.column_stack(self._densities(cohort, codes, LADDER)) / cohort.n_genes

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        margins, dependence = self._densities(cohort, codes, (RIDGE,))
        total: Floats = margins + dependence[:, 0]
        return total

    def _state(self) -> dict[str, NDArray[Any]]:
        state = dict(self.covariates_.state())
        state["fallbacks"] = np.array(self.fallbacks_)
        for code, model in enumerate(self.types_):
            parts = {"together": model.together, "alone": model.alone, "correlation": model.correlation}
            parts |= {"cells": model.cells, "unit": np.array(model.unit), **vars(model.margins)}
            state |= {f"type.{code}.{name}": value for name, value in parts.items()}
        return state

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.covariates_ = CovariateModel.restore(state)
        self.fallbacks_ = state["fallbacks"].tolist()
        self.types_ = []
        for code in range(len(self.fallbacks_)):
            parts = {name: state[f"type.{code}.{name}"] for name in ("together", "alone", "correlation", "cells")}
            margins = CountMargins(*(state[f"type.{code}.{name}"] for name in ("inflation", "size", "mean")))
            self.types_.append(CellType(margins=margins, unit=float(state[f"type.{code}.unit"]), **parts))
