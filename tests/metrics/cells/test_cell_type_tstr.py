import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import balanced_accuracy_score

from twinseq.metrics import NotComputableError
from twinseq.metrics.cells import cell_type_tstr
from twinseq.metrics.cells.classifier import balanced_accuracy, predicted_types, tstr_difference


def cells(rng, n=300, effect=2.0):
    """Sparse expression in which each type has ten genes of its own; one gene is constant, one never seen."""
    types = rng.choice(["b", "nk", "t"], n, p=[0.6, 0.3, 0.1])
    rate = np.full((n, 40), 0.5)
    for number, name in enumerate(("b", "nk", "t")):
        rate[types == name, 10 * number : 10 * number + 10] += effect
    values = np.log1p(rng.poisson(rate)).astype(float)
    values[:, 38], values[:, 39] = 1.0, 0.0
    return sp.csr_matrix(values), types


def test_balanced_accuracy_agrees_with_sklearn(rng):
    truth, predicted = rng.choice(["a", "b", "c"], 200), rng.choice(["a", "b", "c"], 200)
    assert balanced_accuracy(truth, predicted) == pytest.approx(balanced_accuracy_score(truth, predicted))


def test_a_good_twin_teaches_the_types(rng):
    train, types = cells(rng)
    test, truth = cells(rng)
    assert cell_type_tstr(train, types, test, truth, rng) > 0.9


def test_shuffled_types_teach_nothing(rng):
    train, types = cells(rng)
    test, truth = cells(rng)
    assert cell_type_tstr(train, rng.permutation(types), test, truth, rng) < 0.55


def test_a_type_that_the_twin_lacks_is_never_named(rng):
    train, types = cells(rng, 900)
    test, truth = cells(rng)
    kept = np.flatnonzero(types != "t")
    score = cell_type_tstr(train[kept], types[kept], test, truth, rng)
    assert score <= 2 / 3
    assert score > 0.55


def test_three_cells_of_a_type_and_dense_input_are_fine(rng):
    train, types = cells(rng, 400)
    kept = np.concatenate([np.flatnonzero(types != "t"), np.flatnonzero(types == "t")[:3]])
    named = predicted_types(train[kept].toarray(), types[kept], cells(rng)[0], rng)
    assert set(named) <= {"b", "nk", "t"}


def test_one_type_or_no_variation_is_refused(rng):
    train, types = cells(rng)
    with pytest.raises(NotComputableError, match="one cell type"):
        predicted_types(train, np.full(300, "t"), train, rng)
    with pytest.raises(NotComputableError, match="no gene varies"):
        predicted_types(sp.csr_matrix(np.ones((300, 4))), types, train[:, :4], rng)
    with pytest.raises(NotComputableError, match="one cell type"):
        balanced_accuracy(np.full(5, "t"), np.full(5, "t"))


def test_difference_is_what_the_twin_costs():
    truth = np.array(["a", "a", "b", "b"])
    assert tstr_difference(truth, np.array(["a", "b", "b", "b"]), truth) == pytest.approx(-0.25)
