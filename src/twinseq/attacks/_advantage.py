"""How much oftener an attack succeeds on members than on non-members."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ._base import Floats, NotApplicableError


@dataclass(frozen=True)
class Advantage:
    """Rates of success over donors, their difference and its interval."""

    members: float
    nonmembers: float
    difference: float
    interval: tuple[float, float]
    n_members: int
    n_nonmembers: int


def advantage(success: Floats, members: NDArray[np.bool_], donors: NDArray[np.str_]) -> Advantage:
    """Return the rate of success on members minus that on non-members, each donor counting once.

    The 95 % interval is Newcombe's for two independent proportions, with donors for trials. A donor with several
    samples or tries succeeds in part; the variance of such a share is at most that of success or failure, so the
    interval is then too wide rather than too narrow.

    Parameters
    ----------
    success
        Share of tries that succeeded on each sample, ``n`` numbers from 0 to 1.
    members
        Which samples were in the training data.
    donors
        Donor of each sample.

    Raises
    ------
    NotApplicableError
        There are no members, or no non-members.

    References
    ----------
    Newcombe 1998, Statistics in Medicine 17:873 (method 10).
    """
    rates, sizes = [], []
    for side, name in ((members, "member"), (~members, "non-member")):
        if not side.any():
            raise NotApplicableError(f"no {name} among the targets")
        _, place = np.unique(donors[side], return_inverse=True)
        rates.append(float((np.bincount(place, success[side]) / np.bincount(place)).mean()))
        sizes.append(int(place.max()) + 1)
    bounds = [_wilson(rate, size) for rate, size in zip(rates, sizes, strict=True)]
    difference = rates[0] - rates[1]
    below = np.hypot(rates[0] - bounds[0][0], bounds[1][1] - rates[1])
    above = np.hypot(bounds[0][1] - rates[0], rates[1] - bounds[1][0])
    interval = (float(max(difference - below, -1.0)), float(min(difference + above, 1.0)))
    return Advantage(rates[0], rates[1], difference, interval, sizes[0], sizes[1])


def _wilson(rate: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a proportion."""
    z = float(norm.ppf(0.975))
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return float(max(centre - reach, 0.0)), float(min(centre + reach, 1.0))
