"""Whether a classifier is better when the twin is added to its training data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .._profiles import Profiles
from .._registry import NotComputableError, register
from .models import MOST
from .tstr import auc_difference

_SHARED: dict[str, Any] = {
    "group": "utility",
    "direction": "higher",
    "ideal": None,
    "bounds": (-1.0, 1.0),
    "reference": "Frid-Adar et al. 2018, Neurocomputing 321:321",
    # Further real data, and not the training data once more, are what a twin would replace here.
    "against": "both",
    "floor": "shuffled labels",
    "needs": ("label",),
    "resampling": "together",
    "unit": "test samples",
}
_MODELS = {"logistic": "elastic-net logistic regression", "trees": "boosted trees"}


def joined(train: Profiles, twin: Profiles) -> Profiles:
    """Return training data and twin as one set of samples; without covariates, which no classifier uses.

    Raises
    ------
    NotComputableError
        Together they are more samples than the classifiers learn from, and each would crowd the other out.
    """
    if train.n_samples + twin.n_samples > MOST:
        raise NotComputableError(
            f"training data and twin have {train.n_samples + twin.n_samples:,} samples together, and the classifiers "
            f"learn from {MOST:,} at most: adding the twin would only push real samples out"
        )
    values = np.concatenate([train.values, twin.values])
    labels = np.concatenate([train.labels, twin.labels])
    return Profiles(values, labels, pd.DataFrame(index=range(len(labels))), train.space)


for _model, _title in _MODELS.items():
    register(
        name=f"augmentation_auc_{_model}",
        question=f"Does a classifier ({_title}) gain when the twin is added to real training data?",
        reading="Above 0: it gains; 0: the twin adds nothing to what the real data teach. The ceiling adds real "
        "samples instead, as many as there are.",
        formula=f"AUC(T + S) − AUC(T) on H; {_title}, the 500 most variable genes, tuned on T",
        fields=("tstr.truth", f"augmented.top500_{_model}", f"trtr.top500_{_model}"),
        **_SHARED,
    )(auc_difference)
