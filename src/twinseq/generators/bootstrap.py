"""`bootstrap`: resampled real profiles, the control that every attack must catch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cohort import Cohort
from ._base import Generator, GeneratorInfo
from ._margins import stratum_rows
from ._modelfile import pack_frame, unpack_frame
from ._registry import register


@register
class Bootstrap(Generator):
    """Real samples drawn with replacement within each class: no twin, but a leak by construction.

    It exists so that attacks and audits can be seen to work. Never share what it makes.
    """

    info = GeneratorInfo(
        name="bootstrap",
        title="Bootstrap of real samples (positive control)",
        family="control",
        kinds=("counts", "continuous"),
        guarantee="none: copies real profiles",
        reference="Efron 1979, Annals of Statistics 7:1",
        modality="both",
        unsafe=True,
    )

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        self.profiles_ = cohort.dense(dtype=cohort.adata.X.dtype)
        self.codes_ = codes
        self.known_ = cohort.obs[list(cohort.covariates)].reset_index(drop=True)

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        rows = np.empty(len(codes), dtype=np.intp)
        for code, wanted in stratum_rows(codes):
            rows[wanted] = rng.choice(np.flatnonzero(self.codes_ == code), size=len(wanted))
        return self.profiles_[rows], self.known_.iloc[rows].reset_index(drop=True)

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"profiles": self.profiles_, "codes": self.codes_, "known": pack_frame(self.known_)}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.profiles_, self.codes_ = state["profiles"], state["codes"]
        self.known_ = unpack_frame(state["known"])
