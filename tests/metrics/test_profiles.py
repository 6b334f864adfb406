"""Derived arrays against scipy, scikit-learn and arithmetic by hand."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.decomposition import PCA

from twinseq.arrays import distances, principal_axes, row_digests, spearman, upper_triangle
from twinseq.metrics import Comparison, NotComputableError, Profiles


def test_spearman_is_that_of_scipy(rng):
    x = rng.poisson(2.0, (30, 6)).astype(float)
    np.testing.assert_allclose(spearman(x), spearmanr(x).statistic, atol=1e-12)


def test_a_constant_column_correlates_with_nothing():
    x = np.column_stack([np.arange(5.0), np.ones(5), np.arange(5.0)[::-1]])
    np.testing.assert_allclose(spearman(x), [[1, 0, -1], [0, 1, 0], [-1, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(upper_triangle(spearman(x)), [0, -1, 0], atol=1e-12)


@pytest.mark.parametrize("shape", [(12, 40), (40, 12)])
def test_principal_axes_are_those_of_scikit_learn(rng, shape):
    x = rng.standard_normal(shape) * np.arange(1, shape[1] + 1)
    values, loadings = principal_axes(x, k=5)
    pca = PCA(n_components=5, svd_solver="full").fit(x)
    np.testing.assert_allclose(values[:5], pca.explained_variance_, rtol=1e-8)
    np.testing.assert_allclose(np.abs(np.sum(loadings * pca.components_.T, axis=0)), 1.0, atol=1e-8)


def test_profiles_without_variation_have_no_axes():
    values, loadings = principal_axes(np.ones((4, 7)))
    assert len(values) == 0
    assert loadings.shape == (7, 0)


def test_distances_are_exact_and_copies_lie_at_zero(rng):
    a = rng.standard_normal((9, 300)) + 100.0
    b = np.vstack([a[3], rng.standard_normal((4, 300)) + 100.0])
    naive = np.array([[np.sqrt(((x - y) ** 2).sum()) for y in b] for x in a])
    np.testing.assert_allclose(distances(a, b), naive, rtol=1e-8)
    assert distances(a, b)[3, 0] == 0.0


def test_isolation_is_the_distance_to_the_nearest_other(comparison: Comparison):
    among = distances(comparison.train.log, comparison.train.log)
    np.fill_diagonal(among, np.inf)
    np.testing.assert_allclose(comparison.train.isolation, among.min(axis=1))
    assert np.isinf(comparison.train.subset(np.array([0])).isolation[0])


def test_a_draw_of_rows_is_sorted_whole_and_repeatable(comparison: Comparison):
    rows = comparison.train.drawn(7)
    assert len(set(rows)) == 7
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, comparison.train.drawn(7))
    np.testing.assert_array_equal(comparison.train.drawn(1000), np.arange(comparison.train.n_samples))


def test_digests_are_equal_for_equal_rows_only():
    digests = row_digests(np.array([[1, 2], [2, 1], [1, 2]]))
    assert digests[0] == digests[2] != digests[1]


def test_count_properties_by_hand(comparison: Comparison):
    counts = np.array([[0, 10, 90], [0, 0, 1000], [1, 0, 9], [3, 3, 4]])
    labels = np.array(["a", "b", "a", "b"])
    side = Profiles(counts, labels, comparison.train.covariates.iloc[:4], comparison.space)
    np.testing.assert_allclose(side.library_size, [2, 3, 1, 1])
    np.testing.assert_allclose(side.detected_genes, [2, 1, 2, 3])
    np.testing.assert_allclose(side.zeros_per_gene, [0.5, 0.5, 0.0])
    np.testing.assert_allclose(side.zeros_per_sample, [1 / 3, 2 / 3, 1 / 3, 0.0])
    np.testing.assert_allclose(side.log[3], np.log2([300001, 300001, 400001]))


def test_a_missing_holdout_is_said(comparison: Comparison):
    without = Comparison(comparison.space, comparison.train, comparison.twin)
    assert without.real is without.train
    with pytest.raises(NotComputableError, match="twinseq split"):
        without.field("holdout.log")


def test_dispersions_of_negative_binomial_counts_are_found(comparison: Comparison, rng):
    mean, dispersion = 200.0, 0.25
    counts = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, (300, 900)))
    labels, covariates = np.full(300, "a"), comparison.train.covariates.iloc[np.zeros(300, dtype=int)]
    side = Profiles(counts, labels, covariates, comparison.space)
    assert np.median(side.dispersion) == pytest.approx(np.log10(dispersion), abs=0.03)
