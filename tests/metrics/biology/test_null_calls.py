"""False positives under permuted labels."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from twinseq.cohort import Cohort
from twinseq.metrics import Comparison, NotComputableError, Space
from twinseq.metrics._controls import outliers
from twinseq.metrics.biology.null_calls import PERMUTATIONS, null_fpr


def test_by_hand():
    assert null_fpr(np.array([0.02, 0.04, 0.09])) == pytest.approx(0.05)


def test_null_real_counts_are_called_at_the_level_of_the_test_though_classes_differ(comparison: Comparison):
    shares = comparison.train.null_shares
    assert len(shares) == PERMUTATIONS
    assert null_fpr(shares) == pytest.approx(0.05, abs=0.03)
    np.testing.assert_array_equal(shares, comparison.space.train.null_shares)


def test_failure_outliers_that_the_model_does_not_expect(comparison: Comparison):
    assert null_fpr(outliers(comparison.train, np.random.default_rng(0)).null_shares) > 0.2


def cohort(values, kind, labels) -> Cohort:
    obs = pd.DataFrame({"type": labels}, index=[f"s{i}" for i in range(len(labels))])
    return Cohort(AnnData(values, obs=obs), label="type", kind=kind)


def test_continuous_values_and_three_classes(rng):
    labels = np.repeat(["a", "b", "c"], 12)
    values = rng.standard_normal((36, 1500)) + (labels == "a")[:, None]
    assert null_fpr(Space(cohort(values, "continuous", labels)).train.null_shares) == pytest.approx(0.05, abs=0.03)


def test_a_twin_with_too_few_samples_is_told(rng):
    space = Space(cohort(rng.poisson(50, (8, 60)), "counts", np.repeat(["a", "b"], 4)))
    with pytest.raises(NotComputableError, match="at least two samples"):
        _ = space.train.subset(np.array([0, 1, 2, 4])).null_shares
