"""On which scale values stand, told from the means of genes against those of the training data.

Only a clear error counts: genes must keep their order and lie on the curve that leads from one scale to the other. A
poor twin, whose genes are scrambled, flattened or noisy, lies on no such curve.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
FEWEST_GENES = 10
"""With fewer genes, any few points lie near some curve."""
OTHER_SIZE = 10.0
"""How many times larger or smaller than in the training data values must be to be on another scale."""
LOGARITHMS = {"log2": 1.0, "natural logarithms": float(np.log(2)), "log10": float(np.log10(2))}
"""Size of each logarithm in units of log2."""
TIGHT = 0.97
"""Share of the variance of gene means that the change of scale must explain."""
OFF_CENTRE = 0.5
"""Root mean square of gene means from which genes are surely not centred."""
SHIFT = 1.0
"""Least common shift of all genes, log2 units, that is a change of scale."""


def other_count_scale(means: Floats, totals: Floats, train_means: Floats, train_totals: Floats) -> str | None:
    """Say which scale counts seem to stand on, where library sizes are another ten times and genes keep their shares.

    Parameters
    ----------
    means, train_means
        Mean count of each gene.
    totals, train_totals
        Library size of each sample.

    Returns
    -------
    Words that follow "its values", or ``None`` where nothing is clearly wrong.
    """
    size, usual = float(np.median(totals)), float(np.median(train_totals))
    if max(size, usual) <= OTHER_SIZE * min(size, usual):
        return None
    if _explained(means, _line(means, np.log2(train_means + 1))) > TIGHT and means.max() < 40:
        return "look like rounded logarithms where the training data are raw counts"
    if _correlation(rankdata(means), rankdata(train_means)) < 0.9:
        return None
    sizes = f"library sizes of about {size:,.0f} where the training data have {usual:,.0f}"
    for total, name in ((1e6, "counts per million"), (1e4, "counts per 10,000")):
        if np.all(np.abs(totals / total - 1) < 0.1):
            return f"look like {name}: {sizes}"
    return f"give {sizes}"


def other_continuous_scale(
    means: Floats, deviations: Floats, train_means: Floats, train_deviations: Floats
) -> str | None:
    """Say which scale continuous values seem to stand on, where it is clearly another than the training data's.

    Parameters
    ----------
    means, train_means
        Mean of each gene.
    deviations, train_deviations
        Standard deviation of each gene.

    Returns
    -------
    Words that follow "its values", or ``None`` where nothing is clearly wrong.
    """
    if len(means) >= FEWEST_GENES:
        for words in (
            _unlogged(means, train_means),
            _other_logarithm(means, train_means),
            _standardised(means, deviations, train_means, train_deviations),
            _shifted(means, train_means),
        ):
            if words is not None:
                return words
    return _other_size(means, deviations, train_means, train_deviations)


def _unlogged(means: Floats, train_means: Floats) -> str | None:
    """Recognise values on the raw scale held against logarithms, or the other way round."""
    if min(means.min(), train_means.min()) < 0:
        return None
    for raw, logs, words in (
        (means, train_means, "look unlogged where the training data look like logarithms"),
        (train_means, means, "look like logarithms where the training data look unlogged"),
    ):
        bent = np.log2(raw + 1)
        if raw.max() > 4 * logs.max() and _explained(logs, _line(logs, bent)) > max(
            0.9, _explained(logs, _line(logs, raw)) + 0.1
        ):
            return words
    return None


def _other_logarithm(means: Floats, train_means: Floats) -> str | None:
    """Recognise logarithms to another base: all genes by the same factor, through the origin."""
    power = float(train_means @ train_means)
    if power == 0:
        return None
    factor = float(means @ train_means) / power
    if _explained(means, factor * train_means) < TIGHT:
        return None
    for name, size in LOGARITHMS.items():
        for train_name, train_size in LOGARITHMS.items():
            if name != train_name and abs(factor / (size / train_size) - 1) < 0.04:
                return f"look like {name} where the training data look like {train_name}"
    return None


def _standardised(means: Floats, deviations: Floats, train_means: Floats, train_deviations: Floats) -> str | None:
    """Recognise genes that were each brought to mean 0 and deviation 1, on one side only."""
    one, train_one = _is_standardised(means, deviations), _is_standardised(train_means, train_deviations)
    if one and not train_one and _size(train_means) > OFF_CENTRE:
        return "look standardised gene by gene (mean 0, deviation 1) where the training data are not"
    if train_one and not one and _size(means) > OFF_CENTRE and bool((means >= 0).all()):
        return "are not standardised gene by gene where the training data are (mean 0, deviation 1)"
    return None


def _size(means: Floats) -> float:
    return float(np.sqrt(np.mean(means**2)))


def _is_standardised(means: Floats, deviations: Floats) -> bool:
    varying = deviations > 0
    if varying.sum() < FEWEST_GENES:
        return False
    one = np.abs(deviations[varying] - 1) < 0.1
    return bool(one.mean() > 0.9 and np.abs(means[varying]).mean() < 0.1)


def _shifted(means: Floats, train_means: Floats) -> str | None:
    """Recognise logarithms of values in other units, or VST against log: expressed genes all shifted alike."""
    expressed = train_means > np.median(train_means)
    if expressed.sum() < FEWEST_GENES:
        return None
    shifts = (means - train_means)[expressed]
    shift = float(np.median(shifts))
    alike = float(np.median(np.abs(shifts - shift)))
    # The spread of expressed genes sets the size that a shift has to have among values of any unit.
    spread = float(np.std(train_means[expressed]))
    if abs(shift) < max(SHIFT, spread / 2) or alike > 0.1 * abs(shift):
        return None
    if _correlation(means[expressed], train_means[expressed]) < 0.98:
        return None
    return (
        f"lie {abs(shift):.2g} {'above' if shift > 0 else 'below'} those of the training data in all expressed genes, "
        "as VST values do against log-CPM, or logarithms of counts against those of counts per million"
    )


def _other_size(means: Floats, deviations: Floats, train_means: Floats, train_deviations: Floats) -> str | None:
    """Recognise values of a wholly different size; noise of any size leaves the mean over genes where it was."""
    level, train_level = float(means.mean()), float(train_means.mean())
    size = float(np.hypot(means, deviations).mean())
    train_size = float(np.hypot(train_means, train_deviations).mean())
    larger = abs(level - train_level) > (OTHER_SIZE - 1) * train_size
    smaller = abs(train_level) > 0.5 * train_size and OTHER_SIZE * size < train_size
    if not (larger or smaller):
        return None
    return f"average {level:.3g} where those of the training data average {train_level:.3g}"


def _line(y: Floats, x: Floats) -> Floats:
    """Return the least-squares line of ``y`` on ``x``."""
    centred = x - x.mean()
    power = float(centred @ centred)
    slope = float(centred @ y) / power if power > 0 else 0.0
    line: Floats = y.mean() + slope * centred
    return line


def _explained(y: Floats, fit: Floats) -> float:
    """Return the share of the variance of ``y`` that ``fit`` explains; 0 where there is none."""
    total = float(((y - y.mean()) ** 2).sum())
    return 1 - float(((y - fit) ** 2).sum()) / total if total > 0 else 0.0


def _correlation(x: Floats, y: Floats) -> float:
    return float(np.sqrt(max(_explained(y, _line(y, x)), 0.0)))
