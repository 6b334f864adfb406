r"""Location, spread and class means of genes from noisy sums.

One row more or less changes a sum of rows that are at most C long by at most C, in L2 norm over all genes at once.
What noise of standard deviation :math:`C σ` then does to a gene's mean over n donors, :math:`C σ / n`, is known, and so
is how far to shrink it (empirical Bayes over the genes). Rows are short only around a centre, so the centre is found in
two rounds, the first one around a value that is public.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..dp.ledger import Ledger
from ..dp.mechanisms import clipped, gaussian
from ._offsets import Offsets, shrunk_offsets

Floats = NDArray[np.float64]
MIDDLE = 0.4
"""Public value around which rows are cut at first, as a share of the scale's length."""
FIRST_REACH = 2.8
"""Length of a row around the public centre, for each gene: genes of a log scale differ by about as much."""
TYPICAL_SPREAD = 1.1
"""Length of a row around the means, for each gene, before anything is known of it."""
LEAST_SPREAD = 0.3
FROM_ABSOLUTE = math.sqrt(math.pi / 2)
"""Standard deviation of a normal variable in units of its mean absolute value."""
TREND = 3
LEAST_KEPT = 0.3
CLIP_SPREAD = 0.07
"""By how much classes differ in the share of their rows' length that clipping leaves."""


@dataclass(frozen=True)
class NoisyScale:
    """Where genes lie and how far they spread.

    Parameters
    ----------
    location, spread
        Of each gene, ``n_genes``, classes pooled.
    error
        Standard deviation of what is unknown of a location.
    """

    location: Floats
    spread: Floats
    error: float


def noisy_location(
    x: Floats, weights: Floats, n_donors: float, centre: float, multipliers: tuple[float, float], ledger: Ledger
) -> tuple[Floats, float]:
    """Return the mean of each gene and the standard deviation of its error.

    Parameters
    ----------
    x
        Values on the bounded scale, ``n × n_genes``.
    weights
        Of the samples; those of each donor add up to 1.
    n_donors
        Noisy number of donors.
    centre
        Public value to start from.
    multipliers
        Noise of the two rounds, in units of the sensitivity.
    ledger
        Account.
    """
    n_genes = x.shape[1]
    location, reach = np.full(n_genes, centre), FIRST_REACH * math.sqrt(n_genes)
    error = 0.0
    for number, multiplier in enumerate(multipliers, 1):
        total = gaussian(
            weights @ clipped(x - location, reach), reach, multiplier, ledger, f"means of genes, round {number}"
        )
        step, noise = total / n_donors, reach * multiplier / n_donors
        common = step.mean()
        real = max(step.var() - noise**2, 0.01)
        location = location + common + real / (real + noise**2) * (step - common)
        error = math.sqrt(real * noise**2 / (real + noise**2))
        reach = math.hypot(TYPICAL_SPREAD, error) * math.sqrt(n_genes)
    return location, error


def noisy_scale(
    x: Floats, weights: Floats, n_donors: float, centre: float, multipliers: tuple[float, float, float, float],
    ledger: Ledger,
) -> NoisyScale:  # fmt: skip
    """Return location and spread of each gene; see `noisy_location` for the parameters, four rounds of noise.

    The mean absolute deviation is asked for instead of the mean square: rows of absolute values are no longer than the
    rows themselves, so that its noise is a third. It is shrunk to a cubic trend in the location.
    """
    location, error = noisy_location(x, weights, n_donors, centre, multipliers[:2], ledger)
    reach = math.hypot(TYPICAL_SPREAD, error) * math.sqrt(x.shape[1])
    rows = x - location
    asked = "share of the rows' length within reach"
    kept = gaussian(np.array([weights @ _kept(rows, reach)]), 1.0, multipliers[3], ledger, asked)
    scale = n_donors * float(np.clip(kept[0] / n_donors, LEAST_KEPT, 1.0))
    sums = weights @ np.abs(clipped(rows, reach))
    absolute = gaussian(sums, reach, multipliers[2], ledger, "absolute deviations of genes") / scale
    noise = reach * multipliers[2] / scale
    height = (location - location.mean()) / max(location.std(), 1e-9)
    powers = np.vander(height, TREND + 1)
    trend = np.maximum(powers @ np.linalg.lstsq(powers, absolute, rcond=None)[0], LEAST_SPREAD / 2)
    real = max((absolute - trend).var() - noise**2, 0.0)
    absolute = trend + real / (real + noise**2) * (absolute - trend)
    spread = FROM_ABSOLUTE * np.maximum(absolute, LEAST_SPREAD / FROM_ABSOLUTE)
    return NoisyScale(location, np.sqrt(np.maximum(spread**2 - error**2, LEAST_SPREAD**2)), error)


def noisy_offsets(
    rows: Floats, codes: NDArray[np.intp], weights: Floats, counts: Floats, reach: float,
    multipliers: tuple[float, float], ledger: Ledger, noise_left: float = 0.0,
) -> Offsets:  # fmt: skip
    """Return how far the mean of each class lies from the origin of ``rows``, shrunk to what the noise allows.

    Parameters
    ----------
    rows
        ``n × n_genes``, around the location of the genes.
    codes, weights
        Class and weight of each sample.
    counts
        Noisy number of donors of each class.
    reach
        Length to which rows are cut.
    multipliers
        Noise of the sums, and of the share of their length that rows keep.
    ledger
        Account.
    noise_left
        Share of the noise that is left in the means: what shrinkage takes for noise holds small classes as well.
    """
    cut = clipped(rows, reach)
    sums = np.stack([(weights * (codes == code)) @ cut for code in range(len(counts))])
    noisy = gaussian(sums, reach, multipliers[0], ledger, "sums of genes by class")
    kept = np.bincount(codes, weights * _kept(rows, reach), minlength=len(counts)).astype(np.float64)
    shares = gaussian(kept, 1.0, multipliers[1], ledger, "share of the rows' length within reach, by class")
    left = _kept_shares(shares, counts, multipliers[1])
    scale = counts * left
    raw = noisy / scale[:, None]
    offsets = shrunk_offsets(raw, reach * multipliers[0] / scale)
    return replace(offsets, mean=offsets.mean + noise_left * (raw - offsets.mean))


def _kept(rows: Floats, reach: float) -> Floats:
    """Return the share of the length of each row that cutting it to ``reach`` leaves."""
    kept: Floats = np.minimum(1.0, reach / np.maximum(np.linalg.norm(rows, axis=1), 1e-300))
    return kept


def _kept_shares(sums: Floats, counts: Floats, noise: float) -> Floats:
    """Return the share of the length that clipping leaves in each class, those of small classes near that of all."""
    pooled = float(np.clip(sums.sum() / counts.sum(), LEAST_KEPT, 1.0))
    trust = CLIP_SPREAD**2 / (CLIP_SPREAD**2 + (noise / counts) ** 2)
    shares: Floats = np.clip(pooled + trust * (sums / counts - pooled), LEAST_KEPT, 1.0)
    return shares
