"""What is derived from the counts of cells, against the definitions and against scanpy."""

import numpy as np
import pytest
import scipy.sparse as sp
from anndata import AnnData

from twinseq.cohort import Cohort
from twinseq.metrics import NotComputableError
from twinseq.metrics.cells import CellSpace, log_normalised, marker_scores, principal_components
from twinseq.metrics.cells._cells import moments
from twinseq.metrics.cells.markers import log_fold_changes


def dense_log(cohort):
    counts = cohort.dense()
    return np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)


def test_moments_agree_with_the_definition_over_several_parts(rng):
    counts = rng.poisson(1.0, size=(4500, 7))
    counts[:, 0] += 1
    types = rng.choice(["b", "nk", "t"], 4500)
    cohort = Cohort(AnnData(sp.csr_matrix(counts)), kind="counts")
    found, log = moments(cohort, types), dense_log(cohort)
    assert found.types.tolist() == ["b", "nk", "t"]
    for row, name in enumerate(found.types):
        group = types == name
        assert found.n_cells[row] == group.sum()
        assert np.allclose(found.mean[row], log[group].mean(axis=0))
        assert np.allclose(found.variance[row], log[group].var(axis=0, ddof=1))
        assert np.allclose(found.zeros[row], (counts[group] == 0).mean(axis=0))
    assert np.allclose(found.gene_variance, log.var(axis=0), rtol=0.01)


def test_one_cell_of_a_type_has_no_variance(rng):
    cohort = Cohort(AnnData(sp.csr_matrix(rng.poisson(1.0, size=(4, 3)) + 1)), kind="counts")
    found = moments(cohort, np.array(["b", "b", "b", "t"]))
    assert np.isnan(found.variance[1]).all()
    assert np.isfinite(found.mean).all()


def test_sparse_and_dense_cohorts_are_read_alike(train):
    dense = train.with_adata(AnnData(train.dense(np.int32), obs=train.obs, var=train.adata.var[[]]))
    assert (log_normalised(train) != log_normalised(dense)).nnz == 0
    assert np.allclose(log_normalised(train).toarray(), dense_log(train), rtol=1e-5)
    continuous = Cohort(AnnData(dense_log(train)), kind="continuous")
    assert np.allclose(log_normalised(continuous).toarray(), dense_log(train), rtol=1e-5)


def test_components_are_those_of_centred_dense_data(train):
    from sklearn.decomposition import PCA

    log = log_normalised(train)
    ours, theirs = principal_components(log, 0), PCA(50).fit(log.toarray())
    assert np.allclose(ours.explained_variance_[:10], theirs.explained_variance_[:10], rtol=1e-3)
    space = CellSpace(train)
    assert space.train.points.shape == (train.n_samples, 50)
    assert np.allclose(space.train.points.mean(axis=0), 0, atol=1e-3)


def test_constant_genes_are_no_variable_genes(train):
    counts = train.adata.X.tolil(copy=True)
    counts[:, 5] = 0
    space = CellSpace(train.with_adata(AnnData(counts.tocsr(), obs=train.obs, var=train.adata.var[[]])))
    assert 5 not in space.variable
    assert np.isfinite(space.train.points).all()


def test_two_genes_have_no_components():
    with pytest.raises(NotComputableError, match="three genes"):
        principal_components(sp.csr_matrix(np.eye(9)[:, :2]), 0)


def test_markers_equal_those_of_scanpy(train):
    """Scores and fold changes of the t-test of `scanpy.tl.rank_genes_groups`."""
    scanpy = pytest.importorskip("scanpy")
    adata = AnnData(train.adata.X.astype(np.float64), obs=train.obs.copy())
    scanpy.pp.normalize_total(adata, target_sum=1e4)
    scanpy.pp.log1p(adata)
    assert np.allclose(adata.X.toarray(), log_normalised(train).toarray(), rtol=1e-5)
    scanpy.tl.rank_genes_groups(adata, "cell_type", method="t-test")
    found = moments(train, train.obs["cell_type"].astype(str).to_numpy(dtype=str))
    scores = marker_scores(found.mean, found.variance, found.n_cells)
    changes = log_fold_changes(found.mean, found.n_cells, 1e-9)
    for row, name in enumerate(found.types):
        theirs = scanpy.get.rank_genes_groups_df(adata, name).set_index("names").loc[adata.var_names]
        assert np.allclose(scores[row], theirs["scores"], rtol=1e-4, atol=1e-5)
        expressed = found.mean.min(axis=0) > 0
        assert np.allclose(changes[row, expressed], theirs["logfoldchanges"][expressed], rtol=1e-4, atol=1e-5)


def test_a_lone_type_and_a_lone_cell_have_no_markers():
    mean, variance = np.ones((1, 4)), np.ones((1, 4))
    assert np.isnan(marker_scores(mean, variance, np.array([9]))).all()
    assert np.isnan(log_fold_changes(mean, np.array([9]))).all()
    two = marker_scores(np.ones((2, 4)), np.ones((2, 4)), np.array([9, 1]))
    assert np.isnan(two).all()
    constant = marker_scores(np.ones((2, 4)), np.zeros((2, 4)), np.array([9, 9]))
    assert (constant == 0).all()
