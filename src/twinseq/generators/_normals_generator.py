"""What generators share that draw classes from factor normals on a log scale, their figures taken as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cohort import Cohort
from ._base import Generator
from ._covariates import CovariateModel
from ._factor_normals import FactorNormals
from ._private_scale import PrivateScale

Floats = NDArray[np.float64]


class NormalsGenerator(Generator):
    """A generator whose fit finds a scale, a model of covariates and the normals of the classes."""

    balanced: bool
    scale_: PrivateScale
    covariates_: CovariateModel
    normals_: FactorNormals

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known, _ = self.covariates_.sample(codes, rng)
        return self.scale_.invert(self.normals_.draw(codes, self.balanced, rng), rng), known

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        return self.normals_.losses(self.scale_.apply(cohort), codes)

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        return self.normals_.log_likelihood(self.scale_.apply(cohort), codes)

    def _state(self) -> dict[str, NDArray[Any]]:
        return {**self.normals_.state(), **self.scale_.state(), **self.covariates_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.normals_ = FactorNormals.restore(state)
        self.scale_ = PrivateScale.restore(state)
        self.covariates_ = CovariateModel.restore(state)
