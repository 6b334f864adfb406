r"""Dispersions of genes within cell types from noisy sums over donors.

Cells of library size s of a class have :math:`E\,x(x - 1) = s^2 q^2 (1 + φ)`. With shares q and mean library sizes that
are noisy already, a donor's cells of class c make

.. math:: t_g = \frac{\sum_i x_{ig} (x_{ig} - 1)}{\sum_i s_i^2} \cdot \frac{1}{q_g \sqrt{\bar q_g}}, \qquad
          E\,t_g = \frac{q_g}{\sqrt{\bar q_g}} (1 + φ_g),

:math:`\bar q` being q, or one count in a cell where that is more: rare genes have a small say. Asked for are sums of t
about its expectation at a usual dispersion, each value cut, then each donor's of all classes together. What is left of
the noise is taken out by shrinking in steps: a trend in the level, genes about it, classes about these.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..dp.ledger import Ledger
from ..dp.mechanisms import clipped, gaussian
from ._pseudobulk import Pseudobulk

Floats = NDArray[np.float64]
USUAL = 0.6
"""Dispersion of a gene before anything is known of it."""
CUT = 0.2
REACH = 1.0
"""Length to which a donor's values are cut: about as long as they are in blood and in simulated cells."""
RANKS = (20, 60, 150, 400, 1000, 3000)
"""Where the genes, ranked by their noisy share, are parted for the trend."""
TREND_DIFFERS = 0.5
"""Standard deviation of 1 + φ of a part of the genes about the usual one."""
LEAST_KNOWN = 0.02
"""Least variance of log(1 + φ), about, of genes about the trend, and of classes about genes."""
MOST_KNOWN = 0.5
BOUNDS = (0.02, 20.0)


def noisy_dispersions(
    bulk: Pseudobulk, shares: Floats, depths: Floats, roots: Floats, multiplier: float, ledger: Ledger,
    public: Floats | None = None,
) -> Floats:  # fmt: skip
    """Return the dispersion of each gene in each class, ``n_classes × n_genes``.

    Parameters
    ----------
    bulk
        Sums over cells.
    shares
        Noisy shares of the genes, ``n_classes × n_genes``, above 0.
    depths
        Noisy mean of log10 library sizes of the classes, ``n_classes``.
    roots
        Noisy sums of root shares of the classes, ``n_classes``.
    multiplier
        Noise, in units of the sensitivity.
    ledger
        Account.
    public
        1 + φ of each gene in public cells, ``n_genes``, towards which noisy ones are shrunk instead of a trend.
    """
    scale = np.sqrt(np.maximum(shares, 10.0 ** -depths[:, None]))
    unit = shares / scale
    reach = min(REACH, CUT * math.sqrt(shares.shape[1]))
    sums = np.zeros_like(shares)
    own_roots = bulk.roots()
    for donors in bulk.blocks():
        groups = bulk.groups_of(donors)
        pairs = (bulk.sums.squares[groups] - bulk.sums.counts[groups]).toarray().reshape(-1, *shares.shape)
        squared = bulk.sums.squared_depths[groups].reshape(-1, len(shares), 1)
        away = pairs / np.maximum(squared, 1.0) / (shares * scale) - unit * (1.0 + USUAL)
        # Where there are no cells, the root is 0.
        rows = own_roots[donors, :, None] * np.clip(away, -CUT, CUT)
        sums += clipped(rows.reshape(len(rows), -1), reach).sum(axis=0).reshape(shares.shape)
    noisy = gaussian(sums, reach, multiplier, ledger, "dispersions of genes in the classes") / roots[:, None]
    noise = reach * multiplier / roots[:, None] / unit
    factors = _shrunk(1.0 + USUAL + noisy / unit, noise, shares.mean(axis=0), public)
    dispersions: Floats = np.clip(factors - 1.0, *BOUNDS)
    return dispersions


def _shrunk(noisy: Floats, noise: Floats, level: Floats, public: Floats | None) -> Floats:
    """Return what noisy 1 + φ say of the true ones: trend in the level, genes about it, classes about these."""
    precision = noise**-2.0
    of_genes = precision.sum(axis=0)
    genes = (precision * noisy).sum(axis=0) / of_genes
    trend = _trend(genes, of_genes, level) if public is None else public
    genes = _towards(trend, genes, of_genes**-0.5)
    return np.stack([_towards(genes, row, errors) for row, errors in zip(noisy, noise, strict=True)])


def _trend(genes: Floats, of_genes: Floats, level: Floats) -> Floats:
    """Return noisy 1 + φ of genes, averaged over those of about the same level with weights ``of_genes``."""
    parts = [part for part in np.split(np.argsort(-level, kind="stable"), RANKS) if len(part)]
    told = np.array([of_genes[part].sum() for part in parts])
    means = np.array([(of_genes[part] * genes[part]).sum() for part in parts]) / told
    knots = 1.0 + USUAL + (means - 1.0 - USUAL) / (1.0 + 1.0 / (told * TREND_DIFFERS**2))
    places = np.array([np.log(level[part]).mean() for part in parts])
    # Ranked by level, the last part is the lowest.
    trend: Floats = np.maximum(np.interp(np.log(level), places[::-1], knots[::-1]), 1.0 + BOUNDS[0])
    return trend


def _towards(centre: Floats, noisy: Floats, noise: Floats) -> Floats:
    """Return ``noisy`` shrunk to ``centre``, as far as its noise makes it lie farther away than it should."""
    away, errors = (noisy - centre) / centre, (noise / centre) ** 2
    weights = 1.0 / (errors + MOST_KNOWN) ** 2
    real = float(np.clip((weights * (away**2 - errors)).sum() / weights.sum(), LEAST_KNOWN, MOST_KNOWN))
    shrunk: Floats = centre * (1.0 + real / (real + errors) * away)
    return np.maximum(shrunk, 1.0 + BOUNDS[0])
