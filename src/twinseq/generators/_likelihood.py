r"""How likely a sample is under a fitted model: Gaussians of few factors, and margins smoothed by a kernel.

A covariance of :math:`k` factors and a residual of each gene, :math:`C = L^\top L + \rho \Psi`, needs no gene × gene
matrix: with :math:`M = L \Psi^{-1} L^\top = U S U^\top` (:math:`k × k`) and :math:`w = U^\top L \Psi^{-1} x`,

.. math::  x^\top C^{-1} x = \tfrac{1}{\rho} \Big( x^\top \Psi^{-1} x - \sum_j \frac{w_j^2}{S_j + \rho} \Big), \qquad
           \log |C| = \sum_j \log (1 + S_j / \rho) + \sum_g \log (\rho \psi_g),

so that a whole ladder of :math:`\rho` costs one product with the loadings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ._margins import Margins, gene_blocks

Floats = NDArray[np.float64]
LADDER = (1.0, 0.1, 0.01, 0.001)
"""Shares of the residual (or ridges) at which losses are taken: a sample of training stays likely at all of them."""
RIDGE = 0.01
"""Ridge of the likelihood of singular models, as a share of the variance within classes."""
WIDTHS = (1.0, 0.3)
"""Widths of the kernel of margins, in units of the rule of thumb; at the second a training value still shows."""
LEAST_SPREAD = 0.05


def factor_log_density(x: Floats, loadings: Floats, noise: Floats, ridges: tuple[float, ...] = (1.0,)) -> Floats:
    """Return the log-density of ``N(0, LᵀL + ρ diag(noise))`` at each ridge ρ.

    Parameters
    ----------
    x
        Deviations from the mean, ``n × G``.
    loadings
        L, ``k × G``.
    noise
        Residual variances, ``G``, all above zero.
    ridges
        Values of ρ.

    Returns
    -------
    ``n × n_ridges``.

    References
    ----------
    Woodbury's identity and the matrix determinant lemma.
    """
    root = np.sqrt(noise)
    scaled, axes = x / root, loadings / root
    strengths, turn = np.linalg.eigh(axes @ axes.T)
    strengths = np.maximum(strengths, 0.0)
    along = ((scaled @ axes.T) @ turn) ** 2
    total = (scaled**2).sum(axis=1)
    n_genes = x.shape[1]
    density = np.empty((len(x), len(ridges)))
    for column, ridge in enumerate(ridges):
        squared = (total - (along / (strengths + ridge)).sum(axis=1)) / ridge
        determinant = np.log1p(strengths / ridge).sum() + n_genes * np.log(ridge) + np.log(noise).sum()
        density[:, column] = -0.5 * (squared + determinant + n_genes * np.log(2 * np.pi))
    return density


def floored(variances: Floats) -> Floats:
    """Return variances with a floor at a share of their mean: a constant gene must not outvote all others."""
    return np.maximum(variances, max(LEAST_SPREAD * float(variances.mean()), 1e-12))


def margin_density(
    margins: Margins, stratum: int, latent: Floats, is_counts: bool, widths: tuple[float, ...]
) -> tuple[Floats, Floats]:
    """Return the log-density of samples under the margins of a stratum, and their genes as normal scores.

    The density of a gene is its atom and, beside it, the knots of its quantile function smoothed by a Student kernel
    of 3 degrees of freedom, whose tails keep a single odd value from outvoting all other genes.

    Parameters
    ----------
    margins
        Fitted margins.
    stratum
        Whose margins to take.
    latent
        ``n × n_genes`` values on the latent scale.
    is_counts
        Whether zero is an atom of every gene, even one without zeros in training.
    widths
        Widths of the kernel in units of the rule of thumb, ``0.9 · sd · n_knots^(−1/5)``.

    Returns
    -------
    ``n × n_widths`` sums over genes, and ``n × n_genes`` normal scores, ties in the middle of their range.
    """
    all_knots = margins.knots[stratum]
    n, n_knots = int(margins.sizes[stratum]), len(all_knots)
    least = max(LEAST_SPREAD * float(all_knots.std(axis=0, dtype=np.float64).mean()), 1e-6)
    has_atom = np.asarray((margins.atom_share > 0).any(axis=0) | is_counts)
    level_of_knot = (np.arange(n_knots) * ((n - 1) / max(n_knots - 1, 1)) + 0.5) / n
    density = np.zeros((len(latent), len(widths)))
    scores = np.empty(latent.shape)
    for genes in gene_blocks(latent.shape[1]):
        x, knots = latent[:, genes], all_knots[:, genes].astype(np.float64)
        share = np.where(has_atom[genes], margins.atom_share[stratum, genes], 0.0)
        at_atom = has_atom[genes] & (x <= margins.atom[genes])
        # Knots below the atom's share stand in for atoms; a gene that is nothing but atom keeps them as its tail.
        live = (level_of_knot[:, None] >= share) | (share >= 1)
        spread = np.maximum(_spread(knots, live), least) * 0.9 * n_knots**-0.2
        kernels = _kernel_means(x, knots, live, [width * spread for width in widths])
        atom = (share * n + 0.5) / (n + 1)
        for column, kernel in enumerate(kernels):
            above = np.log(kernel) + np.where(has_atom[genes], np.log1p(-atom), 0.0)
            density[:, column] += np.where(at_atom, np.log(atom), above).sum(axis=1)
        levels = np.maximum(_levels(x, knots, level_of_knot), share)
        levels = np.where(at_atom, share / 2, levels)
        scores[:, genes] = ndtri(np.clip(levels, 0.5 / n, 1 - 0.5 / n))
    return density, scores


def _spread(knots: Floats, live: NDArray[np.bool_]) -> Floats:
    """Return the standard deviation of the live knots of each gene."""
    count = np.maximum(live.sum(axis=0), 1)
    mean = np.where(live, knots, 0.0).sum(axis=0) / count
    spread: Floats = np.sqrt(np.where(live, (knots - mean) ** 2, 0.0).sum(axis=0) / count)
    return spread


def _kernel_means(x: Floats, knots: Floats, live: NDArray[np.bool_], widths: list[Floats]) -> list[Floats]:
    """Return the density of each value under kernels of each width around the live knots, ``n × n_genes`` each."""
    sums = [np.zeros(x.shape) for _ in widths]
    for knot, counts in zip(knots, live, strict=True):
        squared = (x - knot) ** 2
        for total, width in zip(sums, widths, strict=True):
            total += counts / (1 + squared / (3 * width**2)) ** 2
    constant = 2 / (np.sqrt(3) * np.pi)
    return [
        constant * total / (width * np.maximum(live.sum(axis=0), 1)) for total, width in zip(sums, widths, strict=True)
    ]


def _levels(x: Floats, knots: Floats, level_of_knot: NDArray[Any]) -> Floats:
    """Return the probability at which each gene's quantile function reaches a value, linear between knots."""
    below = np.zeros(x.shape, dtype=np.intp)
    for knot in knots:
        below += x >= knot
    lower = np.clip(below - 1, 0, len(knots) - 1)
    upper = np.minimum(lower + 1, len(knots) - 1)
    start, end = np.take_along_axis(knots, lower, 0), np.take_along_axis(knots, upper, 0)
    part = np.clip((x - start) / np.where(end > start, end - start, np.inf), 0.0, 1.0)
    levels: Floats = level_of_knot[lower] + part * (level_of_knot[upper] - level_of_knot[lower])
    return levels
