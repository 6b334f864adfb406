"""Classifiers that an attacker trains, blind to the order of samples and genes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from ._whitening import Axes

Floats = NDArray[np.float64]
TREES = 200
STRENGTH = 1.0


def log_odds(kind: str, points: Floats, classes: NDArray[Any], targets: Floats, rng: np.random.Generator) -> Floats:
    """Return the log odds of every class for each target, ``n_targets × n_classes``, classes in ascending order.

    Parameters
    ----------
    kind
        ``"logistic"`` (ridge) or ``"forest"``.
    points, classes
        Training rows, standardised, and the class of each.
    targets
        Rows to be judged.
    rng
        Source of the forest's randomness.
    """
    if kind == "logistic":
        return _logistic(points, classes, targets)
    columns, rows = _fixed_order(points)
    forest = RandomForestClassifier(
        n_estimators=TREES,
        min_samples_leaf=3,  # purer leaves give few distinct shares of votes, and so ties
        class_weight="balanced",
        random_state=int(rng.integers(2**31)),
    ).fit(points[np.ix_(rows, columns)], classes[rows])
    share = forest.predict_proba(targets[:, columns])
    floor = 0.5 / TREES
    odds: Floats = np.log((share + floor) / (1 - share + floor))
    return odds


def _logistic(points: Floats, classes: NDArray[Any], targets: Floats) -> Floats:
    """Fit on the principal coordinates, which hold all that a ridge penalty on the genes would use."""
    centre = points.mean(axis=0)
    axes = Axes.of(points - centre, len(points)).axes
    scale = float(np.sqrt(points.shape[1]))
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", tol=1e-8, max_iter=2000)
    model.fit((points - centre) @ axes / scale, classes)
    margins = model.decision_function((targets - centre) @ axes / scale)
    if margins.ndim == 1:
        return np.column_stack([-margins, margins])
    # Each class against the sum of the others: one minus its own share would be 0 wherever the classifier is sure.
    others = [logsumexp(np.delete(margins, place, axis=1), axis=1) for place in range(margins.shape[1])]
    odds: Floats = margins - np.column_stack(others)
    return odds


def _fixed_order(points: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return an order of columns and rows that depends on their content only."""
    columns = np.argsort((points**3).sum(axis=0).round(6), kind="stable")
    leading = points[:, columns[:: max(1, len(columns) // 16)]].round(6)
    return columns, np.lexsort(leading.T)
