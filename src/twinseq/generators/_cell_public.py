r"""Cells of a public model, moved by what a private cohort says beyond chance.

The means of a thousand genes over a dozen people name these people, and noise that hides them is larger than cells can
bear. Where a `cell-copula` of open cells of the same tissue is at hand, nearly all of a twin can come from there: the
distribution of each gene in each cell type, the factors, and how far donors differ. Of the private cohort come the mix
of classes, library sizes, covariates, and those means that differ from the public ones by more than donors do,

.. math:: ρ_{cg} = \log \frac{m_{cg}}{p_{cg}}, \qquad
          μ_{cg} = p_{cg} \exp\Big(ρ_{cg} \max\big(0, 1 - (T\, \mathrm{SE}_{cg} / ρ_{cg})^4\big)\Big),

with m and p the rates of the private and public cells of a type, SE the standard error of their difference between
donors, and T the number of such errors that a difference has to exceed (`_cell_centres`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cohort import Cohort, shorten
from ..errors import CohortError, ConfigError
from ._cell_centres import SHARPNESS, overdispersion
from ._count_margins import CountMargins
from ._donor_effects import DonorSums, GeneEffects, gene_effects

if TYPE_CHECKING:
    from .cell_copula import CellCopula

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PublicCells:
    """A public model, its types and genes in the order of a private cohort's classes and genes.

    Parameters
    ----------
    margins
        Of each class, at library size 1.
    loadings
        Of each class, ``n_factors × n_genes``.
    errors
        Relative variance of the rates between cohorts of as many other public donors, ``n_classes × n_genes``.
    variances
        Variance between donors on the scale of ratios, ``n_classes × n_genes``.
    """

    margins: list[CountMargins]
    loadings: list[Floats]
    errors: Floats
    variances: Floats

    @classmethod
    def of(cls, model: CellCopula, cohort: Cohort, classes: pd.DataFrame) -> PublicCells:
        """Bring a fitted model into the order of ``classes`` and of the genes of ``cohort``.

        Raises
        ------
        ConfigError
            The model tells other things apart than cell types.
        CohortError
            It lacks cell types or genes of the cohort.
        """
        role = model.frame_.roles.get("cell_type")
        if role is None or list(model.classes_.columns) != [role] or cohort.cell_type is None:
            raise ConfigError("cell-copula: public has to be a model of cells with cell types and without a label.")
        genes = model.frame_.var.index.get_indexer(cohort.genes)
        if (genes < 0).any():
            raise CohortError(
                f"{(genes < 0).sum():,} of the {cohort.n_genes:,} genes of {cohort.source} are not in the public "
                f"model, such as '{shorten(cohort.genes[int(np.argmax(genes < 0))])}'. Keep the common genes."
            )
        place = {str(name): number for number, name in enumerate(model.classes_[role])}
        wanted = classes[cohort.cell_type].astype(str).tolist()
        for name in wanted:
            if name not in place:
                raise CohortError(
                    f"Cell type '{shorten(name)}' of {cohort.source} is not in the public model, which has "
                    f"{', '.join(shorten(known) for known in place)}. Rename it, merge it or leave it out."
                )
        rows = [place[name] for name in wanted]
        margins = [model.margins_[row].take(genes).scaled(1.0 / model.unit_) for row in rows]
        loadings = [model.loadings_[row][:, genes] for row in rows]
        spread = np.zeros_like(model.errors_) if model.cast_ is None else model.cast_.donors.spread
        return cls(margins, loadings, model.errors_[rows][:, genes], np.expm1(spread[rows][:, genes] ** 2))

    def effects(self, sums: DonorSums) -> list[GeneEffects]:
        """Return the rates of the private classes and their errors; what is said of donors is public."""
        found = [gene_effects(sums, code, overdispersion(margins)) for code, margins in enumerate(self.margins)]
        return [replace(one, variance=own) for one, own in zip(found, self.variances, strict=True)]

    def moved(self, effects: list[GeneEffects], exposures: Floats, unit: float, beyond: float) -> list[CountMargins]:
        """Return the margins of the private classes at library size ``unit``.

        Parameters
        ----------
        effects
            Rates and errors of the private classes.
        exposures
            Sum of the library sizes of each class's cells, in units.
        unit
            Library size to which the private rates belong.
        beyond
            Standard errors that a rate has to be away from the public one.
        """
        margins = []
        for public, error, found, exposure in zip(self.margins, self.errors, effects, exposures, strict=True):
            own = public.scaled(unit)
            rates = (1.0 - own.inflation) * own.mean
            seen = rates > 0
            deviation = np.where(seen, np.log((found.rates * exposure + 0.5) / (rates * exposure + 0.5)), 0.0)
            threshold = beyond * np.sqrt(found.error + error)
            kept = np.maximum(1.0 - (threshold / np.maximum(np.abs(deviation), 1e-12)) ** SHARPNESS, 0.0)
            moved = np.exp(kept * deviation)
            # Rates add up to the library size as before.
            margins.append(own.scaled(moved * (rates.sum() / max(float((rates * moved).sum()), 1e-300))))
        return margins
