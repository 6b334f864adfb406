"""DESeq2's estimates for a table of genes: dispersions, trend, shrunken dispersions, coefficients."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..kernels import over_genes
from . import dispersion, irls, newton, rough
from .design import GroupedDesign
from .trend import DispersionTrend, fit_trend

Floats = npt.NDArray[np.float64]

SMALLEST_MEAN = 0.5
SMALLEST_DISPERSION = 1e-8
TOLERANCE = 1e-8
MAX_STEPS = 100
LARGEST_BETA = 30.0


@dataclass(frozen=True)
class GeneFits:
    """Estimates of a table of genes.

    Attributes
    ----------
    base_mean
        Means of normalised counts, ``n_genes``.
    dispersions
        Final dispersions, ``n_genes``.
    coefficients
        Natural log, ``n_genes × n_coefficients``; NaN for a gene that no solver could fit.
    means, hat
        Fitted means and hat diagonals, ``n_genes × n_samples``.
    trend
        The dispersion trend.
    n_newton
        Number of genes that reweighted least squares left to Newton's method.
    """

    base_mean: Floats
    dispersions: Floats
    coefficients: Floats
    means: Floats
    hat: Floats
    trend: DispersionTrend
    n_newton: int


def fit_genes(
    counts: Floats,
    size_factors: Floats,
    design: GroupedDesign,
    n_threads: int,
    trend: DispersionTrend | None = None,
) -> GeneFits:
    """Run DESeq2's estimation steps on genes that each have a count.

    Parameters
    ----------
    counts
        ``n_genes × n_samples``.
    size_factors
        ``n_samples``.
    design
        The design, of full rank, with more samples than coefficients.
    n_threads
        Number of threads; does not change the result.
    trend
        A trend already fitted, for refitting some of the genes.
    """
    n_genes, n_samples = counts.shape
    p = design.matrix.shape[1]
    largest = max(10.0, float(n_samples))
    normalised = counts / size_factors
    base_mean = normalised.mean(axis=1)
    rough_fit = np.empty(n_genes)
    moments = np.empty(n_genes)
    over_genes(
        rough.rough_dispersions,
        n_genes,
        n_threads,
        normalised,
        design.matrix,
        design.least_squares,
        rough_fit,
    )
    inverse = float(np.mean(1.0 / size_factors))
    over_genes(rough.moment_dispersions, n_genes, n_threads, normalised, inverse, moments)
    del normalised
    initial = np.clip(np.minimum(rough_fit, moments), SMALLEST_DISPERSION, largest)

    if len(design.rows) == p:
        means = np.empty_like(counts)
        over_genes(
            rough.linear_means,
            n_genes,
            n_threads,
            counts,
            size_factors,
            design.matrix,
            design.least_squares,
            SMALLEST_MEAN,
            means,
        )
    else:
        _, means, _, _ = _coefficients(counts, size_factors, design, initial, n_threads)
        np.maximum(means, SMALLEST_MEAN, out=means)

    def dispersions(start: Floats, variance: float) -> Floats:
        out = np.empty(n_genes)
        converged = np.empty(n_genes, dtype=np.bool_)
        lower, upper = float(np.log(SMALLEST_DISPERSION)), float(np.log(largest))
        over_genes(
            dispersion.fit_dispersions,
            n_genes,
            n_threads,
            counts,
            means,
            start,
            design.rows,
            design.order,
            design.bounds,
            lower,
            upper,
            variance,
            True,
            out,
            converged,
        )
        return np.clip(out, SMALLEST_DISPERSION, largest)

    genewise = dispersions(initial, np.inf)
    if trend is None:
        trend = fit_trend(base_mean, genewise, n_samples - p, SMALLEST_DISPERSION)
    fitted = trend.at(base_mean)
    final = dispersions(fitted, trend.prior_variance)
    # A gene far above the trend is believed, not shrunk.
    outliers = np.log(genewise) > np.log(fitted) + 2.0 * np.sqrt(trend.residual_variance)
    final[outliers] = genewise[outliers]
    del means
    beta, means, hat, n_newton = _coefficients(counts, size_factors, design, final, n_threads)
    return GeneFits(base_mean, final, beta, means, hat, trend, n_newton)


def _coefficients(
    counts: Floats, size_factors: Floats, design: GroupedDesign, dispersions: Floats, n_threads: int
) -> tuple[Floats, Floats, Floats, int]:
    """Fit coefficients by reweighted least squares, and by Newton's method where that fails."""
    n_genes = len(counts)
    least_squares = design.least_squares
    beta = np.full((n_genes, design.matrix.shape[1]), np.nan)
    means = np.full_like(counts, np.nan)
    hat = np.full_like(counts, np.nan)
    converged = np.zeros(n_genes, dtype=np.bool_)
    over_genes(
        irls.fit_coefficients,
        n_genes,
        n_threads,
        counts,
        size_factors,
        least_squares,
        design.rows,
        design.order,
        design.bounds,
        dispersions,
        SMALLEST_MEAN,
        TOLERANCE,
        LARGEST_BETA,
        MAX_STEPS,
        beta,
        means,
        hat,
        converged,
    )
    left = np.flatnonzero(~converged).astype(np.int64)
    over_genes(
        newton.fit_penalised,
        len(left),
        n_threads,
        left,
        counts,
        size_factors,
        least_squares,
        design.rows,
        design.order,
        design.bounds,
        dispersions,
        SMALLEST_MEAN,
        beta,
        means,
        hat,
        converged,
    )
    return beta, means, hat, len(left)
