"""How well mean, variance and share of zeros of each gene agree, cell type by cell type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.float64]

_SHARED: dict[str, Any] = {
    "group": "cells",
    "reading": (
        "1: every gene has the same value in twin and real cells of a type. 0: none of it, as for a type that the "
        "twin lacks. The average over types; see the plot for each."
    ),
    "direction": "higher",
    "ideal": 1.0,
    "bounds": (-1.0, 1.0),
    "reference": "Lin 1989, Biometrics 45:255",
    "floor": "shuffled types",
    "unit": "cells",
}
CONCORDANCE = "mean over cell types of Lin's concordance over genes, 2 cov / (var + var + difference of means²), of "


def mean_concordance(real: Floats, twin: Floats) -> float:
    """Return Lin's concordance correlation over genes, averaged over cell types.

    Unlike a correlation it falls where all values are shifted or stretched.

    Parameters
    ----------
    real, twin
        One value for each gene in each type, ``n_types × n_genes``; a row of NaN in ``twin`` where it lacks the type,
        which counts as no agreement.

    Raises
    ------
    NotComputableError
        No type has enough real cells, or in none of them genes differ.
    """
    scores = [
        0.0 if np.isnan(b).all() else 2 * np.cov(a, b, ddof=0)[0, 1] / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)
        for a, b in zip(real, twin, strict=True)
        if a.var() > 0
    ]
    if not scores:
        raise NotComputableError("no cell type has enough real cells with genes that differ")
    return float(np.mean(scores))


register(
    name="cell_gene_mean",
    question="Is each gene expressed as strongly in each cell type of the twin?",
    formula=CONCORDANCE + "mean log-normalised expression",
    fields=("paired.real_mean", "paired.twin_mean"),
    needs=("cells",),
    **_SHARED,
)(mean_concordance)
register(
    name="cell_gene_variance",
    question="Does each gene vary as much from cell to cell within each type of the twin?",
    formula=CONCORDANCE + "the variance of log-normalised expression",
    fields=("paired.real_variance", "paired.twin_variance"),
    needs=("cells",),
    **_SHARED,
)(mean_concordance)
register(
    name="cell_gene_zeros",
    question="Is each gene absent from as many cells of each type in the twin?",
    formula=CONCORDANCE + "the share of cells without a count",
    fields=("paired.real_zeros", "paired.twin_zeros"),
    needs=("cells", "counts"),
    **_SHARED,
)(mean_concordance)
