"""Over-representation: whether a list of genes holds more of a set than a list drawn by lot would."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, hypergeom

Floats = NDArray[np.float64]


def over_representation(listed: NDArray[np.bool_], members: tuple[NDArray[np.intp], ...]) -> Floats:
    r"""Return the p-value of each set, :math:`P(X \ge x)` with X hypergeometric.

    Parameters
    ----------
    listed
        Whether a gene is on the list; all genes tested are the background.
    members
        Places of each set's genes in the background.

    References
    ----------
    Fisher's exact test, one-sided, as in Boyle et al. 2004, Bioinformatics 20:3710 (GO::TermFinder).

    Examples
    --------
    >>> listed = np.arange(100) < 10
    >>> over_representation(listed, (np.arange(5), np.arange(50, 55))).round(6)
    array([3.e-06, 1.e+00])
    """
    sizes = np.array([len(one) for one in members])
    hits = np.array([int(listed[one].sum()) for one in members])
    p_values: Floats = hypergeom.sf(hits - 1, len(listed), sizes, int(listed.sum()))
    return np.clip(p_values, 0.0, 1.0)


def over_represented(
    listed: NDArray[np.bool_], members: tuple[NDArray[np.intp], ...], alpha: float
) -> NDArray[np.bool_]:
    """Return which sets are over-represented at a false discovery rate (Benjamini–Hochberg) below ``alpha``."""
    adjusted: NDArray[Any] = false_discovery_control(over_representation(listed, members))
    return np.asarray(adjusted < alpha)
