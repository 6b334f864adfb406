r"""Library sizes and dispersions of single cells from noisy sums over donors.

Both are a few numbers for each class, which a donor brings in with the root of the share of the class among its cells,
as in `_private_types`; noisy ones are shrunk to what is common to the classes, and that to a public value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..dp.ledger import Ledger
from ..dp.mechanisms import clipped, gaussian
from ._pseudobulk import Pseudobulk

Floats = NDArray[np.float64]
REACH = 0.8
"""Decades about the mean of all cells between which library sizes of a class are told apart."""
USUAL_SPREAD = 0.25
"""Standard deviation of log10 library sizes of a cell type, before anything is known of it."""
SPREADS = (0.02, 0.6)
TYPES_DIFFER = 0.2
"""Decades by which library sizes of cell types differ, before anything is known of them."""
RANKS = (20, 100, 400)
"""Where the genes, ranked by their noisy share, are parted; rarer ones have the dispersion of the last part."""
USUAL_DISPERSION = 0.7
FACTOR = 2.0
"""Natural logarithm of the factor by which a donor's dispersion is at most taken to differ from the usual one."""
DONT_KNOW = 0.8
"""Standard deviation of log dispersions about the usual one, and half of that of types about all."""


@dataclass(frozen=True)
class Depths:
    """Mean and standard deviation of log10 library sizes in each class, ``n_classes``."""

    mean: Floats
    spread: Floats


