r"""The dispersion–mean trend: a gamma GLM with identity link.

For dispersions :math:`d_g` and covariates :math:`x_g` (inverse means), minimise the mean of
:math:`d_g/m_g + \log m_g` over :math:`m_g = a_0 + a_1 x_g`, with both coefficients positive (Love, Huber &
Anders 2014, equation 6). Fisher scoring, with a step that never crosses zero and never goes uphill.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import polygamma
from scipy.stats import trim_mean

Floats = npt.NDArray[np.float64]

_LOWER = 1e-12
_MAX_ROUNDS = 20
_NORMAL_QUARTILE = 0.6744897501960817


def gamma_trend(covariates: Floats, targets: Floats, max_steps: int = 200) -> tuple[Floats, bool]:
    """Fit the intercept and slope of the trend.

    Parameters
    ----------
    covariates, targets
        Inverse means and dispersions, ``n_genes``; pairs with a NaN are ignored.
    max_steps
        Number of scoring steps allowed.

    Returns
    -------
    coefficients : ndarray
        Intercept and slope.
    converged : bool
        False where a coefficient runs into zero or the steps are exhausted.
    """
    valid = np.isfinite(covariates) & np.isfinite(targets)
    x = covariates[valid]
    d = targets[valid]
    coefficients = np.ones(2)
    if x.size < 2:
        return np.full(2, np.nan), False

    def loss(c: Floats) -> float:
        m = c[0] + c[1] * x
        return float(np.mean(d / m + np.log(m)))

    current = loss(coefficients)
    for _ in range(max_steps):
        m = coefficients[0] + coefficients[1] * x
        u = 1.0 / m
        v = x / m
        slope_terms = d / m - 1.0
        gradient = np.array([np.mean(slope_terms * u), np.mean(slope_terms * v)])
        information = np.array([[np.mean(u * u), np.mean(u * v)], [np.mean(u * v), np.mean(v * v)]])
        if not np.linalg.det(information) > 0.0:
            return coefficients, False
        step = np.linalg.solve(information, gradient)
        shrinking = step < 0.0
        longest = np.min(-coefficients[shrinking] / step[shrinking]) if shrinking.any() else np.inf
        length = min(1.0, 0.95 * float(longest))
        decrement = float(gradient @ step)
        while True:
            candidate = coefficients + length * step
            value = loss(candidate)
            if value <= current - 1e-4 * length * decrement or length * decrement < 1e-15:
                break
            length *= 0.5
        moved = np.max(np.abs(candidate / coefficients - 1.0))
        coefficients, current = candidate, value
        if np.any(coefficients < _LOWER):
            return np.maximum(coefficients, _LOWER), False
        if moved < 1e-10 or decrement < 1e-15:
            return coefficients, True
    return coefficients, False


@dataclass(frozen=True)
class DispersionTrend:
    """The trend that gene dispersions are shrunk towards, and how far they scatter around it.

    Attributes
    ----------
    intercept, slope
        The trend is ``intercept + slope / mean``; the slope is zero where only a mean could be fitted.
    parametric
        False where the parametric curve did not fit.
    residual_variance
        Robust variance of the log residuals.
    prior_variance
        That variance less its sampling part, at least 0.25.
    """

    intercept: float
    slope: float
    parametric: bool
    residual_variance: float
    prior_variance: float

    def at(self, means: Floats) -> Floats:
        """Return the trend at means of normalised counts."""
        return self.intercept + self.slope / means


def fit_trend(means: Floats, dispersions: Floats, residual_degrees: int, smallest: float) -> DispersionTrend:
    """Fit the trend to gene-wise dispersions and estimate the prior around it.

    Genes whose dispersion is not clearly above the smallest allowed say nothing about the trend; they are
    left out, and so are, at each round, genes with a ratio to the trend outside 1e-4 … 15 (the definition
    of R's DESeq2; PyDESeq2 0.5.4 keeps the former and never takes back the latter). Where the curve does
    not fit, the trimmed mean is the trend.

    Parameters
    ----------
    means, dispersions
        Means of normalised counts and gene-wise dispersions, ``n_genes``.
    residual_degrees
        Samples less coefficients.
    smallest
        The smallest allowed dispersion.
    """
    informative = dispersions > 100 * smallest
    x = 1.0 / means[informative]
    d = dispersions[informative]
    coefficients = np.array([0.1, 1.0])
    parametric = False
    for _ in range(_MAX_ROUNDS):
        ratio = d / (coefficients[0] + coefficients[1] * x)
        kept = (ratio > 1e-4) & (ratio < 15)
        previous = coefficients
        coefficients, converged = gamma_trend(x[kept], d[kept])
        if not converged:
            break
        if np.sum(np.log(coefficients / previous) ** 2) < 1e-6:
            parametric = True
            break
    if parametric:
        intercept, slope = float(coefficients[0]), float(coefficients[1])
    else:
        above = dispersions[dispersions > 10 * smallest]
        intercept, slope = float(trim_mean(above, 0.001)) if above.size else smallest, 0.0

    if d.size:
        residuals = np.log(d) - np.log(intercept + slope * x)
        deviation = np.median(np.abs(residuals - np.median(residuals))) / _NORMAL_QUARTILE
    else:
        deviation = 0.0
    variance = float(deviation**2)
    sampling = float(polygamma(1, residual_degrees / 2))
    return DispersionTrend(intercept, slope, parametric, variance, max(variance - sampling, 0.25))
