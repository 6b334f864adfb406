"""`dp-pgm`: tables of gene × class under differential privacy, by Private-PGM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import rankdata

from ..cohort import Cohort
from ..dp.budget import Spending
from ..dp.mechanisms import gaussian
from ..errors import ConfigError
from ._base import GeneratorInfo
from ._marginals import (
    EDGE,
    bins_of,
    blend,
    estimate_tables,
    log_densities,
    measure_tables,
    normal_shares,
    require_mbi,
    values_at,
)
from ._margins import stratum_rows
from ._private_profiles import PrivateProfileGenerator
from ._registry import register
from ._star import Means, Metagenes, class_means, metagene_means, within_spread
from ._waves import measure_places

Floats = NDArray[np.float64]
PLACES_AT = 4.0
LEAST_PLACES, MOST_PLACES = 0.08, 0.4
ENOUGH = 12.0
"""Donors over the noise of one cell from which metagenes are worth their share."""
SCORES_SHARE = 0.06
FARTHEST = 3.0
LEAST_DRAWS = 10
"""Draws that a balanced class is taken from at least, so that single samples are not all medians."""
MOST_EXPLAINED = 0.8
LEAST_WITHIN = 0.15


@register
class PrivateGraphicalModel(PrivateProfileGenerator):
    r"""Tables of gene × class, each gene hanging on the class, with a few metagenes that tie genes together.

    Three questions are put to the profiles. Waves over the public range tell where each gene lies and how widely it
    is spread (`_waves`). Around that noisy location, four bins are counted by class (`_marginals`), which tells class
    means; differences smaller than the noise are drawn towards each other as the noise demands (`_star`). Where the
    budget allows, class means of all genes define metagenes; the share of donors above zero in each class and the
    agreement of each gene with each metagene are asked for, and sharpen the means in their turn. Bins hang on
    noisy figures only. mbi makes tables of all this that have no negative cells and agree on the classes.

    Values are drawn by inverse distribution functions within bins, so there are as many values as samples.

    Parameters
    ----------
    epsilon, delta
        The budget, for adding or removing one donor; both must be stated.
    bounds
        Public bounds of continuous values, ``"low:high"``; counts have 0 to 20 log2 CPM.
    classes
        Names of the classes, with commas, where the label is no categorical column.
    ranges
        Public ranges of covariates that are quantities, such as ``"age=18:90"``.
    metagenes
        Number of metagenes, at most one less than classes; 0 gives the plain star. Default: 3, or none where the
        budget is too small for them.
    metagene_share
        Share of what is left after the waves that is spent on metagenes.
    balanced
        Spread the draws of each class evenly over each gene's distribution.

    Warnings
    --------
    Given class and metagenes, genes are independent: modules beside the differences between classes are lost.
    """

    info = GeneratorInfo(
        name="dp-pgm",
        title="Private-PGM: tables of gene × class, differentially private",
        family="dp",
        kinds=("counts", "continuous"),
        guarantee="(epsilon, delta)-differential privacy per donor, everything charged",
        reference="McKenna, Sheldon & Miklau 2019, ICML; paper: Öztürk et al. 2026, bioRxiv 10.64898/2026.03.02.707794",
        extra="pgm",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {"metagenes": 0, "balanced": False}}

    def __init__(
        self,
        epsilon: float | None = None,
        delta: float | None = None,
        bounds: str = "0:20",
        classes: str | None = None,
        ranges: str | None = None,
        metagenes: int | None = None,
        metagene_share: float = 0.5,
        balanced: bool = True,
    ) -> None:
        if metagenes is not None and metagenes < 0:
            raise ConfigError(f"dp-pgm: metagenes must be 0 or more, not {metagenes}.")
        if not SCORES_SHARE < metagene_share < 1:
            raise ConfigError(f"dp-pgm: metagene_share must be between {SCORES_SHARE:g} and 1, not {metagene_share}.")
        self.epsilon = epsilon
        self.delta = delta
        self.bounds = bounds
        self.classes = classes
        self.ranges = ranges
        self.metagenes = metagenes
        self.metagene_share = metagene_share
        self.balanced = balanced
        self._check_privacy()

    def _fit_profiles(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        require_mbi(self.info.name)
        counts = np.maximum(self.counts_, 2.0)
        n, n_genes, n_classes = float(counts.sum()), x.shape[1], len(counts)
        strength = n * spending.budget.mu / np.sqrt(n_genes)
        wanted = self.metagenes if self.metagenes is not None else (3 if strength > ENOUGH else 0)
        k = min(wanted, n_classes - 1, n_genes)
        places_share = spending.left * float(np.clip(PLACES_AT / strength, LEAST_PLACES, MOST_PLACES))
        bounds = (self.scale_.lowest, self.scale_.highest)
        places = measure_places(x, weights, bounds, n, spending.take(places_share), spending.ledger)
        self.location_, self.spread_ = places.location, places.spread
        error = places.location_error / places.spread
        extra = self.metagene_share if k else 0.0
        standard = (x - self.location_) / self.spread_
        multiplier = spending.take(spending.left * (1.0 - extra))
        tables, noise = measure_tables(bins_of(standard), codes, n_classes, weights, multiplier, spending.ledger)
        shares = counts / n
        above, above_noise = tables[0] / counts[:, None], (noise[0] / counts) ** 2
        found = class_means(above, above_noise, shares, error, None)
        self.scores_, self.correlations_ = np.zeros((n_classes, 0)), np.zeros((0, 0))
        if k:
            metagenes = self._measure_metagenes(standard, codes, weights, found, k, spending)
            found = class_means(above, above_noise, shares, error, metagenes)
            self.scores_, self.correlations_ = metagenes.means, metagenes.correlations
        self.loadings_ = found.loadings
        inner_noise = n_classes * float(noise[1]) ** 2
        within = within_spread(tables[1].sum(axis=0), inner_noise, found.means, counts, places.spread_error, EDGE)
        self.means_, self.within_ = found.means * within, within
        cells, errors = blend(tables, noise, counts, normal_shares(self.means_, within))
        count_error = float(spending.ledger.queries[0].noise)
        self.tables_ = estimate_tables(cells, errors, counts, count_error, self.info.name)

    def _measure_metagenes(
        self,
        standard: Floats,
        codes: NDArray[np.intp],
        weights: Floats,
        found: Means,
        k: int,
        spending: Spending,
    ) -> Metagenes:
        """Ask how metagenes made from noisy class means lie in the classes, and how each gene goes with them."""
        counts = np.maximum(self.counts_, 2.0)
        n, n_genes = float(counts.sum()), standard.shape[1]
        shares = counts / n
        centre = shares @ found.means
        directions = np.linalg.svd(np.sqrt(shares)[:, None] * (found.means - centre), full_matrices=False)[2][:k]
        scores = np.clip(standard - centre, -FARTHEST, FARTHEST) @ directions.T
        signs = np.where(scores > 0, 1.0, -1.0)
        one, other = np.triu_indices(k, 1)
        sums = np.zeros((len(counts), k))
        np.add.at(sums, codes, weights[:, None] * signs)
        asked = np.concatenate([sums.ravel(), weights @ (signs[:, one] * signs[:, other])])
        # A donor adds ±1 to k entries of the class sums, and to each pair of metagenes.
        length = float(np.sqrt(k + len(one)))
        multiplier = spending.take(spending.left * SCORES_SHARE / self.metagene_share)
        answer = gaussian(asked, length, multiplier, spending.ledger, f"signs of {k} metagenes by class and in pairs")
        means = metagene_means(
            answer[: sums.size].reshape(sums.shape) / counts[:, None], (multiplier * length / counts) ** 2, shares
        )
        correlations = np.eye(k)
        correlations[one, other] = np.sin(np.pi / 2 * np.clip(answer[sums.size :] / n, -0.6, 0.6))
        correlations[other, one] = correlations[one, other]
        above = np.where(standard > centre, 1.0, -1.0)
        multiplier = spending.take(spending.left)
        length = float(np.sqrt(k * n_genes))
        agreement = gaussian(
            (signs * weights[:, None]).T @ above, length, multiplier, spending.ledger,
            f"tables of gene × metagene, above or below ({k} metagenes)",
        )  # fmt: skip
        return Metagenes(means, _positive(correlations, 0.1), agreement / n, (multiplier * length / n) ** 2)

    def _draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        spread, loadings, explained = np.zeros((0, 0)), self.loadings_, np.zeros(len(self.location_))
        if len(self.correlations_):
            shares = np.maximum(self.counts_, 2.0) / np.maximum(self.counts_, 2.0).sum()
            spread = _positive(self.correlations_ - (self.scores_ * shares[:, None]).T @ self.scores_, LEAST_WITHIN)
            explained = np.einsum("kg,kl,lg->g", self.loadings_, spread, self.loadings_)
            loadings = self.loadings_ * np.sqrt(np.minimum(1.0, MOST_EXPLAINED / np.maximum(explained, 1e-12)))
        shared = np.linalg.cholesky(spread).T @ loadings
        own = np.sqrt(1.0 - np.minimum(explained, MOST_EXPLAINED))
        levels = np.empty((len(codes), len(own)))
        for _, rows in stratum_rows(codes):
            n = max(len(rows), LEAST_DRAWS) if self.balanced else len(rows)
            latent = rng.standard_normal((n, len(shared))) @ shared + own * rng.standard_normal((n, len(own)))
            drawn = (rankdata(latent, axis=0) - 0.5) / n if self.balanced else ndtr(latent)
            levels[rows] = drawn[: len(rows)]
        standard = values_at(levels, codes, self.tables_, self.means_, self.within_)
        values: Floats = self.location_ + self.spread_ * standard
        return values

    def _log_density(self, cohort: Cohort, codes: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Return the mean log-probability of the bins and the log-density of each sample, ``n`` each."""
        standard = (self.scale_.apply(cohort) - self.location_) / self.spread_
        bins = np.log(self.tables_[codes[:, None], np.arange(standard.shape[1]), bins_of(standard)])
        density = log_densities(standard, codes, self.tables_, self.means_, self.within_) - np.log(self.spread_)
        return bins.mean(axis=1), density.sum(axis=1)

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        bins, density = self._log_density(cohort, codes)
        return -np.column_stack([bins, density / cohort.n_genes])

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        return self._log_density(cohort, codes)[1]

    def _state(self) -> dict[str, NDArray[Any]]:
        kept = {name: getattr(self, f"{name}_") for name in _LEARNT}
        return {**super()._state(), **kept}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        for name in _LEARNT:
            setattr(self, f"{name}_", state[name])


_LEARNT = ("location", "spread", "means", "within", "tables", "scores", "correlations", "loadings")


def _positive(matrix: Floats, least: float) -> Floats:
    """Return the nearest symmetric matrix with no eigenvalue below ``least``."""
    values, vectors = np.linalg.eigh(matrix)
    result: Floats = (vectors * np.maximum(values, least)) @ vectors.T
    return result
