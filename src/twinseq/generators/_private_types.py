r"""Profiles of cell types from noisy sums over donors.

With root shares r of a donor's classes and the shares p of the classes among its cells (`_pseudobulk`), asked for is

.. math:: Y_c = \sum_d \sqrt{p_{dc}} \, (r_{dc} - m_c), \qquad
          \textstyle\sum_c |\sqrt{p_{dc}} (r_{dc} - m_c)|^2 \le C^2 \text{ after clipping,}

all classes in one answer, so that one donor more or less moves it by at most C in L2 norm, whatever its cells. In the
first round :math:`m = 0` and C = 1, which no donor exceeds. The centres of later rounds are what the rounds before say
of the profiles (`_levels`); donors lie nearer to these, so C is smaller, and so is the noise. What C has to be follows
from how uncertain the centres are, which is known from noisy figures, and how far donors of a type lie apart.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..dp.ledger import Ledger
from ..dp.mechanisms import clipped, gaussian
from ._levels import Levels, shrunk_levels
from ._pseudobulk import Pseudobulk

Floats = NDArray[np.float64]
APART = 0.22
"""Length by which donors lie from the profiles of their types: about .15 in blood, more with fewer cells."""
LEAST_ROOTS = 2.0


def noisy_roots(bulk: Pseudobulk, multiplier: float, ledger: Ledger) -> Floats:
    """Return the sum over donors of the root of the share of each class, ``n_classes``; a donor adds a unit vector."""
    noisy = gaussian(bulk.roots().sum(axis=0), 1.0, multiplier, ledger, "sums of root shares of the classes")
    # Below its noise a sum says nothing, and what hangs on it is noise too.
    sums: Floats = np.maximum(noisy, max(LEAST_ROOTS, multiplier))
    return sums


def noisy_types(
    bulk: Pseudobulk, roots: Floats, shares: Floats, multipliers: tuple[float, ...], ledger: Ledger
) -> Levels:
    """Return the root shares of genes in each class.

    Parameters
    ----------
    bulk
        Sums over cells.
    roots
        Noisy sums of root shares, ``n_classes``.
    shares
        Noisy share of each class among the cells, ``n_classes``.
    multipliers
        Noise of each round, in units of its sensitivity.
    ledger
        Account.
    """
    shape = bulk.n_classes, bulk.counts.shape[1]
    centre, reach = np.zeros(shape), 1.0
    weighted, precision = np.zeros(shape), np.zeros(bulk.n_classes)
    levels = Levels(centre, centre)
    for number, multiplier in enumerate(multipliers, 1):
        asked = f"profiles of the classes, round {number}"
        found = gaussian(_sums(bulk, centre, reach), reach, multiplier, ledger, asked)
        told = (roots / (reach * multiplier)) ** 2
        weighted += told[:, None] * (centre + found / roots[:, None])
        precision += told
        levels = shrunk_levels(weighted / precision[:, None], precision**-0.5)
        centre = np.maximum(levels.mean, 0.0)
        reach = min(math.hypot(APART, math.sqrt(float(shares @ levels.variance.sum(axis=1)))), 1.0)
    return levels


def _sums(bulk: Pseudobulk, centre: Floats, reach: float) -> Floats:
    """Return the sum over donors of their profiles about ``centre``, each donor's together cut to ``reach``."""
    roots, sums = bulk.roots(), np.zeros_like(centre)
    for donors in bulk.blocks():
        rows = roots[donors, :, None] * (bulk.unit_profiles(donors) - centre)
        sums += clipped(rows.reshape(len(rows), -1), reach).sum(axis=0).reshape(centre.shape)
    return sums
