"""Who plays the twin for the ceiling."""

import numpy as np
import pytest

from twinseq import metrics
from twinseq.metrics import Comparison
from twinseq.metrics._ceilings import ceiling_of, ceilings


@pytest.fixture
def small_holdout(comparison: Comparison) -> Comparison:
    holdout = comparison.holdout.subset(np.r_[0:8, 20:30])
    return Comparison(comparison.space, comparison.train, comparison.twin, holdout)


def roles(sides: Comparison):
    return ceilings(sides, sides.train.donors, sides.holdout.donors, None)


def test_a_holdout_as_large_as_the_twin_plays_the_twin(comparison: Comparison):
    assert "replicate" not in roles(comparison)
    assert "hold-out in the twin's place" in ceiling_of(metrics.get("de_recall"), roles(comparison)).source


def test_lists_of_genes_get_two_halves_of_all_real_data_where_the_holdout_is_small(small_holdout: Comparison):
    made = roles(small_holdout)
    ceiling = ceiling_of(metrics.get("de_recall"), made)
    assert "two halves of all real data" in ceiling.source
    assert "the twin has 40" in ceiling.source
    first, second = ceiling.comparison.train, ceiling.comparison.twin
    assert min(first.n_samples, second.n_samples) > small_holdout.holdout.n_samples
    assert first.n_samples + second.n_samples == 58
    assert not set(first.digests) & set(second.digests)
    for name in ("dcr_median", "lfc_replication", "mmd"):
        assert "halves" not in ceiling_of(metrics.get(name), made).source


def test_halves_are_no_larger_than_the_twin(small_holdout: Comparison):
    twin = small_holdout.twin.subset(np.r_[0:9, 18:29])
    sides = Comparison(small_holdout.space, small_holdout.train, twin, small_holdout.holdout)
    ceiling = ceiling_of(metrics.get("lfc_pearson"), roles(sides))
    assert ceiling.comparison.train.n_samples == pytest.approx(20, abs=2)
    assert ceiling.comparison.twin.n_samples == pytest.approx(20, abs=2)
