"""Edges of the benchmark's co-expression networks."""

import numpy as np
import pytest

from twinseq import metrics
from twinseq.metrics import NotComputableError
from twinseq.metrics.paper import coexpression
from twinseq.metrics.paper.coexpression import CUTS, edge_counts


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(coexpression, "BLOCK", 7)


@pytest.mark.usefixtures("small_blocks")
def test_edges_are_those_of_numpys_correlations(rng):
    mix = rng.standard_normal((30, 30))
    train, twin = rng.standard_normal((40, 30)) @ mix, rng.standard_normal((25, 30)) @ mix
    above = np.triu_indices(30, 1)
    a, b = np.corrcoef(train.T)[above], np.corrcoef(twin.T)[above]
    expected = [[((a > cut) & (b > cut)).sum(), (a > cut).sum(), (b > cut).sum()] for cut in CUTS]
    np.testing.assert_array_equal(edge_counts(train, twin), expected)


def figure(name: str, counts: np.ndarray) -> float:
    return metrics.get(name).function(counts)


def test_shares_by_hand():
    counts = np.array([[10.0, 20, 40], [3, 6, 4], [0, 0, 5]])
    assert figure("paper_coexpression_recall_0", counts) == 0.5
    assert figure("paper_coexpression_precision_0", counts) == 0.25
    assert figure("paper_coexpression_recall_0.3", counts) == 0.5
    assert figure("paper_coexpression_precision_0.3", counts) == 0.75
    assert figure("paper_coexpression_precision_0.5", counts) == 0.0
    with pytest.raises(NotComputableError, match=r"no edge above 0\.5"):
        figure("paper_coexpression_recall_0.5", counts)


def test_null_a_second_draw_has_the_edges(rng):
    mix = rng.standard_normal((5, 60))
    counts = edge_counts(*(rng.standard_normal((500, 5)) @ mix for _ in range(2)))
    assert figure("paper_coexpression_recall_0.5", counts) > 0.8
    assert figure("paper_coexpression_precision_0.5", counts) > 0.8


def test_failure_independent_genes_lose_them_and_one_common_factor_has_all(rng):
    train = rng.standard_normal((200, 5)) @ rng.standard_normal((5, 60))
    lost = edge_counts(train, rng.standard_normal((200, 60)))
    assert figure("paper_coexpression_recall_0.3", lost) < 0.05
    together = edge_counts(train, rng.standard_normal((200, 1)) + np.zeros((1, 60)))
    assert figure("paper_coexpression_recall_0.3", together) == 1.0
    assert figure("paper_coexpression_precision_0.3", together) < 0.6


def test_a_gene_that_does_not_vary_has_no_edge(rng):
    train = np.column_stack([np.full(30, 0.1), rng.standard_normal((30, 3)) + rng.standard_normal((30, 1))])
    assert edge_counts(train, train)[0, 1] <= 3
