"""Aggregates behind the plots of cells: nothing of a single real cell, and no statistic of fewer than five of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._registry import NotComputableError
from ._cells import Cells
from ._comparison import CellComparison
from .markers import strongest

Floats = NDArray[np.float64]
SMALLEST_GROUP = 5
"""Cells, or donors, below which nothing is said of them."""
ACROSS = (12, 45)
"""Fewest and most hexagons across the plot."""
TYPES = 12
MARKERS = 10
BINS = 25
WITHIN = 0.995
"""Share of the cells that the plot spans on each axis; the rest are counted at its border."""


def cell_map(comparison: CellComparison) -> pd.DataFrame:
    """Return how many cells of each side lie in each hexagon of the first two principal components.

    Hexagons of fewer than five cells are withheld. Columns: source, pc1, pc2 (centre), n, share (of the side's cells),
    width (between neighbours along pc1), height (between rows along pc2).
    """
    sides = [(source, side.points[:, :2].astype(np.float64)) for source, side in _sides(comparison)]
    low, high = _limits(np.concatenate([points for _, points in sides]))
    across = np.clip(np.sqrt(comparison.train.n_samples / 8), *ACROSS)
    width = float(high[0] - low[0]) / float(across)
    # Heights in units in which hexagons are regular: the plot is as high as it is wide.
    stretch = float(high[1] - low[1]) / float(high[0] - low[0])
    parts = []
    for source, points in sides:
        centres, n = hexagons(np.clip(points, low, high) / np.array([1.0, stretch]), width)
        enough = n >= SMALLEST_GROUP
        part = {
            "source": source,
            "pc1": centres[enough, 0],
            "pc2": centres[enough, 1] * stretch,
            "n": n[enough],
            "share": n[enough] / len(points),
            "width": width,
            "height": width * np.sqrt(3.0) / 2 * stretch,
        }
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def hexagons(points: Floats, width: float) -> tuple[Floats, NDArray[np.intp]]:
    """Count points in hexagons with a vertex at the top.

    Parameters
    ----------
    points
        ``n × 2``.
    width
        Distance between neighbouring centres.

    Returns
    -------
    Centres of the hexagons that hold a point, ``m × 2``, and how many points each holds.
    """
    step = np.array([width, width * np.sqrt(3.0)])
    # Hexagons are the cells of points nearest to two rectangular grids, the second shifted by half a step.
    first = np.rint(points / step)
    second = np.floor(points / step) + 0.5
    to_first = (((points / step - first) * step) ** 2).sum(axis=1)
    to_second = (((points / step - second) * step) ** 2).sum(axis=1)
    nearest = np.where((to_first <= to_second)[:, None], first, second)
    places, n = np.unique(np.rint(2 * nearest).astype(np.int64), axis=0, return_counts=True)
    centres: Floats = places / 2 * step
    return centres, n


def cell_type_places(comparison: CellComparison) -> pd.DataFrame:
    """Return where each cell type lies on those axes: source, cell_type, n, pc1, pc2 (medians)."""
    rows = []
    for source, side in _sides(comparison):
        for name in comparison.space.types:
            points = side.points[side.types == name, :2]
            if len(points) >= SMALLEST_GROUP:
                rows.append((source, str(name), len(points), *np.median(points, axis=0).astype(float)))
    return pd.DataFrame(rows, columns=["source", "cell_type", "n", "pc1", "pc2"])


def cell_axes(comparison: CellComparison) -> pd.DataFrame:
    """Return the share of variance on each principal component: component, explained."""
    explained = comparison.space.components.explained_variance_ratio_
    return pd.DataFrame({"component": np.arange(1, len(explained) + 1), "explained": explained.astype(float)})


def cell_composition(comparison: CellComparison) -> pd.DataFrame:
    """Return the share of each cell type, with its standard deviation between donors where there are five or more.

    Types of fewer than five cells of a real side are put together. Columns: source, cell_type, share, donor_sd.
    """
    space = comparison.space
    real = [side for source, side in _sides(comparison) if source != "twin"]
    common = [str(name) for name in space.types if all((side.types == name).sum() >= SMALLEST_GROUP for side in real)]
    rows: list[tuple[str, str, float, float]] = []
    for source, side in _sides(comparison):
        spread = np.full(len(space.types), np.nan)
        if side.donors is not None and len(np.unique(side.donors)) >= SMALLEST_GROUP:
            spread = side.donor_shares.std(axis=0, ddof=1)
        places = {str(name): index for index, name in enumerate(space.types)}
        shares = {name: float((side.types == name).mean()) for name in common}
        rows += [(source, name, share, float(spread[places[name]])) for name, share in shares.items()]
        if len(common) < len(space.types):
            rows.append((source, "(rare types)", max(0.0, 1.0 - sum(shares.values())), np.nan))
    return pd.DataFrame(rows, columns=["source", "cell_type", "share", "donor_sd"])


def cell_markers(comparison: CellComparison) -> pd.DataFrame:
    """Return the ten strongest markers of each cell type in real cells, with their rank and fold change in the twin.

    Columns: cell_type, rank_real, gene, lfc_real, lfc_twin, rank_twin (NaN where the twin lacks the type).
    """
    paired = comparison.paired
    parts = []
    for row, name in enumerate(paired.types):
        real, twin = paired.real_scores[row], paired.twin_scores[row]
        genes = strongest(real)[:MARKERS]
        rank = np.full(len(real), np.nan)
        if np.isfinite(twin).any():
            rank[np.argsort(-twin, kind="stable")] = np.arange(1, len(twin) + 1)
        part = {
            "cell_type": str(name),
            "rank_real": np.arange(1, len(genes) + 1),
            "gene": comparison.space.genes[genes].astype(str),
            "lfc_real": paired.real_lfc[row, genes],
            "lfc_twin": paired.twin_lfc[row, genes],
            "rank_twin": rank[genes],
        }
        parts.append(pd.DataFrame(part))
    if not any(len(part) for part in parts):
        raise NotComputableError("no cell type has a marker gene, as with a single type")
    return pd.concat(parts, ignore_index=True)


def cell_moments(comparison: CellComparison) -> pd.DataFrame:
    """Return variance and share of zeros over the mean of genes, in bins of genes of similar mean, by cell type.

    Columns: source, cell_type, mean, variance, zeros (means in the bin), n_genes.
    """
    common = comparison.space.types
    if len(common) > TYPES:
        sizes = np.array([(comparison.train.types == name).sum() for name in common])
        common = common[np.sort(np.argsort(-sizes, kind="stable")[:TYPES])]
    parts = []
    for source, side in _sides(comparison):
        found = side.moments
        for name in common:
            row = np.flatnonzero(found.types == name)
            if not len(row) or found.n_cells[row[0]] < SMALLEST_GROUP:
                continue
            parts.append(
                _trend(source, str(name), *(values[row[0]] for values in (found.mean, found.variance, found.zeros)))
            )
    if not parts:
        raise NotComputableError("every cell type has fewer than five cells")
    return pd.concat(parts, ignore_index=True)


def _trend(source: str, name: str, mean: Floats, variance: Floats, zeros: Floats) -> pd.DataFrame:
    """Return the trend of one type in steps of equal size along the mean, each of at least five genes."""
    genes = np.flatnonzero(mean > 0)
    genes = genes[np.argsort(mean[genes], kind="stable")]
    step = np.floor(BINS * mean[genes] / mean[genes].max()) if len(genes) else np.empty(0)
    bins: list[NDArray[np.intp]] = []
    waiting = genes[:0]
    for number in np.unique(step):
        waiting = np.concatenate([waiting, genes[step == number]])
        if len(waiting) >= SMALLEST_GROUP:
            bins.append(waiting)
            waiting = genes[:0]
    if len(waiting) and bins:
        bins[-1] = np.concatenate([bins[-1], waiting])
    return pd.DataFrame(
        {
            "source": source,
            "cell_type": name,
            "mean": [float(np.mean(mean[part])) for part in bins],
            "variance": [float(np.mean(variance[part])) for part in bins],
            "zeros": [float(np.mean(zeros[part])) for part in bins],
            "n_genes": [len(part) for part in bins],
        }
    )


def _sides(comparison: CellComparison) -> Iterator[tuple[str, Cells]]:
    yield "real", comparison.train
    if comparison.has_holdout:
        yield "holdout", comparison.holdout
    yield "twin", comparison.twin


def _limits(points: Floats) -> tuple[Floats, Floats]:
    """Return the corners of the plot; quantiles, so that no border is the place of one outlying cell."""
    low, high = np.quantile(points, 1 - WITHIN, axis=0), np.quantile(points, WITHIN, axis=0)
    air = 0.05 * np.maximum(high - low, 1e-9)
    return low - air, high + air


TABLES: dict[str, Callable[[CellComparison], pd.DataFrame]] = {
    "cell_map": cell_map,
    "cell_type_places": cell_type_places,
    "cell_axes": cell_axes,
    "cell_composition": cell_composition,
    "cell_markers": cell_markers,
    "cell_moments": cell_moments,
}
