r"""Class means of all genes from noisy tables, by Bayes' rule with a prior that is learnt from all genes.

For gene g, in units of its spread, the mean of class c is :math:`d_c = o + \sum_j ℓ_j τ_{cj} + e_c`: an error of the
noisy location, the share of the metagenes j (whose class means τ are known well), and what is the class's own. All
parts are normal around 0. Known are noisy shares of donors above the location in each class, :math:`2Φ(d_c) - 1`, and
noisy tables of gene × metagene, about :math:`\tfrac{2}{π} Σ ℓ`. The posterior is found by repeated linearisation, the
variances of the parts by expectation–maximisation over genes. It all works on answers that are noised already, and
costs nothing of the budget; without it, noise that is larger than the differences would be taken for differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]
ROUNDS = 12
STEPS = 2
AGREEMENT = 2.0 / np.pi * 0.94
"""Slope of the agreement of two signs on a small correlation; the class differences take a little off."""
LEAST_SLOPE = 0.15
FARTHEST = 4.0
LEAST_VARIANCE = 0.02
OWN_SHARE = 0.3
"""How much of the variance of a class's own part is its own, and not the average over classes."""


@dataclass(frozen=True)
class Metagenes:
    """Noisy figures of the metagenes.

    Parameters
    ----------
    means
        Class means, ``n_classes × k``.
    correlations
        Over all classes, ``k × k``.
    agreement
        Of each gene with each metagene: share of donors on the same side less that on opposite sides, ``k × n_genes``.
    noise
        Variance of the noise on the agreement.
    """

    means: Floats
    correlations: Floats
    agreement: Floats
    noise: float


@dataclass(frozen=True)
class Means:
    """Class means, ``n_classes × n_genes`` in units of the spread, and loadings of the metagenes, ``k × n_genes``."""

    means: Floats
    loadings: Floats


def class_means(
    above: Floats, noise: Floats, shares: Floats, location_error: Floats, metagenes: Metagenes | None
) -> Means:
    """Return the posterior means.

    Parameters
    ----------
    above
        Noisy share of donors above the location less that below, ``n_classes × n_genes``.
    noise
        Variance of the noise on it, ``n_classes``.
    shares
        Shares of the classes.
    location_error
        Standard deviation of the location in units of the spread, ``n_genes``.
    metagenes
        What is known of metagenes, where there are any.
    """
    n_classes, n_genes = above.shape
    k = 0 if metagenes is None else metagenes.means.shape[1]
    parts = np.zeros((n_classes, 1 + k + n_classes))
    parts[:, 0] = 1.0
    parts[:, 1 + k :] = np.eye(n_classes)
    answers, variances = above.T, noise
    prior = np.full(k + n_classes, difference_variance(above, noise))
    link = np.zeros((k, parts.shape[1]))
    if metagenes is not None:
        parts[:, 1 : 1 + k] = metagenes.means
        link[:, 1 : 1 + k] = AGREEMENT * metagenes.correlations
        link[:, 1 + k :] = AGREEMENT * (metagenes.means * shares[:, None]).T
        answers = np.hstack([answers, metagenes.agreement.T])
        variances = np.concatenate([noise, np.full(k, metagenes.noise)])
        signal = (metagenes.agreement**2).mean(axis=1) - metagenes.noise
        prior[:k] = np.maximum(signal / AGREEMENT**2, 0.01)
    found = np.zeros((n_genes, parts.shape[1]))
    spreads = np.empty_like(found)
    for _ in range(ROUNDS):
        spreads[:, 0], spreads[:, 1:] = location_error**2, prior
        for _ in range(STEPS):
            d = found @ parts.T
            slope = np.maximum(2.0 * np.exp(-(d**2) / 2) / np.sqrt(2 * np.pi), LEAST_SLOPE)
            jacobian = np.concatenate(
                [parts * slope[:, :, None], np.broadcast_to(link, (n_genes, *link.shape))], axis=1
            )
            left = answers.copy()
            left[:, :n_classes] += slope * d - (2.0 * ndtr(d) - 1.0)
            spread_out = spreads[:, :, None] * jacobian.transpose(0, 2, 1)
            gain = spread_out @ np.linalg.inv(jacobian @ spread_out + np.diag(variances))
            found = np.clip(np.einsum("gij,gj->gi", gain, left), -FARTHEST, FARTHEST)
        remaining = spreads - np.einsum("gij,gij->gi", gain, spread_out)
        moments = (found**2 + remaining).mean(axis=0)[1:]
        own = moments[k:]
        prior = np.concatenate([moments[:k], OWN_SHARE * own + (1.0 - OWN_SHARE) * own.mean()])
    return Means((found @ parts.T).T, found[:, 1 : 1 + k].T)


def difference_variance(above: Floats, noise: Floats) -> float:
    """Return the variance of class means around each other, from all pairs, those with little noise counting most."""
    one, other = np.triu_indices(len(above), 1)
    if not len(one):
        return LEAST_VARIANCE
    expected = noise[one] + noise[other]
    excess = (((above[one] - above[other]) ** 2).mean(axis=1) - expected) / 2
    # 0.64: square of the slope of 2Φ(d) - 1 at 0.
    return max(float(np.average(excess, weights=expected**-2.0)) / 0.64, LEAST_VARIANCE)


def metagene_means(agreement: Floats, noise: Floats, shares: Floats) -> Floats:
    """Return class means of metagenes with total variance 1.

    Parameters
    ----------
    agreement
        Noisy share of donors above zero less that below, ``n_classes × k``.
    noise
        Variance of the noise on it, ``n_classes``.
    shares
        Shares of the classes.
    """
    weight = 1.0 / (0.15 + noise)
    centre = weight @ agreement / weight.sum()
    spread = np.clip(weight**2 @ ((agreement - centre) ** 2 - noise[:, None]) / (weight**2).sum(), 0.03, 0.6)
    shrunk = centre + (agreement - centre) * spread / (spread + noise[:, None])
    within = ndtri((1.0 + np.clip(shrunk, -0.95, 0.95)) / 2)
    within -= shares @ within
    means: Floats = within / np.sqrt(1.0 + shares @ within**2)
    return means


def within_spread(
    inner: Floats, noise: float, means: Floats, counts: Floats, prior_error: Floats, edge: float
) -> Floats:
    """Return the spread of each gene within classes, in units of its total spread.

    Parameters
    ----------
    inner
        Noisy number of donors within ``edge`` spreads of the location less that of the others, ``n_genes``.
    noise
        Variance of the noise on it.
    means
        Class means in units of the spread within classes, ``n_classes × n_genes``.
    counts
        Noisy numbers of donors.
    prior_error
        Standard deviation of the logarithm of the total spread, ``n_genes``.
    edge
        Where the inner bins end.
    """
    shares = counts / counts.sum()
    between = shares @ (means - shares @ means) ** 2
    grid = np.linspace(-1.0, 0.7, 35)
    log = np.empty((len(grid), means.shape[1]))
    for row, value in enumerate(grid):
        limit = edge / np.exp(value)
        expected = counts @ (2.0 * (ndtr(limit - means) - ndtr(-limit - means)) - 1.0)
        total = value + 0.5 * np.log1p(between)
        log[row] = -0.5 * (inner - expected) ** 2 / noise - 0.5 * (total / np.maximum(prior_error, 0.1)) ** 2
    weight = np.exp(log - log.max(axis=0))
    found: Floats = np.exp(grid @ weight / weight.sum(axis=0))
    return found
