"""What the attacks share: whitening, the common scale, distances above 0, calibration by the reference."""

import numpy as np
import pytest
from planted_donors import continuous, like, naive_standard, rows, world

from twinseq.attacks import NotApplicableError, View
from twinseq.attacks._calibration import calibrated
from twinseq.attacks._standard import COPY, MOST, nearest, standard
from twinseq.attacks._whitening import Axes, residuals, whitening

SHAPES = [(12, 30), (30, 12)]


@pytest.fixture(params=SHAPES, ids=["wide", "tall"])
def left(request):
    """Rows without their means, on scales of their own."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=request.param) * np.exp(rng.normal(size=request.param[1]))
    return values - values.mean(axis=0)


def test_axes_are_those_of_the_covariance(left):
    axes = Axes.of(left, len(left) - 1)
    rank = min(len(left) - 1, left.shape[1])
    assert axes.axes.shape == (left.shape[1], rank)
    np.testing.assert_allclose(axes.axes.T @ axes.axes, np.eye(rank), atol=1e-12)
    np.testing.assert_allclose(axes.axes * axes.values @ axes.axes.T, np.cov(left.T), atol=1e-12)
    assert (np.diff(axes.values) <= 0).all()


def test_axes_are_the_same_from_either_gram_matrix(left):
    padded = np.hstack([left, np.zeros((len(left), 40))])
    axes, same = Axes.of(left, 5), Axes.of(padded, 5)
    np.testing.assert_allclose(same.values, axes.values, rtol=1e-10)
    np.testing.assert_allclose(np.abs(same.axes[: left.shape[1]]), np.abs(axes.axes), atol=1e-8)


def test_nothing_varies():
    axes = Axes.of(np.zeros((4, 6)), 3)
    assert axes.axes.shape == (6, 0)
    assert axes.values.shape == (0,)


@pytest.mark.parametrize("relative", [10.0, 0.01])
def test_a_ridge_is_an_inverse(left, relative):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(3, left.shape[1])), rng.normal(size=(4, left.shape[1]))
    covariance = left.T @ left / 7
    size = relative * np.trace(covariance) / len(covariance)
    inverse = size * np.linalg.inv(covariance + size * np.eye(len(covariance)))
    metric = Axes.of(left, 7).ridge(relative)
    np.testing.assert_allclose(metric.inner(a, b), a @ inverse @ b.T, atol=1e-10)
    np.testing.assert_allclose(metric.squared(a), np.diag(a @ inverse @ a.T), rtol=1e-10)


@pytest.mark.parametrize("relative", [10.0, 0.01])
def test_lengths_as_if_each_row_had_not_been_seen(left, relative):
    metric = Axes.of(left, 7).ridge(relative)
    covariance = left.T @ left / 7
    size = relative * np.trace(covariance) / len(covariance)
    expected = []
    for row in left:
        without = covariance - np.outer(row, row) / 7
        expected.append(row @ np.linalg.inv(without / size + np.eye(len(row))) @ row)
    np.testing.assert_allclose(metric.squared_unseen(left), expected, rtol=1e-7)


def test_top_axes_are_cut_out(left):
    metric = Axes.of(left, 7).without_top(3)
    _, _, axes = np.linalg.svd(left, full_matrices=False)
    cut = left - left @ axes[:3].T @ axes[:3]
    np.testing.assert_allclose(metric.inner(left, left), cut @ cut.T, atol=1e-10)
    np.testing.assert_allclose(metric.squared(left), (cut**2).sum(axis=1), atol=1e-10)
    np.testing.assert_array_equal(metric.squared_unseen(left), metric.squared(left))


def test_without_ridge_or_factors_the_product_is_plain(wide):
    genes = standard(wide).twin
    np.testing.assert_allclose(whitening(wide).inner(genes, genes), genes @ genes.T)


def test_residuals_leave_out_class_means():
    values = np.array([[1.0, 2.0], [3.0, 6.0], [10.0, 20.0]])
    np.testing.assert_array_equal(residuals(values, np.array(["a", "a", "b"])), [[-1, -2], [1, 2], [0, 0]])
    assert values[2, 0] == 10


@pytest.mark.parametrize("level", ["T0", "T1"])
def test_the_common_scale_against_loops(held, level):
    std = standard(held.at(level))
    twin, targets, reference = naive_standard(held, level)
    np.testing.assert_allclose(std.twin, twin, atol=1e-12)
    np.testing.assert_allclose(std.targets, targets, atol=1e-12)
    if level == "T1":
        np.testing.assert_allclose(std.reference, reference, atol=1e-12)
    else:
        assert std.reference.shape == (0, twin.shape[1])
    assert std.n_genes == twin.shape[1]
    assert std.classes == ["a", "b"]


def test_values_far_off_are_cut():
    twin = continuous([[0.0, 1.0], [1.0, 2.0], [2.0, 4.0]])
    std = standard(View("T0", twin, continuous([[1e6, -1e6], [1.0, 2.0]])))
    np.testing.assert_array_equal(std.targets[0], [MOST, -MOST])
    assert np.abs(std.targets[1]).max() < 1


def test_genes_that_do_not_vary_are_left_out():
    """A gene counts where the twin or, from T1 on, the reference varies; rounding of large values is no variation."""
    twin = continuous([[0.0, 5.0, 1e9 / 3, 0.0], [1.0, 5.0, 1e9 / 3 + 1e-7, 0.0], [2.0, 5.0, 1e9 / 3, 0.0]])
    reference = continuous([[0.0, 5.0, 1e9 / 3, 1.0], [2.0, 5.0, 1e9 / 3, 0.0]])
    targets = continuous([[1.0, 7.0, 3.0, 2.0]])
    assert standard(View("T0", twin, targets)).n_genes == 1
    assert standard(View("T1", twin, targets, reference)).n_genes == 2
    with pytest.raises(NotApplicableError, match="no gene varies"):
        standard(View("T0", rows(twin, [0]), targets))


def test_copies_come_first_and_by_how_far_the_others_are():
    away = np.array([[0.0, 2.0, 4.0], [0.0, 0.0, 8.0], [1e-3, 2.0, 4.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(nearest(away), [3 * COPY, 8 * COPY, 1e-3, COPY])


def test_two_copies_that_are_each_others_neighbours_do_not_tie():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 3.0]])
    away = np.linalg.norm(points[:, None] - points, axis=2)
    assert len(set(nearest(away))) == 3


@calibrated
def value(view):
    """The first gene of a target, as its score."""
    assert view.level == "T0"
    return view.targets.values[:, 0] * 1.0


def test_the_reference_calibrates_class_by_class():
    targets = continuous([[1.0], [2.0], [30.0]], ["a", "a", "b"])
    reference = continuous([[10.0], [20.0], [5.0], [99.0]], ["b", "b", "a", "rare"])
    twin = continuous([[0.0], [1.0]], ["a", "b"])
    np.testing.assert_array_equal(value(View("T0", twin, targets, reference)), [1, 2, 30])
    np.testing.assert_array_equal(value(View("T1", twin, targets, reference)), [-4, -3, 15])
    with pytest.raises(NotApplicableError, match="the reference has no sample of class 'b'"):
        value(View("T1", twin, targets, rows(reference, [2])))


def test_reference_classes_that_no_target_is_of_are_nobodys_business():
    """They are in neither the twin nor the targets; attacks by class are not asked about them."""
    seen = []

    @calibrated
    def asked(view):
        seen.append(set(view.targets.labels))
        return np.zeros(len(view.targets))

    donors = world(per_class=10, n_genes=40)
    odd = donors.reference.labels.copy()
    odd[:3] = "rare"
    reference = like(donors.reference, donors.reference.values)
    asked(View("T1", donors.members, donors.targets, type(reference)(reference.values, odd, reference.kind)))
    assert seen == [{"a", "b"}]
