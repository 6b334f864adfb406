"""Are genes of one cell type co-expressed in the twin as they are in real cells? The correlation of correlations."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.float64]
GENES = 200
FEWEST_CELLS = 20


@register(
    name="correlation_of_correlations",
    group="cells",
    question="Do genes vary together within each cell type of the twin as they do in real cells?",
    reading=(
        "1: the same pairs are correlated, in the same order. 0: unrelated, as where every gene is drawn by itself. "
        "Few cells make correlations noisy on either side: compare with the ceiling."
    ),
    formula=(
        "mean over cell types of Pearson r between real and twin correlations of all pairs of the 200 genes that vary "
        "most in cells of the type in T (log-normalised); types of at least 20 real cells"
    ),
    direction="higher",
    ideal=None,
    bounds=(-1.0, 1.0),
    reference="Crowell et al. 2020, Nature Communications 11:6077; Sun et al. 2021, Genome Biology 22:163 (scDesign2)",
    fields=("paired.real_pairs", "paired.twin_pairs"),
    floor="independent",
    needs=("cells",),
    unit="cells",
)
def correlation_of_correlations(real: list[Floats], twin: list[Floats | None]) -> float:
    """Return the agreement of gene–gene correlations, averaged over cell types.

    Parameters
    ----------
    real, twin
        Correlations of gene pairs (`correlations`), one array for each type; ``None`` where the twin lacks the type,
        which counts as no agreement.

    Raises
    ------
    NotComputableError
        No type has enough real cells, or their genes are not correlated at all.
    """
    scores = [
        0.0 if b is None or b.std() == 0 else float(np.corrcoef(a, b)[0, 1])
        for a, b in zip(real, twin, strict=True)
        if len(a) > 1 and a.std() > 0
    ]
    if not scores:
        raise NotComputableError(f"no cell type has {FEWEST_CELLS} real cells with genes that vary")
    return float(np.mean(scores))


def correlations(cells: Any) -> Floats:
    """Return Pearson correlations of all pairs of genes; 0 for genes that do not vary.

    Parameters
    ----------
    cells
        Log-normalised expression, ``n_cells × n_genes``, csr or array.

    Returns
    -------
    Upper triangle of the correlation matrix, ``n_genes (n_genes − 1) / 2``.
    """
    values = sp.csr_matrix(cells, dtype=np.float64)
    n = values.shape[0]
    mean = np.asarray(values.mean(axis=0)).ravel()
    covariance = (values.T @ values).toarray() / n - np.outer(mean, mean)
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    varying = deviation > 1e-6
    scale = np.where(varying, deviation, 1.0)
    matrix = np.where(np.outer(varying, varying), covariance / np.outer(scale, scale), 0.0)
    pairs: Floats = matrix[np.triu_indices(len(matrix), k=1)]
    return pairs
