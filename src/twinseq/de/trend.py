r"""The dispersion–mean trend: a gamma GLM with identity link.

For dispersions :math:`d_g` and covariates :math:`x_g` (inverse means), minimise the mean of
:math:`d_g/m_g + \log m_g` over :math:`m_g = a_0 + a_1 x_g`, with both coefficients positive (Love, Huber &
Anders 2014, equation 6). Fisher scoring, with a step that never crosses zero and never goes uphill.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LOWER = 1e-12


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
