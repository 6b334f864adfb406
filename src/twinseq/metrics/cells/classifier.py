"""How well a cell-type classifier that has only seen the twin knows real cells of donors it never met."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from .._registry import NotComputableError, register
from ._nearest import drawn

Types = NDArray[np.str_]
MOST = 10_000
"""Cells that a classifier is trained on, at most."""

_SHARED: dict[str, Any] = {
    "group": "cells",
    "reference": "Esteban, Hyland & Rätsch 2017, arXiv:1706.02633",
    "against": "holdout",
    "floor": "shuffled types",
    "needs": ("cells",),
    "unit": "test cells",
}


@register(
    name="cell_type_tstr",
    question="Does a classifier trained on the twin know the types of real cells of unseen donors?",
    reading="Mean share of each type's cells that are named rightly; 1 / number of types is guessing.",
    formula=(
        "balanced accuracy on the hold-out of a logistic regression trained on at most 10,000 twin cells "
        "(log-normalised variable genes over their deviation)"
    ),
    direction="higher",
    ideal=1.0,
    bounds=(0.0, 1.0),
    fields=("tstr.truth", "tstr.predicted"),
    **_SHARED,
)
def balanced_accuracy(truth: Types, predicted: Types) -> float:
    """Return the mean over types of the share of their cells that are named rightly.

    Parameters
    ----------
    truth, predicted
        True and predicted type of each cell.

    Raises
    ------
    NotComputableError
        There is one type only.
    """
    known = np.unique(truth)
    if len(known) < 2:
        raise NotComputableError("there is one cell type only")
    return float(np.mean([(predicted[truth == name] == name).mean() for name in known]))


@register(
    name="cell_type_tstr_difference",
    question="How much does a classifier lose by learning cell types from the twin instead of real cells?",
    reading="0: nothing. Negative: as much balanced accuracy is lost. The ceiling is a second set of real cells.",
    formula="balanced accuracy on the hold-out, trained on the twin, minus trained on the training data",
    direction="target",
    ideal=0.0,
    bounds=(-1.0, 1.0),
    fields=("tstr.truth", "tstr.predicted", "trtr.predicted"),
    **_SHARED,
)
def tstr_difference(truth: Types, by_twin: Types, by_real: Types) -> float:
    """Return the balanced accuracy of one prediction minus that of another."""
    return balanced_accuracy(truth, by_twin) - balanced_accuracy(truth, by_real)


def cell_type_tstr(
    train: Any, train_types: Types, test: Any, test_types: Types, rng: np.random.Generator, *, most: int = MOST
) -> float:
    """Train on one set of cells (the twin), test on another (real cells of unseen donors).

    Parameters
    ----------
    train, test
        Log-normalised expression, ``n_cells × n_genes``, csr or array.
    train_types, test_types
        Their cell types.
    rng
        Source of the choice of training cells.
    most
        Most cells to train on.

    Returns
    -------
    Balanced accuracy on the test cells; a type that the training cells lack counts as never named rightly.

    Raises
    ------
    NotComputableError
        There is one type only, on either side.
    """
    return balanced_accuracy(test_types, predicted_types(train, train_types, test, rng, most=most))


def predicted_types(train: Any, train_types: Types, test: Any, rng: np.random.Generator, *, most: int = MOST) -> Types:
    """Return what a logistic regression trained on ``train`` calls each cell of ``test``.

    Genes are divided by their deviation among the training cells, and not centred, so that zeros stay zeros.

    Raises
    ------
    NotComputableError
        The training cells are of one type only, or no gene varies among them.
    """
    if len(np.unique(train_types)) < 2:
        raise NotComputableError("there is one cell type only")
    rows = drawn(train.shape[0], most, rng)
    cells, types = sp.csr_matrix(train[rows]), train_types[rows]
    mean = np.asarray(cells.mean(axis=0), dtype=np.float64).ravel()
    variance = np.asarray(cells.multiply(cells).mean(axis=0), dtype=np.float64).ravel() - mean**2
    varying = np.flatnonzero(variance > 1e-9)
    if not varying.size:
        raise NotComputableError("no gene varies among the cells to train on")
    scale = sp.diags(1.0 / np.sqrt(variance[varying]))
    # Weights about zero suit genes of which most say little; the strength is not tuned, so that all sides are equal.
    model = LogisticRegression(C=0.01, max_iter=300, tol=1e-3)
    model.fit(sp.csr_matrix(cells[:, varying] @ scale), types)
    named: Types = model.predict(sp.csr_matrix(sp.csr_matrix(test)[:, varying] @ scale))
    return named
