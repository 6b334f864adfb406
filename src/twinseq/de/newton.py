r"""Coefficients of the genes that reweighted least squares leaves: penalised likelihood by Newton's method.

Reweighted least squares bounds the means from below, and for a gene whose counts sit in a few samples it
can cycle or run away. Such a gene is fitted without that bound: with log link and fixed dispersion

.. math:: \sum_i (y_i + 1/\alpha)\log(1 + \alpha s_i e^{x_i\beta}) - y_i x_i\beta + \tfrac\lambda2\|\beta\|^2

is strictly convex, so Newton's method with step halving finds its only minimum. DESeq2 hands the same
objective to a general optimiser (Love, Huber & Anders 2014).
"""

import math

import numpy as np
import numpy.typing as npt

from ..kernels import kernel
from .irls import RIDGE
from .smallmatrix import cholesky, half_solved_norm, solve_in_place

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_MAX_STEPS = 200
_RESOLVED = 1e-9


@kernel
def penalised_loss(
    beta: Floats,
    y: Floats,
    factors: Floats,
    rows: Floats,
    bounds: Integers,
    alpha: float,
    gradient: Floats,
    hessian: Floats,
) -> float:
    """Return the objective at ``beta`` and fill its gradient and Hessian.

    Parameters
    ----------
    beta
        Coefficients.
    y, factors
        Counts and size factors in the order of the groups, ``n_samples``.
    rows, bounds
        See :class:`twinseq.de.design.GroupedDesign`.
    alpha
        Dispersion.
    gradient, hessian
        Filled, ``n_coefficients`` and its square.
    """
    p = rows.shape[1]
    r = 1.0 / alpha
    loss = 0.0
    for a in range(p):
        loss += 0.5 * RIDGE * beta[a] * beta[a]
        gradient[a] = RIDGE * beta[a]
        for b in range(p):
            hessian[a, b] = RIDGE if a == b else 0.0
    for g in range(rows.shape[0]):
        predictor = 0.0
        for a in range(p):
            predictor += rows[g, a] * beta[a]
        scale = math.exp(predictor)
        slope = 0.0
        curvature = 0.0
        for i in range(bounds[g], bounds[g + 1]):
            mu = factors[i] * scale
            q = 1.0 / (1.0 + alpha * mu)
            loss += (y[i] + r) * math.log1p(alpha * mu) - y[i] * predictor
            slope += (mu - y[i]) * q
            curvature += mu * (1.0 + alpha * y[i]) * q * q
        for a in range(p):
            gradient[a] += slope * rows[g, a]
            for b in range(p):
                hessian[a, b] += curvature * rows[g, a] * rows[g, b]
    return loss


@kernel
def fit_penalised(
    start: int,
    stop: int,
    genes: Integers,
    counts: Floats,
    size_factors: Floats,
    least_squares: Floats,
    rows: Floats,
    order: Integers,
    bounds: Integers,
    dispersions: Floats,
    smallest: float,
    beta_out: Floats,
    mu_out: Floats,
    hat_out: Floats,
    converged: npt.NDArray[np.bool_],
) -> None:
    """Fit ``genes[start:stop]``; the arguments are those of :func:`twinseq.de.irls.fit_coefficients`."""
    n = counts.shape[1]
    n_groups, p = rows.shape
    y = np.empty(n)
    factors = np.empty(n)
    for i in range(n):
        factors[i] = size_factors[order[i]]
    beta = np.empty(p)
    trial = np.empty(p)
    step = np.empty(p)
    work = np.empty(p)
    gradient = np.empty(p)
    hessian = np.empty((p, p))
    weights = np.empty(n)
    for at in range(start, stop):
        gene = genes[at]
        alpha = dispersions[gene]
        beta.fill(0.0)
        for i in range(n):
            y[i] = counts[gene, order[i]]
            response = math.log(y[i] / factors[i] + 0.1)
            for a in range(p):
                beta[a] += least_squares[a, order[i]] * response
        loss = penalised_loss(beta, y, factors, rows, bounds, alpha, gradient, hessian)
        done = False
        for _ in range(_MAX_STEPS):
            decrement = 0.0
            if not cholesky(hessian, p):
                break
            for a in range(p):
                step[a] = -gradient[a]
            solve_in_place(hessian, step, p)
            for a in range(p):
                decrement -= gradient[a] * step[a]
            if decrement <= _RESOLVED:
                # The last step's error is of the order of its square.
                for a in range(p):
                    beta[a] += step[a]
                done = True
                break
            length = 1.0
            trial_loss = np.inf
            for _halving in range(40):
                for a in range(p):
                    trial[a] = beta[a] + length * step[a]
                trial_loss = penalised_loss(trial, y, factors, rows, bounds, alpha, gradient, hessian)
                if trial_loss <= loss - 1e-4 * length * decrement:
                    break
                length *= 0.5
            if not trial_loss < loss:
                # Rounding hides any further decrease.
                done = decrement <= 1e-8 * max(1.0, abs(loss))
                break
            loss = trial_loss
            for a in range(p):
                beta[a] = trial[a]
        converged[gene] = done
        if not done:
            continue
        hessian.fill(0.0)
        for g in range(n_groups):
            predictor = 0.0
            for a in range(p):
                predictor += rows[g, a] * beta[a]
            scale = math.exp(predictor)
            total = 0.0
            for i in range(bounds[g], bounds[g + 1]):
                mu = factors[i] * scale
                mu_out[gene, order[i]] = mu
                mu = max(mu, smallest)
                weights[i] = mu / (1.0 + alpha * mu)
                total += weights[i]
            for a in range(p):
                for b in range(p):
                    hessian[a, b] += total * rows[g, a] * rows[g, b]
        for a in range(p):
            beta_out[gene, a] = beta[a]
            hessian[a, a] += RIDGE
        if not cholesky(hessian, p):
            converged[gene] = False
            continue
        for g in range(n_groups):
            leverage = half_solved_norm(hessian, rows[g], p, work)
            for i in range(bounds[g], bounds[g + 1]):
                hat_out[gene, order[i]] = leverage * weights[i]
