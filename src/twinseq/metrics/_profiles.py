"""One side of a comparison: the arrays of a cohort, and what metrics derive from them, once and when asked."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..arrays import distances, principal_axes, row_digests, spearman, upper_triangle
from ..cohort import Cohort
from ..transforms import log_cpm, size_factors
from ._registry import NotComputableError

if TYPE_CHECKING:
    from ._space import Space
    from .biology.contrasts import Contrasts
    from .paper.classifiers import OneVsRest
    from .pathways._enrichment import Enrichment

Floats = NDArray[np.float64]
MAX_POINTS = 2000
BLOCK = 1024


class Profiles:
    """Profiles, classes and covariates of one cohort, genes in the order of the training data.

    Parameters
    ----------
    values
        Counts or continuous values, ``n_samples × n_genes``.
    labels
        Class of each sample.
    covariates
        Stated covariates that the cohort has, ``n_samples`` rows.
    space
        What was fitted on the training data: panels, axes, trends, the design of DE.
    donors
        Donor of each sample; every sample is its own where this is not given.

    Attributes
    ----------
    groups
        Group of each sample, where intervals leave groups of donors out; ``None`` by default.
    """

    def __init__(
        self,
        values: NDArray[Any],
        labels: NDArray[np.str_],
        covariates: pd.DataFrame,
        space: Space,
        donors: NDArray[np.str_] | None = None,
    ) -> None:
        self.values = values
        self.labels = labels
        self.covariates = covariates.reset_index(drop=True)
        self.space = space
        self.donors = np.arange(len(labels)).astype(str) if donors is None else donors
        self.groups: NDArray[np.intp] | None = None
        self.classifiers: dict[tuple[str, ...], Any] = {}

    @classmethod
    def of(cls, cohort: Cohort, space: Space) -> Profiles:
        """Take the arrays of ``cohort``, its covariates restricted to the columns that it has."""
        columns = [name for name in space.covariates if name in cohort.obs.columns]
        return cls(dense_values(cohort), cohort.labels(), cohort.obs[columns], space, cohort.donors())

    def subset(self, rows: NDArray[Any]) -> Profiles:
        """Return some samples as profiles of their own."""
        return Profiles(self.values[rows], self.labels[rows], self.covariates.iloc[rows], self.space, self.donors[rows])

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.labels)

    @cached_property
    def log(self) -> Floats:
        """log2(CPM + 1), or the values themselves where they are continuous; ``n_samples × n_genes``."""
        return log_scale(self.values, self.space.kind)

    @cached_property
    def points(self) -> Floats:
        """`log` of at most `MAX_POINTS` samples drawn at random, for figures that need every pair of samples."""
        chosen: Floats = self.log[self.drawn(MAX_POINTS)]
        return chosen

    def drawn(self, most: int) -> NDArray[np.intp]:
        """Return the rows of all samples, or of ``most`` of them drawn at random, always the same ones."""
        if self.n_samples <= most:
            return np.arange(self.n_samples)
        return np.sort(self.space.rng(0).choice(self.n_samples, most, replace=False))

    @cached_property
    def isolation(self) -> Floats:
        """Distance of each sample to the nearest other one on the log scale; infinite where it is alone."""
        nearest = np.full(self.n_samples, np.inf)
        for start in range(0, self.n_samples, BLOCK):
            block = distances(self.log[start : start + BLOCK], self.log)
            rows = np.arange(len(block))
            block[rows, start + rows] = np.inf
            nearest[start : start + BLOCK] = block.min(axis=1)
        return nearest

    @cached_property
    def panel(self) -> Floats:
        """`log` of the 500 genes that vary most in training, ``n_samples × 500``."""
        chosen: Floats = self.log[:, self.space.panels["top500"]]
        return chosen

    @cached_property
    def small_panel(self) -> Floats:
        """`log` of the 100 genes that vary most in training."""
        chosen: Floats = self.log[:, self.space.panels["top100"]]
        return chosen

    @cached_property
    def variable(self) -> Floats:
        """`log` of the 2,000 genes that vary most in training."""
        chosen: Floats = self.log[:, self.space.panels["top2000"]]
        return chosen

    # Count properties

    @cached_property
    def library_size(self) -> Floats:
        """log10 of the total count of each sample."""
        total: Floats = np.log10(self._counts().sum(axis=1, dtype=np.float64))
        return total

    @cached_property
    def detected_genes(self) -> Floats:
        """Number of genes with a count, per sample."""
        number: Floats = (self._counts() > 0).sum(axis=1).astype(np.float64)
        return number

    @cached_property
    def zeros_per_gene(self) -> Floats:
        """Share of samples without a count, per gene."""
        share: Floats = (self._counts() == 0).mean(axis=0)
        return share

    @cached_property
    def zeros_per_sample(self) -> Floats:
        """Share of genes without a count, per sample."""
        share: Floats = (self._counts() == 0).mean(axis=1)
        return share

    @cached_property
    def gene_mean(self) -> Floats:
        """Mean of each gene on the log scale."""
        mean: Floats = self.log.mean(axis=0)
        return mean

    @cached_property
    def gene_variance(self) -> Floats:
        """Variance of each gene on the log scale."""
        variance: Floats = self.log.var(axis=0, ddof=1)
        return variance

    @cached_property
    def moments(self) -> tuple[Floats, Floats]:
        """Mean and variance of each gene: of counts over size factors, or of continuous values."""
        if self.space.kind == "continuous":
            return self.gene_mean, self.gene_variance
        normalised = self.values / size_factors(self.values)[:, None]
        return normalised.mean(axis=0), normalised.var(axis=0, ddof=1)

    @cached_property
    def dispersion(self) -> Floats:
        """log10 of the moment estimate ``(variance − mean) / mean²`` of each gene where it is positive."""
        self._counts()
        mean, variance = self.moments
        good = (mean > 0) & (variance > mean)
        if good.sum() < 2:
            raise NotComputableError("fewer than two genes vary more than Poisson counts do")
        return np.log10((variance[good] - mean[good]) / mean[good] ** 2)

    @cached_property
    def trend_residual(self) -> Floats:
        """log10 variance of each gene minus the mean–variance trend of the training data at its mean."""
        mean, variance = self.moments
        good = (variance > 0) & (mean > 0 if self.space.kind == "counts" else np.isfinite(mean))
        if good.sum() < 2:
            raise NotComputableError("fewer than two genes vary")
        x = np.log10(mean[good]) if self.space.kind == "counts" else mean[good]
        residual: Floats = np.log10(variance[good]) - np.interp(x, *self.space.trend)
        return residual

    # Correlation

    @cached_property
    def residuals(self) -> NDArray[np.float32]:
        """`variable` without class means, columns of length 1 (0 for genes without variation)."""
        from .biology.coexpression import within_class

        return within_class(self.variable, self.labels)

    @cached_property
    def coexpression(self) -> NDArray[np.float32]:
        """Pearson correlation of `residuals`; single precision, since 2,000 × 2,000 stand beside each other."""
        return self.residuals.T @ self.residuals

    @cached_property
    def coexpression_pairs(self) -> NDArray[np.float32]:
        """Upper triangle of `coexpression`."""
        rows, columns = np.triu_indices(len(self.coexpression), k=1)
        return self.coexpression[rows, columns]

    @cached_property
    def connectivity(self) -> Floats:
        """How strongly each gene is tied to the others in `coexpression`."""
        from .biology.coexpression import connectivity

        return connectivity(self.coexpression)

    @cached_property
    def gene_correlation(self) -> Floats:
        """Spearman correlation of the genes of the panel, 500 × 500."""
        return spearman(self.panel)

    @cached_property
    def gene_pairs(self) -> Floats:
        """Upper triangle of `gene_correlation`."""
        return upper_triangle(self.gene_correlation)

    @cached_property
    def sample_pairs(self) -> Floats:
        """Upper triangle of the Spearman correlation between samples, over the panel's genes."""
        rows = self.panel[: min(self.n_samples, MAX_POINTS)]
        return upper_triangle(spearman(rows.T))

    @cached_property
    def axes(self) -> tuple[Floats, Floats]:
        """Eigenvalues of the covariance of genes, largest first, and their gene loadings (``n_genes × k``)."""
        return principal_axes(self.log)

    @cached_property
    def eigenvalues(self) -> Floats:
        """Eigenvalues of the covariance of genes, largest first."""
        return self.axes[0]

    @cached_property
    def digests(self) -> NDArray[np.bytes_]:
        """A fingerprint of each profile, equal for equal profiles."""
        return row_digests(self.values)

    @cached_property
    def rank_sum(self) -> dict[str, NDArray[np.int8]]:
        """Calls of one-sided rank-sum tests of every ordered pair of classes, by shift."""
        from .paper.rank_sum import rank_sum_calls

        return rank_sum_calls(self.log, self.labels, self.space.classes, self.space.jobs)

    @cached_property
    def paper_classifier(self) -> OneVsRest:
        """The community benchmark's classifier of the labels, fitted to these profiles."""
        from .paper.classifiers import OneVsRest

        return OneVsRest.fit(self.log, self.labels)

    @cached_property
    def paper_scaled(self) -> Floats:
        """`log` on the scale on which genes of the training data have mean 0 and variance 1."""
        from .paper.classifiers import scaled

        return scaled(self.space.train.log, self.log)

    @cached_property
    def paper_classifier_scaled(self) -> OneVsRest:
        """The same classifier, fitted to `paper_scaled`."""
        from .paper.classifiers import OneVsRest

        return OneVsRest.fit(self.paper_scaled, self.labels)

    @property
    def contrasts(self) -> Contrasts:
        """Differential expression of every pair of classes.

        Raises
        ------
        NotComputableError
            No pair could be tested.
        """
        outcome = self._contrasts
        if isinstance(outcome, NotComputableError):
            raise outcome
        return outcome

    @cached_property
    def _contrasts(self) -> Contrasts | NotComputableError:
        # A failure is kept too, or each of many metrics would run into it anew.
        try:
            return self.space.differential_expression(self)
        except NotComputableError as error:
            return error

    @property
    def enrichment(self) -> Enrichment:
        """Gene sets that change, in every pair of classes.

        Raises
        ------
        NotComputableError
            There are no gene sets, or no pair could be tested.
        """
        outcome = self._enrichment
        if isinstance(outcome, NotComputableError):
            raise outcome
        return outcome

    @cached_property
    def _enrichment(self) -> Enrichment | NotComputableError:
        from .pathways._enrichment import enrich

        try:
            return enrich(self, self.space.pathways)
        except NotComputableError as error:
            return error

    @cached_property
    def null_shares(self) -> Floats:
        """Share of genes called when the labels are permuted, for each permutation."""
        from .biology.null_calls import null_shares

        return null_shares(self, self.space.design, self.space.expressed, self.space.jobs, self.space.rng(7))

    def _counts(self) -> NDArray[Any]:
        if self.space.kind != "counts":
            raise NotComputableError("needs raw counts; these profiles are continuous")
        return self.values


def dense_values(cohort: Cohort) -> NDArray[Any]:
    """Return the profiles as a dense array: whole numbers for counts, float64 for continuous values."""
    return cohort.dense(np.int64 if cohort.kind == "counts" else np.float64)


def log_scale(values: NDArray[Any], kind: str) -> Floats:
    """Return log2(CPM + 1) of counts, and continuous values as they are."""
    return log_cpm(values) if kind == "counts" else np.asarray(values, dtype=np.float64)
