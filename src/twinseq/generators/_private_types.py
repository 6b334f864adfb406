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
from ._public_levels import PublicLevels

Floats = NDArray[np.float64]
APART = 0.18
"""Length by which donors lie from the profiles of their types: .11 to .19 in blood, more with fewer cells."""
ALONG = 0.1
"""The same along the axes of a public basis."""
LEAST_ROOTS = 2.0


def noisy_roots(bulk: Pseudobulk, multiplier: float, ledger: Ledger) -> Floats:
    """Return the sum over donors of the root of the share of each class, ``n_classes``; a donor adds a unit vector."""
    noisy = gaussian(bulk.roots().sum(axis=0), 1.0, multiplier, ledger, "sums of root shares of the classes")
    # Below its noise a sum says nothing, and what hangs on it is noise too.
    sums: Floats = np.maximum(noisy, max(LEAST_ROOTS, multiplier))
    return sums


def noisy_coordinates(
    bulk: Pseudobulk, roots: Floats, shares: Floats, public: PublicLevels, multiplier: float, ledger: Ledger
) -> PublicLevels:
    """Return what is expected of the classes, moved along the axes of a public basis to where noisy sums have them.

    A donor's coordinates about the expected profiles, of all classes and each times the root of its share, are cut to a
    length that hangs on the basis and noisy shares alone.

    Parameters
    ----------
    bulk, roots, shares, ledger
        As for `noisy_types`.
    public
        What the basis says.
    multiplier
        Noise, in units of the sensitivity.
    """
    reach, sums = public.far_along(shares, ALONG), np.zeros(public.along.shape)
    own_roots = bulk.roots()
    for donors in bulk.blocks():
        away = (bulk.unit_profiles(donors) - public.centre) @ public.axes.T
        rows = own_roots[donors, :, None] * away
        sums += clipped(rows.reshape(len(rows), -1), reach).sum(axis=0).reshape(sums.shape)
    noisy = gaussian(sums, reach, multiplier, ledger, "coordinates of the classes on the basis")
    return public.moved(noisy / roots[:, None], reach * multiplier / roots)


def noisy_types(
    bulk: Pseudobulk, roots: Floats, shares: Floats, multipliers: tuple[float, ...], ledger: Ledger,
    public: PublicLevels | None = None,
) -> Levels:  # fmt: skip
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
    public
        What a public basis says of the classes; the first round is then about that.
    """
    shape = bulk.n_classes, bulk.n_genes
    centre, reach = np.zeros(shape), 1.0
    if public is not None:
        centre, reach = public.centre, public.far(shares, APART)
    weighted, precision = np.zeros(shape), np.zeros(bulk.n_classes)
    levels = Levels(centre, centre)
    for number, multiplier in enumerate(multipliers, 1):
        asked = f"profiles of the classes, round {number}"
        found = gaussian(_sums(bulk, centre, reach), reach, multiplier, ledger, asked)
        told = (roots / (reach * multiplier)) ** 2
        weighted += told[:, None] * (centre + found / roots[:, None])
        precision += told
        noisy, noise = weighted / precision[:, None], precision**-0.5
        levels = shrunk_levels(noisy, noise) if public is None else public.shrunk(noisy, noise)
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
