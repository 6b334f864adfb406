"""Whether genes are tied to the same genes in the twin: signed edges and hubs of the co-expression network.

Correlations are Pearson's, between the 2,000 genes most variable in training, after class means are removed: two
genes that both differ between cases and controls are not co-expressed for that. Covariates are not removed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from .._registry import NotComputableError, register

Floats = NDArray[np.floating[Any]]

CUTS = (0.0, 0.3, 0.5)
HUBS = 50
SOFT_POWER = 6
FREEDOM = 3
ROUNDING = 1e-9

_REFERENCE = "Langfelder & Horvath 2008, BMC Bioinformatics 9:559 (signed networks)"
_SHARED: dict[str, Any] = {
    "group": "biology",
    "direction": "higher",
    "ideal": 1.0,
    "bounds": (0.0, 1.0),
    "against": "train",
    "floor": "independent",
}


def within_class(x: Floats, labels: NDArray[Any]) -> NDArray[np.float32]:
    """Return genes without their class means, each column of length 1.

    Parameters
    ----------
    x
        Expression on the log scale, ``n_samples × n_genes``.
    labels
        Class of each sample.

    Returns
    -------
    ``n_samples × n_genes``, so that the product with itself is the matrix of correlations within classes; columns
    of genes that do not vary within any class are 0.

    Raises
    ------
    NotComputableError
        There are fewer than three samples more than classes.
    """
    classes, codes = np.unique(labels, return_inverse=True)
    if len(x) - len(classes) < FREEDOM:
        raise NotComputableError(f"co-expression needs at least {FREEDOM} samples more than there are classes")
    residuals = np.array(x, dtype=np.float64)
    for code in range(len(classes)):
        residuals[codes == code] -= residuals[codes == code].mean(axis=0)
    lengths = np.linalg.norm(residuals, axis=0)
    # What rounding leaves of a constant gene must not be blown up to a pattern.
    varies = lengths > ROUNDING * np.maximum(np.linalg.norm(x, axis=0), 1.0)
    out: NDArray[np.float32] = np.where(varies, residuals / np.where(varies, lengths, 1.0), 0.0).astype(np.float32)
    return out


def connectivity(correlation: Floats) -> NDArray[np.float64]:
    """Return each gene's sum of positive correlations to the sixth power with all other genes.

    The power lets weak correlations, which chance makes, count for little (soft threshold).
    """
    tied = np.maximum(correlation, 0.0) ** SOFT_POWER
    total: NDArray[np.float64] = tied.sum(axis=1, dtype=np.float64) - np.diag(tied)
    return total


def edge_recall(real: Floats, twin: Floats, cut: float) -> float:
    """Return the share of real edges that the twin has too.

    Parameters
    ----------
    real, twin
        Correlations of the same pairs of genes.
    cut
        A pair whose correlation is above it is an edge.

    Raises
    ------
    NotComputableError
        Real data have no edge.
    """
    edges = real > cut
    if not edges.any():
        raise NotComputableError(f"no pair of genes correlates above {cut:g} in the real data")
    return float((twin[edges] > cut).mean())


def edge_precision(real: Floats, twin: Floats, cut: float) -> float:
    """Return the share of the twin's edges that real data have too; see `edge_recall`.

    Raises
    ------
    NotComputableError
        The twin has no edge.
    """
    edges = twin > cut
    if not edges.any():
        raise NotComputableError(f"no pair of genes correlates above {cut:g} in the twin")
    return float((real[edges] > cut).mean())


def _register_edges() -> None:
    for cut in CUTS:
        key = f"r{10 * cut:02.0f}" if cut else "r0"
        shared = {
            **_SHARED,
            "reference": _REFERENCE,
            "fields": ("train.coexpression_pairs", "twin.coexpression_pairs"),
            "unit": "gene pairs",
        }
        register(
            name=f"edge_recall_{key}",
            question=f"How many of the gene pairs that correlate above {cut:g} in real data do so in the twin?",
            reading="1: all; a twin without co-expression has as many as chance gives.",
            formula=f"P(r_S > {cut:g} given r_T > {cut:g}); Pearson r within classes, top 2,000 genes of T",
            **shared,
        )(_at(edge_recall, cut))
        register(
            name=f"edge_precision_{key}",
            question=f"How many of the gene pairs that correlate above {cut:g} in the twin do so in real data?",
            reading="1: all; low: the twin makes co-expression up.",
            formula=f"P(r_T > {cut:g} given r_S > {cut:g}); Pearson r within classes, top 2,000 genes of T",
            **shared,
        )(_at(edge_precision, cut))


def _at(figure: Any, cut: float) -> Any:
    return lambda real, twin: figure(real, twin, cut)


_register_edges()


@register(
    name="hub_overlap",
    question="Are the most connected genes of the real network those of the twin's?",
    reading="1: the same 50 hubs; 0: none in common.",
    formula="shared share of the 50 genes of largest Σ max(r, 0)⁶; r within classes, top 2,000 genes of T",
    reference=_REFERENCE,
    fields=("train.connectivity", "twin.connectivity"),
    unit="genes",
    **_SHARED,
)
def hub_overlap(real: Floats, twin: Floats) -> float:
    """Return the share of the real hubs that are hubs of the twin.

    Parameters
    ----------
    real, twin
        Connectivity of each gene (see `connectivity`); the 50 largest, or a tenth of the genes, are hubs.

    Raises
    ------
    NotComputableError
        There are fewer than twenty genes, or one side has no co-expression at all.
    """
    n_hubs = min(HUBS, len(real) // 10)
    if n_hubs < 2 or np.ptp(real) == 0 or np.ptp(twin) == 0:
        raise NotComputableError("needs at least twenty genes, and co-expression on both sides")
    tops = (set(np.argsort(-side, kind="stable")[:n_hubs].tolist()) for side in (real, twin))
    return len(set.intersection(*tops)) / n_hubs


@register(
    name="connectivity_spearman",
    question="Do genes rank the same by how strongly they are tied to others?",
    reading="1: same order; 0: unrelated.",
    formula="Spearman ρ over genes of Σ max(r, 0)⁶; r within classes, top 2,000 genes of T",
    reference=_REFERENCE,
    fields=("train.connectivity", "twin.connectivity"),
    unit="genes",
    resampling="together",
    **{**_SHARED, "bounds": (-1.0, 1.0)},
)
def connectivity_spearman(real: Floats, twin: Floats) -> float:
    """Return the rank correlation of connectivities; see `hub_overlap`.

    Raises
    ------
    NotComputableError
        All genes of one side are connected alike.
    """
    if len(real) < FREEDOM or np.ptp(real) == 0 or np.ptp(twin) == 0:
        raise NotComputableError("all genes are connected alike on one side")
    return float(np.corrcoef(rankdata(real), rankdata(twin))[0, 1])
