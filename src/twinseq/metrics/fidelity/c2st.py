"""Whether a classifier can tell twin from real samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .._registry import NotComputableError, register

Floats = NDArray[np.floating[Any]]
FOLDS = 5

_SHARED: dict[str, Any] = {
    "group": "fidelity",
    "direction": "target",
    "ideal": 0.5,
    "bounds": (0.0, 1.0),
    "reference": "Lopez-Paz & Oquab 2017, ICLR",
    # Against the training data a faithful twin scores far below one half: its means are theirs, so that leaving a
    # fold out turns every prediction round. Only unseen samples give a fair test.
    "fields": ("holdout.panel", "twin.panel", "rng"),
    "against": "holdout",
    "unit": "samples",
}
_READING = "0.5: not better than a coin; 1: told apart every time."


@register(
    name="c2st_auc_logistic",
    question="Can a linear classifier tell twin samples from real ones?",
    reading=_READING,
    formula="cross-validated AUC (5 folds), ridge logistic regression, 500 genes most variable in training",
    floor="mean profile",
    **_SHARED,
)
def c2st_logistic(real: Floats, twin: Floats, rng: np.random.Generator) -> float:
    """Return the cross-validated AUC of a ridge logistic regression; see `cross_validated_auc`."""
    return cross_validated_auc(
        make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)), real, twin, rng
    )


@register(
    name="c2st_auc_trees",
    question="Can boosted trees, which see interactions and odd margins, tell twin samples from real ones?",
    reading=_READING,
    formula="cross-validated AUC (5 folds), boosted trees, 100 genes most variable in training",
    floor="mean profile",
    **{**_SHARED, "fields": ("holdout.small_panel", "twin.small_panel", "rng")},
)
def c2st_trees(real: Floats, twin: Floats, rng: np.random.Generator) -> float:
    """Return the cross-validated AUC of boosted trees; see `cross_validated_auc`."""
    trees = HistGradientBoostingClassifier(
        max_iter=50, max_leaf_nodes=8, min_samples_leaf=5, early_stopping=False, random_state=0
    )
    return cross_validated_auc(trees, real, twin, rng)


def cross_validated_auc(model: ClassifierMixin, real: Floats, twin: Floats, rng: np.random.Generator) -> float:
    """Return the mean AUC over folds of telling ``twin`` (class 1) from ``real`` (class 0).

    Folds are averaged and not pooled: scores of models fitted on different folds are not comparable.

    Parameters
    ----------
    model
        Unfitted classifier.
    real, twin
        Profiles, ``n_samples × n_genes``.
    rng
        Source of the folds.

    Raises
    ------
    NotComputableError
        A side has fewer than five samples.
    """
    if min(len(real), len(twin)) < FOLDS:
        raise NotComputableError(f"needs at least {FOLDS} samples on each side")
    x = np.vstack([real, twin])
    y = np.repeat([0, 1], [len(real), len(twin)])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    scores = []
    for fit, test in folds.split(x, y):
        model.fit(x[fit], y[fit])
        scores.append(roc_auc_score(y[test], model.predict_proba(x[test])[:, 1]))
    return float(np.mean(scores))
