"""From counts to a scale on which genes are comparable, and back to counts.

All functions take and return dense arrays, ``n_samples × n_genes``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
BLOCK = 2048


def size_factors(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return the size factor of each sample, by the median of ratios.

    The reference of a gene is its geometric mean over the samples. Where no gene is free of zeros (single cells,
    shallow bulk), the geometric mean of its positive counts over all samples, ``exp(Σ log x⁺ / n)``, takes its place
    and ratios are taken over positive counts only; factors then have geometric mean 1.

    Parameters
    ----------
    counts
        Raw counts, ``n_samples × n_genes``; every sample has at least one count.

    Returns
    -------
    ``n_samples`` positive factors.

    References
    ----------
    Anders & Huber 2010, Genome Biology 11:R106; the fallback is the ``poscounts`` rule of phyloseq and DESeq2.
    """
    n_samples, n_genes = counts.shape
    complete = (counts > 0).all(axis=0)
    if complete.any():
        log_counts = np.log(counts[:, complete])
        return np.asarray(np.exp(np.median(log_counts - log_counts.mean(axis=0), axis=1)))
    reference = np.empty(n_genes)
    for start in range(0, n_genes, BLOCK):
        block = slice(start, start + BLOCK)
        reference[block] = np.log(np.maximum(counts[:, block], 1)).mean(axis=0)
    factors = np.empty(n_samples)
    for index, row in enumerate(counts):
        seen = row > 0
        factors[index] = np.median(np.log(row[seen]) - reference[seen])
    return np.asarray(np.exp(factors - factors.mean()))


def log_normalised(counts: NDArray[Any], factors: Floats) -> NDArray[np.float64]:
    """Return ``log2(count / size factor + 1)``."""
    values: NDArray[np.float64] = np.log2(counts / factors[:, None] + 1.0)
    return values


def counts_from_log(values: Floats, factors: Floats) -> NDArray[np.int64]:
    """Invert `log_normalised`, rounding to whole, non-negative counts."""
    return np.rint(np.maximum(np.exp2(values) - 1.0, 0.0) * factors[:, None]).astype(np.int64)


def log_cpm(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return ``log2(counts per million + 1)``."""
    totals = counts.sum(axis=1, dtype=np.float64)
    values: NDArray[np.float64] = np.log2(counts * (1e6 / totals)[:, None] + 1.0)
    return values
