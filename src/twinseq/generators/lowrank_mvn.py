"""`lowrank-mvn`: the class-wise normal in a low-rank space of Nanda & Saha."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from ..cohort import Cohort
from ..errors import ConfigError
from ._base import Generator, GeneratorInfo
from ._covariates import CovariateModel
from ._margins import stratum_rows
from ._registry import register


@register
class LowRankMultivariateNormal(Generator):
    """Class-MVN: log1p, centre, randomised SVD, one normal per class in that space, and back.

    The rank is ``min(0.6 n, size of the smallest class − 1)``, the largest at which every class has a full-rank
    covariance. No size factors: the depth of a sample is one of the directions of the space.

    Parameters
    ----------
    noise
        Extra noise as a share of each class's covariance.
    share
        Largest rank as a share of the number of samples.
    """

    info = GeneratorInfo(
        name="lowrank-mvn",
        title="Low-rank class-wise normal (class-MVN)",
        family="statistical",
        kinds=("counts",),
        guarantee="none",
        reference="Nanda & Saha 2026, bioRxiv 10.64898/2026.05.22.726357",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {"noise": 0.5, "share": 0.6}}

    def __init__(self, noise: float = 0.5, share: float = 0.6) -> None:
        if noise < 0:
            raise ConfigError(f"lowrank-mvn: noise must be 0 or more, not {noise}.")
        if not 0 < share <= 1:
            raise ConfigError(f"lowrank-mvn: share must lie between 0 and 1, not {share}.")
        self.noise = noise
        self.share = share

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        latent = np.log1p(cohort.dense())
        self.centre_ = latent.mean(axis=0)
        rank = max(min(int(self.share * len(latent)), int(self.class_sizes_.min()) - 1, latent.shape[1]), 1)
        left, strengths, self.axes_ = randomized_svd(
            latent - self.centre_, n_components=rank, random_state=int(rng.integers(2**31))
        )
        scores = left * strengths
        self.means_ = np.stack([scores[rows].mean(axis=0) for _, rows in stratum_rows(codes)])
        self.covariances_ = np.stack(
            [np.cov(scores[rows], rowvar=False).reshape(rank, rank) for _, rows in stratum_rows(codes)]
        )
        self.covariates_, _ = CovariateModel.fit(cohort, codes)

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known, _ = self.covariates_.sample(codes, rng)
        scores = np.empty((len(codes), len(self.axes_)))
        for code, rows in stratum_rows(codes):
            covariance = (1.0 + self.noise) * self.covariances_[code]
            scores[rows] = rng.multivariate_normal(self.means_[code], covariance, size=len(rows), method="eigh")
        latent = self.centre_ + scores @ self.axes_
        return np.rint(np.maximum(np.expm1(latent), 0.0)).astype(np.int64), known

    def _state(self) -> dict[str, NDArray[Any]]:
        kept = {"centre": self.centre_, "axes": self.axes_, "means": self.means_, "covariances": self.covariances_}
        return {**kept, **self.covariates_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.centre_, self.axes_ = state["centre"], state["axes"]
        self.means_, self.covariances_ = state["means"], state["covariances"]
        self.covariates_ = CovariateModel.restore(state)
