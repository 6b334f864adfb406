"""Library sizes of single cells from noisy sums over donors.

They are two numbers for each class, which a donor brings in with the root of the share of the class among its cells, as
in `_private_types`; noisy ones are shrunk to what is common to the classes, and that to a public value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..dp.ledger import Ledger
from ..dp.mechanisms import gaussian
from ._pseudobulk import Pseudobulk

Floats = NDArray[np.float64]
REACH = 0.6
"""Decades about the mean of all cells between which library sizes of a class are told apart."""
USUAL_SPREAD = 0.25
"""Standard deviation of log10 library sizes of a cell type, before anything is known of it."""
SPREADS = (0.02, 0.6)
TYPES_DIFFER = 0.2
"""Decades by which library sizes of cell types differ, before anything is known of them."""


@dataclass(frozen=True)
class Depths:
    """How log10 library sizes are spread in each class, or are expected to be.

    Parameters
    ----------
    mean, spread
        Mean and standard deviation, ``n_classes``.
    unknown
        Standard deviation of what is expected of the mean of all cells.
    """

    mean: Floats
    spread: Floats
    unknown: float

    @classmethod
    def within(cls, bounds: tuple[float, float], n_classes: int) -> Depths:
        """Return what is expected where nothing but bounds is known."""
        middle, half = (bounds[0] + bounds[1]) / 2, (bounds[1] - bounds[0]) / 2
        return cls(np.full(n_classes, middle), np.full(n_classes, USUAL_SPREAD), half / 2)


def noisy_depths(
    bulk: Pseudobulk, bounds: tuple[float, float], expected: Depths, roots: Floats, counts: Floats,
    multipliers: tuple[float, float], ledger: Ledger,
) -> Depths:  # fmt: skip
    r"""Return how library sizes are spread in each class.

    In the first round every cell's logarithm, less what is expected of its class, cut to the width of ``bounds`` and on
    a scale from -1 to 1, enters a mean over the donor's cells: a donor moves the sum by at most 1. In the second round
    cells lie about the mean of the first, and the mean and mean square of a class's cells have length
    :math:`\sqrt 2` at most, those of all classes together, each times the root of its share, as well.

    Parameters
    ----------
    bulk
        Sums over cells.
    bounds
        Decades between which library sizes are taken to lie.
    expected
        What is public of them.
    roots, counts
        Noisy sums of root shares of the classes, and noisy numbers of donors, ``n_classes``.
    multipliers
        Noise of both rounds.
    ledger
        Account.
    """
    sums, n_donors, n_classes = bulk.sums, max(float(counts.sum()), 1.0), bulk.n_classes
    donors, classes = np.divmod(sums.groups, n_classes)
    logs = np.clip(np.log10(np.maximum(sums.totals, 1.0)), *bounds) - expected.mean[classes]
    half = (bounds[1] - bounds[0]) / 2
    scaled = np.clip(logs / half, -1.0, 1.0)
    total = np.array([(scaled / np.bincount(donors)[donors]).sum()])
    found = half * gaussian(total, 1.0, multipliers[0], ledger, "mean library size")[0] / n_donors
    noise = half * multipliers[0] / n_donors
    gain = expected.unknown**2 / (expected.unknown**2 + noise**2)
    common = float(np.clip(gain * found, -half, half))
    reach = float(np.hypot(REACH, 2.0 * np.sqrt(gain) * noise))
    u = np.clip((logs - common) / reach, -1.0, 1.0)
    cells = np.maximum(sums.cells, 1.0)
    moments = np.stack([np.bincount(sums.groups, power, len(cells)) / cells for power in (u, u**2)])
    # Groups without cells have a root share of 0.
    asked = np.einsum("dc,mdc->mc", bulk.roots(), moments.reshape(2, -1, n_classes))
    what = "moments of the library sizes of the classes"
    first, second = gaussian(asked, np.sqrt(2.0), multipliers[1], ledger, what) / roots
    errors = np.sqrt(2.0) * multipliers[1] / roots
    left = np.sqrt(gain) * noise / reach
    mean = _towards_common(first, errors, 0.0, left, TYPES_DIFFER / reach)
    usual = (expected.spread / reach) ** 2
    variance = _towards_common(second - mean**2, errors, usual, usual.mean() / 2, usual.mean() / 4)
    spread = np.clip(reach * np.sqrt(np.maximum(variance, 0.0)), *SPREADS)
    return Depths(np.clip(expected.mean + common + reach * mean, *bounds), spread, 0.0)


def _towards_common(noisy: Floats, noise: Floats, usual: Floats | float, unknown: float, differ: float) -> Floats:
    """Return what noisy figures of the classes say of the true ones.

    Parameters
    ----------
    noisy, noise
        Figures and standard deviations of their noise, ``n_classes``.
    usual, unknown
        Value and standard deviation expected beforehand of what is common to all classes.
    differ
        Standard deviation expected of the classes about that.
    """
    covariance = unknown**2 + np.diag(np.full(len(noisy), differ**2))
    gain = np.linalg.solve(covariance + np.diag(noise**2), covariance).T
    found: Floats = usual + gain @ (noisy - usual)
    return found
