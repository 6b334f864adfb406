"""The synthetic donors of a model of cells: who they are, which cells are theirs, and what marks these cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from ..cohort import Cohort
from ..splits import apportion
from ._count_histograms import STEP
from ._covariates import CovariateModel
from ._donor_effects import CellMix, DonorSums, GeneEffects, SyntheticDonors, library_spread, shared_part
from ._margins import stratum_rows
from ._modelfile import pack_frame, unpack_frame

Floats = NDArray[np.float64]
LEAST_WITHIN = 0.2
"""Least share of the variance of log library sizes that lies within donors."""


@dataclass(frozen=True)
class Cast:
    """Synthetic donors and their columns.

    Parameters
    ----------
    donors
        Their effects, and how likely a cell of each class is theirs.
    table
        One row for each donor: its name and the covariates that are a donor's.
    centres, narrowing
        Mean log library size of each class, and what deviations from it are multiplied by to be those within donors.
    """

    donors: SyntheticDonors
    table: pd.DataFrame
    centres: Floats
    narrowing: Floats

    @classmethod
    def fit(
        cls,
        cohort: Cohort,
        classes: pd.DataFrame,
        sums: DonorSums,
        effects: list[GeneEffects],
        numbers: NDArray[np.intp],
        histograms: NDArray[np.int64],
        wanted: int | None,
        rng: np.random.Generator,
    ) -> Cast:
        """Draw donors like those of ``cohort``.

        Parameters
        ----------
        cohort, classes
            Cells with a donor column, and the table of classes.
        sums, effects
            Sums over classes and donors, and what was found of gene effects.
        numbers
            Donor of each cell, as a number.
        histograms
            Cells of each class at each place of the grid of library sizes.
        wanted
            How many to draw; ``None``: as many as there are.
        rng
            Source of all of it.
        """
        n_classes, n_real = len(classes), int(numbers.max()) + 1
        cells = np.zeros((n_real, n_classes))
        cells[sums.donors, sums.classes] = sums.cells
        labels = np.zeros(n_classes, dtype=np.intp)
        if cohort.label is not None:
            labels = np.unique(classes[cohort.label].astype(str), return_inverse=True)[1].astype(np.intp)
        kinds = _kinds(cells, labels)
        real = np.array([len(rows) for rows, _ in kinds], dtype=float)
        total = n_real if wanted is None else max(wanted, len(kinds))
        drawn = np.maximum(apportion(total, real), 1)
        chances = np.zeros((n_classes, int(drawn.sum())))
        mixes = [CellMix.fit(cells[np.ix_(rows, own)], own) for rows, own in kinds]
        kind_of_donor = np.repeat(np.arange(len(kinds)), drawn)
        for donor, kind in enumerate(kind_of_donor):
            chances[mixes[kind].classes, donor] = mixes[kind].draw(rng)
        chances /= chances.sum(axis=1, keepdims=True)
        sizes, centre = library_spread(sums)
        spread = np.sqrt(np.log1p(np.stack([found.variance for found in effects])))
        shared = shared_part(sums, effects, labels)
        libraries = sizes * rng.standard_normal(len(kind_of_donor))
        donors = SyntheticDonors(int(rng.integers(2**62)), chances, spread, shared, libraries)
        width = max(2, len(str(len(kind_of_donor))))
        names = [f"twin_donor_{number:0{width}d}" for number in range(1, len(kind_of_donor) + 1)]
        table = _covariates(cohort, numbers, kinds, kind_of_donor, rng)
        # All names are levels in any part of a twin.
        table[str(cohort.donor)] = pd.Categorical(names, categories=names)
        return cls(donors, table, centre, _narrowing(histograms, sizes))

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that the cast fills."""
        return tuple(self.table.columns)

    def draw(self, code: int, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return whose the cells of a class are, ``n``."""
        chances = self.donors.chances[code]
        return rng.choice(len(chances), size=n, p=chances).astype(np.intp)

    def library_sizes(self, code: int, logs: Floats, donors: NDArray[np.intp]) -> Floats:
        """Return log library sizes of cells of these donors, given some drawn from all cells of the class."""
        centre = self.centres[code]
        moved: Floats = centre + self.narrowing[code] * (logs - centre) + self.donors.libraries[donors]
        return moved

    def shifts(self, code: int, donor: int) -> Floats:
        """Return the factors on the means of a donor in a class, ``n_genes``."""
        return self.donors.shifts(code, donor)

    def columns(self, donors: NDArray[np.intp]) -> pd.DataFrame:
        """Return the columns of cells of these donors."""
        return self.table.iloc[donors].reset_index(drop=True)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the cast as plain arrays."""
        state = self.donors.state()
        state |= {"cast.centres": self.centres, "cast.narrowing": self.narrowing, "cast.table": pack_frame(self.table)}
        return state

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> Cast | None:
        """Invert `state`; ``None`` where there is no cast."""
        donors = SyntheticDonors.restore(state)
        if donors is None:
            return None
        return cls(donors, unpack_frame(state["cast.table"]), state["cast.centres"], state["cast.narrowing"])


def _kinds(cells: Floats, labels: NDArray[np.intp]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return groups of donors that have cells of the same labels, and the classes of these labels."""
    has = np.stack([(cells[:, labels == label] > 0).any(axis=1) for label in range(int(labels.max()) + 1)], axis=1)
    kinds = []
    for pattern in np.unique(has, axis=0):
        rows = np.flatnonzero((has == pattern).all(axis=1))
        kinds.append((rows, np.flatnonzero(pattern[labels])))
    return kinds


def _covariates(
    cohort: Cohort,
    numbers: NDArray[np.intp],
    kinds: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
    kind_of_donor: NDArray[np.intp],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw the covariates that are the same in all cells of each donor, one row for each synthetic donor."""
    grouped = cohort.obs.groupby(numbers, observed=True)
    constant = tuple(name for name in cohort.covariates if (grouped[name].nunique(dropna=False) == 1).all())
    first = np.unique(numbers, return_index=True)[1]
    obs = cohort.obs.iloc[first]
    people = Cohort(AnnData(np.zeros((len(obs), 1)), obs=obs), covariates=constant)
    kind_of_real = np.empty(len(obs), dtype=np.intp)
    for kind, (rows, _) in enumerate(kinds):
        kind_of_real[rows] = kind
    model, _ = CovariateModel.fit(people, kind_of_real)
    drawn, _ = model.sample(kind_of_donor, rng)
    # Strata come in order; a donor's number should tell nothing of it.
    order = np.arange(len(drawn))
    for _, rows in stratum_rows(kind_of_donor):
        order[rows] = rng.permutation(rows)
    return drawn.iloc[order].reset_index(drop=True)


def _narrowing(histograms: NDArray[np.int64], spread: float) -> Floats:
    """Return what deviations of log library sizes in each class are multiplied by to leave out the donors' effects."""
    places = np.arange(histograms.shape[1])
    n = histograms.sum(axis=1)
    variance = STEP**2 * (histograms @ places**2 / n - (histograms @ places / n) ** 2)
    share = np.divide(spread**2, variance, out=np.ones(len(n)), where=variance > 0)
    narrowing: Floats = np.sqrt(np.maximum(1.0 - share, LEAST_WITHIN))
    return narrowing
