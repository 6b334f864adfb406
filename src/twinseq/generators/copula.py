r"""`copula`: the flagship, a low-rank Gaussian copula over the whole transcriptome.

Every gene of a sample of class :math:`c` in stratum :math:`s` is :math:`x_g = Q_{sg}(\Phi(z_g))`, with :math:`Q_{sg}`
the gene's smoothed quantile function there (`_margins`) and latent normals

.. math::  z = B^\top t + L_c f + \psi_c^{1/2} e, \qquad f \sim N(0, I_k),\; e \sim N(0, I_G),

where :math:`t` are traits of the sample (size factor, detected genes, covariates), :math:`L_c` the loadings of the
:math:`k` leading factors of the class (`_factors`), and :math:`\psi_c` what is left of each gene's unit variance. The
residual :math:`e` is full rank: a twin never lies in the span of the training samples. No gene × gene matrix is ever
formed; memory is :math:`O(nG + kG)`.

Counts of single cells are too small for a logarithmic scale: where a cohort states a cell type, the model is that of
`cell_copula` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from ..cohort import Cohort
from ..errors import ConfigError
from ..parallel import run
from ._base import Generator, GeneratorInfo
from ._covariates import CovariateModel
from ._factors import (
    balanced_factors,
    class_loadings,
    share_variance,
    trait_effects,
    within_stratum_scores,
)
from ._likelihood import LADDER, WIDTHS, factor_log_density, margin_density
from ._margins import LatentProfiles, Margins, balanced_levels, gene_blocks, stratum_rows, under, whole_counts
from ._quality import Library, LibraryModel, depth_association, detection_shifts, order_with_depth, zero_mask
from ._registry import register
from ._sizes import kept_reference, latent_values, reference_state, restore_reference
from .cell_copula import CellCopula

MAX_FACTORS = 50
MIN_DRAWN = 10
"""Fewer evenly spread draws of a class would be all alike; smaller requests are picked from this many."""
PROBE_GENES = 2000
"""Genes on which the shifts for giving out zeros are found."""


@register
class Copula(Generator):
    """Low-rank Gaussian copula with smoothed quantile margins, fitted in about a second.

    Keeps each gene's distribution in each class, with its mean exact on the scale of normalised counts, the leading
    factors of co-expression, library sizes, and the joint distribution of label and covariates. Faithful enough that
    tracing attacks find its training samples: for use inside the institution unless an audit says otherwise.
    Counts of single cells (a cell type is stated) are fitted by `cell-copula` with as many factors; the other
    parameters play no part there.

    Parameters
    ----------
    factors
        Number of latent factors; ``None``: a quarter of the degrees of freedom within strata, at most 50; more
        keep hardly more co-expression and bring twins nearer to the span of the training samples.
    balanced
        Spread the draws of each gene evenly over its distribution in each stratum, and make the drawn factors exactly
        uncorrelated, so that sampling noise blurs neither differential nor co-expression. ``False``: ordinary draws.
    smoothing
        Ranks over which quantiles are smoothed, so that no training value is replayed.
    pooling
        Samples' worth of trust in the co-expression pooled over classes, against that of the class itself.
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
        "faithful": {"factors": None, "balanced": True, "smoothing": 0.7, "pooling": 10.0}
    }
    cells_: CellCopula | None

    def __init__(
        self, factors: int | None = None, balanced: bool = True, smoothing: float = 0.7, pooling: float = 10.0
    ) -> None:
        if factors is not None and factors < 0:
            raise ConfigError(f"copula: factors must be 0 or more, not {factors}.")
        if not smoothing > 0:
            raise ConfigError(f"copula: smoothing must be above 0, not {smoothing}.")
        if not pooling >= 0:
            raise ConfigError(f"copula: pooling must be 0 or more, not {pooling}.")
        self.factors = factors
        self.balanced = balanced
        self.smoothing = smoothing
        self.pooling = pooling

    def _learns_in_parts(self, cohort: Cohort) -> bool:
        return cohort.cell_type is not None and cohort.kind == "counts"

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        self.cells_ = None
        if cohort.cell_type is not None and cohort.kind == "counts":
            self.cells_ = CellCopula() if self.factors is None else CellCopula(factors=self.factors)
            self.cells_.fit(cohort, seed=int(rng.integers(2**31)), jobs=jobs)
            return
        profiles = LatentProfiles.of(cohort)
        self.covariates_, strata = CovariateModel.fit(cohort, codes)
        n_strata = self.covariates_.n_strata
        self.margins_ = Margins.fit(profiles, strata, n_strata, self.smoothing, jobs)
        encoded = self.covariates_.encode(cohort.obs, strata)
        self.library_, traits = LibraryModel.fit(profiles, strata, n_strata, encoded, self.smoothing)
        self.depth_ = np.zeros(cohort.n_genes, dtype=np.float32)
        if profiles.factors is not None:
            self.depth_ = depth_association(profiles, strata, traits[:, 0], jobs)
        factors = profiles.factors
        self.reference_ = None if factors is None else kept_reference(cohort.dense(), factors)
        scores, resolution = within_stratum_scores(profiles, strata, jobs)
        effects, left = trait_effects(scores, traits, resolution)
        freedom = max(cohort.n_samples - n_strata - traits.shape[1], 1)
        k = min(freedom // 4, MAX_FACTORS) if self.factors is None else min(self.factors, freedom - 1)
        k = min(k, cohort.n_genes)
        loadings = class_loadings(left, codes, k, freedom, self.pooling, int(rng.integers(2**31)))
        self.effects_, self.loadings_, self.residual_ = share_variance(loadings, effects, self.library_.covariance)

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        if self.cells_ is not None:
            return self.cells_._sample(codes, rng, jobs)
        wanted = np.bincount(codes, minlength=len(self.class_sizes_))
        enough = np.where(wanted > 0, np.maximum(wanted, np.minimum(self.class_sizes_, MIN_DRAWN)), 0)
        if not self.balanced or (enough == wanted).all():
            return self._draw_samples(codes, rng, jobs)
        drawn = np.repeat(np.arange(len(enough)), enough)
        values, known = self._draw_samples(drawn, rng, jobs)
        chosen = np.empty(len(codes), dtype=np.intp)
        for code, rows in stratum_rows(codes):
            chosen[rows] = rng.permutation(np.flatnonzero(drawn == code))[: len(rows)]
        return values[chosen], known.iloc[chosen].reset_index(drop=True)

    def _draw_samples(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known, strata = self.covariates_.sample(codes, rng)
        library = self.library_.draw(self.covariates_.encode(known, strata), strata, rng)
        factors = balanced_factors(codes, self.loadings_.shape[1], library.traits, rng, self.balanced)
        traits, sizes = library.traits.astype(np.float32), library.sizes
        n_genes = len(self.frame_.var)
        blocks = gene_blocks(n_genes)
        values = np.empty((len(codes), n_genes), dtype=self._dtype(sizes))

        def latents(genes: slice | NDArray[np.intp], noise: np.random.Generator) -> NDArray[np.float32]:
            residual = self.residual_[:, genes]
            latent = noise.standard_normal((len(codes), residual.shape[1]), dtype=np.float32)
            for code, rows in stratum_rows(codes):
                latent[rows] *= residual[code]
                latent[rows] += factors[rows] @ self.loadings_[code][:, genes]
            latent += traits @ self.effects_[:, genes]
            return latent

        shifts = self._zero_shifts(library, strata, latents, rng)

        def one(work: tuple[slice, np.random.Generator]) -> None:
            genes, noise = work
            latent = latents(genes, noise)
            for stratum, rows in stratum_rows(strata):
                drawn = self._draw(stratum, latent[rows], shifts[rows], traits[rows], genes)
                if sizes is None:
                    values[rows, genes] = drawn
                else:
                    values[rows, genes] = whole_counts((np.exp2(drawn) - 1.0) * sizes[rows, None])

        run(one, zip(blocks, rng.spawn(len(blocks)), strict=True), jobs)
        return values, known

    def _dtype(self, sizes: NDArray[np.float64] | None) -> type[Any]:
        """Return the narrowest type that holds what will be drawn."""
        if sizes is None:
            return np.float64
        largest = max(float(knots.max()) for knots in self.margins_.knots)
        return np.int32 if np.exp2(largest) * sizes.max() < np.iinfo(np.int32).max - 1 else np.int64

    def _zero_shifts(
        self,
        library: Library,
        strata: NDArray[np.intp],
        latents: Callable[[NDArray[np.intp], np.random.Generator], NDArray[np.float32]],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Return the samples' shifts for giving out zeros, found on a random part of the genes that have some."""
        partly = ((self.margins_.atom_share > 0) & (self.margins_.atom_share < 1)).any(axis=0)
        if library.detected is None or not self.balanced or not partly.any():
            return np.zeros(len(strata))
        genes = np.sort(rng.permutation(np.flatnonzero(partly))[:PROBE_GENES])
        n_strata, n_genes = self.margins_.atom_share.shape
        sizes = np.bincount(strata, minlength=n_strata)
        n_zero = np.stack([self._n_atoms(stratum, sizes[stratum], genes) for stratum in range(n_strata)])
        # Genes that are zero in every sample of a stratum leave no choice and are not counted.
        always = (self.margins_.atom_share == 1).sum(axis=1)[strata]
        return detection_shifts(latents(genes, rng), n_zero, library.detected + always, n_genes, strata)

    def _n_atoms(self, stratum: int, n: int, genes: slice | NDArray[np.intp]) -> NDArray[np.intp]:
        """Return how many of ``n`` evenly spread draws fall on each gene's atom."""
        counted = (balanced_levels(n)[:, None] < self.margins_.atom_share[stratum, genes]).sum(axis=0)
        return np.asarray(counted, dtype=np.intp)

    def _draw(
        self,
        stratum: int,
        latent: NDArray[np.float32],
        shifts: NDArray[np.float64],
        traits: NDArray[np.float32],
        genes: slice,
    ) -> NDArray[np.float64]:
        """Turn latent normals of one stratum into values on the latent scale of the margins."""
        if not self.balanced:
            return self.margins_.quantiles(stratum, ndtr(latent.astype(np.float64)), genes)
        ordered = self.margins_.balanced(stratum, len(latent), genes)
        if shifts.any():
            n_atoms = self._n_atoms(stratum, len(latent), genes)
            open_ = np.flatnonzero((n_atoms > 0) & (n_atoms < len(latent)))
            first = zero_mask(latent[:, open_] + shifts[:, None], n_atoms[open_])
            rest = order_with_depth(latent[:, open_], ~first, traits[:, 0], self.depth_[genes][open_])
            latent[:, open_] = np.where(first, -np.inf, rest)
        drawn = np.empty_like(ordered)
        np.put_along_axis(drawn, np.argsort(latent, axis=0, kind="stable"), ordered, axis=0)
        return drawn

    def _densities(
        self, cohort: Cohort, codes: NDArray[np.intp], widths: tuple[float, ...], ridges: tuple[float, ...]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the log-density of the margins at each width and of the dependence at each share of the residual.

        Traits (depth, covariates) are integrated out. Where covariates cut a class into strata, each sample is taken
        to be of the stratum whose margins describe it best.

        Returns
        -------
        ``n × n_widths`` and ``n × n_ridges``.
        """
        latent = latent_values(cohort, self.reference_)
        margins = np.empty((len(codes), len(widths)))
        dependence = np.empty((len(codes), len(ridges)))
        values, vectors = np.linalg.eigh(self.library_.covariance)
        by_traits = (vectors * np.sqrt(np.maximum(values, 0.0))).T @ self.effects_
        for code, rows in stratum_rows(codes):
            options = np.flatnonzero(self.covariates_.classes == code)
            found = [
                margin_density(self.margins_, int(stratum), latent[rows], cohort.kind == "counts", widths)
                for stratum in options
            ]
            best = np.argmax([density[:, 0] for density, _ in found], axis=0)
            loadings = np.concatenate([by_traits, self.loadings_[code]]).astype(np.float64)
            residual = self.residual_[code].astype(np.float64) ** 2
            for option, (density, normals) in enumerate(found):
                chosen = best == option
                margins[rows[chosen]] = density[chosen]
                plain = -0.5 * (normals[chosen] ** 2).sum(axis=1, keepdims=True)
                joint = factor_log_density(normals[chosen], loadings, residual, ridges)
                dependence[rows[chosen]] = joint - plain + 0.5 * latent.shape[1] * np.log(2 * np.pi)
        return margins, dependence

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        if self.cells_ is not None:
            return self.cells_._losses(cohort, codes)
        return -np.column_stack(self._densities(cohort, codes, WIDTHS, LADDER)) / cohort.n_genes

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        if self.cells_ is not None:
            return self.cells_._log_likelihood(cohort, codes)
        margins, dependence = self._densities(cohort, codes, (1.0,), (1.0,))
        return margins[:, 0] + dependence[:, 0]

    def _state(self) -> dict[str, NDArray[Any]]:
        if self.cells_ is not None:
            return {f"cells.{name}": value for name, value in self.cells_._state().items()}
        state = {f"margins.{name}": value for name, value in self.margins_.state().items()}
        state |= {"effects": self.effects_, "loadings": self.loadings_, "residual": self.residual_}
        state["depth"] = self.depth_
        state |= reference_state(self.reference_)
        return {**state, **self.library_.state(), **self.covariates_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.cells_ = None
        if cells := under("cells.", state):
            self.cells_ = CellCopula()
            self.cells_._restore(cells)
            return
        self.margins_ = Margins.restore(under("margins.", state))
        self.library_ = LibraryModel.restore(state)
        self.covariates_ = CovariateModel.restore(state)
        self.effects_, self.loadings_, self.residual_ = state["effects"], state["loadings"], state["residual"]
        self.depth_ = state["depth"]
        self.reference_ = restore_reference(state)
