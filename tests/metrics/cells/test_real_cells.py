"""The twin that R's scDesign2 makes of real cells, measured against them."""

import numpy as np
import pytest
from anndata import read_h5ad
from sklearn.metrics.pairwise import rbf_kernel

from twinseq.cohort import from_anndata
from twinseq.metrics.cells import CellComparison, CellSpace, cells_mmd, cluster_ari, lisi, marker_overlap

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def comparison(data_dir, reference_dir):
    """The 5,372 cells of two types, and as many that R drew from its fit to them."""
    cells = read_h5ad(data_dir / "onek1k-40donors" / "cells.h5ad")
    cells = cells[cells.obs["cell_type"].isin(["cd4nc", "bmem"])].copy()
    real = from_anndata(cells, donor="indiv", cell_type="cell_type")
    twin = from_anndata(read_h5ad(reference_dir / "scdesign2_simulated.h5ad"), cell_type="cell_type")
    space = CellSpace(real)
    return CellComparison(space, space.train, space.cells(twin))


def test_the_twin_of_r_is_good_and_not_perfect(comparison):
    joint = comparison.joint
    halves = joint.real[::2], joint.real[1::2]
    rng = comparison.rng
    assert 0.78 < lisi(joint.real, joint.twin, rng) < lisi(*halves, rng) < 0.95
    assert cells_mmd(*halves, rng) < 1e-4 < cells_mmd(joint.real, joint.twin, rng) < 2e-3
    assert comparison.twin.clustered == pytest.approx(comparison.real.clustered, abs=0.1)
    assert marker_overlap(comparison.paired.real_scores, comparison.paired.twin_scores) > 0.9


def test_clusters_of_shuffled_types_are_nothing(comparison, rng):
    side = comparison.real
    assert abs(cluster_ari(side.points, rng.permutation(side.types), rng, most=2000)) < 0.01


def test_a_kernel_of_width_one_only_counts_cells(comparison):
    """With γ = 1 on 50 components no two cells are near: the biased MMD² is 1/n + 1/m whatever the twin."""
    a, b = np.asarray(comparison.joint.real[:1500]), np.asarray(comparison.joint.twin[:1200])
    biased = rbf_kernel(a, a, gamma=1).mean() + rbf_kernel(b, b, gamma=1).mean() - 2 * rbf_kernel(a, b, gamma=1).mean()
    assert biased == pytest.approx(1 / 1500 + 1 / 1200, rel=0.01)
