r"""Log fold changes: a negative-binomial GLM with log link by iteratively reweighted least squares.

Each step solves, for one gene,

.. math::
    (X^\top W X + \lambda I)\,\beta = X^\top W z,\qquad
    W_i = \frac{\mu_i}{1 + \alpha\mu_i},\qquad
    z_i = \log\frac{\mu_i}{s_i} + \frac{y_i - \mu_i}{\mu_i},\qquad
    \mu_i = \max(s_i e^{x_i\beta}, \mu_{\min}),

with :math:`\lambda = 10^{-6}`, and stops when :math:`|d - d_{old}| / (|d| + 0.1)` of :math:`d = -2\,\times` the
negative log-likelihood falls below the tolerance (Love, Huber & Anders 2014, equations 1–2). One pass
over the samples a step gives the deviance at the new coefficients and the sums of the next system.
"""

import math

import numpy as np
import numpy.typing as npt

from ..kernels import kernel
from .smallmatrix import cholesky, half_solved_norm, solve_in_place
from .special import log_gamma

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

RIDGE = 1e-6


@kernel
def reweight(
    y: Floats,
    size_factors: Floats,
    log_size_factors: Floats,
    rows: Floats,
    bounds: Integers,
    alpha: float,
    smallest: float,
    beta: Floats,
    weight_sums: Floats,
    response_sums: Floats,
) -> float:
    r"""Return the part of the negative log-likelihood that depends on ``beta``, and fill the weighted sums.

    Parameters
    ----------
    y, size_factors, log_size_factors
        In the order of the groups, ``n_samples``.
    rows, bounds
        See :class:`twinseq.de.design.GroupedDesign`.
    alpha
        Dispersion.
    smallest
        Lower bound of the means.
    beta
        Coefficients.
    weight_sums, response_sums
        Filled with the sums of :math:`W` and :math:`Wz` in each group, ``n_groups``.
    """
    r = 1.0 / alpha
    log_smallest = math.log(smallest)
    loss = 0.0
    for g in range(rows.shape[0]):
        predictor = 0.0
        for a in range(rows.shape[1]):
            predictor += rows[g, a] * beta[a]
        scale = math.exp(predictor)
        weight_sum = 0.0
        response_sum = 0.0
        for i in range(bounds[g], bounds[g + 1]):
            mu = size_factors[i] * scale
            log_mu = predictor + log_size_factors[i]
            if mu < smallest:
                mu = smallest
                log_mu = log_smallest
            q = 1.0 / (1.0 + alpha * mu)
            weight = mu * q
            weight_sum += weight
            response_sum += weight * (log_mu - log_size_factors[i]) + (y[i] - mu) * q
            loss += (y[i] + r) * math.log1p(alpha * mu) - y[i] * log_mu
        weight_sums[g] = weight_sum
        response_sums[g] = response_sum
    return loss


@kernel
def fit_coefficients(
    start: int,
    stop: int,
    counts: Floats,
    size_factors: Floats,
    least_squares: Floats,
    rows: Floats,
    order: Integers,
    bounds: Integers,
    dispersions: Floats,
    smallest: float,
    tolerance: float,
    largest_beta: float,
    max_steps: int,
    beta_out: Floats,
    mu_out: Floats,
    hat_out: Floats,
    converged: npt.NDArray[np.bool_],
) -> None:
    """Fit the coefficients of genes ``start … stop - 1``.

    Parameters
    ----------
    start, stop
        Block of genes.
    counts
        ``n_genes × n_samples``.
    size_factors
        ``n_samples``.
    least_squares
        Map from a response to its coefficients, ``n_coefficients × n_samples``: gives the first guess.
    rows, order, bounds
        See :class:`twinseq.de.design.GroupedDesign`.
    dispersions
        ``n_genes``.
    smallest
        Lower bound of the means while fitting.
    tolerance
        Relative change of the deviance at which to stop.
    largest_beta, max_steps
        A gene that exceeds either is left for another solver, with ``converged`` False.
    beta_out
        ``n_genes × n_coefficients``.
    mu_out
        Means without the lower bound, ``n_genes × n_samples``.
    hat_out
        Diagonal of the hat matrix ``W½ X (XᵀWX + λI)⁻¹ Xᵀ W½``, ``n_genes × n_samples``.
    converged
        ``n_genes``.
    """
    n = counts.shape[1]
    n_groups, p = rows.shape
    y = np.empty(n)
    factors = np.empty(n)
    log_factors = np.empty(n)
    for i in range(n):
        factors[i] = size_factors[order[i]]
        log_factors[i] = math.log(factors[i])
    beta = np.empty(p)
    right = np.empty(p)
    work = np.empty(p)
    system = np.empty((p, p))
    weight_sums = np.empty(n_groups)
    response_sums = np.empty(n_groups)
    for gene in range(start, stop):
        alpha = dispersions[gene]
        r = 1.0 / alpha
        constant = -n * log_gamma(r)
        beta.fill(0.0)
        for i in range(n):
            sample = order[i]
            y[i] = counts[gene, sample]
            constant += log_gamma(y[i] + r) - log_gamma(y[i] + 1.0) + y[i] * math.log(alpha)
            response = math.log(y[i] / factors[i] + 0.1)
            for a in range(p):
                beta[a] += least_squares[a, sample] * response
        reweight(y, factors, log_factors, rows, bounds, alpha, smallest, beta, weight_sums, response_sums)
        deviance = 1000.0
        change = 1.0
        steps = 0
        good = True
        while change > tolerance:
            system.fill(0.0)
            right.fill(0.0)
            for g in range(n_groups):
                for a in range(p):
                    right[a] += rows[g, a] * response_sums[g]
                    for b in range(a + 1):
                        system[a, b] += weight_sums[g] * rows[g, a] * rows[g, b]
            for a in range(p):
                system[a, a] += RIDGE
            if not cholesky(system, p):
                good = False
                break
            solve_in_place(system, right, p)
            steps += 1
            for a in range(p):
                if not abs(right[a]) <= largest_beta:
                    good = False
            if not good or steps >= max_steps:
                good = False
                break
            for a in range(p):
                beta[a] = right[a]
            loss = reweight(y, factors, log_factors, rows, bounds, alpha, smallest, beta, weight_sums, response_sums)
            previous = deviance
            deviance = -2.0 * (loss - constant)
            change = abs(deviance - previous) / (abs(deviance) + 0.1)
            if not math.isfinite(change):
                good = False
                break
        converged[gene] = good
        if not good:
            continue

        system.fill(0.0)
        for g in range(n_groups):
            for a in range(p):
                for b in range(a + 1):
                    system[a, b] += weight_sums[g] * rows[g, a] * rows[g, b]
        for a in range(p):
            system[a, a] += RIDGE
            beta_out[gene, a] = beta[a]
        if not cholesky(system, p):
            converged[gene] = False
            continue
        for g in range(n_groups):
            leverage = half_solved_norm(system, rows[g], p, work)
            predictor = 0.0
            for a in range(p):
                predictor += rows[g, a] * beta[a]
            scale = math.exp(predictor)
            for i in range(bounds[g], bounds[g + 1]):
                mu = factors[i] * scale
                mu_out[gene, order[i]] = mu
                mu = max(mu, smallest)
                hat_out[gene, order[i]] = leverage * mu / (1.0 + alpha * mu)
