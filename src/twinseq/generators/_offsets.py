r"""Class means of genes from noisy ones: what the noise allows to be said, gene by gene.

Noisy means of K classes, of known noise, are draws around true deviations :math:`d_g` (K numbers a gene), which come
from a mixture of normals that differ in size only,

.. math:: z_g = d_g + e_g, \quad e_g \sim N(0, E), \qquad d_g \sim \sum_j \pi_j N(0, s_j^2 U).

Shares :math:`π` and shape :math:`U` are fitted to all genes by EM: U learns which classes deviate together, so that a
large class helps a small one, and the sizes how many genes deviate at all. All of it is computed from noisy figures
alone, hence free under differential privacy.

Source: adaptive shrinkage, Stephens 2017, *Biostatistics* 18:275; over several conditions Urbut et al. 2019, *Nature
Genetics* 51:187. One shape and a fixed ladder of sizes are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SIZES = np.array([0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 2.0, 3.0, 4.5])
ROUNDS = 4
STEPS = 60
LEAST = 1e-3


@dataclass(frozen=True)
class Offsets:
    """Posterior of the deviations.

    Parameters
    ----------
    mean
        Expected deviations, ``n_classes × n_genes``.
    error
        Expected square of what is still unknown of them, ``n_classes``, averaged over genes.
    size
        Expected square of the true deviations, ``n_classes``, averaged over genes.
    """

    mean: Floats
    error: Floats
    size: Floats


def shrunk_offsets(noisy: Floats, noise: Floats) -> Offsets:
    """Return what noisy deviations say of the true ones.

    Parameters
    ----------
    noisy
        ``n_classes × n_genes``.
    noise
        Standard deviation of the noise of each class, ``n_classes``, the same for all genes.
    """
    n_classes, n_genes = noisy.shape
    errors = np.diag(noise**2)
    values, vectors = np.linalg.eigh(noisy @ noisy.T / n_genes - errors)
    shape = (vectors * np.maximum(values, LEAST * max(values[-1], LEAST * noise.min() ** 2))) @ vectors.T
    shares = np.full(len(SIZES), 1.0 / len(SIZES))
    for _ in range(ROUNDS):
        likelihoods = np.stack([_log_density(noisy, size**2 * shape + errors) for size in SIZES])
        for _ in range(STEPS):
            belonging = np.exp(likelihoods - likelihoods.max(axis=0)) * shares[:, None]
            belonging /= belonging.sum(axis=0)
            shares = np.maximum(belonging.mean(axis=1), 1e-12)
        mean = np.zeros_like(noisy)
        update, unknown = np.zeros((n_classes, n_classes)), np.zeros((n_classes, n_classes))
        for size, belongs in zip(SIZES, belonging, strict=True):
            prior = size**2 * shape
            gain = np.linalg.solve(prior + errors, prior).T
            expected, left = gain @ noisy, prior - gain @ prior
            mean += belongs * expected
            update += ((expected * belongs) @ expected.T + belongs.sum() * left) / size**2
            unknown += (expected * belongs) @ expected.T + belongs.sum() * left
        final_size = np.diag(unknown) / n_genes
        shape = update / n_genes
    error = np.maximum(final_size - (mean**2).mean(axis=1), 0.0)
    return Offsets(mean, error, final_size)


def _log_density(values: Floats, covariance: Floats) -> Floats:
    """Return the log-density of the columns of ``values`` under N(0, covariance), but for a constant."""
    root = np.linalg.cholesky(covariance)
    density: Floats = -0.5 * (np.linalg.solve(root, values) ** 2).sum(axis=0) - np.log(np.diag(root)).sum()
    return density
