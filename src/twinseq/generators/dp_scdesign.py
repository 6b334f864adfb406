r"""`dp-scdesign`: single cells from noisy sums over donors.

A cell of class c (label × cell type) has a library size s and counts

.. math:: \log_{10} s \sim N(m_c, v_c), \qquad x_g \sim NB(\text{mean } s\, q_{cg}, \text{ dispersion } φ_{cg}) .

Profiles q come from rounds of noisy sums over the donors' pseudobulks (`_private_types`), shrunk by what the
noise allows (`_levels`), dispersions from another one (`_private_dispersions`); library sizes are two numbers a class
(`_private_depths`). No cell is left out to bound what a donor contributes: the cells of a donor are averaged before
anything is asked, and the donor's averages are cut. Zeros are those of the negative binomial.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import nbinom

from ..cell_basis import CellBasis, read_cell_basis
from ..cohort import Cohort
from ..dp.budget import Budget, Spending
from ..errors import ConfigError
from ._base import GeneratorInfo
from ._margins import stratum_rows
from ._private import PrivateGenerator
from ._private_depths import Depths, noisy_depths
from ._private_dispersions import noisy_dispersions
from ._private_scale import TOTALS, parse_bounds
from ._private_types import noisy_coordinates, noisy_roots, noisy_types
from ._pseudobulk import Pseudobulk
from ._public_levels import PublicLevels, usual_depths
from ._registry import register

Floats = NDArray[np.float64]
OWN = {"roots": 0.05, "mean depth": 0.02, "depths": 0.05, "dispersions": 0.15}
"""Shares of what is left of the budget after class counts and covariates."""
OWN_ROUNDS = (0.05, 0.07, 0.12, 0.18, 0.31)
"""The same, of the rounds of profiles."""
ON_BASIS = {"roots": 0.05, "mean depth": 0.02, "depths": 0.10, "dispersions": 0.10, "coordinates": 0.15}
ON_BASIS_ROUNDS = (0.20, 0.38)
"""The shares on a public basis."""
CELLS = 100
DECADES = (2.0, 5.0)
"""Between which library sizes of cells are taken to lie; 100 to 100,000 counts."""
LEARNT = ("shares", "depths", "dispersions", "loadings")
LEAST_OWN = 0.02
"""Least dispersion that a gene has beside the factors."""
DRAWN = 2048
"""Cells drawn at once."""


@register
class DpScDesign(PrivateGenerator):
    """Negative-binomial cells by type from noisy pseudobulk profiles, library sizes and dispersions.

    Parameters
    ----------
    epsilon, delta
        The guarantee, for each donor with all its cells; both have to be stated.
    basis
        File of a public basis of cells (`twinseq.build_cell_basis`, ``twinseq basis build`` on cells).
    cells
        Cells of the twin for each donor of the cohort, where no number is asked for; how many there are in the cohort
        is not asked. ``None``: 100, and 1 where no cell types are stated.
    depths
        Public bounds of log10 library sizes, ``"low:high"``. ``None``: 2:5, and 2:9 where no cell types are stated.
    classes
        Names of the labels, with commas between, where they are not public by the label's categories.
    ranges
        Public ranges of covariates that are quantities, ``"age=18:90"``.

    Warnings
    --------
    Donors of the twin are not modelled: its cells are independent of each other.
    """

    shares_: Floats
    depths_: Floats
    dispersions_: Floats
    loadings_: Floats
    _basis: CellBasis | None

    info = GeneratorInfo(
        name="dp-scdesign",
        title="Count margins by cell type from noisy statistics",
        family="dp",
        kinds=("counts",),
        guarantee="(epsilon, delta)-differential privacy of donors",
        reference="twinseq; after Sun et al. 2021, Genome Biology 22:163",
        modality="single-cell",
        in_parts=True,
    )

    def __init__(
        self,
        epsilon: float | None = None,
        delta: float | None = None,
        basis: str | None = None,
        cells: int | None = None,
        depths: str | None = None,
        classes: str | None = None,
        ranges: str | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.delta = delta
        self.basis = basis
        self.cells = cells
        self.depths = depths
        self.classes = classes
        self.ranges = ranges
        self._check_privacy()

    def _check_privacy(self) -> Budget:
        if self.cells is not None and (isinstance(self.cells, bool) or self.cells < 1):
            raise ConfigError(f"dp-scdesign: cells must be at least 1 for each donor, not {self.cells}.")
        if self.depths is not None:
            parse_bounds("dp-scdesign: depths,", self.depths)
        return super()._check_privacy()

    def fit(self, cohort: Cohort, seed: int = 0, jobs: int = 1) -> DpScDesign:
        """Learn from ``cohort``, spending the whole budget; see `PrivateGenerator`.

        Raises
        ------
        CohortError
            As there; the basis cannot be read or lacks genes of the cohort.
        """
        self._basis = None
        if self.basis is not None:
            self._basis = read_cell_basis(Path(self.basis)).of_genes(list(cohort.genes))
        super().fit(cohort, seed, jobs)
        return self

    def _ask(
        self, cohort: Cohort, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        typed, ledger, whole = cohort.cell_type is not None, spending.ledger, spending.left
        counts = np.maximum(self.counts_, 1.0)
        each = self.cells or (CELLS if typed else 1)
        self.class_sizes_ = np.maximum(np.rint(counts * each), 2).astype(np.intp)
        bounds = DECADES if typed else TOTALS
        if self.depths is not None:
            bounds = parse_bounds("dp-scdesign: depths,", self.depths)
        ledger.assume(f"that library sizes lie between 10^{bounds[0]:g} and 10^{bounds[1]:g}")
        ledger.assume(f"the number of cells for each donor of the twin, {each}")
        shares, of_rounds = (OWN, OWN_ROUNDS) if self._basis is None else (ON_BASIS, ON_BASIS_ROUNDS)
        bought = {name: spending.take(share * whole) for name, share in shares.items()}
        rounds = tuple(spending.take(share * whole) for share in of_rounds)
        bulk = Pseudobulk.of(cohort, codes, len(counts))
        roots = noisy_roots(bulk, bought["roots"], ledger)
        cells, public, factors = counts / counts.sum(), None, None
        usual = Depths.within(bounds, len(counts))
        self.loadings_ = np.zeros((0, cohort.n_genes))
        if self._basis is not None:
            basis = self._basis
            ledger.assume(f"the basis, built from {basis.n_cells:,} cells of {basis.source}")
            public = PublicLevels.of(basis, self._types())
            public = noisy_coordinates(bulk, roots, cells, public, bought["coordinates"], ledger)
            factors, self.loadings_ = basis.factors, basis.loadings
            usual = usual_depths(basis, self._types())
        depths = noisy_depths(bulk, bounds, usual, roots, counts, (bought["mean depth"], bought["depths"]), ledger)
        expected = noisy_types(bulk, roots, cells, rounds, ledger, public).square
        self.shares_ = expected / expected.sum(axis=1, keepdims=True)
        self.depths_ = np.stack([depths.mean, depths.spread])
        self.dispersions_ = noisy_dispersions(
            bulk, self.shares_, depths.mean, roots, bought["dispersions"], ledger, factors
        )

    def _types(self) -> list[str]:
        """Return the cell type of each class; the class's name where none is stated."""
        return [str(row[-1]) if len(row) else "" for row in self.classes_.itertuples(index=False, name=None)]

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known = self.covariates_.sample(codes, rng)
        mean, spread = self.depths_
        sizes = 10.0 ** rng.normal(mean[codes], spread[codes])
        factors = rng.standard_normal((len(codes), len(self.loadings_)))
        shared = (self.loadings_**2).sum(axis=0)
        # What factors add to the variance is not drawn twice.
        own = np.maximum((1.0 + self.dispersions_) / np.exp(shared) - 1.0, LEAST_OWN)
        values = np.empty((len(codes), self.shares_.shape[1]), dtype=np.int32)
        for start in range(0, len(codes), DRAWN):
            rows = slice(start, start + DRAWN)
            classes = codes[rows]
            rates = sizes[rows, None] * self.shares_[classes] * own[classes] * rng.gamma(1.0 / own[classes])
            if len(self.loadings_):
                rates *= np.exp(factors[rows] @ self.loadings_ - shared / 2)
            values[rows] = rng.poisson(rates)
        return values, known

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        losses: Floats = -self._log_likelihood(cohort, codes)[:, None] / self.shares_.shape[1]
        return losses

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        """Return log-likelihoods given the library sizes, genes independent."""
        found = np.empty(cohort.n_samples)
        for rows, part in cohort.chunks(DRAWN):
            counts = np.asarray(part.toarray() if hasattr(part, "toarray") else part, dtype=np.float64)
            sizes = counts.sum(axis=1, keepdims=True)
            for code, own in stratum_rows(codes[rows]):
                number = 1.0 / self.dispersions_[code]
                chance = number / (number + sizes[own] * self.shares_[code])
                found[np.arange(rows.start, rows.stop)[own]] = nbinom.logpmf(counts[own], number, chance).sum(axis=1)
        return found

    def _state(self) -> dict[str, NDArray[Any]]:
        own = {name: getattr(self, f"{name}_") for name in LEARNT}
        return {**super()._state(), **own}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        for name in LEARNT:
            setattr(self, f"{name}_", state[name])
