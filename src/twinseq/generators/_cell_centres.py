r"""Means and dispersions of a model of cells, and what is done to them so that they tell less of the donors.

A cohort of :math:`n` donors gives a donor away by the means of its cells: the more genes and the fewer donors, the
surer. Three knobs take this back, on the logarithm of class means :math:`m_{cg} = m_g e^{ρ_{cg}}`:

- *contrast*: the deviation of a class from all others stays only as far as it exceeds ``contrast`` standard errors
  between donors, :math:`ρ \max(0, 1 - (T \, \mathrm{SE} / ρ)^4)`;
- *blur*: normal noise of ``blur`` standard errors, on what all classes share and on each contrast that stayed. It is
  drawn once, when the model is fitted: no number of twins averages it out;
- *trend*: the share by which dispersions go from the gene's own to that of genes as frequent, and extra zeros to none.

Source: the rule is that of Breiman's non-negative garrote (1995, *Technometrics* 37:373) with the fourth power for his
second, which leaves clear deviations nearly whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._count_margins import CountMargins
from ._donor_effects import GeneEffects

Floats = NDArray[np.float64]
WIDEST = 1.5
"""Standard deviation that noise on a log mean approaches: beyond, a twin would only grow outliers."""
SHARPNESS = 4
"""Power of the rule that shortens contrasts."""
NEIGHBOURS = 51
"""Genes of like frequency whose median dispersion is the trend."""
LEAST_DISPERSION = 0.01


def centres(
    effects: list[GeneEffects], exposures: Floats, contrast: float, blur: float, rng: np.random.Generator
) -> list[Floats]:
    """Return the mean count per unit of library size in each class, ``n_genes`` each.

    Parameters
    ----------
    effects
        Rates of each class and their errors between donors.
    exposures
        Sum of the library sizes of each class's cells.
    contrast, blur
        See above; both 0: the rates as they are.
    rng
        Source of the noise.
    """
    if contrast == 0 and blur == 0:
        return [found.rates for found in effects]
    totals = np.stack([found.rates * exposure for found, exposure in zip(effects, exposures, strict=True)])
    common = totals.sum(axis=0) / exposures.sum()
    seen = common > 0
    safe = np.where(seen, common, 1.0)
    errors = np.sqrt(np.stack([found.error for found in effects]))
    # Donors move all their cell types alike in part; taken as wholly alike, no error is too small.
    error = np.where(seen, (errors * totals).sum(axis=0) / np.maximum(totals.sum(axis=0), 1e-300), 1.0)
    shared = np.log(safe) + _noise(blur * error, rng)
    rates = []
    for row, exposure in enumerate(exposures):
        deviation = np.log((totals[row] + 0.5) / (exposure * safe + 0.5))
        threshold = contrast * errors[row]
        kept = np.maximum(1.0 - (threshold / np.maximum(np.abs(deviation), 1e-12)) ** SHARPNESS, 0.0)
        if len(effects) == 1:
            kept = np.zeros(len(common))
        own = np.exp(shared + kept * (deviation + _noise(blur * errors[row], rng)))
        own = np.where(seen, own, 0.0)
        # Rates of all genes add up to the unit of library size, as those of the cells do.
        rates.append(own * (totals[row].sum() / exposure) / max(float(own.sum()), 1e-300))
    return rates


def _noise(spread: Floats, rng: np.random.Generator) -> Floats:
    """Return normal noise on a logarithm that leaves the mean as it is."""
    bounded = spread / np.sqrt(1.0 + (spread / WIDEST) ** 2)
    noise: Floats = bounded * rng.standard_normal(len(spread)) - 0.5 * bounded**2
    return noise


def overdispersion(margins: CountMargins) -> Floats:
    """Return the squared coefficient of variation beyond counting, ``n_genes``."""
    beyond: Floats = (1.0 + 1.0 / margins.size) / (1.0 - margins.inflation) - 1.0
    return beyond


def class_margins(margins: CountMargins, found: GeneEffects, rates: Floats, trend: float) -> CountMargins:
    """Return the margins of a donor's cells in one class.

    Parameters
    ----------
    margins
        Fitted to the cells of all donors together.
    found
        What donors explain of it.
    rates
        Mean counts per unit of library size.
    trend
        Share of the way to the dispersion of genes as frequent, and to no extra zeros.
    """
    within = np.maximum(found.overdispersion, LEAST_DISPERSION)
    inflation = margins.inflation
    if trend > 0:
        order = np.argsort(found.rates, kind="stable")
        smooth = np.empty(len(order))
        smooth[order] = _running_median(np.log(within[order]), found.rates[order] > 0)
        within = np.exp((1 - trend) * np.log(within) + trend * smooth)
        inflation = (1 - trend) * inflation
    reciprocal = (1.0 + within) * (1.0 - inflation) - 1.0
    size = np.where(reciprocal > LEAST_DISPERSION / 2, 1.0 / np.maximum(reciprocal, LEAST_DISPERSION / 2), np.inf)
    return CountMargins(inflation, size, rates / (1.0 - inflation))


def _running_median(values: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Return the median of each value's neighbours in a row, those of genes without counts left aside."""
    known = np.flatnonzero(seen)
    smooth = np.zeros(len(values))
    if not len(known):
        return smooth
    half = NEIGHBOURS // 2
    padded = np.pad(values[known], half, mode="reflect") if len(known) > half else np.resize(values[known], 1)
    if len(padded) == 1:
        return np.full(len(values), float(np.median(values[known])))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    smooth[known] = np.median(windows, axis=1)
    return smooth
