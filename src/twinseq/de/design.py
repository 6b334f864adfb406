"""Samples grouped by their row of the design matrix.

Samples that share a row share the linear predictor and its exponential, and enter every
coefficients × coefficients matrix with the same outer product. Grouping them once turns the cost of
those matrices from ``samples × coefficients²`` into ``groups × coefficients²``, and of the exponentials
from one a sample to one a group. A continuous covariate merely gives as many groups as samples.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class GroupedDesign:
    """A design matrix and the groups of its equal rows.

    Attributes
    ----------
    matrix
        The design, ``n_samples × n_coefficients``.
    rows
        Its distinct rows, ``n_groups × n_coefficients``.
    order
        Sample numbers sorted by group, ``n_samples``.
    bounds
        Group ``g`` is ``order[bounds[g]:bounds[g + 1]]``; ``n_groups + 1``.
    """

    matrix: Floats
    rows: Floats
    order: Integers
    bounds: Integers

    @classmethod
    def of(cls, design_matrix: npt.ArrayLike) -> "GroupedDesign":
        """Group the rows of a design matrix (``n_samples × n_coefficients``)."""
        matrix = np.ascontiguousarray(design_matrix, dtype=np.float64)
        rows, group, sizes = np.unique(matrix, axis=0, return_inverse=True, return_counts=True)
        order = np.argsort(group.reshape(-1), kind="stable").astype(np.int64)
        bounds = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        return cls(matrix, np.ascontiguousarray(rows), order, bounds)

    @property
    def full_rank(self) -> bool:
        """Whether the columns are linearly independent."""
        return bool(np.linalg.matrix_rank(self.matrix) == self.matrix.shape[1])

    @property
    def least_squares(self) -> Floats:
        """The matrix that maps a response to its least-squares coefficients, ``n_coefficients × n_samples``."""
        return np.ascontiguousarray(np.linalg.pinv(self.matrix))


def genes_first(matrix: npt.ArrayLike) -> Floats:
    """Return a ``samples × genes`` matrix as contiguous float64 ``genes × samples`` (a view where it can be)."""
    return np.ascontiguousarray(np.asarray(matrix).T, dtype=np.float64)
