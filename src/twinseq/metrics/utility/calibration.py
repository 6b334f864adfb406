"""Whether the probabilities of a classifier trained on the twin can be believed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import register
from .tstr import HEADLINE

Floats = NDArray[np.floating[Any]]
Codes = NDArray[np.intp]

BINS = 10
_HOW = "elastic-net logistic regression, the 500 most variable genes"
_SHARED: dict[str, Any] = {
    "group": "utility",
    "direction": "lower",
    "ideal": 0.0,
    "against": "holdout",
    "floor": "shuffled labels",
    "needs": ("label",),
    "resampling": "together",
    "unit": "test samples",
}
_BRIER = "Brier 1950, Monthly Weather Review 78:1"
_ECE = "Guo et al. 2017, ICML; Naeini et al. 2015, AAAI"


@register(
    name="tstr_brier",
    question="How far are the class probabilities of a classifier trained on the twin from the truth?",
    reading="0: certain and right; 0.25: two classes by coin flip; 1: certain and wrong. The ceiling is the same "
    "classifier trained on real data.",
    formula=f"½ mean over H of Σ_k (p_k − 1[k])², trained on S; {_HOW}",
    reference=_BRIER,
    bounds=(0.0, 1.0),
    fields=("tstr.truth", f"tstr.{HEADLINE}"),
    **_SHARED,
)
def brier(truth: Codes, probability: Floats) -> float:
    """Return half the mean squared distance of the probabilities from the truth.

    Parameters
    ----------
    truth
        True class of each sample, ``n_samples``.
    probability
        ``n_samples × n_classes``.
    """
    distance = probability - np.eye(probability.shape[1])[truth]
    return float((distance**2).sum(axis=1).mean() / 2)


@register(
    name="tstr_calibration_error",
    question="Is a classifier trained on the twin right as often as it claims?",
    reading="0: always; 0.1: off by ten percentage points. Small test sets give some error by chance: see the ceiling.",
    formula=f"Σ_b n_b / n · |accuracy_b − confidence_b| over 10 bins of confidence on H, trained on S; {_HOW}",
    reference=_ECE,
    bounds=(0.0, 1.0),
    fields=("tstr.truth", f"tstr.{HEADLINE}"),
    **_SHARED,
)
def calibration_error(truth: Codes, probability: Floats) -> float:
    """Return the expected calibration error of the predicted class, ten bins of equal width; see `brier`."""
    confidence = probability.max(axis=1)
    right = probability.argmax(axis=1) == truth
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gap = np.bincount(bins, weights=right - confidence, minlength=BINS)
    return float(np.abs(gap).sum() / len(truth))


@register(
    name="tstr_minus_trtr_brier",
    question="How much worse are class probabilities learnt from the twin than those learnt from real data?",
    reading="0: as good; above 0: worse.",
    formula=f"Brier(TSTR) − Brier(TRTR) on H; {_HOW}",
    reference=_BRIER,
    bounds=(-1.0, 1.0),
    fields=("tstr.truth", f"tstr.{HEADLINE}", f"trtr.{HEADLINE}"),
    **_SHARED,
)
def brier_difference(truth: Codes, tstr: Floats, trtr: Floats) -> float:
    """Return the difference of two Brier scores on the same samples; see `brier`."""
    return brier(truth, tstr) - brier(truth, trtr)


@register(
    name="tstr_minus_trtr_calibration_error",
    question="How much worse calibrated is a classifier trained on the twin than one trained on real data?",
    reading="0: as well calibrated; above 0: worse.",
    formula=f"ECE(TSTR) − ECE(TRTR) on H; {_HOW}",
    reference=_ECE,
    bounds=(-1.0, 1.0),
    fields=("tstr.truth", f"tstr.{HEADLINE}", f"trtr.{HEADLINE}"),
    **_SHARED,
)
def calibration_error_difference(truth: Codes, tstr: Floats, trtr: Floats) -> float:
    """Return the difference of two calibration errors on the same samples; see `calibration_error`."""
    return calibration_error(truth, tstr) - calibration_error(truth, trtr)
