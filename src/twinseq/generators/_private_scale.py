r"""From profiles to a bounded scale, one sample at a time, and back: the transform of private generators.

Size factors by the median of ratios hold each sample against all others, so that one donor more moves everybody's
values. Here a sample's values hang on itself alone: counts become log2(counts per million + 1), which no count can
take above log2(10⁶) ≈ 20, and continuous values are cut to bounds that are stated, hence public. Of the library sizes
noisy mean and spread of log10(total) are kept (`_private_library`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..dp.ledger import Ledger
from ..errors import ConfigError
from ..transforms import log_cpm
from ._private_library import ExpectedSizes, noisy_library_sizes

Floats = NDArray[np.float64]
LOG_CPM_BOUNDS = (0.0, 20.0)
TOTALS = (2.0, 9.0)
"""Decades between which library sizes of single samples and cells are taken to lie."""
FAR = 3.0
"""Decades from their mean beyond which no library size is drawn, whatever noise made of the spread."""


@dataclass(frozen=True)
class PrivateScale:
    """The way from profiles to the bounded scale, remembered for the way back.

    Parameters
    ----------
    counts
        Whether profiles are counts.
    lowest, highest
        Bounds of every value on the scale.
    mean, spread
        Of log10(library size); for counts only.
    """

    counts: bool
    lowest: float
    highest: float
    mean: float = 0.0
    spread: float = 0.0

    @classmethod
    def fit(
        cls, cohort: Cohort, bounds: tuple[float, float], weights: Floats, n_donors: float, multiplier: float,
        ledger: Ledger, expected: ExpectedSizes,
    ) -> PrivateScale:  # fmt: skip
        """Ask for what the way back needs.

        Parameters
        ----------
        cohort
            Profiles.
        bounds
            Stated bounds of continuous values; counts have their own.
        weights
            Of the samples, those of each donor adding up to 1.
        n_donors
            Noisy number of donors.
        multiplier
            Noise of what counts need, as of a single query, in units of its sensitivity.
        ledger
            Account.
        expected
            What is public of the library sizes of counts.
        """
        if cohort.kind != "counts":
            return cls(False, *bounds)
        logs = np.log10(np.maximum(cohort.dense().sum(axis=1), 1.0))
        return cls(True, *LOG_CPM_BOUNDS, *noisy_library_sizes(logs, weights, n_donors, expected, multiplier, ledger))

    def apply(self, cohort: Cohort) -> Floats:
        """Return the profiles on the bounded scale, ``n_samples × n_genes``; each hangs on its own sample only."""
        values = log_cpm(cohort.dense()) if self.counts else cohort.dense()
        bounded: Floats = np.clip(values, self.lowest, self.highest)
        return bounded

    def invert(self, values: Floats, rng: np.random.Generator) -> NDArray[Any]:
        """Return profiles for values on the scale, ``n × n_genes``."""
        bounded: Floats = np.clip(values, self.lowest, self.highest)
        if not self.counts:
            return bounded
        parts = np.exp2(bounded) - 1.0
        # Noise in the values of genes makes them add up to more than a million in all; those of a real sample do not.
        shares = parts / np.maximum(parts.sum(axis=1, keepdims=True), 1.0)
        logs = np.clip(rng.normal(self.mean, self.spread, len(values)), self.mean - FAR, self.mean + FAR)
        counts: NDArray[np.int64] = np.rint(shares * 10.0 ** logs[:, None]).astype(np.int64)
        return counts

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the scale as plain arrays."""
        return {f"scale.{name}": np.array(value) for name, value in vars(self).items()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> PrivateScale:
        """Invert `state`."""
        numbers = (float(state[f"scale.{name}"]) for name in ("lowest", "highest", "mean", "spread"))
        return cls(bool(state["scale.counts"]), *numbers)


def parse_bounds(name: str, bounds: str) -> tuple[float, float]:
    """Read bounds written as ``"0:20"``.

    Raises
    ------
    ConfigError
        They are not two numbers, the lower one first.
    """
    low, colon, high = bounds.partition(":")
    try:
        pair = float(low), float(high)
    except ValueError:
        pair = (0.0, 0.0)
    if not colon or not np.isfinite(pair).all() or not pair[0] < pair[1]:
        raise ConfigError(f"{name}: bounds must be two numbers, low and high, such as 0:20, not '{bounds}'.")
    return pair
