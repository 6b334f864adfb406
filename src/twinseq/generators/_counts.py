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
from ..transforms import SizeReference, counts_from_log, log_normalised, size_factors
from ._sizes import SizeFactors, kept_reference, latent_values, reference_state, restore_reference

SMOOTHING = 0.7


@dataclass(frozen=True)
class LogScale:
    """The way from profiles to the latent scale, remembered for the way back.

    Parameters
    ----------
    sizes
        Distribution of size factors per class; ``None`` for continuous profiles.
    reference
        What the size factors of new samples are found against; ``None`` for continuous profiles.
    non_negative
        Whether no continuous value lay below zero.
    """

    sizes: SizeFactors | None
    reference: SizeReference | None
    non_negative: bool

    @classmethod
    def fit(cls, cohort: Cohort, codes: NDArray[np.intp], n_classes: int) -> tuple[LogScale, NDArray[np.float64]]:
        """Return the scale and the cohort's latent values, ``n_samples × n_genes``."""
        if cohort.kind == "continuous":
            values = cohort.dense()
            return cls(None, None, bool(values.min() >= 0)), values
        counts = cohort.dense()
        factors = size_factors(counts)
        sizes = SizeFactors.fit(factors, codes, n_classes, SMOOTHING)
        return cls(sizes, kept_reference(counts, factors), True), log_normalised(counts, factors)

    def apply(self, cohort: Cohort) -> NDArray[np.float64]:
        """Return the latent values of new samples, ``n_samples × n_genes``."""
        return latent_values(cohort, self.reference)

    def invert(self, latent: NDArray[Any], codes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[Any]:
        """Return profiles for latent values of samples of classes ``codes``."""
        if self.sizes is None:
            return np.maximum(latent, 0.0) if self.non_negative else latent
        return counts_from_log(latent, self.sizes.draw(codes, rng))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the scale as plain arrays."""
        sizes = {} if self.sizes is None else self.sizes.state()
        return {"scale.non_negative": np.array(self.non_negative), **sizes, **reference_state(self.reference)}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> LogScale:
        """Invert `state`."""
        return cls(SizeFactors.restore(state), restore_reference(state), bool(state["scale.non_negative"]))
