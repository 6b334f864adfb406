r"""`mvn`: the multivariate normal of the community benchmark.

Per class :math:`x = \mu + \sqrt{1 + \nu}\, (X - \mu)^\top w / \sqrt{n - 1}` with :math:`w \sim N(0, I_n)`, which is
:math:`N(\mu, (1 + \nu)\hat\Sigma)` exactly, without forming the gene × gene covariance :math:`\hat\Sigma`. The formula
shows the leak: with fewer samples than genes every draw lies in the span of the training samples.

The likelihood is that of :math:`N(\mu, (1 + \nu)\hat\Sigma + \rho D)`, with :math:`D` the genes' variances within
classes; the ridge :math:`\rho` is `RIDGE`, and for the losses each of `LADDER`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cohort import Cohort
from ..errors import ConfigError
from ._base import Generator, GeneratorInfo
from ._counts import LogScale
from ._covariates import CovariateModel
from ._likelihood import LADDER, RIDGE, factor_log_density, floored
from ._margins import stratum_rows
from ._registry import register


@register
class MultivariateNormal(Generator):
    """Class-conditional multivariate normal with extra noise of the same shape.

    Best in utility among the eleven models of the community benchmark, and given away completely by the span of its
    samples. Counts go through size factors and a log scale. Covariates are drawn beside the genes.

    Parameters
    ----------
    noise
        Extra noise as a share of the covariance; the benchmark adds 0.5.
    """

    info = GeneratorInfo(
        name="mvn",
        title="Multivariate normal",
        family="statistical",
        kinds=("counts", "continuous"),
        guarantee="none",
        reference="Öztürk et al. 2026, bioRxiv 10.64898/2026.03.02.707794",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {"noise": 0.5}}

    def __init__(self, noise: float = 0.5) -> None:
        if noise < 0:
            raise ConfigError(f"mvn: noise must be 0 or more, not {noise}.")
        self.noise = noise

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        self.scale_, latent = LogScale.fit(cohort, codes, len(self.class_sizes_))
        self.codes_ = codes
        self.means_ = np.stack([latent[rows].mean(axis=0) for _, rows in stratum_rows(codes)])
        self.centred_ = latent - self.means_[codes]
        self.covariates_, _ = CovariateModel.fit(cohort, codes)

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known, _ = self.covariates_.sample(codes, rng)
        latent = self.means_[codes]
        for code, rows in stratum_rows(codes):
            centred = self.centred_[self.codes_ == code]
            weights = rng.standard_normal((len(rows), len(centred)))
            latent[rows] += weights @ centred * np.sqrt((1.0 + self.noise) / (len(centred) - 1))
        return self.scale_.invert(latent, codes, rng), known

    def _ladder(self, cohort: Cohort, codes: NDArray[np.intp], ridges: tuple[float, ...]) -> NDArray[np.float64]:
        """Return the log-density at each ridge, ``n × n_ridges``."""
        apart = self.scale_.apply(cohort) - self.means_[codes]
        freedom = max(len(self.centred_) - len(self.means_), 1)
        noise = floored((self.centred_**2).sum(axis=0) / freedom)
        density = np.empty((len(codes), len(ridges)))
        for code, rows in stratum_rows(codes):
            centred = self.centred_[self.codes_ == code]
            loadings = centred * np.sqrt((1.0 + self.noise) / (len(centred) - 1))
            density[rows] = factor_log_density(apart[rows], loadings, noise, ridges)
        return density

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        return -self._ladder(cohort, codes, LADDER) / cohort.n_genes

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        return self._ladder(cohort, codes, (RIDGE,))[:, 0]

    def _state(self) -> dict[str, NDArray[Any]]:
        kept = {"codes": self.codes_, "means": self.means_, "centred": self.centred_}
        return {**kept, **self.scale_.state(), **self.covariates_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.codes_, self.means_, self.centred_ = state["codes"], state["means"], state["centred"]
        self.scale_ = LogScale.restore(state)
        self.covariates_ = CovariateModel.restore(state)
