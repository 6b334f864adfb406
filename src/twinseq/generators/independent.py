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
from ._margins import (
    LatentProfiles,
    Margins,
    draw_size_factors,
    gene_blocks,
    size_margins,
    size_restore,
    size_state,
    stratum_rows,
    under,
)
from ._registry import register


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
        self.size_margins_ = size_margins(profiles, codes, n_classes, self.smoothing)
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
        if self.size_margins_ is None:
            return values, known
        factors = np.empty(len(codes))
        for code, rows in stratum_rows(codes):
            factors[rows] = draw_size_factors(self.size_margins_, code, len(rows), rng)
        counts = (np.exp2(values) - 1.0) * factors[:, None]
        return np.floor(counts + rng.random(counts.shape)).astype(np.int64), known

    def _state(self) -> dict[str, NDArray[Any]]:
        state = {f"margins.{name}": value for name, value in self.margins_.state().items()}
        return {**state, **size_state(self.size_margins_), **self.covariates_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.margins_ = Margins.restore(under("margins.", state))
        self.size_margins_ = size_restore(state)
        self.covariates_ = CovariateModel.restore(state)
