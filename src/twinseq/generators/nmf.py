"""`nmf`: non-negative matrix factorisation.

By class, with all that the metagenes leave out given back (`FactorModel`, the default), or as in the community
benchmark, around clusters of samples with labels by a forest (`ClusterModel`).
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
from ._clusters import ClusterModel
from ._counts import LogScale
from ._covariates import CovariateModel
from ._likelihood import LADDER
from ._metagenes import FactorModel
from ._registry import register

Floats = NDArray[np.float64]
SAMPLINGS = ("class", "cluster")


@register
class NonNegativeFactorisation(Generator):
    """Metagenes with class-wise weights, class means and a residual; or the community benchmark's cluster model.

    Counts go through size factors and a log scale. Genes with negative values are shifted by their minimum for the
    factorisation, and back. Covariates are drawn beside the genes.

    Parameters
    ----------
    rank
        Number of metagenes; by class, at most a quarter of the number of samples.
    sampling
        ``"class"`` draws each class from its own distribution. ``"cluster"`` is the benchmark's model: profiles
        around the means of clusters that know nothing of classes, labels drawn by a random forest; draws are repeated
        until each class has as many as asked for.
    clusters
        Number of clusters, with ``sampling="cluster"``; at most half the number of samples.
    paper_noise
        ε of the benchmark's "DP-NMF", with ``sampling="cluster"``.

    Warnings
    --------
    ``paper_noise`` gives **no guarantee**: it is not differentially private, whatever ε says. It noises the means of
    clusters only; metagenes, clusters, their sizes, the spread, the norm that scales the noise and the forest are
    taken from the data as they are. It is here to reproduce published figures.
    """

    info = GeneratorInfo(
        name="nmf",
        title="Non-negative matrix factorisation (paper_noise: no guarantee)",
        family="statistical",
        kinds=("counts", "continuous"),
        guarantee="none; paper_noise: no guarantee either, only cluster means are noised",
        reference="Lee & Seung 1999, Nature 401:788; paper: Öztürk et al. 2026, bioRxiv 10.64898/2026.03.02.707794",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {"rank": 20, "sampling": "cluster"}}

    model_: FactorModel | ClusterModel

    def __init__(
        self, rank: int = 10, sampling: str = "class", clusters: int = 20, paper_noise: float | None = None
    ) -> None:
        for name, value in (("rank", rank), ("clusters", clusters)):
            if value < 1:
                raise ConfigError(f"nmf: {name} must be 1 or more, not {value}.")
        if sampling not in SAMPLINGS:
            raise ConfigError(f"nmf: sampling must be one of {', '.join(SAMPLINGS)}, not '{sampling}'.")
        if paper_noise is not None and not paper_noise > 0:
            raise ConfigError(f"nmf: paper_noise must be above 0, not {paper_noise}.")
        if paper_noise is not None and sampling != "cluster":
            raise ConfigError("nmf: paper_noise belongs to the benchmark's model: add sampling='cluster'.")
        self.rank = rank
        self.sampling = sampling
        self.clusters = clusters
        self.paper_noise = paper_noise

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        self.scale_, latent = LogScale.fit(cohort, codes, len(self.class_sizes_))
        self.floor_ = np.minimum(latent.min(axis=0), 0.0)
        # A wide normal on the log scale must not become a count beyond all measure.
        self.ceiling_ = float(latent.max()) + 1.0 if cohort.kind == "counts" else np.inf
        x = np.maximum(latent - self.floor_, 0.0)
        if self.sampling == "cluster":
            self.model_ = ClusterModel.fit(x, codes, self.rank, self.clusters, self.paper_noise, rng)
        else:
            self.model_ = FactorModel.fit(x, codes, self.rank, rng)
        self.covariates_, _ = CovariateModel.fit(cohort, codes)

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known, _ = self.covariates_.sample(codes, rng)
        latent = np.minimum(self.model_.draw(codes, rng) + self.floor_, self.ceiling_)
        return self.scale_.invert(latent, codes, rng), known

    def _density(self, x: Floats, codes: NDArray[np.intp], ridges: tuple[float, ...]) -> Floats:
        """Return the log-density at each share of the residual variance, ``n × n_ridges``."""
        if isinstance(self.model_, ClusterModel):
            return self.model_.log_density(x, ridges)
        return self.model_.log_density(x, codes, ridges)

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        x = self.scale_.apply(cohort) - self.floor_
        ladder = -self._density(x, codes, LADDER) / cohort.n_genes
        if isinstance(self.model_, ClusterModel):
            return ladder
        return np.column_stack([self.model_.reconstruction_error(x), ladder])

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        return self._density(self.scale_.apply(cohort) - self.floor_, codes, (1.0,))[:, 0]

    def _state(self) -> dict[str, NDArray[Any]]:
        kept = {"floor": self.floor_, "ceiling": np.array(self.ceiling_)}
        return {**kept, **self.model_.state(), **self.scale_.state(), **self.covariates_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.floor_, self.ceiling_ = state["floor"], float(state["ceiling"])
        self.model_ = ClusterModel.restore(state) if self.sampling == "cluster" else FactorModel.restore(state)
        self.scale_ = LogScale.restore(state)
        self.covariates_ = CovariateModel.restore(state)
