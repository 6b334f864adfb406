r"""`copula`: the flagship, a low-rank Gaussian copula over the whole transcriptome.

Every gene of a sample in stratum :math:`s` is :math:`x_g = Q_{sg}(\Phi(z_g))`, with :math:`Q_{sg}` the gene's
smoothed quantile function there (`_margins`) and latent normals

.. math::  z = B^\top c + L f + \psi^{1/2} e, \qquad f \sim N(0, I_k),\; e \sim N(0, I_G),

where :math:`c` are the sample's covariates, :math:`L` the loadings of the :math:`k` leading factors of the
within-stratum normal scores, and :math:`\psi_g` what is left of each gene's unit variance. The residual :math:`e` is
full rank: a twin never lies in the span of the training samples. No gene × gene matrix is ever formed; memory is
:math:`O(nG + kG)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr
from sklearn.utils.extmath import randomized_svd

from ..cohort import Cohort
from ..errors import ConfigError
from ..parallel import run
from ._base import Generator, GeneratorInfo
from ._covariates import CovariateModel, normal_scores
from ._margins import (
    LatentProfiles,
    Margins,
    draw_size_factors,
    gene_blocks,
    round_keeping_totals,
    size_margins,
    size_restore,
    size_state,
    stratum_rows,
    under,
)
from ._registry import register

MIN_RESIDUAL = 0.02
"""Smallest share of a gene's variance that stays its own."""


