"""Is each pair of genes as correlated in the twin as in real data? Spearman, 500 genes most variable in training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.floating[Any]]

_SHARED: dict[str, Any] = {"group": "fidelity", "floor": "independent", "unit": "genes"}


@register(
    name="correlation_frobenius",
    question="How large is the error of the gene–gene correlation matrix?",
    reading="0: the same matrix; 1: an error as large as the correlations themselves.",
    formula="‖C_real − C_twin‖_F / ‖C_real‖_F",
    direction="lower",
    ideal=0.0,
    bounds=(0.0, np.inf),
    reference="Spec of the project; norm of Golub & Van Loan, Matrix Computations",
    fields=("real.gene_correlation", "twin.gene_correlation"),
    **_SHARED,
)
def correlation_frobenius(real: Floats, twin: Floats) -> float:
    """Return the relative error of a correlation matrix in the Frobenius norm.

    Parameters
    ----------
    real, twin
        Correlation matrices, ``n_genes × n_genes``.
    """
    return float(np.linalg.norm(real - twin) / np.linalg.norm(real))


@register(
    name="correlation_r",
    question="Do strongly co-expressed gene pairs stay strongly co-expressed?",
    reading="1: same pattern of co-expression; 0: unrelated.",
    formula="Pearson r of the upper triangles of C_real and C_twin",
    direction="higher",
    ideal=1.0,
    bounds=(-1.0, 1.0),
    reference="'Correlation of correlations', Sun et al. 2021, Genome Biology 22:163 (scDesign2)",
    fields=("real.gene_pairs", "twin.gene_pairs"),
    **{**_SHARED, "unit": "gene pairs"},
)
def correlation_r(real: Floats, twin: Floats) -> float:
    """Return the Pearson correlation of two vectors of gene–gene correlations.

    Raises
    ------
    NotComputableError
        One side has the same correlation for every pair.
    """
    _require_spread(real, twin)
    return float(np.corrcoef(real, twin)[0, 1])


@register(
    name="correlation_slope",
    question="Is co-expression as strong in the twin as in real data?",
    reading="1: as strong; below 1: weakened; above 1: exaggerated.",
    formula="least-squares slope of the pairs of C_twin on those of C_real",
    direction="target",
    ideal=1.0,
    bounds=(-np.inf, np.inf),
    reference="Spec of the project",
    fields=("real.gene_pairs", "twin.gene_pairs"),
    **{**_SHARED, "unit": "gene pairs"},
)
def correlation_slope(real: Floats, twin: Floats) -> float:
    """Return the least-squares slope of the twin's gene–gene correlations on the real ones.

    Raises
    ------
    NotComputableError
        One side has the same correlation for every pair.
    """
    _require_spread(real, twin)
    centred = real - real.mean()
    return float(centred @ twin / (centred @ centred))


def _require_spread(real: Floats, twin: Floats) -> None:
    if len(real) < 2 or np.ptp(real) == 0 or np.ptp(twin) == 0:
        raise NotComputableError("the gene–gene correlations do not vary; at least three genes that vary are needed")
