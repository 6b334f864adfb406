"""Linear algebra that metrics and attacks share: rank correlation, principal axes, distances, digests of rows."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


def spearman(x: Floats) -> Floats:
    """Return the Spearman correlation of the columns of ``x``; a constant column correlates 0 with all others.

    The constant columns get 0 and not NaN, since a gene without variation shows no co-expression.
    """
    ranks = rankdata(x, axis=0)
    ranks -= ranks.mean(axis=0)
    norms = np.sqrt((ranks**2).sum(axis=0))
    ranks /= np.where(norms > 0, norms, 1.0)
    correlation: Floats = ranks.T @ ranks
    np.fill_diagonal(correlation, 1.0)
    return np.clip(correlation, -1.0, 1.0)


def upper_triangle(matrix: Floats) -> Floats:
    """Return the entries above the diagonal, row by row."""
    entries: Floats = matrix[np.triu_indices(len(matrix), k=1)]
    return entries


def principal_axes(x: Floats, k: int = 50) -> tuple[Floats, Floats]:
    """Return all non-zero eigenvalues of the covariance of ``x``'s columns, and the loadings of the first ``k``.

    Works on the smaller of the two Gram matrices, so that 60,000 genes cost no 60,000 × 60,000 matrix.
    """
    centred = x - x.mean(axis=0)
    n = len(x)
    wide = x.shape[1] > n
    gram = centred @ centred.T if wide else centred.T @ centred
    values, vectors = np.linalg.eigh(gram / max(n - 1, 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    keep = values > max(float(values[0]), 0.0) * 1e-10
    values, vectors = values[keep], vectors[:, keep][:, :k]
    if wide:
        vectors = centred.T @ vectors
        vectors /= np.linalg.norm(vectors, axis=0)
    return values, vectors


def row_digests(values: NDArray[Any]) -> NDArray[np.bytes_]:
    """Return a 128-bit digest of each row."""
    rows = np.ascontiguousarray(values)
    return np.array([hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest().encode() for row in rows])


def distances(a: Floats, b: Floats) -> Floats:
    """Return Euclidean distances of the rows of ``a`` from those of ``b``; equal rows are at exactly 0.

    The inner-product form is fast but leaves rounding of about 1e-6 where rows are equal, which would hide
    copies; such small entries are computed again directly.
    """
    norm_a, norm_b = (a**2).sum(axis=1), (b**2).sum(axis=1)
    squared = norm_a[:, None] + norm_b[None, :] - 2 * (a @ b.T)
    scale = norm_a[:, None] + norm_b[None, :]
    for row, column in np.argwhere(squared <= 1e-9 * scale):
        squared[row, column] = ((a[row] - b[column]) ** 2).sum()
    out: Floats = np.sqrt(np.maximum(squared, 0.0))
    return out
