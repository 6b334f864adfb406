r"""Negative binomials of sparse counts, one for the twin and one for other people, held against each other.

With means :math:`a_g, b_g` (in proportion to the cell's total count, or not) and one size :math:`r_g` for both, the
log ratio of a count needs no gamma function:

.. math:: x_g \log\frac{a_g}{b_g} - (x_g + r_g) \log\frac{r_g + a_g}{r_g + b_g}.

Rates are moved towards those of both sides together by a pseudo-count, since a gene that happens to be absent from one
side's few cells is not impossible there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PSEUDO = 1.0
LEAST_SIZE, MOST_SIZE = 0.1, 1e3


def log_ratio(twin: NDArray[Any], people: NDArray[Any], targets: NDArray[Any], *, depth: bool = False) -> Floats:
    """Return the sum over genes of log p_S(x) − log p_R(x), ``n_targets``.

    Parameters
    ----------
    twin, people, targets
        Counts, ``n × G``.
    depth
        Whether a cell's total count is part of what is compared; by default means are in proportion to it.
    """
    sides = [np.asarray(side, dtype=np.float64) for side in (twin, people)]
    x = np.asarray(targets, dtype=np.float64)
    exposures = [_exposure(side, depth) for side in sides]
    sums = [side.sum(axis=0) for side in sides]
    joint = (sums[0] + sums[1]) / (exposures[0].sum() + exposures[1].sum())
    genes = joint > 0
    joint, sums = joint[genes], [side[genes] for side in sums]
    rates = [
        joint * (total + PSEUDO) / (joint * exposure.sum() + PSEUDO)
        for total, exposure in zip(sums, exposures, strict=True)
    ]
    size = _size([side[:, genes] for side in sides], exposures, rates)
    x, exposure = x[:, genes], _exposure(x, depth)[:, None]
    own, other = (exposure * rate for rate in rates)
    found: Floats = x @ np.log(rates[0] / rates[1]) - ((x + size) * np.log((size + own) / (size + other))).sum(axis=1)
    return found


def _exposure(counts: Floats, depth: bool) -> Floats:
    return np.ones(len(counts)) if depth else np.maximum(counts.sum(axis=1), 1.0)


def _size(sides: list[Floats], exposures: list[Floats], rates: list[Floats]) -> Floats:
    """Return moment estimates of the negative binomials' size, both sides together."""
    excess, squares = np.zeros(len(rates[0])), np.zeros(len(rates[0]))
    for side, exposure, rate in zip(sides, exposures, rates, strict=True):
        mean = exposure[:, None] * rate
        excess += ((side - mean) ** 2 - mean).sum(axis=0)
        squares += (mean**2).sum(axis=0)
    found: Floats = np.clip(squares / np.maximum(excess, squares / MOST_SIZE), LEAST_SIZE, MOST_SIZE)
    return found
