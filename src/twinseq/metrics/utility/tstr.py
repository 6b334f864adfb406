"""Whether a classifier trained on the twin is as good on unseen real samples as one trained on real data.

TSTR: trained on the twin, tested on the hold-out; TRTR: trained and tested on real data; TRTS: trained on real data,
tested on the twin. Hyper-parameters are tuned on the training data, never on the hold-out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register
from .models import MODELS, PANELS
from .scores import accuracy, auc, pr_auc, weighted_f1

Floats = NDArray[np.floating[Any]]
Codes = NDArray[np.intp]

HEADLINE = "top500_logistic"
_PANEL_NAMES = {
    "top100": "the 100 most variable genes",
    "top500": "the 500 most variable genes",
    "mad": "the min(270, 0.9 n) genes of largest MAD",
}
_MODEL_NAMES = {"logistic": "elastic-net logistic regression", "trees": "boosted trees"}
_SHARED: dict[str, Any] = {
    "group": "utility",
    "floor": "shuffled labels",
    "needs": ("label",),
    "resampling": "together",
    "unit": "test samples",
}
_REFERENCE = "Esteban et al. 2017, arXiv:1706.02633"


def auc_difference(truth: Codes, tstr: Floats, trtr: Floats) -> float:
    """Return AUC(TSTR) − AUC(TRTR) on the same test samples.

    Parameters
    ----------
    truth
        True class of each sample, ``n_samples``.
    tstr, trtr
        Probabilities, ``n_samples × n_classes``.

    Raises
    ------
    NotComputableError
        Only one class among the samples.
    """
    return auc(truth, tstr) - auc(truth, trtr)


def auc_ratio(truth: Codes, tstr: Floats, trtr: Floats) -> float:
    """Return AUC(TSTR) / AUC(TRTR) on the same test samples; see `auc_difference`."""
    real = auc(truth, trtr)
    if real == 0:
        raise NotComputableError("the classifier trained on real data is wrong every time")
    return auc(truth, tstr) / real


def f1_ratio(truth: Codes, tstr: Floats, trtr: Floats) -> float:
    """Return weighted F1(TSTR) / F1(TRTR) on the same test samples; see `auc_difference`."""
    real = weighted_f1(truth, trtr)
    if real == 0:
        raise NotComputableError("the classifier trained on real data is wrong every time")
    return weighted_f1(truth, tstr) / real


def _register_all() -> None:
    for key in (f"{panel}_{model}" for panel in PANELS for model in MODELS):
        panel, model = key.split("_")
        how = f"{_MODEL_NAMES[model]}, {_PANEL_NAMES[panel]}"
        register(
            name=f"tstr_auc_{key}",
            question=f"How well does a classifier trained on the twin ({how}) tell the classes of unseen real samples?",
            reading="1: perfectly; 0.5: not at all. The ceiling is the same classifier trained on real data.",
            formula=f"AUC on H, trained on S; {how}; macro one-vs-rest",
            direction="higher",
            ideal=1.0,
            bounds=(0.0, 1.0),
            reference=_REFERENCE,
            fields=("tstr.truth", f"tstr.{key}"),
            against="holdout",
            **_SHARED,
        )(auc)
        register(
            name=f"tstr_minus_trtr_{key}",
            question=f"What is lost by training on the twin instead of on real data ({how})?",
            reading="0: nothing; negative: the twin is the poorer teacher.",
            formula=f"AUC(TSTR) − AUC(TRTR) on H; {how}",
            direction="higher",
            ideal=0.0,
            bounds=(-1.0, 1.0),
            reference=_REFERENCE,
            fields=("tstr.truth", f"tstr.{key}", f"trtr.{key}"),
            against="holdout",
            **_SHARED,
        )(auc_difference)
    how = f"{_MODEL_NAMES['logistic']}, {_PANEL_NAMES['top500']}"
    for name, what, function in (
        ("pr_auc", "average precision", pr_auc),
        ("f1", "weighted F1", weighted_f1),
        ("accuracy", "accuracy", accuracy),
    ):
        register(
            name=f"tstr_{name}",
            question=f"What {what} does a classifier trained on the twin reach on unseen real samples?",
            reading="1: perfect. The ceiling is the same classifier trained on real data.",
            formula=f"{what} on H, trained on S; {how}",
            direction="higher",
            ideal=1.0,
            bounds=(0.0, 1.0),
            reference=_REFERENCE,
            fields=("tstr.truth", f"tstr.{HEADLINE}"),
            against="holdout",
            **_SHARED,
        )(function)
    for name, what, ratio in (("auc", "AUC", auc_ratio), ("f1", "weighted F1", f1_ratio)):
        register(
            name=f"tstr_ratio_{name}",
            question=f"What share of the {what} that real training data reach does the twin reach?",
            reading="1: as good a teacher as real data.",
            formula=f"{what}(TSTR) / {what}(TRTR) on H; {how}",
            direction="higher",
            ideal=1.0,
            bounds=(0.0, np.inf),
            reference=_REFERENCE,
            fields=("tstr.truth", f"tstr.{HEADLINE}", f"trtr.{HEADLINE}"),
            against="holdout",
            **_SHARED,
        )(ratio)
    register(
        name="trts_auc",
        question="Does a classifier trained on real data recognise the classes of twin samples?",
        reading="1: every one. Far above the ceiling: the twin's classes are cleaner than real ones.",
        formula=f"AUC on S, trained on T; {how}",
        direction="higher",
        ideal=1.0,
        bounds=(0.0, 1.0),
        reference=_REFERENCE,
        fields=("trts.truth", f"trts.{HEADLINE}"),
        against="train",
        **_SHARED,
    )(auc)


_register_all()
