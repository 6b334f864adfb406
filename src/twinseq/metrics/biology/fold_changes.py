"""Whether fold changes and significance are the same, gene by gene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from .._registry import NotComputableError, register

Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
LARGEST = 30.0
SMALLEST = 10

_SHARED: dict[str, Any] = {
    "group": "biology",
    "direction": "higher",
    "ideal": 1.0,
    "bounds": (-1.0, 1.0),
    "reference": "Nanda & Saha 2026, bioRxiv 10.64898/2026.05.22.726357",
    "against": "train",
    "floor": "shuffled labels",
    "needs": ("label",),
    "resampling": "donors",
    "unit": "genes",
}
_LFC = ("de.real.lfc", "de.twin.lfc")
_OVERLAP = (*_LFC, "de.real.moderate", "de.twin.moderate")


@register(
    name="lfc_pearson",
    question="Are fold changes the same over all genes?",
    reading="1: proportional in every gene; 0: unrelated. Above the ceiling: training noise is reproduced.",
    formula="Pearson r of log2 fold changes, all genes; mean over pairs of classes",
    fields=_LFC,
    **_SHARED,
)
def lfc_pearson(real: Floats, twin: Floats) -> float:
    """Return the Pearson correlation of fold changes, averaged over pairs of classes.

    Genes without an estimate in the real data are left out; those that the twin never expresses count as unchanged.

    Parameters
    ----------
    real, twin
        log2 fold changes, ``n_genes × n_pairs``.

    Raises
    ------
    NotComputableError
        Fewer than ten genes, or no variation, in every pair.
    """
    return over_pairs(_pearson, real, twin)


@register(
    name="lfc_spearman",
    question="Do genes rank the same by fold change, over all genes?",
    reading="1: same order; 0: unrelated.",
    formula="Spearman ρ of log2 fold changes, all genes; mean over pairs of classes",
    fields=_LFC,
    **_SHARED,
)
def lfc_spearman(real: Floats, twin: Floats) -> float:
    """Return the Spearman correlation of fold changes; see `lfc_pearson`."""
    return over_pairs(_spearman, real, twin)


@register(
    name="lfc_pearson_overlap",
    question="Are fold changes the same in the genes that both call differential?",
    reading="1: proportional; 0: unrelated.",
    formula="Pearson r of log2 fold changes, genes called in both (moderate); mean over pairs of classes",
    fields=_OVERLAP,
    **_SHARED,
)
def lfc_pearson_overlap(real: Floats, twin: Floats, real_called: Flags, twin_called: Flags) -> float:
    """Return the Pearson correlation of the fold changes of shared calls; see `lfc_pearson`."""
    both = real_called & twin_called
    return over_pairs(_pearson, np.where(both, real, np.nan), twin)


@register(
    name="lfc_spearman_overlap",
    question="Do the genes that both call differential rank the same by fold change?",
    reading="1: same order; 0: unrelated.",
    formula="Spearman ρ of log2 fold changes, genes called in both (moderate); mean over pairs of classes",
    fields=_OVERLAP,
    **_SHARED,
)
def lfc_spearman_overlap(real: Floats, twin: Floats, real_called: Flags, twin_called: Flags) -> float:
    """Return the Spearman correlation of the fold changes of shared calls; see `lfc_pearson`."""
    both = real_called & twin_called
    return over_pairs(_spearman, np.where(both, real, np.nan), twin)


@register(
    name="lfc_slope",
    question="Are fold changes as large in the twin as in the real data?",
    reading="1: as large; below 1: shrunk; above 1: inflated.",
    formula="least-squares slope of LFC_twin on LFC_T, all genes; mean over pairs of classes",
    fields=_LFC,
    **{**_SHARED, "direction": "target", "bounds": (-np.inf, np.inf)},
)
def lfc_slope(real: Floats, twin: Floats) -> float:
    """Return the least-squares slope of the twin's fold changes on the real ones; see `lfc_pearson`."""
    return over_pairs(_slope, real, twin)


@register(
    name="padj_pearson",
    question="Is the evidence for each gene as strong in the twin as in the real data?",
    reading="1: same significance in every gene; 0: unrelated.",
    formula="Pearson r of −log10 padj clipped at 30, genes with a padj in T; mean over pairs of classes",
    fields=("de.real.padj", "de.twin.padj"),
    **_SHARED,
)
def padj_pearson(real: Floats, twin: Floats) -> float:
    """Return the Pearson correlation of −log10 adjusted p-values, clipped at 30.

    A gene that independent filtering removed in the twin counts as p = 1.

    Parameters
    ----------
    real, twin
        Adjusted p-values, ``n_genes × n_pairs``.

    Raises
    ------
    NotComputableError
        Fewer than ten genes, or no variation, in every pair.
    """
    return over_pairs(_pearson, _evidence(real), _evidence(np.nan_to_num(twin, nan=1.0)))


def _evidence(padj: Floats) -> Floats:
    evidence: Floats = -np.log10(np.maximum(padj, 10.0**-LARGEST))
    return evidence


def over_pairs(figure: Callable[[Floats, Floats], float], real: Floats, twin: Floats) -> float:
    """Average a figure of two vectors over the columns in which it is defined (see `lfc_pearson` for NaN).

    Raises
    ------
    NotComputableError
        Fewer than ten genes, or no variation, in every pair.
    """
    values = []
    for x, y in zip(real.T, np.nan_to_num(twin).T, strict=True):
        known = np.isfinite(x)
        x, y = x[known], y[known]
        values.append(figure(x, y) if len(x) >= SMALLEST and np.ptp(x) > 0 and np.ptp(y) > 0 else np.nan)
    if np.isnan(values).all():
        raise NotComputableError(f"fewer than {SMALLEST} genes to compare, or none of them changes")
    return float(np.nanmean(values))


def _pearson(x: Floats, y: Floats) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def _spearman(x: Floats, y: Floats) -> float:
    return _pearson(rankdata(x), rankdata(y))


def _slope(x: Floats, y: Floats) -> float:
    centred = x - x.mean()
    return float(centred @ y / (centred @ centred))
