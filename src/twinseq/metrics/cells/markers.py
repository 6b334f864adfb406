"""Whether an analyst of the twin names the same marker genes for each cell type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.float64]
MARKERS = 50
PSEUDOCOUNT = 0.1
"""Added to both means of a fold change, counts per 10,000; without it a gene that the others lack has no bounds."""

_SHARED: dict[str, Any] = {
    "group": "cells",
    "direction": "higher",
    "ideal": None,
    "reference": "Wolf, Angerer & Theis 2018, Genome Biology 19:15 (scanpy.tl.rank_genes_groups)",
    "floor": "shuffled types",
    "unit": "cells",
}


@register(
    name="marker_overlap",
    question="Are the marker genes of each cell type the same in the twin?",
    reading="Share of a type's strongest markers that are among its strongest in the twin too; 1: the same genes.",
    formula=(
        "mean over cell types of |R ∩ S| / |R|, the 50 genes (a tenth of all if fewer) with the largest Welch t of a "
        "type's cells against all others"
    ),
    bounds=(0.0, 1.0),
    fields=("paired.real_scores", "paired.twin_scores"),
    needs=("cells",),
    **_SHARED,
)
def marker_overlap(real: Floats, twin: Floats) -> float:
    """Return the share of each type's markers that the twin has too, averaged over types.

    Parameters
    ----------
    real, twin
        Welch t of each gene for each type (`marker_scores`), ``n_types × n_genes``; a row of NaN in ``twin`` where it
        lacks the type, which counts as no overlap.

    Raises
    ------
    NotComputableError
        No type has a marker.
    """
    found = []
    for a, b in zip(real, twin, strict=True):
        genes = strongest(a)
        if len(genes):
            found.append(len(np.intersect1d(genes, strongest(b))) / len(genes))
    if not found:
        raise NotComputableError("no cell type has a marker gene, as with a single type")
    return float(np.mean(found))


@register(
    name="marker_lfc_r",
    question="Do markers differ between a cell type and the others by as much in the twin?",
    reading="1: the same fold changes, up to a common factor. 0: unrelated.",
    formula=(
        "Pearson r over the markers of all cell types in real cells of log2 fold changes, type against all others "
        "(0.1 of 10,000 counts added)"
    ),
    bounds=(-1.0, 1.0),
    fields=("paired.real_scores", "paired.real_lfc", "paired.twin_lfc"),
    needs=("cells",),
    **_SHARED,
)
def marker_lfc_r(scores: Floats, real: Floats, twin: Floats) -> float:
    """Return the correlation of the markers' log2 fold changes.

    Parameters
    ----------
    scores
        Welch t of each gene for each type in real cells, ``n_types × n_genes``.
    real, twin
        Log2 fold changes; a type that the twin lacks (a row of NaN) counts as unchanged.

    Raises
    ------
    NotComputableError
        There are fewer than three markers, or their fold changes do not differ.
    """
    chosen = [(row, gene) for row, values in enumerate(scores) for gene in strongest(values)]
    if len(chosen) < 3:
        raise NotComputableError("fewer than three marker genes")
    rows, genes = np.array(chosen).T
    a, b = real[rows, genes], np.nan_to_num(twin[rows, genes])
    if a.std() == 0 or b.std() == 0:
        raise NotComputableError("the fold changes of the markers do not differ")
    return float(np.corrcoef(a, b)[0, 1])


def strongest(scores: Floats) -> NDArray[np.intp]:
    """Return the genes with the largest positive scores: 50, or a tenth of all if there are fewer than 500."""
    number = max(1, min(MARKERS, len(scores) // 10))
    known = np.where(np.isfinite(scores), scores, -np.inf)
    order = np.argsort(-known, kind="stable")[:number]
    return order[known[order] > 0]


def marker_scores(mean: Floats, variance: Floats, n_cells: NDArray[np.intp]) -> Floats:
    """Return Welch's t of each gene, cells of a type against all others, from their moments alone.

    Equals the scores of ``scanpy.tl.rank_genes_groups(method="t-test")`` on log-normalised expression.

    Parameters
    ----------
    mean, variance
        Of log-normalised expression in each type, ``n_types × n_genes``.
    n_cells
        Cells of each type.

    Returns
    -------
    ``n_types × n_genes``; NaN for a type of fewer than two cells or without others, 0 where nothing varies.
    """
    scores = np.full(mean.shape, np.nan)
    for row in range(len(mean)):
        others = np.delete(np.arange(len(mean)), row)
        n, n_others = n_cells[row], n_cells[others].sum()
        if n < 2 or n_others < 2:
            continue
        rest_mean, rest_variance = _pooled(mean[others], variance[others], n_cells[others])
        error = np.sqrt(variance[row] / n + rest_variance / n_others)
        scores[row] = np.divide(mean[row] - rest_mean, error, out=np.zeros_like(error), where=error > 0)
    return scores


def log_fold_changes(mean: Floats, n_cells: NDArray[np.intp], pseudocount: float = PSEUDOCOUNT) -> Floats:
    """Return log2 fold changes of each type against all others, ``n_types × n_genes``.

    Means are of log-normalised expression, brought back by ``expm1``, as in scanpy, whose pseudo-count is 1e-9; NaN
    where there are no others.
    """
    changes = np.full(mean.shape, np.nan)
    for row in range(len(mean)):
        others = np.delete(np.arange(len(mean)), row)
        if n_cells[row] and n_cells[others].sum():
            weight = n_cells[others] / n_cells[others].sum()
            rest = weight @ np.nan_to_num(mean[others])
            changes[row] = np.log2((np.expm1(mean[row]) + pseudocount) / (np.expm1(rest) + pseudocount))
    return changes


def _pooled(mean: Floats, variance: Floats, n_cells: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return mean and variance over the cells of several types."""
    n = n_cells[:, None].astype(np.float64)
    centre = (n * mean).sum(axis=0) / n.sum()
    within = np.where(n > 1, (n - 1) * np.nan_to_num(variance), 0.0).sum(axis=0)
    between = (n * (mean - centre) ** 2).sum(axis=0)
    return centre, (within + between) / (n.sum() - 1)
