r"""Library sizes of whole profiles from noisy means, each round around the one before.

A donor may lie anywhere within decades, and a mean over donors of values between -r and r has noise in proportion to r.
So the mean of log10 library sizes is asked for again and again: what a round leaves unknown is known itself, since the
noise is, and the next round cuts values so far around the mean as that makes necessary. The last round asks for the
mean absolute deviation, cut as well; the spread is that of the normal distribution that gives this mean when cut. All
rounds are averaged with each other, and with what is expected beforehand, by their precision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ..dp.ledger import Ledger
from ..dp.mechanisms import gaussian

Floats = NDArray[np.float64]
MEANS = 3
"""Rounds for the mean; one more asks for the spread."""
HALO = 0.5
"""Decades around the mean within which library sizes of a cohort lie, but for a few."""
SURE = 2.0
"""Standard deviations of what is unknown of the mean that a round allows for."""
TRUST = 0.1
"""Standard deviation of what is unknown of the spread beforehand, in decades."""
SPREADS = np.geomspace(0.01, 2.0, 400)
LEAST_SPREAD = 0.02


@dataclass(frozen=True)
class ExpectedSizes:
    """What is public of log10 library sizes.

    Parameters
    ----------
    mean, unknown
        Expected mean of the cohort, and standard deviation of what is unknown of it.
    reach
        Decades around the mean to which values are cut at first.
    spread
        Expected standard deviation among the samples.
    """

    mean: float = 6.5
    unknown: float = 1.0
    reach: float = 3.5
    spread: float = 0.2

    @classmethod
    def of_public(cls, mean: float, spread: float) -> ExpectedSizes:
        """Return what a public cohort of this mean and spread lets expect: a depth that differs by a factor of 2 or 3.

        Cohorts beyond a factor of 30 are found by the later rounds in part only.
        """
        return cls(mean, 0.4, 1.5, max(spread, LEAST_SPREAD))


def noisy_library_sizes(
    logs: Floats, weights: Floats, n_donors: float, expected: ExpectedSizes, multiplier: float, ledger: Ledger
) -> tuple[float, float]:
    """Return mean and standard deviation of log10 library sizes.

    Parameters
    ----------
    logs
        log10 of the library sizes, ``n``.
    weights
        Of the samples; those of each donor add up to 1.
    n_donors
        Noisy number of donors.
    expected
        What is public.
    multiplier
        Noise of a single query for which all rounds could be had, in units of its sensitivity.
    ledger
        Account.
    """
    each = multiplier * math.sqrt(MEANS + 1)
    mean, unknown, reach = expected.mean, expected.unknown, expected.reach
    for number in range(1, MEANS + 1):
        total = np.array([weights @ np.clip(logs - mean, -reach, reach)])
        step = gaussian(total, reach, each, ledger, f"mean library size, round {number}")[0] / n_donors
        noise = reach * each / n_donors
        # Of the public mean and of earlier rounds so much is left as they are worth beside this one.
        gain = unknown**2 / (unknown**2 + noise**2)
        mean += gain * float(np.clip(step, -reach, reach))
        unknown = math.sqrt(gain) * noise
        reach = min(HALO + SURE * unknown, expected.reach)
    deviations = np.array([weights @ np.minimum(np.abs(logs - mean), reach)])
    found = gaussian(deviations, reach, each, ledger, "absolute deviation of library sizes")[0] / n_donors
    noise = reach * each / n_donors
    usual = float(_cut_deviation(np.hypot(expected.spread, unknown), reach))
    found = usual + TRUST**2 / (TRUST**2 + noise**2) * (found - usual)
    spread = float(np.interp(found, _cut_deviation(SPREADS, reach), SPREADS))
    return mean, math.sqrt(max(spread**2 - unknown**2, LEAST_SPREAD**2))


def _cut_deviation(spread: Floats | float, reach: float) -> Floats:
    """Return the mean of ``min(|x|, reach)`` of normal x of a standard deviation ``spread``."""
    ends = np.divide(reach, spread)
    within = spread * math.sqrt(2 / math.pi) * (1 - np.exp(-(ends**2) / 2))
    cut: Floats = within + 2 * reach * norm.sf(ends)
    return cut
