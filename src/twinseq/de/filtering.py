"""Adjusted p-values: Benjamini–Hochberg, and independent filtering on the mean count.

Genes with low means have no power and cost multiplicity. Independent filtering tries fifty lower bounds of
the mean, smooths the number of rejections over them, and takes the lowest bound whose rejections come
within one root mean squared residual of the smoothed maximum (Love, Huber & Anders 2014).
"""

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control

Floats = npt.NDArray[np.float64]


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Return Benjamini–Hochberg adjusted p-values; NaN stays NaN and does not count as a test."""
    tested = ~np.isnan(p_values)
    adjusted = np.full(p_values.shape, np.nan)
    adjusted[tested] = false_discovery_control(p_values[tested])
    return adjusted


def independent_filtering(base_mean: Floats, p_values: Floats, alpha: float) -> Floats:
    """Return adjusted p-values, NaN below the chosen bound of the mean.

    Parameters
    ----------
    base_mean, p_values
        ``n_genes``.
    alpha
        Level at which rejections are counted.
    """
    return benjamini_hochberg(np.where(base_mean >= filter_bound(base_mean, p_values, alpha), p_values, np.nan))


def filter_bound(base_mean: Floats, p_values: Floats, alpha: float) -> float:
    """Return the lower bound of the mean that independent filtering chooses; see `independent_filtering`."""
    lowest = float(np.mean(base_mean == 0))
    theta = np.linspace(lowest, 0.95 if lowest < 0.95 else 1.0, 50)
    bounds = np.quantile(base_mean, theta)
    tested = ~np.isnan(p_values)

    def rejected(bound: float) -> int:
        return int(np.sum(false_discovery_control(p_values[tested & (base_mean >= bound)]) < alpha))

    rejections = np.array([rejected(bound) for bound in bounds])
    best = 0
    if rejections.max() > 10:
        from statsmodels.nonparametric.smoothers_lowess import lowess  # slow to import, and not always needed

        smooth = lowess(rejections.astype(np.float64), theta, frac=0.2, it=3, delta=0.0, return_sorted=False)
        some = rejections > 0
        threshold = smooth.max() - np.sqrt(np.mean((rejections[some] - smooth[some]) ** 2))
        best = int(np.argmax(rejections > threshold))
    return float(bounds[best])
