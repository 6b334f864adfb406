"""How good a classifier's probabilities are, for two or more classes; averages leave out classes without samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, f1_score

from .._registry import NotComputableError

Floats = NDArray[np.floating[Any]]
Codes = NDArray[np.intp]


def auc(truth: Codes, probability: Floats) -> float:
    """Return the area under the ROC curve, one class against the rest, averaged over classes.

    Parameters
    ----------
    truth
        True class of each sample, ``n_samples``.
    probability
        ``n_samples × n_classes``.

    Raises
    ------
    NotComputableError
        Only one class among the samples.
    """
    areas = []
    for column in _columns(truth, probability):
        positive = truth == column
        n = int(positive.sum())
        ranks = rankdata(probability[:, column])
        areas.append((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(truth) - n)))
    return float(np.mean(areas))


def pr_auc(truth: Codes, probability: Floats) -> float:
    """Return the average precision, one class against the rest, averaged over classes; see `auc`."""
    columns = _columns(truth, probability, both=True)
    return float(np.mean([average_precision_score(truth == column, probability[:, column]) for column in columns]))


def weighted_f1(truth: Codes, probability: Floats) -> float:
    """Return F1 averaged over classes by their size; see `auc`."""
    return float(f1_score(truth, probability.argmax(axis=1), average="weighted", zero_division=0.0))


def accuracy(truth: Codes, probability: Floats) -> float:
    """Return the share of samples classified rightly; see `auc`."""
    return float((truth == probability.argmax(axis=1)).mean())


def _columns(truth: Codes, probability: Floats, *, both: bool = False) -> list[int]:
    present = [column for column in range(probability.shape[1]) if (truth == column).any()]
    if len(present) < 2:
        raise NotComputableError("the tested samples are all of one class")
    # With two classes the ROC curves of both are the same one.
    return present[1:] if probability.shape[1] == 2 and not both else present
