r"""Starting values: means from an ordinary linear model, and dispersions by moments.

With normalised counts :math:`q_i = y_i / s_i` (size factors :math:`s_i`) and their least-squares fit
:math:`\hat q` on the design of :math:`p` coefficients, the rough dispersion is

.. math:: \hat\alpha = \sum_i \frac{(q_i - \hat q_i)^2 - \hat q_i}{(n - p)\,\hat q_i^2}, \qquad \hat q_i \ge 1,

and the moment dispersion :math:`(s^2 - \overline{1/s}\,\bar q) / \bar q^2` (Love, Huber & Anders 2014;
Anders & Huber 2010, *Genome Biology* 11:R106).
"""

import numpy as np
import numpy.typing as npt

from ..kernels import kernel

Floats = npt.NDArray[np.float64]


@kernel
def linear_means(
    start: int,
    stop: int,
    counts: Floats,
    size_factors: Floats,
    matrix: Floats,
    least_squares: Floats,
    smallest: float,
    out: Floats,
) -> None:
    """Write ``max(size factor × fit, smallest)``, the fit being of a linear model of the normalised counts.

    Parameters
    ----------
    start, stop
        Block of genes.
    counts
        ``n_genes × n_samples``.
    size_factors
        ``n_samples``.
    matrix
        Design, ``n_samples × n_coefficients``.
    least_squares
        Map from a response to its coefficients, ``n_coefficients × n_samples``.
    smallest
        Lower bound of the means.
    out
        Means, ``n_genes × n_samples``.
    """
    p, n = least_squares.shape
    coefficients = np.empty(p)
    for gene in range(start, stop):
        coefficients.fill(0.0)
        for i in range(n):
            response = counts[gene, i] / size_factors[i]
            for a in range(p):
                coefficients[a] += least_squares[a, i] * response
        for i in range(n):
            fit = 0.0
            for a in range(p):
                fit += matrix[i, a] * coefficients[a]
            out[gene, i] = max(size_factors[i] * fit, smallest)


@kernel
def rough_dispersions(
    start: int, stop: int, normalised: Floats, matrix: Floats, least_squares: Floats, out: Floats
) -> None:
    """Write the rough dispersions of genes ``start … stop - 1`` into ``out``; see the module for the formula."""
    p, n = least_squares.shape
    coefficients = np.empty(p)
    for gene in range(start, stop):
        coefficients.fill(0.0)
        for i in range(n):
            for a in range(p):
                coefficients[a] += least_squares[a, i] * normalised[gene, i]
        total = 0.0
        for i in range(n):
            fit = 0.0
            for a in range(p):
                fit += matrix[i, a] * coefficients[a]
            fit = max(fit, 1.0)
            residual = normalised[gene, i] - fit
            total += (residual * residual - fit) / ((n - p) * fit * fit)
        out[gene] = max(total, 0.0)


@kernel
def moment_dispersions(start: int, stop: int, normalised: Floats, mean_inverse: float, out: Floats) -> None:
    """Write the moment dispersions into ``out``; NaN for a gene of zeros.

    Parameters
    ----------
    start, stop
        Block of genes.
    normalised
        Normalised counts, ``n_genes × n_samples``.
    mean_inverse
        Mean of the inverse size factors.
    out
        Dispersions, ``n_genes``.
    """
    n = normalised.shape[1]
    for gene in range(start, stop):
        mean = 0.0
        for i in range(n):
            mean += normalised[gene, i]
        mean /= n
        variance = 0.0
        for i in range(n):
            deviation = normalised[gene, i] - mean
            variance += deviation * deviation
        variance /= n - 1
        out[gene] = (variance - mean_inverse * mean) / (mean * mean)
