"""A linear model per gene with moderated variances, for values that are not counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import digamma, polygamma
from scipy.stats import false_discovery_control, norm, t

from ...de.modelmatrix import model_matrix
from .design import LABEL, Pair

Floats = NDArray[np.float64]


def moderated_contrast(values: NDArray[Any], table: pd.DataFrame, pair: Pair) -> tuple[Floats, Floats, Floats]:
    """Test one class against another by a moderated t-test, covariates in the model.

    Parameters
    ----------
    values
        Continuous expression (log scale), ``n_samples × n_genes``.
    table
        The model's variables; the column ``label`` holds the classes.
    pair
        Tested and reference class.

    Returns
    -------
    Difference of means (tested − reference), Benjamini–Hochberg adjusted p-value and z-score of each gene.
    Genes that do not vary within the model's groups get an adjusted p-value of 1.

    Raises
    ------
    CohortError
        The model cannot be estimated.

    References
    ----------
    Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3:3 (limma).
    """
    difference, p_values = moderated_test(values, table, pair)
    return difference, false_discovery_control(p_values), signed_z(difference, p_values)


def signed_z(difference: Floats, p_values: Floats) -> Floats:
    """Return two-sided p-values as standard normal deviates with the sign of a difference.

    >>> signed_z(np.array([2.0, -1.0]), np.array([0.05, 1.0])).round(2)
    array([ 1.96, -0.  ])
    """
    z: Floats = np.sign(difference) * norm.isf(np.maximum(p_values, 1e-300) / 2)
    return z


def moderated_test(values: NDArray[Any], table: pd.DataFrame, pair: Pair) -> tuple[Floats, Floats]:
    """Return what `moderated_contrast` does, with p-values that are not adjusted."""
    model = model_matrix(table, list(table.columns), (LABEL, *pair))
    matrix, contrast = model.matrix, model.contrast
    inverse = np.linalg.inv(matrix.T @ matrix)
    coefficients = inverse @ matrix.T @ values
    freedom = len(matrix) - matrix.shape[1]
    residual_variance = ((values - matrix @ coefficients) ** 2).sum(axis=0) / freedom
    # Values that differ by rounding alone must not look like a gene without noise.
    floor = 1e-20 * np.maximum((np.asarray(values) ** 2).mean(axis=0), 1e-300)
    varies = residual_variance > floor
    difference = contrast @ coefficients
    p_values = np.ones(len(difference))
    if varies.any():
        prior_freedom, prior_variance = variance_prior(residual_variance[varies], freedom)
        if np.isinf(prior_freedom):
            variance = np.full(int(varies.sum()), prior_variance)
        else:
            variance = (prior_freedom * prior_variance + freedom * residual_variance[varies]) / (
                prior_freedom + freedom
            )
        statistic = difference[varies] / np.sqrt(variance * float(contrast @ inverse @ contrast))
        total = min(prior_freedom + freedom, freedom * len(residual_variance))
        p_values[varies] = 2 * t.sf(np.abs(statistic), total)
    return difference, p_values


def variance_prior(variances: Floats, freedom: int) -> tuple[float, float]:
    """Return degrees of freedom (``inf`` if the variances are all alike) and scale of the prior on variances.

    Fits a scaled F distribution to the residual variances by the moments of their logarithm (limma's ``fitFDist``).
    """
    z = np.log(variances)
    centred = z - digamma(freedom / 2) + np.log(freedom / 2)
    mean = float(centred.mean())
    excess = float(centred.var(ddof=1)) - float(polygamma(1, freedom / 2)) if len(z) > 1 else 0.0
    if excess <= 0:
        return float("inf"), float(np.exp(mean))
    prior = 2 * _inverse_trigamma(excess)
    return prior, float(np.exp(mean + digamma(prior / 2) - np.log(prior / 2)))


def _inverse_trigamma(value: float) -> float:
    """Solve ``trigamma(x) = value`` by Newton's method on 1/trigamma, which is nearly linear in x."""
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-10:
            break
    return x
