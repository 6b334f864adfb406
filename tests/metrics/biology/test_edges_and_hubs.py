"""Edges and hubs of the co-expression network."""

import numpy as np
import pytest

from twinseq import metrics
from twinseq.cohort import Cohort
from twinseq.generators import create
from twinseq.metrics import Comparison, NotComputableError, Profiles, network_tables
from twinseq.metrics.biology.coexpression import (
    connectivity,
    connectivity_spearman,
    edge_precision,
    edge_recall,
    hub_overlap,
    within_class,
)


def figure(comparison: Comparison, name: str) -> float:
    metric = metrics.get(name)
    return metric.function(*comparison.arguments(metric))


@pytest.fixture(scope="module")
def independent(comparison: Comparison, train: Cohort) -> Comparison:
    twin = create("independent").fit(train, seed=0).sample(seed=1)
    return Comparison(comparison.space, comparison.train, Profiles.of(twin, comparison.space), comparison.holdout)


def test_edges_by_hand():
    real, twin = np.array([0.6, 0.4, 0.1, -0.5]), np.array([0.55, 0.2, 0.35, -0.9])
    assert edge_recall(real, twin, 0.3) == pytest.approx(1 / 2)
    assert edge_precision(real, twin, 0.3) == pytest.approx(1 / 2)
    assert edge_recall(real, twin, 0.0) == edge_precision(real, twin, 0.5) == 1.0
    with pytest.raises(NotComputableError, match=r"above 0\.7 in the real data"):
        edge_recall(real, twin, 0.7)
    with pytest.raises(NotComputableError, match=r"above 0\.7 in the twin"):
        edge_precision(real, twin, 0.7)


def test_correlations_are_those_of_numpy_within_classes(rng):
    labels = np.repeat(["a", "b", "c"], [8, 6, 7])
    x = rng.normal(size=(21, 5))
    left = x.copy()
    for name in "abc":
        left[labels == name] -= x[labels == name].mean(axis=0)
    z = within_class(x, labels)
    assert z.T @ z == pytest.approx(np.corrcoef(left, rowvar=False), abs=1e-6)


def test_a_difference_between_classes_is_no_edge(rng):
    labels = np.repeat(["case", "control"], 200)
    x = rng.normal(size=(400, 2)) + 3.0 * (labels == "case")[:, None]
    assert np.corrcoef(x, rowvar=False)[0, 1] > 0.6
    z = within_class(x, labels)
    assert abs((z.T @ z)[0, 1]) < 0.2


def test_constant_genes_have_no_edge(rng):
    x = np.column_stack([rng.normal(size=10), np.full(10, 0.1), np.repeat([0.1, 7.3], 5)])
    z = within_class(x, np.repeat(["a", "b"], 5))
    assert np.isfinite(z).all()
    assert (z[:, 1:] == 0).all()
    with pytest.raises(NotComputableError, match="more than there are classes"):
        within_class(x[:4], np.array(["a", "a", "b", "b"]))


def test_connectivity_and_hubs_by_hand():
    correlation = np.array([[1.0, 0.5, -0.9], [0.5, 1.0, 0.2], [-0.9, 0.2, 1.0]])
    assert connectivity(correlation) == pytest.approx([0.5**6, 0.5**6 + 0.2**6, 0.2**6])
    real = np.arange(30.0)
    assert hub_overlap(real, real) == 1.0
    assert hub_overlap(real, -real) == 0.0
    assert hub_overlap(real, np.where(real == 29, -1.0, real)) == pytest.approx(2 / 3)
    assert connectivity_spearman(real, np.exp(real / 10)) == pytest.approx(1.0)
    for alike in (hub_overlap, connectivity_spearman):
        with pytest.raises(NotComputableError):
            alike(real, np.ones(30))


def test_null_a_second_draw_keeps_edges_and_hubs(comparison: Comparison):
    # With 18 and 22 samples, chance makes about as many edges as biology.
    for name, least in (("edge_recall_r05", 0.25), ("edge_precision_r05", 0.25), ("hub_overlap", 0.2)):
        assert figure(comparison, name) > least
    assert figure(comparison, "connectivity_spearman") > 0.4


def test_failure_independent_genes_keep_none(independent: Comparison):
    assert figure(independent, "edge_recall_r05") < 0.05
    assert figure(independent, "edge_recall_r0") == pytest.approx(0.5, abs=0.05)
    assert figure(independent, "hub_overlap") < 0.15
    assert abs(figure(independent, "connectivity_spearman")) < 0.2


def test_planted_partners_are_edges(comparison: Comparison, train: Cohort):
    module = train.adata.var["module"].astype(str).to_numpy()[comparison.space.panels["top2000"]]
    same = (module[:, None] == module) & (module != "none")
    same = same[np.triu_indices(len(module), k=1)]
    pairs = comparison.twin.coexpression_pairs
    assert (pairs[same] > 0.3).mean() > 0.6
    assert (pairs[~same] > 0.3).mean() < 0.2


def test_the_table_holds_every_pair_once(comparison: Comparison):
    table = network_tables.edge_correlations(comparison)
    n_genes = len(comparison.space.panels["top2000"])
    assert table.groupby("source")["n_pairs"].sum().to_dict() == dict.fromkeys(
        ("holdout", "twin"), n_genes * (n_genes - 1) // 2
    )
    assert table["r_real"].between(-1, 1).all()
