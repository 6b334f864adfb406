"""Training cells, hold-out and twin side by side, with what several metrics share computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .._registry import Metric, NotComputableError
from .._sides import ThreeSides
from ._cells import Cells
from ._nearest import drawn
from ._space import CellSpace, principal_components
from .classifier import predicted_types
from .gene_correlations import FEWEST_CELLS

Floats = NDArray[np.float64]
SMALLEST_TYPE = 5
MOST = 10_000
"""Cells of each side, at most, that common axes are fitted on."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """True types of cells and what a classifier calls them."""

    truth: NDArray[np.str_]
    predicted: NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Joint:
    """Coordinates of real cells and the candidate's on common axes, ``n_cells × n_components`` each."""

    real: NDArray[np.float32]
    twin: NDArray[np.float32]


class PairedTypes:
    """Gene-wise statistics of the types that have at least five real cells, twin beside real.

    Attributes
    ----------
    types
        Their names; a row of NaN stands for a type of which the twin has fewer than two cells.
    """

    def __init__(self, real: Cells, twin: Cells) -> None:
        self._real, self._twin = real, twin
        kept = real.moments.n_cells >= SMALLEST_TYPE
        self.types = real.moments.types[kept]
        self._rows = np.flatnonzero(kept)

    def _of_real(self, values: Floats) -> Floats:
        return values[self._rows]

    def _of_twin(self, values: Floats) -> Floats:
        """Return the rows of the real types, NaN where the twin has none."""
        moments = self._twin.moments
        place = {str(name): row for row, name in enumerate(moments.types) if moments.n_cells[row] > 1}
        out = np.full((len(self.types), values.shape[1]), np.nan)
        for row, name in enumerate(self.types):
            if str(name) in place:
                out[row] = values[place[str(name)]]
        return out

    @property
    def real_mean(self) -> Floats:
        """Mean log-normalised expression, ``n_types × n_genes``."""
        return self._of_real(self._real.moments.mean)

    @property
    def twin_mean(self) -> Floats:
        """As `real_mean`."""
        return self._of_twin(self._twin.moments.mean)

    @property
    def real_variance(self) -> Floats:
        """Variance of log-normalised expression, ``n_types × n_genes``."""
        return self._of_real(self._real.moments.variance)

    @property
    def twin_variance(self) -> Floats:
        """As `real_variance`."""
        return self._of_twin(self._twin.moments.variance)

    @property
    def real_zeros(self) -> Floats:
        """Share of cells without a count, ``n_types × n_genes``."""
        return self._of_real(self._real.moments.zeros)

    @property
    def twin_zeros(self) -> Floats:
        """As `real_zeros`."""
        return self._of_twin(self._twin.moments.zeros)

    @property
    def real_scores(self) -> Floats:
        """Welch t of each type against all other cells."""
        return self._of_real(self._real.scores)

    @property
    def twin_scores(self) -> Floats:
        """As `real_scores`."""
        return self._of_twin(self._twin.scores)

    @property
    def real_lfc(self) -> Floats:
        """Log2 fold change of each type against all other cells."""
        return self._of_real(self._real.fold_changes)

    @property
    def twin_lfc(self) -> Floats:
        """As `real_lfc`."""
        return self._of_twin(self._twin.fold_changes)

    @property
    def real_pairs(self) -> list[Floats]:
        """Correlations of gene pairs in each type of at least 20 real cells."""
        return [self._real.gene_pairs[name] for name in self._correlated]

    @property
    def twin_pairs(self) -> list[Floats | None]:
        """As `real_pairs`; ``None`` where the twin has fewer than two cells of the type."""
        return [self._twin.gene_pairs.get(name) for name in self._correlated]

    @property
    def _correlated(self) -> list[str]:
        moments = self._real.moments
        enough = moments.n_cells[self._rows] >= FEWEST_CELLS
        return [str(name) for name in self.types[enough] if str(name) in self._real.gene_pairs]


class CellComparison(ThreeSides[CellSpace, Cells]):
    """The sides of single cells, and what several metrics share."""

    stream = 2
    unit = "donors"

    @cached_property
    def joint(self) -> Joint:
        """Real cells and the candidate's on principal components of both together.

        Axes of one side alone would follow the noise of that side's donors, along which no other real cells lie.
        """
        sides = (self.real.log, self.twin.log)
        rng = self.space.rng(8)
        most = min(MOST, *(side.shape[0] for side in sides))
        fitted = principal_components(
            sp.vstack([side[drawn(side.shape[0], most, rng)] for side in sides], format="csr"), self.space.seed
        )
        real, twin = (np.asarray(fitted.transform(side), dtype=np.float32) for side in sides)
        return Joint(real, twin)

    @cached_property
    def paired(self) -> PairedTypes:
        """Gene-wise statistics by cell type, twin beside real."""
        return PairedTypes(self.real, self.twin)

    @cached_property
    def tstr(self) -> Prediction:
        """Cell types of the hold-out, as named by a classifier trained on the twin."""
        return self._prediction(self.twin)

    @cached_property
    def trtr(self) -> Prediction:
        """Cell types of the hold-out, as named by a classifier trained on the training cells."""
        return self._prediction(self.train)

    def _prediction(self, side: Cells) -> Prediction:
        holdout = self.holdout
        return Prediction(holdout.types, predicted_types(side.log, side.types, holdout.log, self.rng))

    def arguments(self, metric: Metric) -> tuple[Any, ...]:
        """Return what ``metric.function`` is called with.

        Raises
        ------
        NotComputableError
            The data lack what the metric needs; the message says what.
        """
        if "counts" in metric.needs and self.space.kind != "counts":
            raise NotComputableError("needs raw counts; these profiles are continuous")
        if metric.against in ("holdout", "both"):
            _ = self.holdout
        return tuple(reduce(getattr, path.split("."), self) for path in metric.fields)

    def left_out(self, metric: Metric) -> list[tuple[Any, ...]]:
        """Return no figures without groups of donors: no metric of cells asks for them."""
        return []
