"""The statistic by which genes are ranked: DESeq2's Wald statistic, or the moderated t of continuous values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...de import fit_deseq2
from ...de.modelmatrix import model_matrix
from ..biology.design import LABEL, Pair, estimable
from ..biology.linear_model import variance_prior

if TYPE_CHECKING:
    from .._profiles import Profiles

Floats = NDArray[np.float64]


def statistics(profiles: Profiles, pairs: tuple[Pair, ...]) -> Floats:
    """Return the statistic of each tested gene for pairs of classes, ``n_genes × n_pairs``; 0 where there is none.

    The model is that of the contrasts: a covariate that this side cannot estimate is left out.
    """
    space = profiles.space
    table, _ = space.design.table(profiles)
    values = profiles.values[:, space.expressed]
    columns = []
    for pair in pairs:
        model = table
        while len(model.columns) > 1 and not estimable(model, pair):
            model = model.drop(columns=model.columns[-2])
        if space.kind == "continuous":
            columns.append(moderated_t(values, model, pair))
        else:
            fit = fit_deseq2(
                values,
                model,
                list(model.columns),
                (LABEL, *pair),
                refit_cooks=False,
                cooks_filter=False,
                independent_filter=False,
                n_cpus=space.jobs,
            )
            columns.append(fit["stat"].to_numpy(dtype=np.float64))
    return np.nan_to_num(np.column_stack(columns), nan=0.0)


def moderated_t(values: NDArray[Any], table: pd.DataFrame, pair: Pair) -> Floats:
    """Return limma's moderated t of each gene; 0 for a gene that does not vary within the model's groups.

    References
    ----------
    Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3:3.
    """
    model = model_matrix(table, list(table.columns), (LABEL, *pair))
    inverse = np.linalg.inv(model.matrix.T @ model.matrix)
    coefficients = inverse @ model.matrix.T @ values
    freedom = len(model.matrix) - model.matrix.shape[1]
    variance = ((values - model.matrix @ coefficients) ** 2).sum(axis=0) / freedom
    varies = variance > 1e-20 * np.maximum((np.asarray(values, dtype=float) ** 2).mean(axis=0), 1e-300)
    statistic = np.zeros(values.shape[1])
    if varies.any():
        prior_freedom, prior = variance_prior(variance[varies], freedom)
        shrunk = (
            np.full(int(varies.sum()), prior)
            if np.isinf(prior_freedom)
            else (prior_freedom * prior + freedom * variance[varies]) / (prior_freedom + freedom)
        )
        error = np.sqrt(shrunk * float(model.contrast @ inverse @ model.contrast))
        statistic[varies] = (model.contrast @ coefficients)[varies] / error
    return statistic
