r"""Wald tests of a contrast of the coefficients.

With :math:`M = X^\top W X`, :math:`W_i = \mu_i / (1 + \alpha\mu_i)`, a ridge :math:`\Lambda` and a contrast :math:`c`,

.. math::
    \mathrm{se} = \sqrt{c^\top (M + \Lambda)^{-1} M (M + \Lambda)^{-1} c},
    \qquad z = c^\top(\beta - \beta_0) / \mathrm{se}

(Love, Huber & Anders 2014, "Wald test"). The four composite alternatives clip the numerator at the
threshold, coefficient by coefficient, before the contrast is taken.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from ..kernels import kernel
from .smallmatrix import cholesky, solve_in_place

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@kernel
def standard_errors(
    start: int,
    stop: int,
    means: Floats,
    dispersions: Floats,
    rows: Floats,
    order: Integers,
    bounds: Integers,
    ridge: Floats,
    contrast: Floats,
    out: Floats,
) -> None:
    """Write the standard errors of the contrast for genes ``start … stop - 1`` into ``out``.

    Parameters
    ----------
    start, stop
        Block of genes.
    means
        ``n_genes × n_samples``.
    dispersions
        ``n_genes``.
    rows, order, bounds
        See :class:`twinseq.de.design.GroupedDesign`.
    ridge
        ``n_coefficients × n_coefficients``.
    contrast
        ``n_coefficients``.
    out
        ``n_genes``; NaN where the means are not finite or the system is singular.
    """
    n_groups, p = rows.shape
    information = np.empty((p, p))
    system = np.empty((p, p))
    solution = np.empty(p)
    for gene in range(start, stop):
        alpha = dispersions[gene]
        information.fill(0.0)
        for g in range(n_groups):
            weight = 0.0
            for i in range(bounds[g], bounds[g + 1]):
                mu = means[gene, order[i]]
                weight += mu / (1.0 + alpha * mu)
            for a in range(p):
                for b in range(p):
                    information[a, b] += weight * rows[g, a] * rows[g, b]
        for a in range(p):
            solution[a] = contrast[a]
            for b in range(p):
                system[a, b] = information[a, b] + ridge[a, b]
        if not cholesky(system, p):
            out[gene] = np.nan
            continue
        solve_in_place(system, solution, p)
        variance = 0.0
        for a in range(p):
            for b in range(p):
                variance += solution[a] * information[a, b] * solution[b]
        out[gene] = math.sqrt(variance)


def statistics_and_p_values(
    coefficients: Floats,
    errors: Floats,
    contrast: Floats,
    null: float | Floats,
    alternative: str | None,
) -> tuple[Floats, Floats]:
    """Return Wald statistics and p-values.

    Parameters
    ----------
    coefficients
        ``n_genes × n_coefficients``, natural log.
    errors
        Standard errors of the contrast, ``n_genes``.
    contrast
        ``n_coefficients``.
    null
        Threshold of the null hypothesis, natural log.
    alternative
        ``None`` (two-sided), ``"greater"``, ``"less"``, ``"greaterAbs"`` or ``"lessAbs"``.

    Returns
    -------
    tuple of ndarray
        Statistics and p-values, ``n_genes`` each.

    Raises
    ------
    ValueError
        For an unknown alternative.
    """

    def above(threshold: float | Floats) -> Floats:
        return np.asarray(np.fmax((coefficients - threshold) / errors[:, None], 0.0) @ contrast)

    def below(threshold: float | Floats) -> Floats:
        return np.asarray(np.fmin((coefficients - threshold) / errors[:, None], 0.0) @ contrast)

    if alternative is None:
        z = (coefficients - null) @ contrast / errors
        return z, 2.0 * ndtr(-np.abs(z))
    if alternative == "greater":
        z = above(null)
        return z, ndtr(-z)
    if alternative == "less":
        z = below(null)
        return z, ndtr(-np.abs(z))
    if alternative == "greaterAbs":
        excess = np.fmax((np.abs(coefficients) - null) / errors[:, None], 0.0)
        z = (np.sign(coefficients) * excess) @ contrast
        return z, 2.0 * ndtr(-np.abs(z))
    if alternative == "lessAbs":
        up = above(-np.abs(null))
        down = below(np.abs(null))
        z = np.where(np.abs(down) < np.abs(up), down, up)
        return z, np.maximum(ndtr(-up), ndtr(-np.abs(down)))
    raise ValueError(f"unknown alternative {alternative!r}: use greater, less, greaterAbs or lessAbs")
