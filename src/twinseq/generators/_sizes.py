"""Size factors: of a twin, evenly spread over those of its class; of a new sample, against the training samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..transforms import SizeReference, factors_against, log_normalised, size_reference
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


def kept_reference(counts: NDArray[Any], factors: NDArray[np.float64]) -> SizeReference:
    """Return what new samples are held against, such that training ``counts`` get their ``factors`` back."""
    reference = size_reference(counts)
    # Without complete genes factors are scaled to geometric mean 1; the shift becomes part of the reference.
    shift = np.log(factors_against(counts[:1], reference)[0] / factors[0])
    return replace(reference, log_counts=reference.log_counts + shift)


def reference_state(reference: SizeReference | None) -> dict[str, NDArray[Any]]:
    """Return the reference as plain arrays; none for continuous profiles."""
    if reference is None:
        return {}
    kept = {"genes": reference.genes, "log_counts": reference.log_counts, "complete": np.array(reference.complete)}
    return {f"reference.{name}": value for name, value in kept.items()}


def restore_reference(state: Mapping[str, NDArray[Any]]) -> SizeReference | None:
    """Invert `reference_state`."""
    found = under("reference.", state)
    return SizeReference(found["genes"], found["log_counts"], bool(found["complete"])) if found else None


def latent_values(cohort: Cohort, reference: SizeReference | None) -> NDArray[np.float64]:
    """Return new samples on the latent scale, ``n × n_genes``: ``log2(count / size factor + 1)``, or as they are."""
    values = cohort.dense()
    return values if reference is None else log_normalised(values, factors_against(values, reference))
