r"""Shrunken log fold changes: the maximum a posteriori under a Cauchy prior on one coefficient.

Minimise, for counts :math:`y`, sizes :math:`k = 1/\alpha`, offsets :math:`o` and shrunken coefficient :math:`s`,

.. math::
    \sum_{j\ne s} \frac{\beta_j^2}{2\sigma^2} + \log\Bigl(1 + \frac{\beta_s^2}{c^2}\Bigr)
    + \sum_i (y_i + k)\log(k + e^{x_i\beta + o_i}) - y_i x_i\beta

(apeglm: Zhu, Ibrahim & Love 2019, *Bioinformatics* 35:2084) by Newton's method with a ridge added where
the Hessian is not positive definite and a step halved until the objective falls.
"""

import math

import numpy as np
import numpy.typing as npt

from ..kernels import kernel
from .smallmatrix import cholesky, inverse, solve_in_place

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_MAX_STEPS = 100
_MAX_HALVINGS = 40
_RESOLVED = 1e-9


@kernel
def objective(
    beta: Floats,
    y: Floats,
    factors: Floats,
    rows: Floats,
    bounds: Integers,
    size: float,
    no_shrink_scale: float,
    scale: float,
    index: int,
    gradient: Floats,
    hessian: Floats,
) -> float:
    """Return the objective at ``beta`` and fill its gradient and Hessian.

    Parameters
    ----------
    beta
        Coefficients.
    y, factors
        Counts and exponentials of the offsets in the order of the groups, ``n_samples``.
    rows, bounds
        See :class:`twinseq.de.design.GroupedDesign`.
    size
        Inverse dispersion.
    no_shrink_scale, scale
        Standard deviation of the normal prior and scale of the Cauchy prior.
    index
        The shrunken coefficient.
    gradient, hessian
        Filled, ``n_coefficients`` and its square.
    """
    n_groups, p = rows.shape
    gradient.fill(0.0)
    hessian.fill(0.0)
    value = 0.0
    for g in range(n_groups):
        predictor = 0.0
        for a in range(p):
            predictor += rows[g, a] * beta[a]
        e = math.exp(predictor)
        slope = 0.0
        curvature = 0.0
        for i in range(bounds[g], bounds[g + 1]):
            mu = factors[i] * e
            total = size + mu
            fraction = mu / total
            value += (y[i] + size) * math.log(total) - y[i] * predictor
            slope += (y[i] + size) * fraction - y[i]
            curvature += (y[i] + size) * fraction * (size / total)
        for a in range(p):
            gradient[a] += slope * rows[g, a]
            for b in range(p):
                hessian[a, b] += curvature * rows[g, a] * rows[g, b]
    for a in range(p):
        square = beta[a] * beta[a]
        if a == index:
            spread = scale * scale + square
            value += math.log1p(square / (scale * scale))
            gradient[a] += 2.0 * beta[a] / spread
            hessian[a, a] += 2.0 * (scale * scale - square) / (spread * spread)
        else:
            variance = no_shrink_scale * no_shrink_scale
            value += 0.5 * square / variance
            gradient[a] += beta[a] / variance
            hessian[a, a] += 1.0 / variance
    return value


@kernel
def shrink_coefficients(
    start: int,
    stop: int,
    counts: Floats,
    sizes: Floats,
    offsets: Floats,
    rows: Floats,
    order: Integers,
    bounds: Integers,
    no_shrink_scale: float,
    scale: float,
    index: int,
    beta_out: Floats,
    inverse_hessian_out: Floats,
    converged: npt.NDArray[np.bool_],
) -> None:
    """Write the coefficients and inverse Hessians of genes ``start … stop - 1``.

    Parameters
    ----------
    start, stop
        Block of genes.
    counts
        ``n_genes × n_samples``.
    sizes
        Inverse dispersions, ``n_genes``.
    offsets
        Log size factors, ``n_samples``.
    rows, order, bounds
        See :class:`twinseq.de.design.GroupedDesign`.
    no_shrink_scale, scale, index
        See :func:`objective`.
    beta_out
        ``n_genes × n_coefficients``.
    inverse_hessian_out
        ``n_genes × n_coefficients × n_coefficients``.
    converged
        ``n_genes``.
    """
    n = counts.shape[1]
    p = rows.shape[1]
    y = np.empty(n)
    factors = np.empty(n)
    for i in range(n):
        factors[i] = math.exp(offsets[order[i]])
    beta = np.empty(p)
    trial = np.empty(p)
    step = np.empty(p)
    work = np.empty(p)
    gradient = np.empty(p)
    hessian = np.empty((p, p))
    trial_gradient = np.empty(p)
    trial_hessian = np.empty((p, p))
    system = np.empty((p, p))
    for gene in range(start, stop):
        for i in range(n):
            y[i] = counts[gene, order[i]]
        size = sizes[gene]
        for a in range(p):
            beta[a] = 0.1 if a % 2 == 0 else -0.1
        value = objective(beta, y, factors, rows, bounds, size, no_shrink_scale, scale, index, gradient, hessian)
        done = False
        for _ in range(_MAX_STEPS):
            ridge = 0.0
            factorised = False
            for _attempt in range(60):
                for a in range(p):
                    step[a] = -gradient[a]
                    for b in range(p):
                        system[a, b] = hessian[a, b]
                    system[a, a] += ridge
                if cholesky(system, p):
                    factorised = True
                    break
                ridge = max(4.0 * ridge, 1e-3)
            if not factorised:
                break
            solve_in_place(system, step, p)
            decrement = 0.0
            for a in range(p):
                decrement -= gradient[a] * step[a]
            if decrement <= _RESOLVED and ridge == 0.0:
                # The last step's error is of the order of its square.
                for a in range(p):
                    beta[a] += step[a]
                objective(beta, y, factors, rows, bounds, size, no_shrink_scale, scale, index, gradient, hessian)
                done = True
                break
            length = 1.0
            improved = False
            for _halving in range(_MAX_HALVINGS):
                for a in range(p):
                    trial[a] = beta[a] + length * step[a]
                trial_value = objective(
                    trial,
                    y,
                    factors,
                    rows,
                    bounds,
                    size,
                    no_shrink_scale,
                    scale,
                    index,
                    trial_gradient,
                    trial_hessian,
                )
                if trial_value <= value - 1e-4 * length * decrement:
                    improved = True
                    break
                length *= 0.5
            if not improved:
                # The objective no longer resolves the step: its rounding error is reached.
                done = decrement <= 1e-9 * max(1.0, abs(value)) and ridge == 0.0
                break
            value = trial_value
            for a in range(p):
                beta[a] = trial[a]
                gradient[a] = trial_gradient[a]
                for b in range(p):
                    hessian[a, b] = trial_hessian[a, b]
        converged[gene] = done
        if done:
            for a in range(p):
                beta_out[gene, a] = beta[a]
            if cholesky(hessian, p):
                inverse(hessian, inverse_hessian_out[gene], p, work)
            else:
                converged[gene] = False
