"""`smote`: points between real neighbours, a control that attacks must catch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from ..cohort import Cohort
from ..errors import ConfigError
from ._base import Generator, GeneratorInfo
from ._counts import LogScale
from ._margins import stratum_rows
from ._modelfile import pack_frame, unpack_frame
from ._registry import register


@register
class Smote(Generator):
    """Random points on the lines between real samples and their nearest neighbours of the same class.

    Synthetic-looking, and still a leak by construction: each point lies on a line that ends in two real samples.
    Covariates are those of the nearer end.

    Parameters
    ----------
    neighbours
        Number of nearest neighbours to choose from; fewer in classes that have fewer.
    """

    info = GeneratorInfo(
        name="smote",
        title="SMOTE interpolation (positive control)",
        family="control",
        kinds=("counts", "continuous"),
        guarantee="none: interpolates between real profiles",
        reference="Chawla et al. 2002, JAIR 16:321",
        modality="both",
        unsafe=True,
    )

    def __init__(self, neighbours: int = 5) -> None:
        if neighbours < 1:
            raise ConfigError(f"smote: neighbours must be at least 1, not {neighbours}.")
        self.neighbours = neighbours

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        self.scale_, self.latent_ = LogScale.fit(cohort, codes, len(self.class_sizes_))
        self.codes_ = codes
        self.known_ = cohort.obs[list(cohort.covariates)].reset_index(drop=True)

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        latent = np.empty((len(codes), self.latent_.shape[1]))
        nearer = np.empty(len(codes), dtype=np.intp)
        for code, rows in stratum_rows(codes):
            members = np.flatnonzero(self.codes_ == code)
            k = min(self.neighbours, len(members) - 1)
            search = NearestNeighbors(n_neighbors=k).fit(self.latent_[members])
            neighbours = members[search.kneighbors(return_distance=False)]
            start = rng.integers(len(members), size=len(rows))
            end = neighbours[start, rng.integers(k, size=len(rows))]
            share = rng.random(len(rows))
            start = members[start]
            latent[rows] = self.latent_[start] + share[:, None] * (self.latent_[end] - self.latent_[start])
            nearer[rows] = np.where(share < 0.5, start, end)
        return self.scale_.invert(latent, codes, rng), self.known_.iloc[nearer].reset_index(drop=True)

    def _state(self) -> dict[str, NDArray[Any]]:
        state = self.scale_.state()
        state |= {"latent": self.latent_, "codes": self.codes_, "known": pack_frame(self.known_)}
        return state

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.latent_, self.codes_ = state["latent"], state["codes"]
        self.known_ = unpack_frame(state["known"])
        self.scale_ = LogScale.restore(state)
