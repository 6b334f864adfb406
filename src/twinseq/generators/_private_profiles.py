"""Private generators of whole profiles: each sample on a bounded scale, one row of genes.

Library sizes and the choice of a panel are paid for here, and the scale is put on and taken off; what is learnt between
is the subclass's.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cohort import Cohort
from ..dp.budget import Budget, Spending
from ..errors import ConfigError
from ._base import Frame
from ._private import PrivateGenerator
from ._private_library import ExpectedSizes
from ._private_panel import voted_panel
from ._private_scale import LOG_CPM_BOUNDS, PrivateScale, parse_bounds

Floats = NDArray[np.float64]
SIZES_SHARE = 0.04
"""Of library sizes: that of 200 donors is then known to a factor of 1.5 at ε = 1 and of 1.1 at ε = 3."""
PANEL_SHARE = 0.1
"""Of each of the two questions by which a panel is chosen."""


class PrivateProfileGenerator(PrivateGenerator):
    """A private generator that learns from profiles on a bounded scale."""

    bounds: str
    panel: int | None = None
    scale_: PrivateScale
    _kept: NDArray[np.intp] | None

    @abstractmethod
    def _fit_profiles(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        """Learn from values on the bounded scale.

        Parameters
        ----------
        x
            ``n_samples × n_genes``, between ``scale_.lowest`` and ``scale_.highest``.
        codes, weights, spending, rng
            As for `_ask`.
        """

    @abstractmethod
    def _draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        """Return values on the bounded scale, ``n × n_genes``, of new samples of classes ``codes``."""

    def _check_privacy(self) -> Budget:
        parse_bounds(self.info.name, self.bounds)
        if self.panel is not None and self.panel < 2:
            raise ConfigError(f"{self.info.name}: panel must be at least 2 genes, not {self.panel}.")
        return super()._check_privacy()

    def _ask(
        self, cohort: Cohort, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        ledger, bounds = spending.ledger, parse_bounds(self.info.name, self.bounds)
        self._kept = None
        if self.panel is not None and self.panel < cohort.n_genes:
            self._kept = self._voted(cohort, bounds, weights, spending)
            cohort = cohort.with_adata(cohort.adata[:, self._kept].copy())
        sizes = spending.take(SIZES_SHARE) if cohort.kind == "counts" else 1.0
        n_donors = max(float(self.counts_.sum()), 1.0)
        self.scale_ = PrivateScale.fit(cohort, bounds, weights, n_donors, sizes, ledger, self._expected_sizes())
        ledger.assume(f"that values lie between {self.scale_.lowest:g} and {self.scale_.highest:g} on the log scale")
        self._fit_profiles(self.scale_.apply(cohort), codes, weights, spending, rng)

    def _expected_sizes(self) -> ExpectedSizes:
        """Return what is public of the library sizes."""
        return ExpectedSizes()

    def _voted(
        self, cohort: Cohort, bounds: tuple[float, float], weights: Floats, spending: Spending
    ) -> NDArray[np.intp]:
        """Return the places of the genes of the panel, chosen for two shares of the budget."""
        low, high = LOG_CPM_BOUNDS if cohort.kind == "counts" else bounds
        x = PrivateScale(cohort.kind == "counts", low, high).apply(cohort)
        x = (x - low) * LOG_CPM_BOUNDS[1] / (high - low)
        total = max(float(self.counts_.sum()), 1.0)
        asked = (spending.take(PANEL_SHARE), spending.take(PANEL_SHARE))
        assert self.panel is not None
        return voted_panel(x, weights, total, self.panel, asked, spending.ledger)

    def _frame_of(self, cohort: Cohort) -> Frame:
        frame = super()._frame_of(cohort)
        if self._kept is None:
            return frame
        return Frame(frame.var.iloc[self._kept], frame.obs, frame.roles, frame.dtype, frame.sparse)

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known = self.covariates_.sample(codes, rng)
        return self.scale_.invert(self._draw(codes, rng), rng), known

    def _state(self) -> dict[str, NDArray[Any]]:
        return {**super()._state(), **self.scale_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.scale_ = PrivateScale.restore(state)
