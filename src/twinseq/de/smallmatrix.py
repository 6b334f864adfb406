"""Cholesky factorisation of the small (coefficients × coefficients) matrices met once per gene.

Calling LAPACK for a 2 × 2 matrix costs far more than the arithmetic; these loops do not allocate.
"""

import math

import numpy as np
import numpy.typing as npt

from ..kernels import kernel

Floats = npt.NDArray[np.float64]


@kernel
def cholesky(matrix: Floats, size: int) -> bool:
    """Overwrite the lower triangle of ``matrix`` by its Cholesky factor.

    Parameters
    ----------
    matrix
        Symmetric, at least ``size × size``; only the lower triangle is read.
    size
        Order of the system.

    Returns
    -------
    bool
        False where the matrix is not positive definite (or holds NaN); its content is then undefined.
    """
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                if not (total > 0.0 and total < np.inf):
                    return False
                matrix[i, i] = math.sqrt(total)
            else:
                matrix[i, j] = total / matrix[j, j]
    return True


@kernel
def solve_in_place(factor: Floats, vector: Floats, size: int) -> None:
    """Overwrite ``vector`` by the solution of ``L Lᵀ x = vector``."""
    for i in range(size):
        total = vector[i]
        for k in range(i):
            total -= factor[i, k] * vector[k]
        vector[i] = total / factor[i, i]
    for i in range(size - 1, -1, -1):
        total = vector[i]
        for k in range(i + 1, size):
            total -= factor[k, i] * vector[k]
        vector[i] = total / factor[i, i]


@kernel
def half_solved_norm(factor: Floats, vector: Floats, size: int, work: Floats) -> float:
    """Return ``vᵀ (L Lᵀ)⁻¹ v``, as the squared length of ``L⁻¹ v``."""
    norm = 0.0
    for i in range(size):
        total = vector[i]
        for k in range(i):
            total -= factor[i, k] * work[k]
        work[i] = total / factor[i, i]
        norm += work[i] * work[i]
    return norm


@kernel
def inverse(factor: Floats, out: Floats, size: int, work: Floats) -> None:
    """Write the inverse of the factorised matrix into ``out``."""
    for column in range(size):
        for i in range(size):
            work[i] = 1.0 if i == column else 0.0
        solve_in_place(factor, work, size)
        for i in range(size):
            out[i, column] = work[i]
