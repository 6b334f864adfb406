"""Size factors of a twin: those of each class, evenly spread over their distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
