"""`independent`: every gene on its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cohort import Cohort
from ..errors import ConfigError
from ._base import Generator, GeneratorInfo
from ._covariates import CovariateModel
from ._likelihood import WIDTHS, margin_density
from ._margins import (
    LatentProfiles,
    Margins,
    gene_blocks,
    stratum_rows,
    under,
)
from ._registry import register
from ._sizes import SizeFactors, kept_reference, latent_values, reference_state, restore_reference


@register
class Independent(Generator):
    """Per-gene distributions of each class, with no correlation between genes.

    What a release of all margins would be, and the usual floor for correlation metrics. Each gene is drawn from the
    smoothed quantile function of its class (normalised counts, or the values themselves), each sample's size factor
    from that of its class; covariates are drawn beside the genes and have no relation to them.

    Parameters
    ----------
    smoothing
        Ranks over which quantiles are smoothed; 0.7 keeps shapes and replays no value.
    """

    info = GeneratorInfo(
        name="independent",
        title="Independent genes",
        family="statistical",
        kinds=("counts", "continuous"),
        guarantee="none",
        reference="baseline; smoothed quantile functions as in `copula`",
        modality="both",
    )

    def __init__(self, smoothing: float = 0.7) -> None:
        if not smoothing > 0:
            raise ConfigError(f"independent: smoothing must be above 0, not {smoothing}.")
        self.smoothing = smoothing

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        profiles = LatentProfiles.of(cohort)
        n_classes = len(self.class_sizes_)
        self.margins_ = Margins.fit(profiles, codes, n_classes, self.smoothing, jobs)
        factors = profiles.factors
        self.sizes_ = None if factors is None else SizeFactors.fit(factors, codes, n_classes, self.smoothing)
        self.reference_ = None if factors is None else kept_reference(cohort.dense(), factors)
        self.covariates_, _ = CovariateModel.fit(cohort, codes)

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known, _ = self.covariates_.sample(codes, rng)
        n_genes = len(self.frame_.var)
        values = np.empty((len(codes), n_genes))
        for code, rows in stratum_rows(codes):
            for genes in gene_blocks(n_genes):
                levels = rng.random((len(rows), genes.stop - genes.start))
                values[rows, genes] = self.margins_.quantiles(code, levels, genes)
        if self.sizes_ is None:
            return values, known
        counts = (np.exp2(values) - 1.0) * self.sizes_.draw(codes, rng)[:, None]
        return np.floor(counts + rng.random(counts.shape)).astype(np.int64), known

    def _densities(self, cohort: Cohort, codes: NDArray[np.intp], widths: tuple[float, ...]) -> NDArray[np.float64]:
        """Return the log-density at each width of the kernel, ``n × n_widths``."""
        latent = latent_values(cohort, self.reference_)
        density = np.empty((len(codes), len(widths)))
        for code, rows in stratum_rows(codes):
            density[rows] = margin_density(self.margins_, code, latent[rows], cohort.kind == "counts", widths)[0]
        return density

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        return -self._densities(cohort, codes, WIDTHS) / cohort.n_genes

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        return self._densities(cohort, codes, (1.0,))[:, 0]

    def _state(self) -> dict[str, NDArray[Any]]:
        state = {f"margins.{name}": value for name, value in self.margins_.state().items()}
        sizes = {} if self.sizes_ is None else self.sizes_.state()
        return {**state, **sizes, **reference_state(self.reference_), **self.covariates_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.margins_ = Margins.restore(under("margins.", state))
        self.sizes_ = SizeFactors.restore(state)
        self.reference_ = restore_reference(state)
        self.covariates_ = CovariateModel.restore(state)
