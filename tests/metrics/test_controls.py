"""Known-bad twins are bad in the way they are meant to be."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from twinseq.cohort import Cohort
from twinseq.metrics import Comparison, Space
from twinseq.metrics._controls import mean_profile, outliers, scrambled_genes, shuffled_labels


def test_shuffled_labels_keep_profiles_and_shares(comparison: Comparison, rng):
    bad = shuffled_labels(comparison.train, rng)
    np.testing.assert_array_equal(bad.values, comparison.train.values)
    assert sorted(bad.labels) == sorted(comparison.train.labels)
    assert (bad.labels != comparison.train.labels).any()
    assert list(bad.covariates.dtypes) == list(comparison.train.covariates.dtypes)
    for name in bad.covariates:
        assert sorted(bad.covariates[name]) == sorted(comparison.train.covariates[name])


def test_a_mean_profile_has_library_sizes_and_no_biology(comparison: Comparison, rng):
    bad = mean_profile(comparison.train, rng)
    np.testing.assert_allclose(bad.library_size, comparison.train.library_size, atol=0.01)
    assert bad.gene_variance.mean() < 0.2 * comparison.train.gene_variance.mean()
    assert list(bad.covariates.columns) == list(comparison.train.covariates.columns)


def test_a_mean_profile_of_continuous_values(rng):
    values = rng.standard_normal((10, 20))
    space = Space(Cohort(AnnData(values, obs=pd.DataFrame(index=[f"s{i}" for i in range(10)])), kind="continuous"))
    bad = mean_profile(space.train, rng)
    np.testing.assert_allclose(bad.values.mean(axis=0), values.mean(axis=0), atol=0.3)
    assert bad.values.std(axis=0).mean() == pytest.approx(0.1 * values.std(axis=0).mean(), rel=0.3)


def test_scrambled_genes_keep_library_sizes_and_lose_genes(comparison: Comparison, rng):
    bad = scrambled_genes(comparison.train, rng)
    np.testing.assert_allclose(bad.library_size, comparison.train.library_size)
    assert np.corrcoef(bad.gene_mean, comparison.train.gene_mean)[0, 1] < 0.3


def test_outliers_hit_one_value_in_fifty(comparison: Comparison, rng):
    bad = outliers(comparison.train, rng)
    hit = bad.values != comparison.train.values
    assert hit.mean() == pytest.approx(0.02 * (comparison.train.values > 0).mean(), rel=0.1)
    np.testing.assert_array_equal(bad.values[hit], 60 * comparison.train.values[hit])
