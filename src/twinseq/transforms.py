"""From counts to a scale on which genes are comparable, and back to counts.

All functions take and return dense arrays, ``n_samples × n_genes``.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    reference = size_reference(counts)
    factors = factors_against(counts, reference)
    return factors if reference.complete else np.asarray(factors / np.exp(np.log(factors).mean()))


@dataclass(frozen=True, eq=False)
class SizeReference:
    """What samples are held against for their size factors.

    Parameters
    ----------
    genes
        Genes that take part.
    log_counts
        Natural logarithm of the reference count of each of them.
    complete
        Whether they are the genes free of zeros.
    """

    genes: NDArray[np.intp]
    log_counts: NDArray[np.float64]
    complete: bool


def size_reference(counts: NDArray[Any]) -> SizeReference:
    """Return the reference of `size_factors` for ``counts``, ``n_samples × n_genes``."""
    complete = np.flatnonzero((counts > 0).all(axis=0))
    if complete.size:
        return SizeReference(complete, np.log(counts[:, complete]).mean(axis=0), True)
    n_genes = counts.shape[1]
    reference = np.empty(n_genes)
    for start in range(0, n_genes, BLOCK):
        block = slice(start, start + BLOCK)
        reference[block] = np.log(np.maximum(counts[:, block], 1)).mean(axis=0)
    return SizeReference(np.arange(n_genes), reference, False)


def factors_against(counts: NDArray[Any], reference: SizeReference) -> NDArray[np.float64]:
    """Return the size factor of each sample against ``reference``, by the median of ratios of its positive counts.

    Each sample's factor is its own business: no other sample has a say in it.
    """
    factors = np.empty(len(counts))
    for index, row in enumerate(counts):
        row = row[reference.genes]
        seen = row > 0
        # A sample without any of these genes has no ratio to go by.
        factors[index] = np.median(np.log(row[seen]) - reference.log_counts[seen]) if seen.any() else 0.0
    return np.asarray(np.exp(factors))


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
