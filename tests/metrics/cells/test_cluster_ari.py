import networkx
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from twinseq.metrics import NotComputableError
from twinseq.metrics.cells import cluster_ari
from twinseq.metrics.cells.clusters import cluster_ari_ratio, louvain, neighbour_graph


@pytest.fixture
def blobs(rng):
    """Three clouds far apart, and which cloud each point belongs to."""
    types = np.repeat(["b", "nk", "t"], 120)
    centres = {"b": 0.0, "nk": 30.0, "t": -30.0}
    return rng.normal(size=(360, 4)) + np.array([centres[name] for name in types])[:, None], types


def test_types_that_are_clusters_are_found(blobs, rng):
    points, types = blobs
    # Louvain may cut a cloud in two, which costs less than naming no cloud at all.
    assert cluster_ari(points, types, rng, resolution=0.2) == pytest.approx(1.0)
    assert cluster_ari(points, types, rng) > 0.5


def test_types_dealt_out_at_random_are_not(blobs, rng):
    points, types = blobs
    assert abs(cluster_ari(points, rng.permutation(types), rng)) < 0.05


def test_graph_agrees_with_the_naive_jaccard_index(rng):
    points = rng.normal(size=(40, 3))
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    around = [set(np.argsort(row)[:6]) for row in distance]
    graph = neighbour_graph(points, 5).toarray()
    for i in range(40):
        for j in range(40):
            linked = i != j and (j in around[i] or i in around[j])
            expected = len(around[i] & around[j]) / len(around[i] | around[j]) if linked else 0.0
            assert graph[i, j] == pytest.approx(expected)


def test_clusters_are_as_good_as_networkx_finds(rng):
    points = rng.normal(size=(300, 3)) + 4 * rng.integers(0, 3, size=(300, 1))
    graph = neighbour_graph(points, 10)
    network = networkx.from_scipy_sparse_array(graph)
    theirs = networkx.community.louvain_communities(network, seed=0)
    ours = louvain(graph, 0)
    groups = [set(np.flatnonzero(ours == cluster).tolist()) for cluster in np.unique(ours)]
    modularity = networkx.community.modularity
    assert modularity(network, groups) > modularity(network, theirs) - 0.02


def test_the_same_seed_gives_the_same_clusters(blobs):
    graph = neighbour_graph(blobs[0], 15)
    assert np.array_equal(louvain(graph, 3), louvain(graph, 3))
    assert adjusted_rand_score(louvain(graph, 3), louvain(graph, 4)) > 0.6


def test_one_type_is_refused(rng):
    with pytest.raises(NotComputableError, match="one cell type"):
        cluster_ari(rng.normal(size=(100, 3)), np.full(100, "t"), rng)


def test_ratio_to_real_clusters():
    assert cluster_ari_ratio(0.3, 0.6) == 0.5
    with pytest.raises(NotComputableError, match="do not match"):
        cluster_ari_ratio(0.3, 0.01)
