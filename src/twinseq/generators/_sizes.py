"""Size factors: of a twin, evenly spread over those of its class; of a new sample, against the training samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..transforms import log_normalised
from ._margins import LatentProfiles, Margins, stratum_rows, under


@dataclass(frozen=True)
class SizeFactors:
    """Distribution of the log2 size factor in each class, held as the margins of a single gene."""

    margins: Margins

    @classmethod
    def fit(
        cls, factors: NDArray[np.float64], codes: NDArray[np.intp], n_classes: int, bandwidth: float
    ) -> SizeFactors:
        """Learn from the ``factors`` of samples of classes ``codes``."""
        return cls(Margins.fit(LatentProfiles(np.log2(factors)[:, None], None), codes, n_classes, bandwidth))

    def draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the size factors of samples of classes ``codes``, in random order within each class."""
        factors = np.empty(len(codes))
        for code, rows in stratum_rows(codes):
            factors[rows] = np.exp2(rng.permutation(self.margins.balanced(code, len(rows), slice(0, 1))[:, 0]))
        return factors

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the distribution as plain arrays."""
        return {f"size.{name}": value for name, value in self.margins.state().items()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> SizeFactors | None:
        """Invert `state`; ``None`` where there is nothing, as for continuous profiles."""
        found = under("size.", state)
        return cls(Margins.restore(found)) if found else None


@dataclass(frozen=True)
class SizeReference:
    """What a new sample is held against to find its size factor: the mean log counts of the training samples.

    Parameters
    ----------
    log_means
        ``n_genes``; NaN for genes that do not take part.
    """

    log_means: NDArray[np.float64]

    @classmethod
    def of(cls, counts: NDArray[Any], factors: NDArray[np.float64]) -> SizeReference:
        """Take the reference from training counts (``n × n_genes``) and the factors `size_factors` gave them.

        It gives the training samples these very factors back.
        """
        log_means = np.log(np.maximum(counts, 1)).mean(axis=0)
        complete = (counts > 0).all(axis=0)
        if complete.any():
            return cls(np.where(complete, log_means, np.nan))
        # The fallback scales its factors to geometric mean 1; the shift is part of the reference.
        shift = np.log(cls(log_means).factors(counts[:1])[0] / factors[0])
        return cls(log_means + shift)

    def factors(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """Return the size factor of each sample by the median of ratios over the genes that it detects.

        A sample that detects none of the genes that take part gets 1.
        """
        used = ~np.isnan(self.log_means)
        factors = np.ones(len(counts))
        for row, values in enumerate(counts):
            seen = used & (values > 0)
            if seen.any():
                factors[row] = np.exp(np.median(np.log(values[seen]) - self.log_means[seen]))
        return factors

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the reference as plain arrays."""
        return {"reference.log_means": self.log_means}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> SizeReference | None:
        """Invert `state`; ``None`` where there is nothing, as for continuous profiles."""
        found = under("reference.", state)
        return cls(found["log_means"]) if found else None


def latent_values(cohort: Cohort, reference: SizeReference | None) -> NDArray[np.float64]:
    """Return new samples on the latent scale, ``n × n_genes``: ``log2(count / size factor + 1)``, or as they are."""
    values = cohort.dense()
    return values if reference is None else log_normalised(values, reference.factors(values))
