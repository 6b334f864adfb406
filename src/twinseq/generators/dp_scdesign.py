r"""`dp-scdesign`: single cells from noisy sums over donors.

A cell of class c (label × cell type) has a library size s and counts

.. math:: \log_{10} s \sim N(m_c, v_c), \qquad x_g \sim NB(\text{mean } s\, q_{cg}, \text{ dispersion } φ_{cg}) .

Profiles q come from three rounds of noisy sums over the donors' pseudobulks (`_private_types`), shrunk by what the
noise allows (`_levels`), dispersions from another one (`_private_dispersions`); library sizes are two numbers a class
(`_private_depths`). No cell is left out to bound what a donor contributes: the cells of a donor are averaged before
anything is asked, and the donor's averages are cut. Zeros are those of the negative binomial.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import nbinom

from ..cohort import Cohort
from ..dp.budget import Budget, Spending
from ..errors import ConfigError
from ._base import GeneratorInfo
from ._margins import stratum_rows
from ._private import PrivateGenerator
from ._private_depths import noisy_depths
from ._private_dispersions import noisy_dispersions
from ._private_scale import TOTALS, parse_bounds
from ._private_types import noisy_roots, noisy_types
from ._pseudobulk import Pseudobulk
from ._registry import register

Floats = NDArray[np.float64]
SHARES = {"roots": 0.05, "mean depth": 0.02, "depths": 0.05, "dispersions": 0.15}
"""Of what is left of the budget after class counts and covariates."""
ROUNDS = (0.11, 0.19, 0.43)
"""The same, of the rounds of profiles."""
CELLS = 100
DECADES = (2.0, 5.0)
"""Between which library sizes of cells are taken to lie; 100 to 100,000 counts."""
DRAWN = 2048
"""Cells drawn at once."""


@register
class DpScDesign(PrivateGenerator):
    """Negative-binomial cells by type from noisy pseudobulk profiles, library sizes and dispersions.

    Parameters
    ----------
    epsilon, delta
        The guarantee, for each donor with all its cells; both have to be stated.
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

    info = GeneratorInfo(
        name="dp-scdesign",
        title="Count margins by cell type from noisy statistics",
        family="dp",
        kinds=("counts",),
        guarantee="(epsilon, delta)-differential privacy of donors",
        reference="twinseq; after Sun et al. 2021, Genome Biology 22:163",
        modality="single-cell",
    )

    def __init__(
        self,
        epsilon: float | None = None,
        delta: float | None = None,
        cells: int | None = None,
        depths: str | None = None,
        classes: str | None = None,
        ranges: str | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.delta = delta
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
        bought = {name: spending.take(share * whole) for name, share in SHARES.items()}
        rounds = tuple(spending.take(share * whole) for share in ROUNDS)
        bulk = Pseudobulk.of(cohort, codes, len(counts))
        roots = noisy_roots(bulk, bought["roots"], ledger)
        depths = noisy_depths(bulk, bounds, roots, counts, (bought["mean depth"], bought["depths"]), ledger)
        shares = noisy_types(bulk, roots, counts / counts.sum(), rounds, ledger).square
        self.shares_ = shares / shares.sum(axis=1, keepdims=True)
        self.depths_ = np.stack([depths.mean, depths.spread])
        self.dispersions_ = noisy_dispersions(bulk, self.shares_, depths.mean, roots, bought["dispersions"], ledger)

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known = self.covariates_.sample(codes, rng)
        mean, spread = self.depths_
        sizes = 10.0 ** rng.normal(mean[codes], spread[codes])
        values = np.empty((len(codes), self.shares_.shape[1]), dtype=np.int32)
        for start in range(0, len(codes), DRAWN):
            rows = slice(start, start + DRAWN)
            classes = codes[rows]
            dispersion = self.dispersions_[classes]
            rates = sizes[rows, None] * self.shares_[classes] * dispersion * rng.gamma(1.0 / dispersion)
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
        own = {"shares": self.shares_, "depths": self.depths_, "dispersions": self.dispersions_}
        return {**super()._state(), **own}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.shares_, self.depths_, self.dispersions_ = state["shares"], state["depths"], state["dispersions"]
