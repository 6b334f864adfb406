r"""Dispersion of each gene by maximum likelihood: the Cox–Reid adjusted profile, with or without a prior.

For counts :math:`y_i` with means :math:`\mu_i`, dispersion :math:`\alpha = e^t` and :math:`r = 1/\alpha`, minimise

.. math::
    f(t) = -\sum_i \log \mathrm{NB}(y_i; \mu_i, \alpha)
           + \tfrac12 \log\det X^\top W X
           + \frac{(t - t_0)^2}{2\sigma^2},
    \qquad W_i = \frac{\mu_i}{1 + \alpha\mu_i}

(Love, Huber & Anders 2014, *Genome Biology* 15:550, equations 5–8; Cox & Reid 1987). Only its derivatives
are needed: the minimum that lies downhill of the starting value is bracketed and then found by Newton's
method, which falls back on bisection. With :math:`D_i = \psi(y_i + r) - \psi(r) - \log(1 + \alpha\mu_i)`,

.. math::
    f' = r\sum_i D_i - \sum_i \frac{y_i - \mu_i}{1 + \alpha\mu_i}
         + \tfrac12\operatorname{tr} M^{-1}M' + \frac{t - t_0}{\sigma^2},
    \quad M = X^\top W X,\quad \frac{dW}{dt} = -\alpha W^2,\quad \frac{d^2W}{dt^2} = -\alpha W^2 + 2\alpha^2 W^3 .

Two identities keep the inner loop at a division or two per sample. For a count below 16,
:math:`\psi(y + r) - \psi(r) = \sum_{k<y} 1/(r + k)` comes from a table built once per step; above, the
asymptotic series needs no recurrence. All logarithms enter as a sum, so their arguments are multiplied
and one logarithm is taken of the product.
"""

import math

import numpy as np
import numpy.typing as npt

from ..kernels import kernel
from .smallmatrix import cholesky, solve_in_place
from .special import digamma, digamma_minus_log_series, trigamma, trigamma_series

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_TABLE = 16
_FLAT = 1e-5
_MAX_STEPS = 100


@kernel
def likelihood_slope(
    t: float, y: Floats, mu: Floats, bounds: Integers, table: Floats, weights: Floats
) -> tuple[float, float]:
    r"""Return the first and second derivative in :math:`t=\log\alpha` of the negative log-likelihood.

    Parameters
    ----------
    t
        Log dispersion.
    y, mu
        Counts and means in the order of the groups, ``n_samples``.
    bounds
        Group limits, ``n_groups + 1``.
    table
        Scratch, ``2 × 17``.
    weights
        Filled with the sums of :math:`W, W^2, W^3` in each group, ``n_groups × 3``.
    """
    alpha = math.exp(t)
    r = 1.0 / alpha
    table[0, 0] = 0.0
    table[1, 0] = 0.0
    for k in range(_TABLE):
        term = 1.0 / (r + k)
        table[0, k + 1] = table[0, k] + term
        table[1, k + 1] = table[1, k] + term * term
    if r >= _TABLE:
        offset = digamma_minus_log_series(r)
        curvature_offset = trigamma_series(r)
    else:
        offset = digamma(r) - math.log(r)
        curvature_offset = trigamma(r)

    logs = 0.0
    product = 1.0
    digammas = 0.0
    trigammas = 0.0
    residuals = 0.0
    residual_slopes = 0.0
    total_weight = 0.0
    for g in range(bounds.size - 1):
        w1 = 0.0
        w2 = 0.0
        w3 = 0.0
        for i in range(bounds[g], bounds[g + 1]):
            count = y[i]
            q = 1.0 / (1.0 + alpha * mu[i])
            w = mu[i] * q
            if count <= _TABLE:
                product *= q
                k = int(count)
                digammas += table[0, k]
                trigammas -= table[1, k]
            else:
                x = count + r
                product *= (1.0 + alpha * count) * q
                digammas += digamma_minus_log_series(x) - offset
                trigammas += trigamma_series(x) - curvature_offset
            if not 1e-150 < product < 1e150:
                logs += math.log(product)
                product = 1.0
            residual = (count - mu[i]) * q
            residuals += residual
            residual_slopes += residual * w
            w1 += w
            w2 += w * w
            w3 += w * w * w
        weights[g, 0] = w1
        weights[g, 1] = w2
        weights[g, 2] = w3
        total_weight += w1
    d = digammas + logs + math.log(product)
    first = r * d - residuals
    second = -r * d - r * r * trigammas - total_weight + alpha * residual_slopes
    return first, second


