"""Dependence between genes: latent scores, sample traits, and a few factors for each class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from ..parallel import run
from ._covariates import normal_scores
from ._margins import LatentProfiles, gene_blocks, stratum_rows
from ._quality import standardise

Floats = NDArray[np.floating[Any]]
Floats32 = NDArray[np.float32]
MIN_RESIDUAL = 0.02
"""Smallest share of a gene's variance that stays its own: a twin is never a mix of training samples alone."""
MIN_RESOLUTION = 0.2


def within_stratum_scores(
    profiles: LatentProfiles, strata: NDArray[np.intp], jobs: int = 1
) -> tuple[Floats32, NDArray[np.float64]]:
    """Return each gene's latent scores within strata and their resolution.

    A score is the mean of the normal score of the sample's rank and of its standardised latent value: ranks alone
    forget how far samples stand apart, values alone are ruled by outliers.

    Returns
    -------
    scores
        ``n × G``, centred within strata, of unit variance over all samples; 0 for constant genes.
    resolution
        ``G`` correlations between the rank scores and the normals behind them; below 1 where ties, mostly zeros, hide
        the order of samples.
    """
    n_samples, n_genes = profiles.x.shape
    scores = np.empty((n_samples, n_genes), dtype=np.float32)
    resolution = np.empty(n_genes)
    members = [rows for _, rows in stratum_rows(strata)]

    def one(genes: slice) -> None:
        y = profiles.block(genes)
        ranks = np.empty_like(y)
        for rows in members:
            ranks[rows] = normal_scores(y[rows])
            y[rows] = standardise(y[rows])
        resolution[genes] = np.sqrt((ranks**2).mean(axis=0))
        scores[:, genes] = standardise(standardise(ranks) + y)

    run(one, gene_blocks(n_genes), jobs)
    return scores, resolution


def trait_effects(scores: Floats32, traits: Floats, resolution: Floats) -> tuple[Floats32, Floats32]:
    """Regress latent scores on sample traits.

    Returns
    -------
    effects
        ``n_traits × G`` least-squares slopes, set free of the attenuation by ties.
    left
        What the traits do not explain of the scores, ``n × G``.
    """
    slopes = np.linalg.pinv(traits) @ scores
    left = (scores - traits @ slopes).astype(np.float32)
    return (slopes / np.maximum(resolution, MIN_RESOLUTION)).astype(np.float32), left


def class_loadings(
    left: Floats32, codes: NDArray[np.intp], n_factors: int, freedom: int, pooling: float, seed: int
) -> Floats32:
    """Return the leading factors of each class, ``n_classes × n_factors × G``.

    A class of ``n`` samples is described by ``w · own covariance + (1 − w) · pooled covariance`` with
    ``w = n / (n + pooling)``, through the singular vectors of accordingly weighted rows.
    """
    n_classes = int(codes.max()) + 1
    loadings = np.empty((n_classes, n_factors, left.shape[1]), dtype=np.float32)
    if n_factors == 0:
        return loadings
    for code, rows in stratum_rows(codes):
        own = len(rows) / (len(rows) + pooling)
        weights = np.full(len(codes), (1.0 - own) / freedom)
        weights[rows] += own / len(rows) * len(codes) / freedom
        weighted = left * np.sqrt(weights)[:, None].astype(np.float32)
        _, strengths, axes = randomized_svd(weighted, n_components=n_factors, n_iter=4, random_state=seed)
        loadings[code] = strengths[:, None] * axes
    return loadings


def share_variance(loadings: Floats32, effects: Floats32, covariance: Floats) -> tuple[Floats32, Floats32, Floats32]:
    """Scale effects and loadings so that every gene has unit latent variance with a residual of its own.

    Returns
    -------
    Effects, loadings and the residual's standard deviation, ``n_classes × G``.
    """
    room = 1.0 - MIN_RESIDUAL
    by_traits = (effects * (covariance @ effects)).sum(axis=0)
    effects = effects * np.sqrt(np.minimum(1.0, room / np.maximum(by_traits, 1e-12)))
    by_traits = np.minimum(by_traits, room)
    by_factors = (loadings**2).sum(axis=1)
    shrink = np.sqrt(np.minimum(1.0, (room - by_traits) / np.maximum(by_factors, 1e-12)))
    residual = np.sqrt(1.0 - by_traits - by_factors * shrink**2)
    return (
        effects.astype(np.float32),
        (loadings * shrink[:, None, :]).astype(np.float32),
        residual.astype(np.float32),
    )


def balanced_factors(
    codes: NDArray[np.intp], n_factors: int, traits: Floats, rng: np.random.Generator, whiten: bool
) -> Floats32:
    """Draw standard normal factor scores, ``n × n_factors``.

    With ``whiten`` they are made exactly uncorrelated with each other and with ``traits`` in every class (the leading
    ones, in a class with fewer samples than factors), so that chance correlations do not blur co-expression.
    """
    drawn = rng.standard_normal((len(codes), n_factors))
    if whiten:
        for _, rows in stratum_rows(codes):
            given = np.column_stack([np.ones(len(rows)), traits[rows]])
            leading = drawn[rows, : max(len(rows) - given.shape[1], 0)]
            if leading.shape[1] == 0:
                continue
            left, _, right = np.linalg.svd(leading - given @ (np.linalg.pinv(given) @ leading), full_matrices=False)
            drawn[rows, : leading.shape[1]] = left @ right * np.sqrt(len(rows))
    return drawn.astype(np.float32)
