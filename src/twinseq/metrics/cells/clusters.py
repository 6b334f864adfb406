"""How well clusters of the twin's cells, found without their types, agree with those types."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from .._registry import NotComputableError, register
from ._nearest import drawn, nearest_others

Floats = NDArray[np.floating[Any]]
NEIGHBOURS = 15
MOST = 20_000
RUNS = 5

_SHARED: dict[str, Any] = {
    "group": "cells",
    "direction": "higher",
    "ideal": None,
    "bounds": (-1.0, 1.0),
    "reference": "Blondel et al. 2008, J Stat Mech P10008; Hubert & Arabie 1985, Journal of Classification 2:193",
    "floor": "shuffled types",
    "needs": ("cells",),
    "unit": "cells",
}


@register(
    name="cluster_ari",
    question="Would clustering the twin's cells, without knowing their types, find those types?",
    reading=(
        "1: clusters are the cell types. 0: they have nothing to do with them. Real data reach the ceiling: below it "
        "the twin blurs the types, above it the twin's types are tidier than real ones."
    ),
    formula=(
        "adjusted Rand index of Louvain clusters (15 neighbours, Jaccard weights, resolution 1, own 50 PCs; median "
        "of 5 runs) against cell type, in the twin alone; at most 20,000 cells"
    ),
    fields=("twin.clustered",),
    **_SHARED,
)
def _cluster_ari(clustered: float) -> float:
    """Return the adjusted Rand index of a side."""
    return clustered


@register(
    name="cluster_ari_ratio",
    question="Do the twin's clusters match its cell types as well as real clusters match theirs?",
    reading="1: as in real data. Below 1 the twin blurs its types, above 1 they are tidier than real ones.",
    formula="cluster_ari of the twin / cluster_ari of real cells",
    fields=("twin.clustered", "real.clustered"),
    **{**_SHARED, "direction": "target", "ideal": 1.0, "bounds": (-np.inf, np.inf)},
)
def cluster_ari_ratio(twin: float, real: float) -> float:
    """Return the index of the twin as a share of that of real cells.

    Raises
    ------
    NotComputableError
        Clusters of real cells have nothing to do with their types.
    """
    if real < 0.05:
        raise NotComputableError("clusters of real cells do not match their types either")
    return twin / real


def cluster_ari(
    points: Floats,
    types: NDArray[np.str_],
    rng: np.random.Generator,
    *,
    neighbours: int = NEIGHBOURS,
    resolution: float = 1.0,
    most: int = MOST,
) -> float:
    """Return the adjusted Rand index between Louvain clusters of cells and their types.

    Parameters
    ----------
    points
        Coordinates of cells, ``n_cells × n_dimensions``, from these cells alone.
    types
        Cell types, ``n_cells``.
    rng
        Source of the choice of cells and of the order in which they are visited.
    neighbours, resolution
        Of the neighbour graph and of the modularity.
    most
        Most cells that are clustered.

    Raises
    ------
    NotComputableError
        There is one cell type only, or there are too few cells.
    """
    rows = drawn(len(points), most, rng)
    kept = types[rows]
    if len(np.unique(kept)) < 2:
        raise NotComputableError("there is one cell type only")
    if len(rows) <= neighbours:
        raise NotComputableError(f"needs more than {neighbours} cells")
    graph = neighbour_graph(points[rows], neighbours)
    seeds = rng.integers(2**31, size=RUNS)
    scores = [adjusted_rand_score(kept, louvain(graph, int(seed), resolution)) for seed in seeds]
    return float(np.median(scores))


def neighbour_graph(points: Floats, neighbours: int) -> sp.csr_matrix:
    """Return which cells are neighbours of each other, weighted by the Jaccard index of their neighbourhoods.

    A cell belongs to its own neighbourhood. ``n_cells × n_cells``, symmetric.

    References
    ----------
    Levine et al. 2015, Cell 162:184 (PhenoGraph).
    """
    n = len(points)
    others, _ = nearest_others(points, neighbours)
    row = np.repeat(np.arange(n), neighbours)
    linked = sp.csr_matrix((np.ones(row.size, dtype=np.float32), (row, others.ravel())), shape=(n, n))
    linked = linked + sp.identity(n, dtype=np.float32, format="csr")
    edges = linked.maximum(linked.T)
    edges.setdiag(0)
    edges.eliminate_zeros()
    shared = edges.multiply(linked @ linked.T).tocsr()
    shared.data = shared.data / (2 * (neighbours + 1) - shared.data)
    shared.eliminate_zeros()
    return shared


def louvain(graph: sp.csr_matrix, seed: int, resolution: float = 1.0) -> NDArray[np.intp]:
    """Return the cluster of each cell that Louvain's method finds in a weighted graph."""
    # Of the well-kept libraries, scikit-network needs nothing but numpy and scipy, is compiled and free (BSD), and
    # its Louvain gives the same clusters for the same seed, which its Leiden does not; igraph and leidenalg are GPL.
    from sknetwork.clustering import Louvain

    found: NDArray[np.intp] = Louvain(resolution, shuffle_nodes=True, random_state=seed).fit_predict(graph)
    return found
