"""Adjusted p-values: Benjamini–Hochberg, and independent filtering on the mean count.

Genes with low means have no power and cost multiplicity. Independent filtering tries fifty lower bounds of
the mean, smooths the number of rejections over them, and takes the lowest bound whose rejections come
within one root mean squared residual of the smoothed maximum (Love, Huber & Anders 2014).
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Return Benjamini–Hochberg adjusted p-values; NaN stays NaN and does not count as a test."""
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    adjusted = np.full(p_values.shape, np.nan)
    adjusted[order] = _adjust_sorted(p_values[order])
    return adjusted


def _adjust_sorted(p_values: Floats) -> Floats:
    scaled = p_values * (len(p_values) / np.arange(1, len(p_values) + 1))
    return np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)


def lowess(x: Floats, y: Floats, fraction: float, n_robust: int = 3) -> Floats:
    """Return robust locally weighted linear regression of ``y`` on ``x``, at ``x``.

    Parameters
    ----------
    x, y
        Points, ``n``; ``x`` in increasing order.
    fraction
        Share of the points in each neighbourhood.
    n_robust
        Number of reweightings by the residuals.

    References
    ----------
    Cleveland (1979), *Journal of the American Statistical Association* 74:829.
    """
    n = len(x)
    neighbours = min(max(int(fraction * n + 1e-7), 2), n)
    distance = np.abs(x[:, None] - x[None, :])
    width = np.sort(distance, axis=1)[:, neighbours - 1 : neighbours]
    kernel = np.where(distance < 0.999 * width, (1 - (distance / np.maximum(width, 1e-300)) ** 3) ** 3, 0.0)
    kernel[distance <= 0.001 * width] = 1.0
    robust = np.ones(n)
    fit = np.asarray(y, dtype=np.float64)
    for _ in range(n_robust + 1):
        weights = kernel * robust
        total = weights.sum(axis=1)
        if not (total > 0).all():
            break
        centre = weights @ x / total
        level = weights @ y / total
        offset = x[None, :] - centre[:, None]
        spread = (weights * offset**2).sum(axis=1) / total
        sloped = np.sqrt(spread) > 0.001 * (x[-1] - x[0])
        slope = (weights * offset) @ y / total / np.where(sloped, spread, 1.0)
        fit = level + np.where(sloped, slope * (x - centre), 0.0)
        residuals = np.abs(y - fit)
        cutoff = 6 * np.median(residuals)
        if cutoff < 1e-7 * residuals.mean():
            break
        scaled = residuals / cutoff if cutoff > 0 else np.zeros(n)
        robust = np.where(scaled <= 0.001, 1.0, np.where(scaled <= 0.999, (1 - scaled**2) ** 2, 0.0))
    return fit


def independent_filtering(base_mean: Floats, p_values: Floats, alpha: float) -> Floats:
    """Return adjusted p-values, NaN below the chosen bound of the mean.

    Parameters
    ----------
    base_mean, p_values
        ``n_genes``.
    alpha
        Level at which rejections are counted.
    """
    lowest = float(np.mean(base_mean == 0))
    theta = np.linspace(lowest, 0.95 if lowest < 0.95 else 1.0, 50)
    bounds = np.quantile(base_mean, theta)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    sorted_p = p_values[order]
    sorted_mean = base_mean[order]
    rejections = np.array([np.sum(_adjust_sorted(sorted_p[sorted_mean >= bound]) < alpha) for bound in bounds])
    best = 0
    if rejections.max() > 10:
        smooth = lowess(theta, rejections.astype(np.float64), 0.2)
        some = rejections > 0
        threshold = smooth.max() - np.sqrt(np.mean((rejections[some] - smooth[some]) ** 2))
        best = int(np.argmax(rejections > threshold))
    kept = order[sorted_mean >= bounds[best]]
    adjusted = np.full(p_values.shape, np.nan)
    adjusted[kept] = _adjust_sorted(p_values[kept])
    return adjusted
