"""`lowrank-mvn`: the class-wise normal in a low-rank space of Nanda & Saha.

Its likelihood needs a ridge, since nothing is drawn outside the space: `RIDGE` times the mean variance of a gene within
classes, the same for all genes as in the space's own metric. The losses have each of `LADDER`, and each also in
proportion to the gene's own variance.
"""

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
from ._likelihood import LADDER, RIDGE, factor_log_density, floored
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
        kinds=("counts", "continuous"),
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
        latent = _latent(cohort)
        self.lowest_ = float(latent.min())
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
        if self.frame_.roles["kind"] == "counts":
            return np.rint(np.maximum(np.expm1(latent), 0.0)).astype(np.int64), known
        return np.maximum(latent, 0.0) if self.lowest_ >= 0 else latent, known

    def _density(
        self, cohort: Cohort, codes: NDArray[np.intp], noise: NDArray[np.float64], ridges: tuple[float, ...]
    ) -> NDArray[np.float64]:
        """Return the log-density at each ridge, ``n × n_ridges``; ``noise`` is what a ridge of 1 adds to each gene."""
        apart = _latent(cohort) - self.centre_
        density = np.empty((len(codes), len(ridges)))
        for code, rows in stratum_rows(codes):
            values, vectors = np.linalg.eigh((1.0 + self.noise) * self.covariances_[code])
            loadings = (vectors * np.sqrt(np.maximum(values, 0.0))).T @ self.axes_
            density[rows] = factor_log_density(apart[rows] - self.means_[code] @ self.axes_, loadings, noise, ridges)
        return density

    def _variances(self) -> NDArray[np.float64]:
        """Return each gene's variance within classes, ``G``."""
        weights = self.class_sizes_ / self.class_sizes_.sum()
        pooled = np.tensordot(weights, self.covariances_, axes=1)
        return np.asarray(((pooled @ self.axes_) * self.axes_).sum(axis=0))

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        variances = self._variances()
        by_gene = self._density(cohort, codes, floored(variances), LADDER)
        alike = self._density(cohort, codes, _alike(variances), LADDER)
        return -np.column_stack([alike, by_gene]) / cohort.n_genes

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        return self._density(cohort, codes, _alike(self._variances()), (RIDGE,))[:, 0]

    def _state(self) -> dict[str, NDArray[Any]]:
        kept = {"centre": self.centre_, "axes": self.axes_, "means": self.means_, "covariances": self.covariances_}
        kept["lowest"] = np.array(self.lowest_)
        return {**kept, **self.covariates_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.centre_, self.axes_ = state["centre"], state["axes"]
        self.means_, self.covariances_ = state["means"], state["covariances"]
        self.lowest_ = float(state["lowest"])
        self.covariates_ = CovariateModel.restore(state)


def _latent(cohort: Cohort) -> NDArray[np.float64]:
    """Return log1p of counts, as published without size factors, or continuous values as they are."""
    values = cohort.dense()
    return np.asarray(np.log1p(values) if cohort.kind == "counts" else values)


def _alike(variances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean variance for every gene."""
    return np.full(len(variances), max(float(variances.mean()), 1e-12))
