"""Classifiers of the community benchmark: logistic regression on all genes, one class against the rest."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score, f1_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from .._registry import NotComputableError, register
from ._entry import SHARED

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.str_]
TOP = 10


def row_space(x: Floats) -> tuple[Floats, Floats | None]:
    """Return ``x`` in an orthonormal basis of its rows, and that basis (``n_genes × n_samples``; ``None``: as it is).

    A ridge penalty does not see rotations: the coefficients of a logistic regression lie in the row space, and every
    step of its solver does. With more genes than samples this gives the same fit at a fraction of the cost.
    """
    if x.shape[1] <= len(x):
        return x, None
    basis, coordinates = np.linalg.qr(x.T)
    return coordinates.T, basis


@dataclass(frozen=True)
class OneVsRest:
    """Fitted one-vs-rest logistic regression.

    Parameters
    ----------
    classes
        Sorted classes.
    coefficients
        ``n_classes × n_genes``; the two rows of a two-class model are each other's negative.
    """

    classes: Labels
    coefficients: Floats
    _model: OneVsRestClassifier
    _basis: Floats | None

    @classmethod
    def fit(cls, x: Floats, labels: Labels) -> OneVsRest:
        """Fit the benchmark's classifier.

        Parameters
        ----------
        x
            Profiles, ``n_samples × n_genes``.
        labels
            Class of each sample.

        Raises
        ------
        NotComputableError
            There is only one class.
        """
        if len(np.unique(labels)) < 2:
            raise NotComputableError("there is only one class to learn from")
        rows, basis = row_space(x)
        with warnings.catch_warnings():
            # The benchmark takes the fit as it stands after its thousand steps.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = OneVsRestClassifier(LogisticRegression(max_iter=1000)).fit(rows, labels)
        coefficients = np.vstack([estimator.coef_[0] for estimator in model.estimators_])
        if len(model.classes_) == 2:
            coefficients = np.vstack([-coefficients[0], coefficients[0]])
        if basis is not None:
            coefficients = coefficients @ basis.T
        return cls(model.classes_, coefficients, model, basis)

    def predict(self, x: Floats) -> tuple[Labels, Floats]:
        """Return predicted classes and probabilities (``n_samples × n_classes``)."""
        rows = x if self._basis is None else x @ self._basis
        return self._model.predict(rows), self._model.predict_proba(rows)

    @property
    def top_genes(self) -> NDArray[np.intp]:
        """Genes among the ten largest signed coefficients of any class, each once."""
        return np.unique(np.argsort(self.coefficients, axis=1)[:, -TOP:])


def scaled(train: Floats, other: Floats) -> NDArray[np.float64]:
    """Return profiles on the scale on which genes of the training data have mean 0 and variance 1."""
    out: NDArray[np.float64] = StandardScaler().fit(train).transform(other)
    return out


def weighted_f1(classifier: OneVsRest, test: Floats, truth: Labels) -> float:
    """Return the weighted F1 of a fitted classifier on ``test`` (``n_samples × n_genes``)."""
    return float(f1_score(truth, classifier.predict(test)[0], average="weighted", zero_division=0.0))


_SHARED: dict[str, Any] = {
    **SHARED,
    "against": "holdout",
    "floor": "shuffled labels",
    "needs": ("label",),
    "direction": "higher",
    "ideal": 1.0,
    "bounds": (0.0, 1.0),
}
_PREDICTED = ("twin.paper_classifier", "holdout.log", "holdout.labels")


@register(
    name="paper_accuracy",
    question="What accuracy does the benchmark's classifier, trained on the twin, reach on unseen real samples?",
    reading="1: every class found. Weakness: with a frequent class, always naming it scores high.",
    formula="accuracy on H of one-vs-rest logistic regression trained on S; unscaled log2(CPM + 1), all genes",
    fields=_PREDICTED,
    **_SHARED,
)
def paper_accuracy(classifier: OneVsRest, test: Floats, truth: Labels) -> float:
    """Return the accuracy of a fitted classifier on ``test`` (``n_samples × n_genes``)."""
    return float(accuracy_score(truth, classifier.predict(test)[0]))


@register(
    name="paper_aupr",
    question="What average precision does the benchmark's classifier, trained on the twin, reach on unseen samples?",
    reading="1: every class ranked first. Weakness: chance scores the share of a class, which is not taken off.",
    formula="macro average precision on H of one-vs-rest logistic regression trained on S; unscaled, all genes",
    fields=_PREDICTED,
    **_SHARED,
)
def paper_aupr(classifier: OneVsRest, test: Floats, truth: Labels) -> float:
    """Return the average precision of a fitted classifier on ``test``, averaged over its classes that occur there.

    Raises
    ------
    NotComputableError
        None of them does.
    """
    probabilities = classifier.predict(test)[1]
    values = [
        average_precision_score(truth == name, probabilities[:, column])
        for column, name in enumerate(classifier.classes)
        if (truth == name).any()
    ]
    if not values:
        raise NotComputableError("no class of the classifier occurs in the hold-out")
    return float(np.mean(values))


@register(
    name="paper_f1_ratio",
    question="What share of the weighted F1 of real training data does the twin reach (the benchmark's ratio)?",
    reading="1: as much as real data. Weakness: one split, no interval: chance alone moves it by several hundredths.",
    formula="weighted F1 on H, trained on S / on T; one-vs-rest logistic regression, all genes, scaler fitted on T",
    fields=("train.paper_classifier_scaled", "twin.paper_classifier_scaled", "holdout.paper_scaled", "holdout.labels"),
    **{**_SHARED, "direction": "target", "bounds": (0.0, np.inf)},
)
def paper_f1_ratio(train: OneVsRest, twin: OneVsRest, test: Floats, truth: Labels) -> float:
    """Return the weighted F1 trained on the twin over that trained on the training data, all scaled by the latter.

    Raises
    ------
    NotComputableError
        Training data themselves reach 0.
    """
    real = weighted_f1(train, test, truth)
    if real == 0:
        raise NotComputableError("a classifier trained on the training data finds no class")
    return weighted_f1(twin, test, truth) / real


@register(
    name="paper_feature_overlap",
    question="Do classifiers trained on twin and on training data rest on the same genes?",
    reading="Share of genes; 1: all. Weakness: among correlated genes, second real data choose others too.",
    formula="|top S ∩ top T| / |top S|; top: 10 largest signed coefficients of any class; unscaled, all genes",
    fields=("train.paper_classifier", "twin.paper_classifier"),
    **{**_SHARED, "against": "train"},
)
def paper_feature_overlap(train: OneVsRest, twin: OneVsRest) -> float:
    """Return the share of the twin's most weighty genes that weigh most in the training data too."""
    return len(np.intersect1d(train.top_genes, twin.top_genes)) / len(twin.top_genes)
