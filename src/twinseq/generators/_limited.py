r"""What a leakage-limited generator takes from a cohort: few directions, and figures blurred where tracing looks.

Genes stand in units of their deviation within classes. :math:`V` holds the :math:`k` leading directions of the cohort,
samples weighted by a power of the size of their class, so that few directions tell rare classes apart as well; and
classes differ inside :math:`V` only. What is one number a gene gets noise in standard errors (SE) of the figure itself:

- the mean of all samples, outside of :math:`V`: noise :math:`N(0, η_m^2 Σ / n)`, with :math:`Σ` the covariance within
  classes. It has the shape of the error that sampling makes, so that no whitening finds a direction in which it is
  thin; it moves all classes together, so that no fold change hears of it, and no classifier that lives in :math:`V`;
- the directions: :math:`v_j` gets :math:`η_v^2` times its sampling error, :math:`Σ_\perp / (n λ_j)`;
- the places of classes along them: noise of variance :math:`η_o^2 \sqrt{λ_j} / n_c`, up to a factor. In whitened units
  its deviation goes with :math:`λ_j^{-1/4}`: of all shapes of noise that hide a mean equally well from tracing, this
  one does least harm to fold changes, since noise costs most where genes vary most;
- the genes' deviations.

What samples of a class share is taken where it bears on classes: along :math:`V` and, for ``reach`` steps, along what
varies with it, :math:`ΣV, Σ^2V, …`, of which the strongest axes are kept (Rayleigh–Ritz in a Krylov space). With these,
a classifier can tell what is a class's from what samples happen to share; the other axes of :math:`Σ` it can do
without, and they are what a likelihood ratio finds members by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._factor_normals import FactorNormals
from ._margins import stratum_rows

Floats = NDArray[np.float64]
LEAST_DEVIATION = 0.05
LEAST_RESIDUAL = 0.1
"""Smallest share of a gene's variance that its factors leave it."""
LEAST = 1e-9


@dataclass(frozen=True)
class Limits:
    """How much is taken, and how blurred.

    Parameters
    ----------
    factors
        Directions in which classes may differ.
    within
        How many axes, strongest first, samples of a class vary along together; other variance is each gene's own.
    reach
        Steps from the directions over which these axes are looked for: 0, among the directions alone.
    evenness
        Weight of classes in finding the directions: 0, by their size, to 1, all alike.
    mean_noise, loading_noise, offset_noise, scale_noise
        Noise on the mean of all samples, the directions, the classes' places along them and the deviations of genes,
        in standard errors of each.
    """

    factors: int
    within: int
    reach: int
    evenness: float
    mean_noise: float
    loading_noise: float
    offset_noise: float
    scale_noise: float


def limited_normals(x: Floats, codes: NDArray[np.intp], limits: Limits, rng: np.random.Generator) -> FactorNormals:
    """Return normals of the classes that give little away of single samples.

    Parameters
    ----------
    x
        Values on a log scale, ``n_samples × n_genes``.
    codes
        Class of each sample, ``0 … n_classes − 1``.
    limits
        What is taken.
    rng
        Noise.
    """
    n, sizes = len(x), np.bincount(codes).astype(float)
    freedom = max(n - len(sizes), 1)
    mean = x.mean(axis=0)
    own = np.stack([x[rows].mean(axis=0) for _, rows in stratum_rows(codes)])
    spread = np.sqrt(((x - own[codes]) ** 2).sum(axis=0) / freedom)
    blur = limits.scale_noise / np.sqrt(2 * n) * rng.standard_normal(len(mean))
    spread = np.maximum(spread * np.exp(blur), LEAST_DEVIATION)
    inside = (x - own[codes]) / spread
    weights = sizes[codes] ** -limits.evenness
    weights = weights * n / weights.sum()
    balanced = (x - weights @ x / n) / spread * np.sqrt(weights)[:, None]
    axes = _directions(balanced, inside, limits, rng)
    scores = inside @ axes.T
    variances, turn = np.linalg.eigh(scores.T @ scores / freedom)
    variances, axes = np.maximum(variances[::-1], LEAST), turn[:, ::-1].T @ axes
    places = (own - mean) / spread @ axes.T
    places = places + blurred(variances, sizes, limits.offset_noise, rng)
    centre = mean + limits.mean_noise / np.sqrt(n) * spread * _outside(_alike(inside, 1, rng), axes)[0]
    loadings = _shared(inside, axes, freedom, limits)
    shared = (loadings**2).sum(axis=0)
    loadings = loadings * np.sqrt(np.minimum(1.0, (1.0 - LEAST_RESIDUAL) / np.maximum(shared, LEAST)))
    left = 1.0 - (loadings**2).sum(axis=0)
    return FactorNormals(centre + places @ axes * spread, loadings * spread, left * spread**2)


def _directions(z: Floats, inside: Floats, limits: Limits, rng: np.random.Generator) -> Floats:
    """Return blurred principal directions of weighted samples ``z``; ``inside`` is what they vary by within classes."""
    values, vectors = np.linalg.eigh(z @ z.T)
    k = min(limits.factors, int((values > LEAST * values[-1]).sum()))
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    axes = (vectors / np.sqrt(values)).T @ z
    noise = _outside(_alike(inside, k, rng), axes) / np.sqrt(values)[:, None]
    turned: Floats = np.linalg.qr((axes + limits.loading_noise * noise).T)[0].T
    return turned


def _shared(inside: Floats, axes: Floats, freedom: int, limits: Limits) -> Floats:
    """Return the loadings along which samples of a class vary together, ``within × n_genes``."""
    blocks = [axes]
    for _ in range(limits.reach):
        blocks.append(blocks[-1] @ inside.T @ inside / freedom)
    reached = np.linalg.qr(np.concatenate(blocks).T)[0].T
    scores = inside @ reached.T
    variances, turn = np.linalg.eigh(scores.T @ scores / freedom)
    strongest = slice(None, -1 - min(limits.within, len(reached)), -1)
    loadings: Floats = np.sqrt(np.maximum(variances[strongest], 0.0))[:, None] * (turn.T @ reached)[strongest]
    return loadings


def _alike(inside: Floats, number: int, rng: np.random.Generator) -> Floats:
    """Return draws of the covariance of ``inside``, ``number × n_genes``; no gene × gene matrix is formed."""
    drawn: Floats = rng.standard_normal((number, len(inside))) @ inside / np.sqrt(len(inside))
    return drawn


def _outside(rows: Floats, axes: Floats) -> Floats:
    """Return what of ``rows`` is orthogonal to ``axes``."""
    left: Floats = rows - rows @ axes.T @ axes
    return left


def blurred(variances: Floats, sizes: Floats, noise: float, rng: np.random.Generator) -> Floats:
    """Return noise on the classes' places along uncorrelated axes, ``n_classes × k``.

    Parameters
    ----------
    variances
        Of samples of a class along the axes, ``k``.
    sizes
        Samples of each class.
    noise
        In standard errors, on the scale of genes and over all axes together.
    rng
        Noise.
    """
    roots = np.sqrt(variances)
    shape = roots * variances.sum() / roots.sum()
    drawn: Floats = noise * np.sqrt(shape / sizes[:, None]) * rng.standard_normal((len(sizes), len(variances)))
    return drawn
