"""Does the twin name the same pathways? Figures on gene sets, by pre-ranked enrichment and over-representation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.float64]
Calls = NDArray[np.int8]
Flags = NDArray[np.bool_]

TOP = 50
SMALLEST = 3

_SHARED: dict[str, Any] = {
    "group": "biology",
    "direction": "higher",
    "ideal": 1.0,
    "bounds": (0.0, 1.0),
    "reference": "Subramanian et al. 2005, PNAS 102:15545; Fang et al. 2023, Bioinformatics 39:btac757 (gseapy)",
    "against": "train",
    "floor": "shuffled labels",
    "needs": ("label", "gene sets"),
    # Sets lie within each other: resampled as if they were independent, they would give far too narrow an interval.
    "resampling": "none",
    "unit": "gene sets",
}
_NES = ("pathways.real.nes", "pathways.twin.nes")
_CALLS = ("pathways.real.calls", "pathways.twin.calls")


@register(
    name="pathway_nes_r",
    question="Do gene sets move as they do in the real data, over all sets?",
    reading="1: proportional enrichment scores; 0: unrelated.",
    formula="Pearson r of normalised enrichment scores (pre-ranked GSEA), all sets; mean over pairs of classes",
    fields=_NES,
    **{**_SHARED, "bounds": (-1.0, 1.0)},
)
def nes_r(real: Floats, twin: Floats) -> float:
    """Return the Pearson correlation of normalised enrichment scores, averaged over pairs of classes.

    Parameters
    ----------
    real, twin
        ``n_sets × n_pairs``. Sets without a score in ``real`` are left out; without one in ``twin`` they count as 0.

    Raises
    ------
    NotComputableError
        Fewer than three sets, or no variation, in every pair.
    """
    return _over_pairs(_pearson, real, twin, why=f"fewer than {SMALLEST} gene sets to compare, or none that moves")


@register(
    name="pathway_sign_agreement",
    question="Do the gene sets that change in the real data move the same way in the twin?",
    reading="Share of significant real sets whose enrichment score has the same sign; chance gives 0.5.",
    formula="P(sign NES_S = sign NES_T | FDR_T < .05); mean over pairs of classes",
    fields=("pathways.real.calls", "pathways.twin.nes"),
    **_SHARED,
)
def sign_agreement(real: Calls, twin: Floats) -> float:
    """Return the share of significant real sets that move the same way in the twin.

    Parameters
    ----------
    real
        Direction of the significant sets, 0 for others; ``n_sets × n_pairs``.
    twin
        Normalised enrichment scores.

    Raises
    ------
    NotComputableError
        No set is significant in the real data.
    """
    return _over_pairs(_share_kept, real, np.sign(np.nan_to_num(twin)), why=_NONE_REAL)


@register(
    name="pathway_topk_jaccard",
    question="Are the gene sets at the top of the list the same?",
    reading=f"Shared over all of both top {TOP}; 1: the same sets in the same direction.",
    formula=f"Jaccard of the {TOP} sets (a quarter of them, if fewer) of largest |NES|, with sign; mean over pairs",
    fields=_NES,
    **_SHARED,
)
def topk_jaccard(real: Floats, twin: Floats) -> float:
    """Return the overlap of the sets with the largest scores, direction included; see `nes_r`.

    Raises
    ------
    NotComputableError
        Fewer than four sets.
    """
    return _over_pairs(_top_jaccard, real, twin, why="fewer than four gene sets")


@register(
    name="pathway_recall",
    question="Of the gene sets that change in the real data, how many does the twin find?",
    reading="Share of significant real sets that are significant in the twin, in the same direction.",
    formula="|T ∩ S| / |T|, sets at FDR < .05 (pre-ranked GSEA) with sign; mean over pairs of classes",
    fields=_CALLS,
    **_SHARED,
)
def recall(real: Calls, twin: Calls) -> float:
    """Return the share of significant real sets found again; see `sign_agreement`.

    Raises
    ------
    NotComputableError
        No set is significant in the real data.
    """
    return _over_pairs(_share_kept, real, twin, why=_NONE_REAL)


@register(
    name="pathway_precision",
    question="Of the gene sets that change in the twin, how many do so in the real data?",
    reading="Share of the twin's significant sets that are significant in real data, in the same direction.",
    formula="|T ∩ S| / |S|, sets at FDR < .05 (pre-ranked GSEA) with sign; mean over pairs of classes",
    fields=_CALLS,
    **_SHARED,
)
def precision(real: Calls, twin: Calls) -> float:
    """Return the share of the twin's significant sets that real data confirm.

    Raises
    ------
    NotComputableError
        No set is significant in the twin.
    """
    return _over_pairs(_share_kept, twin, real, why="no gene set is significant in the twin")


@register(
    name="pathway_ora_recall",
    question="Of the gene sets crowded with differential genes in the real data, how many does the twin find?",
    reading="Share of over-represented real sets that the twin's list shows too; genes up and down apart.",
    formula="|T ∩ S| / |T|, sets at FDR < .05 (hypergeometric test of moderate genes, background: tested genes); "
    "mean over directions and pairs",
    fields=("pathways.real.over", "pathways.twin.over"),
    **{**_SHARED, "reference": "Boyle et al. 2004, Bioinformatics 20:3710; Fang et al. 2023 (gseapy)"},
)
def ora_recall(real: Flags, twin: Flags) -> float:
    """Return the share of over-represented real sets found again.

    Parameters
    ----------
    real, twin
        Whether a set is over-represented, ``n_sets × 2 n_pairs`` (genes up, genes down).

    Raises
    ------
    NotComputableError
        No set is over-represented in the real data.
    """
    why = "no gene set is over-represented among the differential genes of the real data"
    return _over_pairs(_share_kept, real, twin, why=why)


_NONE_REAL = "no gene set is significant in the real data"


def _share_kept(calls: NDArray[Any], other: NDArray[Any]) -> float:
    called = calls != 0
    return float((other[called] == calls[called]).mean()) if called.any() else np.nan


def _pearson(real: Floats, twin: Floats) -> float:
    known = np.isfinite(real)
    x, y = real[known], np.nan_to_num(twin[known])
    if len(x) < SMALLEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    return float(np.corrcoef(x, y)[0, 1])


def _top_jaccard(real: Floats, twin: Floats) -> float:
    k = min(TOP, len(real) // 4)
    if not k:
        return np.nan
    top = np.zeros((2, len(real)))
    for row, nes in enumerate((np.nan_to_num(real), np.nan_to_num(twin))):
        chosen = np.argsort(-np.abs(nes), kind="stable")[:k]
        top[row, chosen] = np.sign(nes[chosen])
    shared = int(((top[0] == top[1]) & (top[0] != 0)).sum())
    return shared / (2 * k - shared)


def _over_pairs(figure: Callable[..., float], real: NDArray[Any], twin: NDArray[Any], why: str) -> float:
    """Average a figure over the columns in which it is defined."""
    values = np.array([figure(x, y) for x, y in zip(real.T, twin.T, strict=True)])
    if np.isnan(values).all():
        raise NotComputableError(why)
    return float(np.nanmean(values))