def noisy_depths(
    bulk: Pseudobulk, bounds: tuple[float, float], roots: Floats, counts: Floats,
    multipliers: tuple[float, float], ledger: Ledger,
) -> Depths:  # fmt: skip
    r"""Return how library sizes are spread in each class.

    In the first round every cell's logarithm, cut to ``bounds`` and on a scale from -1 to 1, enters a mean over the
    donor's cells: a donor moves the sum by at most 1. In the second round cells lie about the mean of the first, and
    the mean and mean square of a class's cells have length :math:`\sqrt 2` at most, those of all classes together,
    each times the root of its share, as well.

    Parameters
    ----------
    bulk
        Sums over cells.
    bounds
        Decades between which library sizes are taken to lie.
    roots, counts
        Noisy sums of root shares of the classes, and noisy numbers of donors, ``n_classes``.
    multipliers
        Noise of both rounds.
    ledger
        Account.
    """
    logs = np.log10(np.maximum(bulk.totals, 1.0))
    n_donors, n_classes = max(float(counts.sum()), 1.0), bulk.n_classes
    middle, half = (bounds[0] + bounds[1]) / 2, (bounds[1] - bounds[0]) / 2
    scaled = np.clip((logs - middle) / half, -1.0, 1.0)
    of_donors = np.bincount(bulk.groups // n_classes)
    total = np.array([(scaled / of_donors[bulk.groups // n_classes]).sum()])
    noisy = gaussian(total, 1.0, multipliers[0], ledger, "mean library size")
    common = middle + half * float(np.clip(noisy[0] / n_donors, -1.0, 1.0))
    reach = float(np.hypot(REACH, 2.0 * half * multipliers[0] / n_donors))
    u = np.clip((logs - common) / reach, -1.0, 1.0)
    cells = np.maximum(bulk.cells, 1.0)
    moments = np.stack([np.bincount(bulk.groups, power, len(cells)) / cells for power in (u, u**2)])
    # Groups without cells have a root share of 0.
    sums = np.einsum("dc,mdc->mc", bulk.roots(), moments.reshape(2, -1, n_classes))
    asked = "moments of the library sizes of the classes"
    first, second = gaussian(sums, np.sqrt(2.0), multipliers[1], ledger, asked) / roots
    noise = np.sqrt(2.0) * multipliers[1] / roots
    mean = _towards_common(first, noise, 0.0, 1.0, TYPES_DIFFER / reach)
    variance = np.maximum(second - mean**2, 0.0)
    usual = (USUAL_SPREAD / reach) ** 2
    variance = _towards_common(variance, noise, usual, usual, usual / 2)
    return Depths(common + reach * mean, np.clip(reach * np.sqrt(np.maximum(variance, 0.0)), *SPREADS))


@dataclass(frozen=True)
class DispersionTrend:
    """Natural logarithm of the negative-binomial dispersion against that of a gene's share of the counts.

    Parameters
    ----------
    log_shares
        Ascending, ``n_parts``.
    log_dispersions
        At these, ``n_classes × n_parts``; beyond them constant.
    """

    log_shares: Floats
    log_dispersions: Floats

    def at(self, shares: Floats) -> Floats:
        """Return the dispersion of genes with these shares, ``n_classes × n_genes``."""
        logs = np.log(np.maximum(shares, 1e-300))
        rows = zip(logs, self.log_dispersions, strict=True)
        dispersions: Floats = np.exp(np.stack([np.interp(row, self.log_shares, knots) for row, knots in rows]))
        return dispersions


def noisy_dispersions(
    bulk: Pseudobulk, shares: Floats, roots: Floats, multiplier: float, ledger: Ledger
) -> DispersionTrend:
    r"""Return the trend of the dispersion in each class.

    Cells of library size s have :math:`E\,x(x - 1) = s^2 q^2 (1 + φ)`. A donor's :math:`q^2` comes from products of
    counts of different cells, which are free of the variance of single ones, and φ from sums over the genes of a part,
    those in proportion to :math:`1 / q`. Its logarithm, about the usual one, is cut; those of a donor, of all
    parts and classes, have length :math:`FACTOR \sqrt{n_{parts}}` at most. Where a donor has a single cell of a class
    or no such gene, it stands for the usual dispersion.

    Parameters
    ----------
    bulk
        Sums over cells.
    shares
        Noisy shares of the genes, ``n_classes × n_genes``.
    roots
        Noisy sums of root shares of the classes.
    multiplier
        Noise, in units of the sensitivity.
    ledger
        Account.
    """
    level = shares.mean(axis=0)
    order = np.argsort(-level, kind="stable")
    parts = [part for part in np.split(order[: RANKS[-1]], RANKS[:-1]) if len(part)]
    sums = np.zeros((bulk.n_classes, len(parts)))
    reach = FACTOR * np.sqrt(len(parts))
    bulk_roots = bulk.roots()
    for donors in bulk.blocks():
        logs = np.stack([_log_dispersions(bulk, donors, genes, level[genes]) for genes in parts], axis=-1)
        away = np.clip(logs.reshape(-1, bulk.n_classes, len(parts)), -FACTOR, FACTOR)
        rows = clipped((bulk_roots[donors, :, None] * away).reshape(len(away), -1), reach)
        sums += rows.sum(axis=0).reshape(sums.shape)
    noisy = gaussian(sums, reach, multiplier, ledger, "dispersions of the classes") / roots[:, None]
    noise = reach * multiplier / roots
    found = np.column_stack([_towards_common(column, noise, 0.0, DONT_KNOW, DONT_KNOW / 2) for column in noisy.T])
    places = np.array([np.log(np.maximum(level[genes], 1e-300)).mean() for genes in parts])
    ascending = np.argsort(places, kind="stable")
    return DispersionTrend(places[ascending], np.log(USUAL_DISPERSION) + found[:, ascending])


def _log_dispersions(bulk: Pseudobulk, donors: slice, genes: NDArray[np.intp], level: Floats) -> Floats:
    """Return log φ of some genes in each group of a block of donors, less the usual; 0 where nothing can be said."""
    groups = bulk.groups_of(donors)
    counts, squares = bulk.counts[groups][:, genes].toarray(), bulk.squares[groups][:, genes].toarray()
    depths, squared = bulk.depths[groups], bulk.squared_depths[groups]
    weights = 1.0 / np.maximum(level, 1e-300)
    own = (squares - counts) @ weights
    crossed = (counts**2 - squares) @ weights
    others = depths**2 - squared
    known = (crossed > 0) & (others > 0)
    ratio = np.divide(own * others, crossed * squared, out=np.ones_like(own), where=known)
    least = USUAL_DISPERSION * np.exp(-FACTOR)
    logs: Floats = np.where(known, np.log(np.maximum(ratio - 1.0, least) / USUAL_DISPERSION), 0.0)
    return logs


def _towards_common(noisy: Floats, noise: Floats, usual: float, unknown: float, differ: float) -> Floats:
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
