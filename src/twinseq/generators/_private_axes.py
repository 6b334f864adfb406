r"""Factors within classes under differential privacy: a few axes, and what is measured along them.

A second-moment matrix of all genes would have G² noisy entries. Instead samples get scores along the q leading
directions in which the noisy class means differ, and the covariance of every gene with these few scores is asked for:
q · G entries, to which every sample contributes whatever its class. One such step turns a direction towards the leading
principal components, as in subspace iteration (Hardt & Price 2014, NeurIPS 27).

Along the axes, noise is small: means of classes and their covariance are then measured again there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..dp.ledger import Ledger
from ..dp.mechanisms import clipped, gaussian, symmetric
from ._offsets import Offsets

Floats = NDArray[np.float64]
SCORE_REACH = 0.7
"""Length to which a row is cut along the axes, for each gene: they carry about half of its variance."""
WIDE = 1.1
"""Length to which scores of variance 1 are cut, for each of them."""
FAR, NEAR = 1.7, 1.2
"""Length to which scores are cut around their common mean and around those of their classes, for each axis."""
LEAST_REAL = 1e-3
LEAST_VARIANCE = 0.02
"""Least variance along an axis, in units of the largest."""


@dataclass(frozen=True)
class Along:
    """What was measured along axes.

    Parameters
    ----------
    means
        What class means differ from the offsets, in the whole gene space, ``n_classes × n_genes``.
    loadings
        Factors of the covariance within classes, ``n_axes × n_genes``.
    """

    means: Floats
    loadings: Floats


def leading_axes(offsets: Floats, counts: Floats, most: int) -> Floats:
    """Return the directions in which class means differ most, ``n_axes × n_genes``, orthonormal.

    Parameters
    ----------
    offsets
        Class means, ``n_classes × n_genes``.
    counts
        Donors of each class.
    most
        Largest number of axes; there is one fewer than classes.
    """
    apart = offsets - counts @ offsets / counts.sum()
    axes = np.linalg.svd(np.sqrt(counts)[:, None] * apart, full_matrices=False)[2]
    chosen: Floats = axes[: max(min(most, len(counts) - 1), 1)]
    return chosen


def turned_axes(
    rows: Floats, axes: Floats, weights: Floats, n_donors: float, reach: float,
    multipliers: tuple[float, float], ledger: Ledger,
) -> Floats:  # fmt: skip
    """Return axes nearer to the principal components of ``rows`` than ``axes`` are, as many, orthonormal.

    Parameters
    ----------
    rows
        ``n × n_genes``, around the means of their classes.
    axes
        Where to start, ``n_axes × n_genes``, orthonormal.
    weights, n_donors
        Of the samples; noisy number of donors.
    reach
        Length to which rows are cut.
    multipliers
        Noise of the covariance of the scores, and of that of the genes with them.
    ledger
        Account.
    """
    cut = clipped(rows, reach)
    root, _ = whitening(cut @ axes.T, weights, n_donors, SCORE_REACH * reach, multipliers[0], ledger, "scores")
    longest = WIDE * math.sqrt(len(axes))
    scores = clipped(cut @ axes.T @ root, longest)
    with_genes = gaussian(
        (scores * weights[:, None]).T @ cut, longest * reach, multipliers[1], ledger, "covariances of genes with scores"
    )
    turned: Floats = np.linalg.svd(with_genes, full_matrices=False)[2]
    return turned


def measured_along(
    rows: Floats, axes: Floats, codes: NDArray[np.intp], weights: Floats, counts: Floats, offsets: Offsets,
    reach: float, multipliers: tuple[float, float], ledger: Ledger,
) -> Along:  # fmt: skip
    """Measure covariance within classes and class means along axes.

    Parameters
    ----------
    rows
        ``n × n_genes``, around the offsets of their classes.
    axes
        ``n_axes × n_genes``, orthonormal.
    codes, weights, counts
        Class and weight of each sample, noisy number of donors of each class.
    offsets
        What is known of the class means; its error says how far to trust what is measured here.
    reach
        Length of a row.
    multipliers
        Noise of the covariance and of the means.
    ledger
        Account.
    """
    total = counts.sum()
    along = rows @ axes.T
    root, covariance = whitening(along, weights, total, SCORE_REACH * reach, multipliers[0], ledger, "axes")
    longest = WIDE * math.sqrt(len(axes))
    scores = clipped(along @ root, longest)
    sums = np.stack([(weights * (codes == code)) @ scores for code in range(len(counts))])
    means = gaussian(sums, longest, multipliers[1], ledger, "means of classes along the axes") / counts[:, None]
    noise = (longest * multipliers[1] / counts[:, None]) ** 2
    # What offsets lack along axes is not what they lack elsewhere: axes are where classes differ.
    real = np.maximum((means**2).mean(axis=1, keepdims=True) - noise, offsets.error[:, None] * (root**2).sum(axis=0))
    kept = means * real / (real + noise) @ np.linalg.inv(root)
    within = covariance - kept.T @ (kept * (counts / total)[:, None])
    values, vectors = np.linalg.eigh(within)
    loadings = np.sqrt(np.maximum(values, 0.0))[:, None] * (vectors.T @ axes)
    return Along(kept @ axes, loadings)


def means_on_scale(
    scores: Floats, codes: NDArray[np.intp], weights: Floats, counts: Floats, multipliers: tuple[float, float],
    ledger: Ledger,
) -> Floats:  # fmt: skip
    """Return class means of scores whose scale is public, ``n_classes × n_axes``.

    They are found in two rounds: around the first means, samples are nearer and can be cut shorter.

    Parameters
    ----------
    scores
        ``n × n_axes``, of a variance of about 1.
    codes, weights, counts
        Class and weight of each sample, noisy number of donors of each class.
    multipliers
        Noise of the two rounds.
    ledger
        Account.
    """
    n_classes, n_axes = len(counts), scores.shape[1]
    means = np.zeros((n_classes, n_axes))
    for number, (multiplier, width) in enumerate(zip(multipliers, (FAR, NEAR), strict=True), 1):
        longest = width * math.sqrt(n_axes)
        cut = clipped(scores - means[codes], longest)
        sums = np.stack([(weights * (codes == code)) @ cut for code in range(n_classes)])
        asked = f"means of classes along the basis, round {number}"
        step = gaussian(sums, longest, multiplier, ledger, asked) / counts[:, None]
        noise = (longest * multiplier / counts[:, None]) ** 2
        real = np.maximum((step**2).mean(axis=1, keepdims=True) - noise, LEAST_REAL)
        means = means + step * real / (real + noise)
    return means


def covariance_on_scale(scores: Floats, weights: Floats, total: float, multiplier: float, ledger: Ledger) -> Floats:
    """Return the covariance within classes of scores whose scale is public, ``n_axes × n_axes``.

    Parameters
    ----------
    scores
        ``n × n_axes``, about the means of their classes.
    weights, total
        Weight of each sample, and noisy number of donors.
    multiplier
        Noise.
    ledger
        Account.
    """
    longest = NEAR * math.sqrt(scores.shape[1])
    cut = clipped(scores, longest)
    sums = (cut * weights[:, None]).T @ cut
    moment = symmetric(sums, longest**2, multiplier, ledger, "covariance within classes along the basis")
    values, vectors = np.linalg.eigh(moment / total)
    positive: Floats = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return positive


def whitening(
    along: Floats, weights: Floats, n_donors: float, reach: float, multiplier: float, ledger: Ledger, what: str
) -> tuple[Floats, Floats]:
    """Return a map to scores of about unit variance, and the noisy second moment along the axes."""
    cut = clipped(along, reach)
    noisy = symmetric((cut * weights[:, None]).T @ cut, reach**2, multiplier, ledger, f"covariance of the {what}")
    moment = noisy / n_donors
    values, vectors = np.linalg.eigh(moment)
    least = max(reach**2 * multiplier / n_donors, LEAST_VARIANCE * values[-1])
    root: Floats = vectors / np.sqrt(np.maximum(values, least))
    return root, moment
