"""Generators of others to measure beside ours, written down as plainly as their publications describe them."""

import numpy as np
from scipy import stats


def dense_gaussian_copula(values: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw from a Gaussian copula with a dense gene × gene correlation, as tabular synthesisers fit it.

    Every column gets a beta margin by maximum likelihood (the default of the best-known tabular synthesiser), the
    correlation of normal scores is held as a full matrix, and samples come from its Cholesky factor. Time grows with
    genes cubed, memory with genes squared.
    """
    n_genes = values.shape[1]
    uniform = np.empty_like(values, dtype=float)
    margins = []
    for gene in range(n_genes):
        column = values[:, gene].astype(float)
        low, spread = column.min(), max(np.ptp(column), 1e-9)
        try:
            a, b, _, _ = stats.beta.fit(column, floc=low - 0.01 * spread, fscale=1.02 * spread)
        except stats.FitError:
            a, b = 1.0, 1.0
        margin = stats.beta(a, b, loc=low - 0.01 * spread, scale=1.02 * spread)
        margins.append(margin)
        uniform[:, gene] = margin.cdf(column)
    scores = stats.norm.ppf(np.clip(uniform, 1e-6, 1 - 1e-6))
    correlation = np.nan_to_num(np.corrcoef(scores, rowvar=False))
    correlation[np.diag_indices(n_genes)] = 1.0 + 1e-4
    drawn = rng.standard_normal((n, n_genes)) @ np.linalg.cholesky(correlation).T
    uniform = stats.norm.cdf(drawn)
    return np.column_stack([margin.ppf(uniform[:, gene]) for gene, margin in enumerate(margins)])


COPULAS_SCRIPT = """
import json, sys, time
import numpy as np, pandas as pd
from copulas.multivariate import GaussianMultivariate
from copulas.univariate import BetaUnivariate
values = np.load(sys.argv[1])
start = time.perf_counter()
table = pd.DataFrame(values, columns=[f"g{i}" for i in range(values.shape[1])])
model = GaussianMultivariate(distribution=BetaUnivariate, random_state=0)
model.fit(table)
model.sample(len(values))
print(json.dumps(time.perf_counter() - start))
"""
"""Times the copula engine of SDV (package ``copulas``) in an environment of its own, on a saved array."""
