r"""Outlier counts by Cook's distance: which to replace, and which genes not to test.

The distance of a count :math:`y` with mean :math:`\mu`, hat diagonal :math:`h` and robust dispersion :math:`\alpha` is

.. math:: D = \frac{(y - \mu)^2}{(\mu + \alpha\mu^2)\,p}\,\frac{h}{(1 - h)^2},

large above the 99 % quantile of :math:`F(p, n - p)` (Love, Huber & Anders 2014, "Detection of count
outliers"). The robust dispersion is by moments, from variances trimmed within each group of at least
three replicates.
"""

from typing import cast

import numpy as np
import numpy.typing as npt
from scipy.stats import f as f_distribution

from .design import GroupedDesign

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_SMALLEST_DISPERSION = 0.04
_BLOCK = 4096


def replicated(design: GroupedDesign, at_least: int) -> Flags:
    """Return for each sample whether at least so many samples share its row of the design."""
    sizes = np.diff(design.bounds)
    out = np.empty(len(design.matrix), dtype=np.bool_)
    out[design.order] = np.repeat(sizes >= at_least, sizes)
    return out


def cutoff(design: GroupedDesign) -> float:
    """Return the distance above which a count is an outlier."""
    n, p = design.matrix.shape
    return float(f_distribution.ppf(0.99, p, n - p))


def trimmed_mean(values: Floats, share: float) -> Floats:
    """Return row means without the ``share`` lowest and highest values of each row."""
    n = values.shape[1]
    cut = int(n * share)
    return cast(Floats, np.sort(values, axis=1)[:, cut : n - cut].mean(axis=1))


def _trimmed_variance(values: Floats, share: float, scale: float) -> Floats:
    squares = (values - trimmed_mean(values, share)[:, None]) ** 2
    return scale * trimmed_mean(squares, share)


def robust_dispersions(normalised: Floats, design: GroupedDesign) -> Floats:
    """Return dispersions by trimmed moments, at least 0.04.

    Parameters
    ----------
    normalised
        Normalised counts, ``n_genes × n_samples``.
    design
        The design.
    """
    groups = [design.order[a:b] for a, b in zip(design.bounds[:-1], design.bounds[1:], strict=True) if b - a >= 3]
    if not groups:
        variance = _trimmed_variance(normalised, 1 / 8, 1.51)
    else:
        variance = np.zeros(len(normalised))
        for group in groups:
            # Trimming removes more of a small sample; the scales undo its bias for a normal sample.
            share, scale = (1 / 8, 1.51) if len(group) >= 24 else (1 / 4, 1.86) if len(group) >= 4 else (1 / 3, 2.04)
            np.maximum(variance, _trimmed_variance(normalised[:, group], share, scale), out=variance)
    mean = normalised.mean(axis=1)
    return cast(Floats, np.maximum((variance - mean) / mean**2, _SMALLEST_DISPERSION))


def cooks_distances(counts: Floats, size_factors: Floats, means: Floats, hat: Floats, design: GroupedDesign) -> Floats:
    """Return Cook's distances, ``n_genes × n_samples``.

    Parameters
    ----------
    counts, means, hat
        Counts, fitted means and hat diagonals, ``n_genes × n_samples``.
    size_factors
        ``n_samples``.
    design
        The design.
    """
    p = design.matrix.shape[1]
    out = np.empty_like(counts)
    for start in range(0, len(counts), _BLOCK):
        block = slice(start, start + _BLOCK)
        alpha = robust_dispersions(counts[block] / size_factors, design)[:, None]
        mu, h = means[block], hat[block]
        # A sample alone in its group has a hat diagonal of one: 0/0, and nothing to compare it with.
        with np.errstate(divide="ignore", invalid="ignore"):
            out[block] = (counts[block] - mu) ** 2 / ((mu + alpha * mu * mu) * p) * (h / (1.0 - h) ** 2)
    return np.nan_to_num(out, copy=False, nan=0.0, posinf=np.inf)


def replace_outliers(
    counts: Floats, size_factors: Floats, distances: Floats, limit: float, replaceable: Flags
) -> Floats:
    """Return the counts with outliers of replaceable samples set to what the gene's trimmed mean predicts.

    Parameters
    ----------
    counts, distances
        ``n_genes × n_samples``.
    size_factors
        ``n_samples``.
    limit
        Distance above which a count is an outlier.
    replaceable
        Samples in groups large enough to judge, ``n_samples``.
    """
    predicted = np.floor(trimmed_mean(counts / size_factors, 0.2)[:, None] * size_factors)
    return np.where((distances > limit) & replaceable, predicted, counts)


def untestable(counts: Floats, distances: Floats, considered: Floats, limit: float, judged: Flags) -> Flags:
    """Return for each gene whether an outlier that stayed makes its p-value worthless.

    A gene is kept when three or more samples exceed the count of the most distant sample: the extreme
    count is then not alone.

    Parameters
    ----------
    counts, distances
        ``n_genes × n_samples``.
    considered
        The distances, with zero where a count was replaced.
    limit
        Distance above which a count is an outlier.
    judged
        Samples with at least three replicates, ``n_samples``.
    """
    flagged = cast(Flags, ((considered > limit) & judged).any(axis=1))
    genes = np.flatnonzero(flagged)
    worst = distances[genes].argmax(axis=1)
    alone = (counts[genes] > counts[genes, worst][:, None]).sum(axis=1) < 3
    flagged[genes] = alone
    return flagged
