"""Differential expression of each side, for every pair of classes, under one design fixed on the training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...de import fit_deseq2
from ...errors import TwinseqError
from .._registry import NotComputableError
from .design import LABEL, Design, Pair, estimable
from .linear_model import moderated_contrast

if TYPE_CHECKING:
    from .._profiles import Profiles

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PADJ, LFC, BASE_MEAN = 0.05, 1.0, 10.0


@dataclass(frozen=True)
class Contrasts:
    """Differential expression of one side; each array is ``n_genes × n_pairs``, NaN where not estimable.

    Parameters
    ----------
    pairs
        Tested and reference class of each column.
    base_mean, lfc, padj
        Mean of normalised counts, log2 fold change (difference of means for continuous values), adjusted p.
    has_base_mean
        Whether ``base_mean`` is a count, to which the stringency "moderate" sets a lower limit.
    note
        What was left out of the design on this side, if anything.
    """

    pairs: tuple[Pair, ...]
    base_mean: Floats
    lfc: Floats
    padj: Floats
    has_base_mean: bool
    note: str = ""

    @property
    def moderate(self) -> Flags:
        """Genes called at padj < .05, |log2FC| ≥ 1 and baseMean ≥ 10."""
        called: Flags = self.minimum & (np.abs(np.nan_to_num(self.lfc)) >= LFC)
        if self.has_base_mean:
            called &= np.nan_to_num(self.base_mean) >= BASE_MEAN
        return called

    @property
    def minimum(self) -> Flags:
        """Genes called at padj < .05."""
        return np.nan_to_num(self.padj, nan=1.0) < PADJ

    def of_pairs(self, pairs: tuple[Pair, ...]) -> Contrasts:
        """Return the columns of some pairs."""
        columns = [self.pairs.index(pair) for pair in pairs]
        return Contrasts(
            pairs,
            self.base_mean[:, columns],
            self.lfc[:, columns],
            self.padj[:, columns],
            self.has_base_mean,
            self.note,
        )


def run_contrasts(profiles: Profiles, design: Design, genes: NDArray[np.intp], jobs: int) -> Contrasts:
    """Run every pair of classes that has at least two samples in each class.

    Counts go through DESeq2 (size factors, dispersion shrinkage, Wald test, independent filtering; no Cook's
    filter, no outlier replacement); continuous values through a linear model with moderated variances.

    Raises
    ------
    NotComputableError
        No pair of classes can be tested, with the reason of the last.
    """
    if not len(genes):
        raise NotComputableError("no gene has 10 counts or more in training")
    note = ""
    table, lacking = design.table(profiles)
    sizes = table[LABEL].value_counts()
    values = profiles.values[:, genes]
    done, columns, reason = [], [], "each class needs at least two samples"
    for pair in design.pairs:
        if min(sizes.get(name, 0) for name in pair) < 2:
            continue
        model = table
        while len(model.columns) > 1 and not estimable(model, pair):
            # The label stays; covariates that this side cannot estimate go, last stated first.
            model = model.drop(columns=model.columns[-2])
        try:
            columns.append(_one_pair(values, model, pair, profiles.space.kind, jobs))
            done.append(pair)
        except TwinseqError as error:
            reason = str(error)
            continue
        fewer = len(table.columns) - len(model.columns)
        note = f"{len(lacking) + fewer} covariate(s) could not be adjusted for" if lacking or fewer else note
    if not done:
        raise NotComputableError(f"differential expression could not be run: {reason}")
    base_mean, lfc, padj = (np.column_stack([column[index] for column in columns]) for index in range(3))
    return Contrasts(tuple(done), base_mean, lfc, padj, profiles.space.kind == "counts", note)


def _one_pair(
    values: NDArray[Any], table: pd.DataFrame, pair: Pair, kind: str, jobs: int
) -> tuple[Floats, Floats, Floats]:
    if kind == "continuous":
        difference, padj = moderated_contrast(values, table, pair)
        return values.mean(axis=0), difference, padj
    result = fit_deseq2(
        values,
        table,
        list(table.columns),
        (LABEL, *pair),
        refit_cooks=False,
        cooks_filter=False,
        independent_filter=True,
        n_cpus=jobs,
    )
    return (
        result["baseMean"].to_numpy(),
        result["log2FoldChange"].to_numpy(),
        result["padj"].to_numpy(),
    )


@dataclass(frozen=True)
class Agreement:
    """The contrasts of a real side and of the twin, for the pairs of classes that both have."""

    real: Contrasts
    twin: Contrasts

    @classmethod
    def of(cls, real: Contrasts, twin: Contrasts) -> Agreement:
        """Align two sides.

        Raises
        ------
        NotComputableError
            No pair of classes could be tested on both.
        """
        pairs = _common(real, twin)
        return cls(real.of_pairs(pairs), twin.of_pairs(pairs))


@dataclass(frozen=True)
class Replication:
    """The contrasts of hold-out, twin and training data, for the pairs of classes that all three have."""

    holdout: Contrasts
    twin: Contrasts
    train: Contrasts

    @classmethod
    def of(cls, holdout: Contrasts, twin: Contrasts, train: Contrasts) -> Replication:
        """Align three sides.

        Raises
        ------
        NotComputableError
            No pair of classes could be tested on all three.
        """
        pairs = _common(holdout, twin, train)
        return cls(holdout.of_pairs(pairs), twin.of_pairs(pairs), train.of_pairs(pairs))


def _common(*sides: Contrasts) -> tuple[Pair, ...]:
    pairs = tuple(pair for pair in sides[0].pairs if all(pair in side.pairs for side in sides[1:]))
    if not pairs:
        raise NotComputableError("no pair of classes could be tested on every side")
    return pairs
