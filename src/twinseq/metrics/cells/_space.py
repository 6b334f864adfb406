"""What is fitted on the training cells alone: variable genes and principal components."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from ...cohort import Cohort
from .._registry import NotComputableError
from ._cells import Cells
from ._nearest import drawn
from .gene_correlations import GENES

COMPONENTS = 50
VARIABLE = 2000
FITTED = 20_000


class CellSpace:
    """Choices made on the training cells, so that neither hold-out nor twin has a say in them.

    Parameters
    ----------
    train
        Training cells.
    seed
        Seed of every random choice of the metrics.

    Raises
    ------
    NotComputableError
        No column of cell types is stated.
    """

    def __init__(self, train: Cohort, seed: int = 0) -> None:
        self.seed = seed
        self.kind = train.kind
        self.genes = train.genes
        self.train = Cells(train, self)

    def cells(self, cohort: Cohort) -> Cells:
        """Return another side, its genes in the order of the training data and its roles those of it."""
        train = self.train.cohort
        adata = cohort.take_genes(cohort.genes.get_indexer(self.genes)).adata

        def known(column: str | None) -> str | None:
            return column if column in cohort.obs.columns else None

        same_roles = Cohort(
            adata,
            label=known(train.label),
            donor=known(train.donor),
            cell_type=known(train.cell_type),
            kind=train.kind,
            source=cohort.source,
        )
        return Cells(same_roles, self)

    def rng(self, *stream: int) -> np.random.Generator:
        """Return a generator of its own for one purpose, the same at each call."""
        return np.random.default_rng([self.seed, 7, *stream])

    @cached_property
    def variable(self) -> NDArray[np.intp]:
        """The 2,000 genes whose log-normalised expression varies most, in the order of the cohort."""
        variance = self.train.moments.gene_variance
        chosen = np.argsort(-variance, kind="stable")[:VARIABLE]
        return np.sort(chosen[variance[chosen] > 0])

    @cached_property
    def types(self) -> NDArray[np.str_]:
        """Cell types of the training data, sorted."""
        return np.unique(self.train.types)

    @cached_property
    def panels(self) -> dict[str, NDArray[np.intp]]:
        """For each cell type the 200 genes that vary most among its training cells, as places in `variable`."""
        found = self.train.moments
        variance = np.nan_to_num(found.variance[:, self.variable])
        return {
            str(name): np.sort(np.argsort(-row, kind="stable")[:GENES])
            for name, row in zip(found.types, variance, strict=True)
        }

    @cached_property
    def components(self) -> PCA:
        """Principal components of the training cells."""
        return principal_components(self.train.log, self.seed)

    def project(self, log: sp.csr_matrix) -> NDArray[np.float32]:
        """Return coordinates on the principal components of the training cells."""
        return np.asarray(self.components.transform(log), dtype=np.float32)


def principal_components(log: Any, seed: int) -> PCA:
    """Return up to 50 principal components of sparse data, centred without being made dense.

    They are fitted on at most 20,000 cells, drawn at random.

    Raises
    ------
    NotComputableError
        There are fewer than three cells or genes that vary.
    """
    n = min(COMPONENTS, min(log.shape) - 1)
    if n < 2:
        raise NotComputableError("needs at least three cells and three genes that vary")
    rows = drawn(log.shape[0], FITTED, np.random.default_rng([seed, 8]))
    return PCA(n, svd_solver="arpack", random_state=seed).fit(log[rows])
