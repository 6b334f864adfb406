"""Differential expression of each side, for every pair of classes, under one design fixed on the training data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...de import fit_model
from ...errors import TwinseqError
from .._registry import NotComputableError
from .design import LABEL, Design, Pair, estimable
from .linear_model import moderated_contrast

if TYPE_CHECKING:
    from .._profiles import Profiles

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PADJ, LFC, BASE_MEAN = 0.05, 1.0, 10.0
MOST_LEFT_OUT = 20_000_000
"""Genes × pairs × groups above which the contrasts without each group would take gigabytes, and are not made."""


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
    stat
        Statistic that ranks genes: DESeq2's Wald statistic, or the moderated t as a z-score. 0 for a gene that
        nobody expresses on this side.
    note
        What was left out of the design on this side, if anything.
    left_out
        The same with one group of samples left out at a time, where that was asked for; these have no ``stat``.
    """

    pairs: tuple[Pair, ...]
    base_mean: Floats
    lfc: Floats
    padj: Floats
    has_base_mean: bool
    stat: Floats = field(default_factory=lambda: np.empty((0, 0)))
    note: str = ""
    left_out: tuple[Contrasts, ...] = ()

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
            self.stat[:, columns] if self.stat.size else self.stat,
            self.note,
            tuple(side.of_pairs(pairs) for side in self.left_out),
        )


def run_contrasts(
    profiles: Profiles,
    design: Design,
    genes: NDArray[np.intp],
    jobs: int,
    groups: NDArray[np.intp] | None = None,
) -> Contrasts:
    """Test every pair of classes that has at least two samples in each class, all in one model.

    Counts go through DESeq2 (size factors, dispersion shrinkage, Wald test, independent filtering; no Cook's
    filter, no outlier replacement); continuous values through a linear model with moderated variances.

    Parameters
    ----------
    profiles
        The side to test.
    design
        The common design. Covariates that this side cannot estimate are left out of it, last stated first.
    genes
        Places of the genes to test.
    jobs
        Number of threads.
    groups
        Group of each sample, to test once more without each group (`Contrasts.left_out`).

    Raises
    ------
    NotComputableError
        No pair of classes can be tested, with the reason.
    """
    if not len(genes):
        raise NotComputableError("no gene has 10 counts or more in training")
    model, pairs, fewer = testable(profiles, design, profiles.labels)
    note = f"{fewer} covariate(s) could not be adjusted for" if fewer else ""
    if groups is not None and len(genes) * len(pairs) * (int(groups.max()) + 1) > MOST_LEFT_OUT:
        groups = None
    test = _test_values if profiles.space.kind == "continuous" else _test_counts
    try:
        full, stat, without = test(profiles.values[:, genes], model, pairs, jobs, groups)
    except TwinseqError as error:
        raise NotComputableError(f"differential expression could not be run: {error}") from error
    counted = profiles.space.kind == "counts"
    if any(np.isnan(lfc).all(axis=0).any() for _, lfc, _ in without):
        # Without some group a class is too small, and figures over fewer pairs do not compare.
        without = []
    left_out = tuple(Contrasts(pairs, *arrays, counted) for arrays in without)
    return Contrasts(pairs, *full, counted, np.nan_to_num(stat, nan=0.0), note, left_out)


def testable(
    profiles: Profiles, design: Design, labels: NDArray[np.str_]
) -> tuple[pd.DataFrame, tuple[Pair, ...], int]:
    """Return the variables of the model, the pairs that can be tested in it, and how many covariates are left out.

    Parameters
    ----------
    profiles
        The side to test.
    design
        The common design.
    labels
        Class of each sample.

    Raises
    ------
    NotComputableError
        No pair of classes has two samples in each.
    """
    table, lacking = design.table(profiles)
    table[LABEL] = labels
    sizes = table[LABEL].value_counts()
    pairs = tuple(pair for pair in design.pairs if min(sizes.get(name, 0) for name in pair) >= 2)
    if not pairs:
        raise NotComputableError("differential expression could not be run: each class needs at least two samples")
    model = table
    while len(model.columns) > 1 and not estimable(model, pairs[0]):
        # The label stays.
        model = model.drop(columns=model.columns[-2])
    return model, pairs, len(lacking) + len(table.columns) - len(model.columns)


Arrays = tuple[Floats, Floats, Floats]


def _test_counts(
    values: NDArray[Any], table: pd.DataFrame, pairs: tuple[Pair, ...], jobs: int, groups: NDArray[np.intp] | None
) -> tuple[Arrays, Floats, list[Arrays]]:
    """Return means, fold changes and adjusted p-values, ``n_genes × n_pairs``; the statistic; without each group.

    The last holds means, fold changes and adjusted p-values only.
    """
    fitted = fit_model(
        values, table, list(table.columns), (LABEL, *pairs[0]), refit_cooks=False, cooks_filter=False, n_cpus=jobs
    )
    results = [fitted.test(*pair) for pair in pairs]
    base_mean, lfc, padj, stat = (
        np.column_stack([result[name].to_numpy() for result in results])
        for name in ("baseMean", "log2FoldChange", "padj", "stat")
    )
    if groups is None:
        return (base_mean, lfc, padj), stat, []
    # Single precision: many pairs of classes times twenty groups add up.
    means, changes, adjusted = (array.astype(np.float32) for array in fitted.test_without(groups, pairs))
    return (base_mean, lfc, padj), stat, list(zip(means, changes, adjusted, strict=True))


def _test_values(
    values: NDArray[Any], table: pd.DataFrame, pairs: tuple[Pair, ...], _: int, groups: NDArray[np.intp] | None
) -> tuple[Arrays, Floats, list[Arrays]]:
    """Return what `_test_counts` does, for continuous values."""

    def tested(rows: NDArray[np.bool_]) -> tuple[Arrays, Floats]:
        lfc, padj, stat = (np.full((values.shape[1], len(pairs)), np.nan) for _ in range(3))
        for column, pair in enumerate(pairs):
            part = table[rows]
            if estimable(part, pair):
                lfc[:, column], padj[:, column], stat[:, column] = moderated_contrast(values[rows], part, pair)
        base_mean = np.broadcast_to(values[rows].mean(axis=0)[:, None], lfc.shape)
        return (base_mean, lfc, padj), stat

    full, stat = tested(np.ones(len(values), dtype=bool))
    if np.isnan(full[1]).all():
        # Let the model itself say what is wrong.
        moderated_contrast(values, table, pairs[0])
    if groups is None:
        return full, stat, []
    return full, stat, [tested(groups != group)[0] for group in range(int(groups.max()) + 1)]


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

    @property
    def left_out(self) -> list[Agreement]:
        """The same with one group of samples left out on both sides at a time; empty where none was."""
        return [Agreement(*sides) for sides in zip(self.real.left_out, self.twin.left_out, strict=False)]


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

    @property
    def left_out(self) -> list[Replication]:
        """The same with one group of samples left out on all sides at a time; empty where none was."""
        sides = (self.holdout.left_out, self.twin.left_out, self.train.left_out)
        return [Replication(*contrasts) for contrasts in zip(*sides, strict=False)]


def _common(*sides: Contrasts) -> tuple[Pair, ...]:
    pairs = tuple(pair for pair in sides[0].pairs if all(pair in side.pairs for side in sides[1:]))
    if not pairs:
        raise NotComputableError("no pair of classes could be tested on every side")
    return pairs
