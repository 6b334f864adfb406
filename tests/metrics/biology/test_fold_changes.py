"""Agreement of fold changes and of significance."""

import numpy as np
import pytest
from scipy.stats import linregress, pearsonr, spearmanr

from twinseq.metrics import NotComputableError
from twinseq.metrics.biology.fold_changes import (
    lfc_pearson,
    lfc_pearson_overlap,
    lfc_slope,
    lfc_spearman,
    lfc_spearman_overlap,
    padj_pearson,
)


@pytest.fixture
def pair(rng):
    real = rng.standard_normal(200)
    return real, 0.8 * real + 0.3 * rng.standard_normal(200)


def test_figures_are_those_of_scipy(pair):
    real, twin = pair
    columns = real[:, None], twin[:, None]
    assert lfc_pearson(*columns) == pytest.approx(pearsonr(real, twin).statistic)
    assert lfc_spearman(*columns) == pytest.approx(spearmanr(real, twin).statistic)
    assert lfc_slope(*columns) == pytest.approx(linregress(real, twin).slope)
    called, also = np.abs(columns[0]) > 1, np.abs(columns[1]) > 0.8
    both = (called & also)[:, 0]
    assert lfc_pearson_overlap(*columns, called, also) == pytest.approx(pearsonr(real[both], twin[both]).statistic)
    assert lfc_spearman_overlap(*columns, called, also) == pytest.approx(spearmanr(real[both], twin[both]).statistic)


def test_genes_missing_in_real_data_are_left_out_and_those_missing_in_the_twin_are_unchanged(pair):
    real, twin = pair
    unknown = real.copy()
    unknown[:5] = np.nan
    assert lfc_pearson(unknown[:, None], twin[:, None]) == pytest.approx(pearsonr(real[5:], twin[5:]).statistic)
    silent, zero = twin.copy(), twin.copy()
    silent[:5], zero[:5] = np.nan, 0.0
    assert lfc_pearson(real[:, None], silent[:, None]) == pytest.approx(pearsonr(real, zero).statistic)


def test_significance_is_clipped_and_filtered_genes_count_as_none():
    real = np.array([1e-50, 1e-30, 1e-10, 1e-3, 0.5, 1.0, np.nan, 0.2, 0.9, 1e-5, 0.04, 0.7])[:, None]
    twin = np.array([1e-40, 1e-60, 1e-9, np.nan, 0.4, 1.0, 1e-9, 0.3, 0.8, 1e-4, 0.05, 0.6])[:, None]
    x = -np.log10(np.array([1e-30, 1e-30, 1e-10, 1e-3, 0.5, 1.0, 0.2, 0.9, 1e-5, 0.04, 0.7]))
    y = -np.log10(np.array([1e-30, 1e-30, 1e-9, 1.0, 0.4, 1.0, 0.3, 0.8, 1e-4, 0.05, 0.6]))
    assert padj_pearson(real, twin) == pytest.approx(pearsonr(x, y).statistic)


def test_pairs_of_classes_are_averaged(pair):
    real, twin = pair
    both = lfc_pearson(np.column_stack([real, real]), np.column_stack([twin, -real]))
    assert both == pytest.approx((pearsonr(real, twin).statistic - 1) / 2)


def test_null_unrelated_fold_changes_correlate_at_zero(rng):
    real, twin = rng.standard_normal((20_000, 1)), rng.standard_normal((20_000, 1))
    for figure in (lfc_pearson, lfc_spearman, lfc_slope):
        assert figure(real, twin) == pytest.approx(0.0, abs=0.03)


def test_failure_shrunk_and_reversed_changes_are_caught(rng):
    real = rng.standard_normal((500, 1))
    assert lfc_slope(real, 0.5 * real) == pytest.approx(0.5)
    assert lfc_pearson(real, -real) == pytest.approx(-1.0)


def test_no_change_at_all_is_said(rng):
    real = rng.standard_normal((50, 1))
    with pytest.raises(NotComputableError):
        lfc_pearson(real, np.zeros((50, 1)))
    with pytest.raises(NotComputableError):
        lfc_pearson_overlap(real, real, real > 5, real > 5)
