"""Agreement of genes, of their correlations, of markers and of compositions."""

import numpy as np
import pytest

from twinseq.metrics import NotComputableError
from twinseq.metrics.cells import (
    CellComparison,
    CellSpace,
    composition_distance,
    copied_cells,
    correlation_of_correlations,
    donor_composition_distance,
    marker_lfc_r,
    marker_overlap,
    mean_concordance,
)
from twinseq.metrics.cells.composition import donor_shares
from twinseq.metrics.cells.copies import cell_digests
from twinseq.metrics.cells.gene_correlations import correlations

NONE = np.full(100, np.nan)


def test_concordance_is_lins(rng):
    real, twin = rng.normal(size=(2, 100)), rng.normal(size=(2, 100))
    twin += real
    expected = []
    for a, b in zip(real, twin, strict=True):
        covariance = ((a - a.mean()) * (b - b.mean())).mean()
        expected.append(2 * covariance / (a.var() + b.var() + (a.mean() - b.mean()) ** 2))
    assert mean_concordance(real, twin) == pytest.approx(np.mean(expected))


def test_concordance_sees_a_shift_that_a_correlation_does_not(rng):
    real = rng.normal(size=(1, 100))
    assert mean_concordance(real, real) == pytest.approx(1)
    assert mean_concordance(real, real + 2) < 0.5
    assert mean_concordance(real, 3 * real) < 0.8


def test_a_type_that_the_twin_lacks_counts_as_no_agreement(rng):
    real = rng.normal(size=(2, 100))
    assert mean_concordance(real, np.stack([real[0], NONE])) == pytest.approx(0.5)
    assert marker_overlap(real, np.stack([real[0], NONE])) == pytest.approx(0.5)
    pairs = list(rng.normal(size=(2, 50)))
    assert correlation_of_correlations(pairs, [pairs[0], None]) == pytest.approx(0.5)


def test_nothing_to_compare_is_said(rng):
    with pytest.raises(NotComputableError, match="genes that differ"):
        mean_concordance(np.ones((1, 5)), np.ones((1, 5)))
    with pytest.raises(NotComputableError, match="20 real cells"):
        correlation_of_correlations([], [])
    with pytest.raises(NotComputableError, match="no cell type has a marker"):
        marker_overlap(NONE[None], NONE[None])
    with pytest.raises(NotComputableError, match="fewer than three"):
        marker_lfc_r(NONE[None], NONE[None], NONE[None])


def test_correlations_are_pearsons_and_zero_for_constant_genes(rng):
    values = rng.poisson(1.0, size=(60, 5)).astype(float)
    values[:, 2] = 4.0
    with np.errstate(invalid="ignore"):
        expected = np.nan_to_num(np.corrcoef(values.T))[np.triu_indices(5, 1)]
    assert np.allclose(correlations(values), expected)


def test_markers_by_hand():
    """Twenty genes: the two strongest of each type count."""
    real = np.zeros((2, 20))
    real[0, :2], real[1, 5:7] = [9.0, 8.0], [5.0, 4.0]
    twin = np.zeros((2, 20))
    twin[0, :2], twin[1, [5, 9]] = [3.0, 4.0], [5.0, 4.0]
    assert marker_overlap(real, twin) == pytest.approx((1 + 0.5) / 2)
    changes = np.zeros((2, 20))
    changes[0, :2], changes[1, 5:7] = [3.0, 2.0], [1.0, 0.5]
    assert marker_lfc_r(real, changes, 2 * changes) == pytest.approx(1)
    assert marker_lfc_r(real, changes, -changes) == pytest.approx(-1)


def test_composition_by_hand():
    real = np.repeat(["b", "t"], [6, 4])
    assert composition_distance(real, np.repeat(["b", "t"], [30, 20])) == 0
    assert composition_distance(real, np.repeat(["b", "t"], [8, 2])) == pytest.approx(0.2)
    assert composition_distance(real, np.full(3, "nk")) == pytest.approx(1)


def test_donors_shares_by_hand():
    types = np.array(["b", "t", "t", "b", "nk"])
    donors = np.array(["d2", "d1", "d1", "d1", "d2"])
    shares = donor_shares(types, donors, np.array(["b", "t"]))
    assert np.allclose(shares, [[1 / 3, 2 / 3], [1 / 2, 0]])


def test_donors_that_spread_alike_are_near(rng):
    real, alike, even = rng.dirichlet([6, 3, 1], 40), rng.dirichlet([6, 3, 1], 40), np.tile([0.6, 0.3, 0.1], (40, 1))
    assert abs(donor_composition_distance(real, alike)) < 0.05
    assert donor_composition_distance(real, even + 1e-3 * rng.normal(size=even.shape)) > 0.1
    with pytest.raises(NotComputableError, match="5 donors"):
        donor_composition_distance(real, alike[:4])


def test_copies_are_found_whatever_the_form(train):
    dense = train.with_adata(train.adata.copy())
    dense.adata.X = train.dense(np.float32)
    assert np.array_equal(cell_digests(train), cell_digests(dense))
    digests = cell_digests(train)
    assert copied_cells(digests[:7], digests) == 1
    assert copied_cells(np.array([b"0", digests[3]]), digests) == 0.5


def test_a_type_that_the_twin_lacks_leaves_figures(train, holdout, second_draw):
    """A type absent in the twin, and one with three cells, cost agreement and nothing else."""
    types = second_draw.obs["cell_type"].astype(str).to_numpy()
    kept = np.concatenate([np.flatnonzero(types == "type1"), np.flatnonzero(types == "type2")[:3]])
    space = CellSpace(train)
    poor = CellComparison(space, space.train, space.cells(second_draw.subset(np.sort(kept))), space.cells(holdout))
    assert np.isnan(poor.paired.twin_mean[2]).all()
    assert np.isfinite(poor.paired.twin_mean[:2]).all()
    full = CellComparison(space, space.train, space.cells(second_draw), space.cells(holdout))
    for metric, fields in ((mean_concordance, "mean"), (mean_concordance, "zeros"), (marker_overlap, "scores")):
        a, b = (
            metric(getattr(side.paired, f"real_{fields}"), getattr(side.paired, f"twin_{fields}"))
            for side in (poor, full)
        )
        assert a < 0.75 * b
    assert correlation_of_correlations(poor.paired.real_pairs, poor.paired.twin_pairs) < 0.5
