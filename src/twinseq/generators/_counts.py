"""Counts in and out for generators that work on a continuous scale.

The pair every such generator shares: ``log2(count / size factor + 1)`` on the way in, and on the way out the same
inverted, with size factors drawn from those of the class. Continuous profiles pass through; where they were never
negative, a twin is not negative either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..transforms import counts_from_log, log_normalised, size_factors
from ._margins import LatentProfiles, Margins, draw_size_factors, size_margins, stratum_rows, under

SMOOTHING = 0.7


@dataclass(frozen=True)
class LogScale:
    """The way from profiles to the latent scale, remembered for the way back.

    Parameters
    ----------
    size_margins
        Distribution of size factors per class; ``None`` for continuous profiles.
    non_negative
        Whether no continuous value lay below zero.
    """

    size_margins: Margins | None
    non_negative: bool

    @classmethod
    def fit(cls, cohort: Cohort, codes: NDArray[np.intp], n_classes: int) -> tuple[LogScale, NDArray[np.float64]]:
        """Return the scale and the cohort's latent values, ``n_samples × n_genes``."""
        if cohort.kind == "continuous":
            values = cohort.dense()
            return cls(None, bool(values.min() >= 0)), values
        counts = cohort.dense()
        factors = size_factors(counts)
        margins = size_margins(LatentProfiles(counts, factors), codes, n_classes, SMOOTHING)
        return cls(margins, True), log_normalised(counts, factors)

    def invert(self, latent: NDArray[Any], codes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[Any]:
        """Return profiles for latent values of samples of classes ``codes``."""
        if self.size_margins is None:
            return np.maximum(latent, 0.0) if self.non_negative else latent
        factors = np.empty(len(codes))
        for code, rows in stratum_rows(codes):
            factors[rows] = draw_size_factors(self.size_margins, code, len(rows), rng)
        return counts_from_log(latent, factors)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the scale as plain arrays."""
        state = {"scale.non_negative": np.array(self.non_negative)}
        if self.size_margins is not None:
            state |= {f"scale.size.{name}": value for name, value in self.size_margins.state().items()}
        return state

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> LogScale:
        """Invert `state`."""
        found = under("scale.size.", state)
        return cls(Margins.restore(found) if found else None, bool(state["scale.non_negative"]))