@register
class Copula(Generator):
    """Low-rank Gaussian copula with smoothed quantile margins, fitted in about a second.

    Keeps each gene's distribution in each class, with its mean exact on the scale of normalised counts, the leading
    factors of co-expression, library sizes, and the joint distribution of label and covariates. Faithful enough that
    tracing attacks find its training samples: for use inside the institution unless an audit says otherwise.

    Parameters
    ----------
    factors
        Number of latent factors; ``None``: half the degrees of freedom within strata, at most 50.
    balanced
        Spread the draws of each gene evenly over its distribution in each stratum, so that sampling noise does not
        blur differential expression. ``False``: ordinary random draws.
    smoothing
        Ranks over which quantiles are smoothed, so that no training value is replayed.
    """

    info = GeneratorInfo(
        name="copula",
        title="Low-rank Gaussian copula",
        family="statistical",
        kinds=("counts", "continuous"),
        guarantee="none",
        reference="twinseq; copula of Sklar 1959, factors by randomised SVD (Halko et al. 2011, SIAM Review 53:217)",
        modality="both",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "faithful": {"factors": None, "balanced": True, "smoothing": 0.7}
    }

    def __init__(self, factors: int | None = None, balanced: bool = True, smoothing: float = 0.7) -> None:
        if factors is not None and factors < 0:
            raise ConfigError(f"copula: factors must be 0 or more, not {factors}.")
        if not smoothing > 0:
            raise ConfigError(f"copula: smoothing must be above 0, not {smoothing}.")
        self.factors = factors
        self.balanced = balanced
        self.smoothing = smoothing

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        profiles = LatentProfiles.of(cohort)
        self.covariates_, strata = CovariateModel.fit(cohort, codes)
        n_strata = len(self.covariates_.strata)
        self.margins_ = Margins.fit(profiles, strata, n_strata, self.smoothing, jobs)
        self.size_margins_ = size_margins(profiles, strata, n_strata, self.smoothing)
        encoded = self.covariates_.encode(cohort.obs, strata)
        scores = within_stratum_scores(profiles, strata, jobs)
        self.effects_, scores = regress(scores, encoded)
        freedom = max(cohort.n_samples - n_strata - encoded.shape[1], 1)
        k = min(freedom // 2, 50) if self.factors is None else min(self.factors, freedom - 1)
        self.loadings_ = factor_loadings(scores, k, freedom, int(rng.integers(2**31)))
        explained = (self.loadings_**2).sum(axis=0) + (self.effects_**2 * encoded.var(axis=0)[:, None]).sum(axis=0)
        self.residual_ = np.sqrt(np.clip(1.0 - explained, MIN_RESIDUAL, 1.0)).astype(np.float32)

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known, strata = self.covariates_.sample(codes, rng)
        encoded = self.covariates_.encode(known, strata).astype(np.float32)
        factors = rng.standard_normal((len(codes), len(self.loadings_)), dtype=np.float32)
        sizes = None
        if self.size_margins_ is not None:
            sizes = np.empty(len(codes))
            for stratum, rows in stratum_rows(strata):
                sizes[rows] = draw_size_factors(self.size_margins_, stratum, len(rows), rng)
        blocks = gene_blocks(len(self.residual_))
        values = np.empty((len(codes), len(self.residual_)), dtype=np.float64 if sizes is None else np.int32)

        def one(work: tuple[slice, np.random.Generator]) -> None:
            genes, noise = work
            latent = factors @ self.loadings_[:, genes] + encoded @ self.effects_[:, genes]
            latent += noise.standard_normal(latent.shape, dtype=np.float32) * self.residual_[genes]
            for stratum, rows in stratum_rows(strata):
                drawn = self._draw(stratum, latent[rows], genes)
                if sizes is not None:
                    drawn = round_keeping_totals((np.exp2(drawn) - 1.0) * sizes[rows, None])
                values[rows, genes] = drawn

        run(one, zip(blocks, rng.spawn(len(blocks)), strict=True), jobs)
        return values, known

    def _draw(self, stratum: int, latent: NDArray[np.float32], genes: slice) -> NDArray[np.float64]:
        """Turn latent normals of one stratum into values on the latent scale of the margins."""
        if not self.balanced:
            return self.margins_.quantiles(stratum, ndtr(latent.astype(np.float64)), genes)
        ordered = self.margins_.balanced(stratum, len(latent), genes)
        drawn = np.empty_like(ordered)
        np.put_along_axis(drawn, np.argsort(latent, axis=0, kind="stable"), ordered, axis=0)
        return drawn

    def _state(self) -> dict[str, NDArray[Any]]:
        state = {f"margins.{name}": value for name, value in self.margins_.state().items()}
        state |= {"effects": self.effects_, "loadings": self.loadings_, "residual": self.residual_}
        return {**state, **size_state(self.size_margins_), **self.covariates_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.margins_ = Margins.restore(under("margins.", state))
        self.size_margins_ = size_restore(state)
        self.covariates_ = CovariateModel.restore(state)
        self.effects_, self.loadings_, self.residual_ = state["effects"], state["loadings"], state["residual"]


def within_stratum_scores(profiles: LatentProfiles, strata: NDArray[np.intp], jobs: int = 1) -> NDArray[np.float32]:
    """Return each gene's normal scores within strata, ``n × G``, scaled to unit variance over all samples.

    Constant genes score 0.
    """
    n_samples, n_genes = profiles.x.shape
    scores = np.empty((n_samples, n_genes), dtype=np.float32)
    members = [rows for _, rows in stratum_rows(strata)]

    def one(genes: slice) -> None:
        y = profiles.block(genes)
        part = np.empty_like(y)
        for rows in members:
            part[rows] = normal_scores(y[rows])
        spread = np.sqrt((part**2).mean(axis=0))
        scores[:, genes] = part / np.where(spread > 1e-6, spread, np.inf)

    run(one, gene_blocks(n_genes), jobs)
    return scores


def regress(
    scores: NDArray[np.float32], encoded: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the least-squares effects of covariates on latent scores, ``q × G``, and what they leave over."""
    if encoded.shape[1] == 0:
        return np.zeros((0, scores.shape[1]), dtype=np.float32), scores
    effects = (np.linalg.pinv(encoded) @ scores).astype(np.float32)
    return effects, scores - encoded.astype(np.float32) @ effects


def factor_loadings(scores: NDArray[np.float32], k: int, freedom: int, seed: int) -> NDArray[np.float32]:
    """Return the loadings of the ``k`` leading factors, ``k × G``.

    ``scores`` are residuals with ``freedom`` degrees of freedom; loadings are scaled so that their squares are shares
    of a gene's unit variance.
    """
    if k == 0:
        return np.zeros((0, scores.shape[1]), dtype=np.float32)
    _, strengths, axes = randomized_svd(scores, n_components=k, n_iter=4, random_state=seed)
    loadings: NDArray[np.float32] = (strengths[:, None] / np.sqrt(freedom) * axes).astype(np.float32)
    # With few samples the leading factors can claim nearly all of a gene's variance; some always stays its own.
    communality = (loadings**2).sum(axis=0)
    return loadings * np.sqrt(np.minimum(1.0, (1 - MIN_RESIDUAL) / np.maximum(communality, 1e-12)))
