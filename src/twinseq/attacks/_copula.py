r"""Gaussian copulas of counts, as an attacker fits them: normal scores of mid-distributions, shrunk correlations.

Counts tie, most of all at 0. The mid-distribution transform :math:`u(x) = F(x - 1) + f(x) / 2` gives all cells with
the same count the same place in the middle of what they share, without the random numbers of the distributional one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import ndtri

from ._base import NotApplicableError, View
from ._cells import of_type, twin_of

Floats = NDArray[np.float64]
MOST_GENES = 1000
"""Genes under one copula: its cost grows with their cube."""
FLOOR = 0.05
"""Smallest share of the variance of a gene's scores in both sides that one side may have."""


def mid_distribution(values: NDArray[Any], at: NDArray[Any]) -> Floats:
    """Return ``F(x − 1) + f(x) / 2`` of the empirical distribution of each gene, kept within 0 and 1.

    Parameters
    ----------
    values
        Counts behind the distributions, ``n × G``.
    at
        Counts at which they are taken, ``m × G``.
    """
    n = len(values)
    found = np.empty(at.shape)
    for gene in range(values.shape[1]):
        ordered = np.sort(values[:, gene])
        below = np.searchsorted(ordered, at[:, gene], "left")
        found[:, gene] = below + np.searchsorted(ordered, at[:, gene], "right")
    return (found / 2 + 0.5) / (n + 1)


@dataclass(frozen=True, eq=False)
class Scored:
    """Cells of one class as normal scores, margins from twin and reference together.

    Parameters
    ----------
    twin, people, targets
        ``n × k`` each.
    """

    twin: Floats
    people: Floats
    targets: Floats


def frequent(sides: list[NDArray[Any]], zeros: float) -> NDArray[np.intp]:
    """Return the genes with a share of zeros below ``zeros`` in every side, the most frequent where they are many.

    Raises
    ------
    NotApplicableError
        There are fewer than two.
    """
    share = np.max([(side == 0).mean(axis=0) for side in sides], axis=0)
    genes = np.flatnonzero(share < zeros)
    if len(genes) < 2:
        raise NotApplicableError(f"fewer than two genes have counts in {1 - zeros:.0%} of the cells")
    if len(genes) > MOST_GENES:
        genes = np.sort(genes[np.argsort(share[genes], kind="stable")[:MOST_GENES]])
    return genes


def scored(view: View, name: str, zeros: float, common: bool = True) -> Scored:
    """Return the cells of a class on the scale of the margins of both sides together.

    Parameters
    ----------
    view
        What the attacker holds.
    name
        Class.
    zeros
        Genes with at least this share of zeros are left out.
    common
        Whether margins are those of both sides together; else each side has its own, and targets are put on other
        people's.

    Raises
    ------
    NotApplicableError
        Twin or reference lack the class, or nearly all genes are rare.
    """

    def make(view: View) -> Scored:
        twin, people = of_type(twin_of(view), name, "twin"), of_type(view.reference, name, "reference")
        genes = frequent([twin, people], zeros)
        both = np.concatenate([twin[:, genes], people[:, genes]])
        targets = view.targets.values[view.targets.labels == name][:, genes]
        sides = twin[:, genes], people[:, genes], targets
        scales = (both, both, both) if common else (sides[0], sides[1], sides[1])
        return Scored(*(ndtri(mid_distribution(scale, side)) for scale, side in zip(scales, sides, strict=True)))

    return view.shared("normal scores", make, name, zeros, common)


@dataclass(frozen=True, eq=False)
class Normal:
    """A normal distribution of scores.

    Parameters
    ----------
    mean
        ``k``.
    root
        Lower Cholesky factor of the covariance, ``k × k``.
    """

    mean: Floats
    root: Floats

    @classmethod
    def of(cls, scores: Floats, shrinkage: float, within: Floats) -> Normal:
        """Fit to scores.

        Parameters
        ----------
        scores
            ``n × k``.
        shrinkage
            How far correlations are moved towards 0, so that a covariance of few cells can be inverted.
        within
            Variance of each gene's scores over all that is held, ``k``: a gene that is constant here may vary there.
        """
        centred = scores - scores.mean(axis=0)
        variance = (centred**2).mean(axis=0)
        covariance = (1.0 - shrinkage) * (centred.T @ centred / len(scores))
        np.fill_diagonal(covariance, np.maximum(variance, FLOOR * within))
        return cls(scores.mean(axis=0), np.linalg.cholesky(covariance))

    def log_density(self, scores: Floats) -> Floats:
        """Return the log density of each row, without the constant that all normals share."""
        away = solve_triangular(self.root, (scores - self.mean).T, lower=True)
        found: Floats = -0.5 * (away**2).sum(axis=0) - np.log(np.diag(self.root)).sum()
        return found
