"""What is fitted on the training data alone and shared by every side: panels, trend, axes, bandwidth, DE design."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.stats import median_abs_deviation

from ..arrays import principal_axes
from ..cohort import Cohort
from ._profiles import MAX_POINTS, Profiles
from ._registry import NotComputableError

if TYPE_CHECKING:
    from ..geneids import Matched
    from .biology.contrasts import Contrasts
    from .biology.design import Design
    from .pathways._panel import Panel

Floats = NDArray[np.float64]
TREND_BINS = 30


class Space:
    """Choices made on the training data T, so that neither hold-out nor twin has a say in them.

    Parameters
    ----------
    cohort
        Training data.
    seed
        Seed of every random choice of the metrics.
    jobs
        Number of threads for differential expression.
    survival
        Columns of the time to the event or the end of follow-up, and of whether the event was seen.
    gene_sets
        Gene sets as places in the cohort's genes.
    """

    def __init__(
        self,
        cohort: Cohort,
        seed: int = 0,
        jobs: int = 1,
        survival: tuple[str, str] | None = None,
        gene_sets: Matched | None = None,
    ) -> None:
        self.kind = cohort.kind
        self.seed = seed
        self.jobs = jobs
        self.survival = survival
        self.gene_sets = gene_sets
        self.covariates = cohort.covariates
        self.has_label = cohort.label is not None
        self.classes: list[str] = sorted(set(cohort.labels().tolist()))
        self.train = Profiles.of(cohort, self)

    def rng(self, *stream: int) -> np.random.Generator:
        """Return a generator of its own for one purpose, the same at each call."""
        return np.random.default_rng([self.seed, *stream])

    @cached_property
    def panels(self) -> dict[str, NDArray[np.intp]]:
        """Most variable genes: ``top100``, ``top500``, ``top2000`` by variance, ``mad`` the min(270, 0.9 n) by MAD."""
        by_variance = np.argsort(-self.train.gene_variance, kind="stable")
        spread = median_abs_deviation(self.train.log, axis=0)
        n_mad = max(1, min(270, int(0.9 * self.train.n_samples)))
        return {
            "top100": by_variance[:100],
            "top500": by_variance[:500],
            "top2000": by_variance[:2000],
            "mad": np.argsort(-spread, kind="stable")[:n_mad],
        }

    @cached_property
    def modules(self) -> list[NDArray[np.intp]]:
        """Modules of co-expressed genes found in training, as places in the panel of 2,000 genes."""
        from .biology.modules import find_modules

        return find_modules(self.train.coexpression)

    @cached_property
    def trend(self) -> tuple[Floats, Floats]:
        """Mean–variance trend: mean (log10 for counts) and median log10 variance in bins of equal size."""
        x, y, _ = mean_variance_bins(*self.train.moments, kind=self.kind)
        return x, y

    @cached_property
    def projection(self) -> tuple[Floats, Floats, Floats]:
        """Gene means, loadings of two axes, and explained shares of all axes of the training data (2,000 genes)."""
        x = self.train.variable
        values, loadings = principal_axes(x, k=2)
        # The sign of an axis is arbitrary; fixing it keeps plots the same from run to run.
        loadings = loadings * np.where(loadings.sum(axis=0) < 0, -1.0, 1.0)
        return x.mean(axis=0), loadings, values / values.sum()

    def project(self, profiles: Profiles) -> Floats:
        """Return the coordinates of samples on the first two axes of the training data, ``n_samples × 2``."""
        centre, loadings, _ = self.projection
        coordinates: Floats = (profiles.variable - centre) @ loadings
        return coordinates

    @cached_property
    def bandwidth(self) -> float:
        """Median distance between two training samples on the log scale."""
        points = self.train.points[: MAX_POINTS // 2]
        return float(np.median(pdist(points))) if len(points) > 1 else 1.0

    @cached_property
    def expressed(self) -> NDArray[np.intp]:
        """Genes that take part in differential expression: at least 10 counts in training; all if continuous."""
        if self.kind == "continuous":
            return np.arange(self.train.values.shape[1])
        return np.flatnonzero(self.train.values.sum(axis=0) >= 10)

    @cached_property
    def design(self) -> Design:
        """Design of differential expression, fixed on the training data."""
        from .biology.design import Design

        return Design.of(self.train)

    @cached_property
    def pathways(self) -> Panel:
        """Gene sets of 10 to 2,500 tested genes.

        Raises
        ------
        NotComputableError
            None were given, or none has that size.
        """
        from .pathways._panel import Panel

        if self.gene_sets is None:
            raise NotComputableError("needs gene sets: hand in GMT files (--gene-sets)")
        return Panel.of(self.gene_sets, self.expressed, self.rng(8))

    def differential_expression(self, profiles: Profiles) -> Contrasts:
        """Run the differential expression of one side under the common design."""
        from .biology.contrasts import run_contrasts

        return run_contrasts(profiles, self.design, self.expressed, self.jobs, profiles.groups)


def mean_variance_bins(mean: Floats, variance: Floats, *, kind: str) -> tuple[Floats, Floats, NDArray[Any]]:
    """Return bin centres (median mean, log10 for counts), median log10 variances and gene counts per bin.

    Bins hold equal numbers of genes, so that sparse ends are not overread.
    """
    good = (variance > 0) & ((mean > 0) if kind == "counts" else np.isfinite(mean))
    x = np.log10(mean[good]) if kind == "counts" else mean[good]
    y = np.log10(variance[good])
    parts = [part for part in np.array_split(np.argsort(x, kind="stable"), TREND_BINS) if len(part)]
    return (
        np.array([np.median(x[part]) for part in parts]),
        np.array([np.median(y[part]) for part in parts]),
        np.array([len(part) for part in parts]),
    )
