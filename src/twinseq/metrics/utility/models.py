"""Classifiers trained on one side and tried on another, hyper-parameters tuned on the training data alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .._registry import NotComputableError

if TYPE_CHECKING:
    from .._profiles import Profiles

Floats = NDArray[np.float64]

PANELS = ("top100", "top500", "mad")
MODELS = ("logistic", "trees")
GRIDS: dict[str, dict[str, list[float]]] = {
    "logistic": {"logisticregression__C": [0.03, 0.1, 0.3, 1.0]},
    "trees": {"learning_rate": [0.1, 0.3]},
}
TUNING_FOLDS = 3
# More samples than this teach these classifiers little more, and single cells come by the thousand.
MOST = 1000


def unfitted(model: str) -> ClassifierMixin:
    """Return an elastic-net logistic regression on standardised genes, or boosted trees."""
    if model == "logistic":
        return make_pipeline(
            StandardScaler(),
            LogisticRegression(solver="saga", l1_ratio=0.5, C=0.1, max_iter=200, tol=1e-3, random_state=0),
        )
    return HistGradientBoostingClassifier(
        max_iter=50, max_leaf_nodes=8, min_samples_leaf=5, early_stopping=False, random_state=0
    )


class Scores(Mapping[str, Floats]):
    """Class probabilities of ``target`` from models trained on ``source``, by ``"PANEL_MODEL"``.

    Models are fitted when they are first asked for and kept with ``source``.

    Parameters
    ----------
    source
        Samples to learn from.
    target
        Samples to classify.
    tuning
        Training data, on which the hyper-parameters are chosen.
    """

    def __init__(self, source: Profiles, target: Profiles, tuning: Profiles) -> None:
        self._source = source
        self._target = target
        self._tuning = tuning

    def __getitem__(self, key: str) -> Floats:
        """Return probabilities, ``n_samples × n_classes``, classes in the order of `classes`."""
        panel, model = key.split("_")
        fitted = fit(self._source, panel, model, tuned(self._tuning, panel, model))
        out = np.zeros((self._target.n_samples, len(self.classes)))
        places = [self.classes.index(name) for name in fitted.classes_.tolist()]
        out[:, places] = fitted.predict_proba(_genes(self._target, panel))
        return out

    def __iter__(self) -> Iterator[str]:
        """Iterate over all panels and models."""
        return (f"{panel}_{model}" for panel in PANELS for model in MODELS)

    def __len__(self) -> int:
        """Return the number of panels times models."""
        return len(PANELS) * len(MODELS)

    @property
    def classes(self) -> list[str]:
        """Classes of the training data, sorted."""
        return self._source.space.classes

    @cached_property
    def truth(self) -> NDArray[np.intp]:
        """True class of each sample of ``target``, as a place in `classes`."""
        return np.searchsorted(self.classes, self._target.labels)


def tuned(train: Profiles, panel: str, model: str) -> dict[str, Any]:
    """Return the hyper-parameters that do best in cross-validation on the training data."""
    key = ("tuned", panel, model)
    if key not in train.classifiers:
        rows = train.drawn(MOST)
        _, sizes = np.unique(train.labels[rows], return_counts=True)
        folds = min(TUNING_FOLDS, int(sizes.min()))
        if folds < 2:
            train.classifiers[key] = {}
        else:
            search = GridSearchCV(
                unfitted(model),
                GRIDS[model],
                scoring="neg_log_loss",
                cv=StratifiedKFold(folds, shuffle=True, random_state=train.space.seed % 2**32),
                refit=False,
                error_score="raise",
            )
            with _quiet():
                search.fit(_genes(train, panel)[rows], train.labels[rows])
            train.classifiers[key] = search.best_params_
    chosen: dict[str, Any] = train.classifiers[key]
    return chosen


def fit(source: Profiles, panel: str, model: str, params: dict[str, Any]) -> ClassifierMixin:
    """Fit a classifier of the labels to one side.

    Raises
    ------
    NotComputableError
        The side has fewer than two classes.
    """
    key = ("model", panel, model, repr(sorted(params.items())))
    if key not in source.classifiers:
        if len(np.unique(source.labels)) < 2:
            raise NotComputableError("there is only one class to learn from")
        rows = source.drawn(MOST)
        with _quiet():
            fitted = unfitted(model).set_params(**params).fit(_genes(source, panel)[rows], source.labels[rows])
        source.classifiers[key] = fitted
    return source.classifiers[key]


def _genes(profiles: Profiles, panel: str) -> Floats:
    chosen: Floats = profiles.log[:, profiles.space.panels[panel]]
    return chosen


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the note that the solver stopped at its limit of passes; tuning has judged the fit as it stopped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