@kernel
def cox_reid_slope(alpha: float, rows: Floats, weights: Floats, m: Floats) -> tuple[float, float]:
    r"""Return the first and second derivative in :math:`\log\alpha` of :math:`\frac12\log\det X^\top W X`.

    Parameters
    ----------
    alpha
        Dispersion.
    rows
        Distinct rows of the design, ``n_groups × n_coefficients``.
    weights
        Sums of :math:`W, W^2, W^3` in each group, ``n_groups × 3``.
    m
        Scratch, ``5 × n_coefficients × n_coefficients``.

    Returns
    -------
    tuple of float
        Both NaN where the matrix is not positive definite.
    """
    p = rows.shape[1]
    m.fill(0.0)
    system = m[0]
    slope = m[1]
    curvature = m[2]
    column = m[3]
    solved = m[4]
    for g in range(rows.shape[0]):
        w1 = weights[g, 0]
        w2 = -alpha * weights[g, 1]
        w3 = w2 + 2.0 * alpha * alpha * weights[g, 2]
        for a in range(p):
            for b in range(a + 1):
                outer = rows[g, a] * rows[g, b]
                system[a, b] += w1 * outer
                slope[a, b] += w2 * outer
                curvature[a, b] += w3 * outer
    if not cholesky(system, p):
        return np.nan, np.nan
    # Rows of ``solved`` are the columns of M⁻¹M′; the diagonal of M⁻¹M″ is all that is needed of it.
    first = 0.0
    second = 0.0
    for b in range(p):
        for a in range(p):
            solved[b, a] = slope[max(a, b), min(a, b)]
            column[b, a] = curvature[max(a, b), min(a, b)]
        solve_in_place(system, solved[b], p)
        solve_in_place(system, column[b], p)
        first += solved[b, b]
        second += column[b, b]
    for a in range(p):
        for b in range(p):
            second -= solved[a, b] * solved[b, a]
    return 0.5 * first, 0.5 * second


@kernel
def fit_dispersions(
    start: int,
    stop: int,
    counts: Floats,
    means: Floats,
    initial: Floats,
    rows: Floats,
    order: Integers,
    bounds: Integers,
    lower: float,
    upper: float,
    prior_variance: float,
    cox_reid: bool,
    out: Floats,
    converged: npt.NDArray[np.bool_],
) -> None:
    """Write the dispersions of genes ``start … stop - 1`` into ``out``.

    The search starts at ``initial`` and stops there if the slope is below 1e-5, as the reference
    implementations do: a gene whose likelihood rises towards zero dispersion has no interior minimum,
    and its estimate is where the slope vanishes numerically.

    Parameters
    ----------
    start, stop
        Block of genes.
    counts, means
        ``n_genes × n_samples``; counts are whole numbers.
    initial
        Starting dispersions and centre of the prior, ``n_genes``.
    rows, order, bounds
        See :class:`twinseq.de.design.GroupedDesign`.
    lower, upper
        Bounds of the log dispersion.
    prior_variance
        Variance of the log dispersion around its prior centre; infinite for no prior.
    cox_reid
        Whether the Cox–Reid term enters.
    out, converged
        Results, ``n_genes``.
    """
    n = counts.shape[1]
    p = rows.shape[1]
    y = np.empty(n)
    mu = np.empty(n)
    table = np.empty((2, _TABLE + 1))
    weights = np.empty((rows.shape[0], 3))
    m = np.empty((5, p, p))
    for gene in range(start, stop):
        for i in range(n):
            y[i] = counts[gene, order[i]]
            mu[i] = means[gene, order[i]]
        centre = math.log(initial[gene])
        t = min(max(centre, lower), upper)
        left = lower
        right = upper
        left_known = False
        right_known = False
        stride = 1.0
        done = False
        for _ in range(_MAX_STEPS):
            slope, curvature = likelihood_slope(t, y, mu, bounds, table, weights)
            if cox_reid:
                extra, extra_curvature = cox_reid_slope(math.exp(t), rows, weights, m)
                slope += extra
                curvature += extra_curvature
            if prior_variance < np.inf:
                slope += (t - centre) / prior_variance
                curvature += 1.0 / prior_variance
            if not math.isfinite(slope):
                break
            newton = -slope / curvature if curvature > 0.0 else np.inf
            if abs(slope) <= _FLAT:
                if abs(newton) < 1e-2:
                    t = min(max(t + newton, lower), upper)
                done = True
                break
            if slope < 0.0:
                if t >= upper:
                    done = True
                    break
                left = t
                left_known = True
            else:
                if t <= lower:
                    done = True
                    break
                right = t
                right_known = True
            if left_known and right_known:
                proposal = t + newton
                if not left < proposal < right:
                    proposal = 0.5 * (left + right)
                if right - left < 1e-12:
                    done = True
                    break
                t = proposal
            else:
                length = min(abs(newton), stride)
                stride = min(2.0 * stride, 4.0)
                t = min(t + length, upper) if slope < 0.0 else max(t - length, lower)
        out[gene] = math.exp(t)
        converged[gene] = done
