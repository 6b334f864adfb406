"""Does the twin name the same genes differentially expressed? Calls at the stringency "moderate"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]

_SHARED: dict[str, Any] = {
    "group": "biology",
    "direction": "higher",
    "ideal": 1.0,
    "bounds": (0.0, 1.0),
    "against": "train",
    "floor": "shuffled labels",
    "needs": ("label",),
    "resampling": "donors",
    "unit": "genes",
}
_REFERENCE = "Nanda & Saha 2026, bioRxiv 10.64898/2026.05.22.726357; DESeq2: Love et al. 2014, Genome Biology 15:550"
STRINGENCIES = {
    "": ("moderate", "padj < .05, |log2FC| ≥ 1, baseMean ≥ 10"),
    "_minimum": ("minimum", "padj < .05"),
}


def recall(real: Flags, twin: Flags) -> float:
    """Return the share of the real calls that the twin makes too, averaged over pairs of classes.

    Parameters
    ----------
    real, twin
        Whether a gene is called, ``n_genes × n_pairs``.

    Raises
    ------
    NotComputableError
        No gene is called in the real data.
    """
    return _over_pairs(_share, real & twin, real, why="no gene is differentially expressed in the real data")


def precision(real: Flags, twin: Flags) -> float:
    """Return the share of the twin's calls that real data make too, averaged over pairs of classes.

    Raises
    ------
    NotComputableError
        No gene is called in the twin.
    """
    return _over_pairs(_share, real & twin, twin, why="no gene is differentially expressed in the twin")


def jaccard(real: Flags, twin: Flags) -> float:
    """Return shared calls over all calls of either side, averaged over pairs of classes.

    Raises
    ------
    NotComputableError
        No gene is called on either side.
    """
    return _over_pairs(_share, real & twin, real | twin, why="no gene is differentially expressed on either side")


@register(
    name="de_sign_agreement",
    question="Among genes that both call, does the change go the same way?",
    reading="Share of shared calls with the same direction; 1: all.",
    formula="P(sign LFC_twin = sign LFC_T | called in both), moderate",
    reference=_REFERENCE,
    fields=("de.real.moderate", "de.twin.moderate", "de.real.lfc", "de.twin.lfc"),
    **_SHARED,
)
def sign_agreement(real: Flags, twin: Flags, real_lfc: Floats, twin_lfc: Floats) -> float:
    """Return the share of shared calls with equal sign of the fold change, averaged over pairs of classes.

    Raises
    ------
    NotComputableError
        Fewer than ten genes are called on both sides, in every pair.
    """
    both = real & twin
    same = both & (np.sign(real_lfc) == np.sign(twin_lfc))
    return _over_pairs(_share_of_ten, same, both, why="fewer than ten genes are called in both")


def _share(part: Flags, whole: Flags) -> float:
    total = int(whole.sum())
    return float(part.sum() / total) if total else np.nan


def _share_of_ten(part: Flags, whole: Flags) -> float:
    return _share(part, whole) if whole.sum() >= 10 else np.nan


def _over_pairs(figure: Callable[..., float], *arrays: NDArray[Any], why: str) -> float:
    """Average a figure over the columns (pairs of classes) in which it is defined."""
    values = np.array([figure(*(array[:, pair] for array in arrays)) for pair in range(arrays[0].shape[1])])
    if np.isnan(values).all():
        raise NotComputableError(why)
    return float(np.nanmean(values))


def _register_all() -> None:
    for suffix, (stringency, rule) in STRINGENCIES.items():
        fields = (f"de.real.{stringency}", f"de.twin.{stringency}")
        for name, function, question, formula in (
            (
                "de_recall",
                recall,
                "Of the genes differential in the real data, how many does the twin find?",
                "|T ∩ S| / |T|",
            ),
            (
                "de_precision",
                precision,
                "Of the genes the twin calls, how many are differential in the real data?",
                "|T ∩ S| / |S|",
            ),
            ("de_jaccard", jaccard, "How much do the two lists of differential genes overlap?", "|T ∩ S| / |T ∪ S|"),
        ):
            register(
                name=f"{name}{suffix}",
                question=question,
                reading=f"Share of genes at stringency '{stringency}' ({rule}); 1: all.",
                formula=f"{formula}; {rule}; mean over pairs of classes",
                reference=_REFERENCE,
                fields=fields,
                **_SHARED,
            )(function)


_register_all()
