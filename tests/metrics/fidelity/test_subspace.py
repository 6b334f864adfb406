"""Overlap of principal subspaces and ratios of eigenvalues."""

import numpy as np
import pytest

from twinseq.arrays import principal_axes
from twinseq.metrics import NotComputableError
from twinseq.metrics.fidelity.subspace import eigenvalue_ratio, pca_subspace, total_variance_ratio


def test_worked_by_hand():
    basis = np.eye(4)
    assert pca_subspace((np.ones(2), basis[:, :2]), (np.ones(2), basis[:, [0, 2]])) == pytest.approx(0.5)
    assert eigenvalue_ratio(np.array([4.0, 1.0]), np.array([1.0, 1.0])) == pytest.approx(0.5)
    assert total_variance_ratio(np.array([4.0, 1.0]), np.array([1.0, 1.0])) == pytest.approx(0.4)


def draw(rng, n=400):
    return rng.standard_normal((n, 60)) * np.concatenate([np.full(10, 5.0), np.ones(50)])


def test_null_a_second_draw_spans_the_same_space(rng):
    real, twin = principal_axes(draw(rng)), principal_axes(draw(rng))
    assert pca_subspace(real, twin) > 0.95
    assert eigenvalue_ratio(real[0], twin[0]) == pytest.approx(1.0, abs=0.1)
    assert total_variance_ratio(real[0], twin[0]) == pytest.approx(1.0, abs=0.1)


def test_failure_other_axes_and_flat_spectra_are_caught(rng):
    real, twin = principal_axes(draw(rng)), principal_axes(draw(rng)[:, ::-1])
    assert pca_subspace(real, twin) < 0.1
    flat = principal_axes(rng.standard_normal((400, 60)))
    assert eigenvalue_ratio(real[0], flat[0]) < 0.2
    assert total_variance_ratio(real[0], flat[0]) < 0.3


def test_profiles_without_variation_are_said():
    none = principal_axes(np.ones((4, 7)))
    some = principal_axes(np.arange(28.0).reshape(4, 7))
    with pytest.raises(NotComputableError):
        pca_subspace(none, some)
    with pytest.raises(NotComputableError):
        eigenvalue_ratio(none[0], some[0])
    with pytest.raises(NotComputableError):
        total_variance_ratio(none[0], some[0])
