"""One side of a comparison of single cells, read a part at a time and kept sparse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ...cohort import Cohort
from .._registry import NotComputableError
from ._nearest import drawn
from .clusters import MOST, cluster_ari
from .composition import donor_shares
from .copies import cell_digests
from .gene_correlations import correlations
from .markers import log_fold_changes, marker_scores

if TYPE_CHECKING:
    from ._space import CellSpace

Floats = NDArray[np.float64]
DEPTH = 1e4
"""Counts that every cell is scaled to, as in scanpy."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Gene-wise statistics of each cell type.

    Attributes
    ----------
    types
        Names of the types.
    n_cells
        Cells of each type.
    mean, variance
        Of log-normalised expression, ``n_types × n_genes``; NaN where there are too few cells.
    zeros
        Share of cells without a count, ``n_types × n_genes``.
    """

    types: NDArray[np.str_]
    n_cells: NDArray[np.intp]
    mean: Floats
    variance: Floats
    zeros: Floats

    @property
    def gene_variance(self) -> Floats:
        """Variance of each gene over all cells."""
        weight = (self.n_cells / self.n_cells.sum())[:, None]
        within = np.where(self.n_cells[:, None] > 1, np.nan_to_num(self.variance), 0.0)
        centre = (weight * np.nan_to_num(self.mean)).sum(axis=0)
        spread: Floats = (weight * (within + (np.nan_to_num(self.mean) - centre) ** 2)).sum(axis=0)
        return spread


class Cells:
    """Cells of one cohort: types, donors, and log-normalised expression of the variable genes.

    Parameters
    ----------
    cohort
        Cells with a stated column of cell types, genes in the order of the training data.
    space
        What was fitted on the training data.
    """

    def __init__(self, cohort: Cohort, space: CellSpace) -> None:
        self.cohort = cohort
        self.space = space
        self.types = cell_types(cohort)
        self.classes = cohort.classes()
        self.donors = cohort.donors() if cohort.donor is not None and cohort.obs[cohort.donor].notna().all() else None

    @property
    def n_samples(self) -> int:
        """Number of cells."""
        return self.cohort.n_samples

    def subset(self, rows: NDArray[Any]) -> Cells:
        """Return some cells as a side of their own."""
        return Cells(self.cohort.subset(rows), self.space)

    @cached_property
    def moments(self) -> Moments:
        """Gene-wise statistics of each cell type, over all genes."""
        return moments(self.cohort, self.types)

    @cached_property
    def log(self) -> sp.csr_matrix:
        """Log-normalised expression of the variable genes of the training data, ``n_cells × n_variable``."""
        return log_normalised(self.cohort, self.space.variable)

    @cached_property
    def points(self) -> NDArray[np.float32]:
        """Coordinates on the principal components of the training data, ``n_cells × n_components``."""
        return self.space.project(self.log)

    @cached_property
    def scores(self) -> Floats:
        """Welch t of each gene for each type against all other cells, ``n_types × n_genes``."""
        return marker_scores(self.moments.mean, self.moments.variance, self.moments.n_cells)

    @cached_property
    def fold_changes(self) -> Floats:
        """Log2 fold change of each gene for each type against all other cells, ``n_types × n_genes``."""
        return log_fold_changes(self.moments.mean, self.moments.n_cells)

    @cached_property
    def gene_pairs(self) -> dict[str, Floats]:
        """Correlations of gene pairs in each type of at least two cells, over the genes chosen for it in training."""
        panels = self.space.panels
        rows = {name: np.flatnonzero(self.types == name) for name in panels}
        return {
            name: correlations(self.log[rows[name]][:, genes]) for name, genes in panels.items() if len(rows[name]) > 1
        }

    @cached_property
    def donor_shares(self) -> Floats:
        """Share of each cell type of the training data in each donor, ``n_donors × n_types``.

        Raises
        ------
        NotComputableError
            The cells name no donors.
        """
        if self.donors is None:
            raise NotComputableError("needs donors on both sides; the twin or the real cells name none")
        return donor_shares(self.types, self.donors, self.space.types)

    @cached_property
    def digests(self) -> NDArray[np.bytes_]:
        """A fingerprint of each cell, equal for equal cells."""
        return cell_digests(self.cohort)

    @cached_property
    def clustered(self) -> float:
        """Agreement of clusters of these cells, on principal components of their own, with their types."""
        from ._space import principal_components

        rows = drawn(self.n_samples, MOST, self.space.rng(9))
        log = self.log[rows]
        own = principal_components(log, self.space.seed)
        return cluster_ari(own.transform(log), self.types[rows], self.space.rng(3))


def cell_types(cohort: Cohort) -> NDArray[np.str_]:
    """Return the type of each cell as text.

    Raises
    ------
    NotComputableError
        No column of cell types is stated, or this cohort lacks it.
    """
    if cohort.cell_type is None:
        raise NotComputableError("needs single cells: state the column of the cell types (--cell-type)")
    return cohort.obs[cohort.cell_type].astype(str).to_numpy(dtype=str)


def log_normalised(cohort: Cohort, genes: NDArray[np.intp] | None = None) -> sp.csr_matrix:
    """Return ``log(1 + count × 10,000 / total)`` of some genes, csr float32; continuous values as they are.

    The total is over all genes, as in ``scanpy.pp.normalize_total`` followed by ``log1p``.
    """
    parts = []
    for _, part in cohort.chunks():
        values = _scaled(part, cohort.kind)
        parts.append(values if genes is None else values[:, genes])
    return sp.csr_matrix(sp.vstack(parts, format="csr"), dtype=np.float32)


def moments(cohort: Cohort, types: NDArray[np.str_]) -> Moments:
    """Return mean, variance and share of zeros of each gene in each cell type, in one pass over the cells."""
    names, member = np.unique(types, return_inverse=True)
    n_cells = np.bincount(member, minlength=len(names))
    shape = (len(names), cohort.n_genes)
    total, squares, present = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for rows, part in cohort.chunks():
        values = _scaled(part, cohort.kind)
        group = member[rows]
        indicator = sp.csr_matrix((np.ones(len(group)), (group, np.arange(len(group)))), shape=(len(names), len(group)))
        total += (indicator @ values).toarray()
        squares += (indicator @ values.multiply(values)).toarray()
        present += (indicator @ (values != 0).astype(np.float64)).toarray()
    n = n_cells[:, None].astype(np.float64)
    mean = total / n
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.where(n > 1, np.maximum(squares - n * mean**2, 0.0) / (n - 1), np.nan)
    return Moments(names, n_cells, mean, variance, 1.0 - present / n)


def _scaled(part: Any, kind: str) -> sp.csr_matrix:
    values = sp.csr_matrix(part, dtype=np.float64)
    if kind == "continuous":
        return values
    totals = np.asarray(values.sum(axis=1)).ravel()
    factors = DEPTH / np.where(totals > 0, totals, 1.0)
    values.data = np.log1p(values.data * np.repeat(factors, np.diff(values.indptr)))
    return values
