"""Whether the genes that go with a covariate in real data are those that go with it in the twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from .._registry import NotComputableError, register
from .association import explained_share
from .variation import is_number

Floats = NDArray[np.float64]


@register(
    name="gene_covariate_r",
    group="covariates",
    question="Do the same genes follow each covariate (age, sex, batch) in the twin?",
    reading="1: the same genes, equally strongly; 0: unrelated.",
    formula="mean over covariates of Pearson r over the top 2,000 genes of Spearman ρ (quantity) or η² (category)",
    direction="higher",
    ideal=1.0,
    bounds=(-1.0, 1.0),
    reference="Spec of the project",
    fields=("train.variable", "train.covariates", "twin.variable", "twin.covariates"),
    against="train",
    floor="shuffled labels",
    needs=("covariates",),
)
def gene_covariate_r(real: Floats, real_covariates: pd.DataFrame, twin: Floats, twin_covariates: pd.DataFrame) -> float:
    """Return the agreement of gene–covariate associations, averaged over covariates.

    Parameters
    ----------
    real, twin
        Expression on the log scale, ``n_samples × n_genes``.
    real_covariates, twin_covariates
        One row per sample.

    Raises
    ------
    NotComputableError
        No covariate varies on both sides.
    """
    figures = []
    for name in real_covariates.columns:
        if name not in twin_covariates.columns:
            continue
        a = gene_associations(real, real_covariates[name])
        b = gene_associations(twin, twin_covariates[name])
        if a is not None and b is not None and np.ptp(a) > 0:
            figures.append(float(np.corrcoef(a, b)[0, 1]) if np.ptp(b) > 0 else 0.0)
    if not figures:
        raise NotComputableError("no covariate varies on both sides")
    return float(np.mean(figures))


def gene_associations(values: Floats, covariate: pd.Series[Any]) -> Floats | None:
    """Return the association of each gene with a covariate, or ``None`` where the covariate does not vary."""
    known = covariate.notna().to_numpy()
    column, x = covariate[known], values[known]
    if len(column) < 3 or column.nunique() < 2:
        return None
    if not is_number(column):
        return explained_share(x, column.astype(str).to_numpy())
    ranks = rankdata(x, axis=0)
    ranks -= ranks.mean(axis=0)
    against = rankdata(column.to_numpy(dtype=float))
    against -= against.mean()
    norm = np.linalg.norm(ranks, axis=0) * np.linalg.norm(against)
    product: Floats = against @ ranks
    correlation: Floats = np.divide(product, norm, out=np.zeros_like(norm), where=norm > 0)
    return correlation
