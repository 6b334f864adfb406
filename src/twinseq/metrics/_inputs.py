"""The cohorts of a comparison: matching each other, in one order of genes and samples, real ones disjoint."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import row_digests
from ..cohort import Cohort, shorten
from ..errors import CohortError
from ._duplicates import as_points, near_duplicates
from ._profiles import dense_values
from ._scales import other_continuous_scale, other_count_scale
from .cells.copies import cell_digests

Floats = NDArray[np.float64]
FEWEST_COUNTS = 50
"""Cells of fewer counts can be equal by chance."""
SHOWN = 10
"""Donors or samples that a message names."""
REMEDY = "Split by donor with `twinseq split`, before the twin is made."


def check_matching(sides: dict[str, Cohort]) -> None:
    """Check genes, kind, label and classes of every side against the training data (``sides["train"]``).

    Raises
    ------
    CohortError
        They do not match; the message names the genes, the column or the class.
    """
    train = sides["train"]
    for name, cohort in sides.items():
        if cohort.kind != train.kind:
            raise CohortError(
                f"{cohort.source}: holds {cohort.kind} profiles, and the training data {train.kind} ones. "
                "Bring both to the same scale, or state --kind."
            )
        missing, surplus = train.genes.difference(cohort.genes), cohort.genes.difference(train.genes)
        if len(missing) or len(surplus):
            lines = [
                f"{len(genes)} gene(s) {where}: " + ", ".join(f"'{shorten(gene, 40)}'" for gene in genes[:5])
                for genes, where in ((missing, "missing"), (surplus, "that the training data lack"))
                if len(genes)
            ]
            raise CohortError(f"{cohort.source}: {'; '.join(lines)}. All files must hold the same genes.")
        if train.cell_type is not None:
            _check_cell_types(train, cohort)
        if train.label is not None and train.label not in cohort.obs.columns:
            raise CohortError(
                f"{cohort.source}: the sample table has no column '{shorten(train.label)}', the label of the "
                "training data. Add it, or rename the column."
            )
        if train.label is not None:
            classes = cohort.obs[train.label]
            if classes.isna().any():
                raise CohortError(f"{cohort.source}: column '{shorten(train.label)}' (label) has missing values.")
            unknown = sorted(set(classes.astype(str)) - set(train.labels().tolist()))
            if unknown:
                raise CohortError(
                    f"{cohort.source}: class '{shorten(unknown[0], 40)}' of column '{shorten(train.label)}' does not "
                    f"occur in the training data. Known: {', '.join(sorted(set(train.labels().tolist()))[:10])}."
                )
            lacking = sorted(set(train.labels().tolist()) - set(classes.astype(str)))
            if lacking and name == "twin":
                raise CohortError(
                    f"{cohort.source}: class '{shorten(lacking[0], 40)}' of column '{shorten(train.label)}' does not "
                    "occur. A twin must have every class of its training data."
                )


def _check_cell_types(train: Cohort, cohort: Cohort) -> None:
    """Check that every cell has a type, and one that occurs in the training data."""
    column = str(train.cell_type)
    if column not in cohort.obs.columns:
        raise CohortError(
            f"{cohort.source}: the table of cells has no column '{shorten(column)}', the cell types of the training "
            "data. Add it, or rename the column."
        )
    types = cohort.obs[column]
    if types.isna().any():
        raise CohortError(f"{cohort.source}: column '{shorten(column)}' (cell type) has missing values.")
    known = set(train.obs[column].astype(str))
    unknown = sorted(set(types.astype(str)) - known)
    if unknown:
        raise CohortError(
            f"{cohort.source}: cell type '{shorten(unknown[0], 40)}' of column '{shorten(column)}' does not occur in "
            f"the training data. Known: {', '.join(sorted(known)[:10])}."
        )


def check_scale(sides: dict[str, Cohort]) -> None:
    """Refuse values that clearly stand on another scale than the training data: other logarithms, units or sizes.

    Real counts of any depth are welcome, since sets may be sequenced apart; a twin has to have its training data's.

    Raises
    ------
    CohortError
        One side does; the message says which scale it seems to be.
    """
    train = sides["train"]
    train_means = _means(train, train)
    for name, cohort in sides.items():
        if name == "train":
            continue
        if train.kind == "continuous":
            spreads = _deviations(cohort, train), _deviations(train, train)
            words = other_continuous_scale(_means(cohort, train), spreads[0], train_means, spreads[1])
            remedy = "both VST, both log2-CPM, or both raw counts"
        elif name == "twin":
            words = other_count_scale(_means(cohort, train), _totals(cohort), train_means, _totals(train))
            remedy = "raw counts, with the library sizes of the training data"
        else:
            continue
        if words is not None:
            raise CohortError(f"{cohort.source}: its values {words}. Bring both to the same scale: {remedy}.")


def _means(cohort: Cohort, train: Cohort) -> Floats:
    """Return the mean of each gene, genes in the order of the training data."""
    total = np.zeros(cohort.n_genes)
    for _, part in cohort.chunks():
        total += np.asarray(part.sum(axis=0), dtype=np.float64).ravel()
    return (total / cohort.n_samples)[cohort.genes.get_indexer(train.genes)]


def _deviations(cohort: Cohort, train: Cohort) -> Floats:
    """Return the standard deviation of each gene, genes in the order of the training data."""
    deviations: Floats = cohort.dense().std(axis=0)
    return deviations[cohort.genes.get_indexer(train.genes)]


def _totals(cohort: Cohort) -> Floats:
    return np.concatenate([np.asarray(part.sum(axis=1), dtype=np.float64).ravel() for _, part in cohort.chunks()])


def in_order(cohort: Cohort, train: Cohort) -> Cohort:
    """Return the cohort with the training data's roles, genes by name, and samples by class and content.

    A fixed order makes every figure independent of the order in the files, resamples and folds included. Samples that
    stay on disk keep theirs.
    """
    donor = train.donor if train.donor is not None and train.donor in cohort.obs.columns else None
    if donor is not None and cohort.obs[donor].isna().any():
        donor = None
    covariates = tuple(name for name in train.covariates if name in cohort.obs.columns)
    genes = np.argsort(cohort.genes.to_numpy(dtype=str), kind="stable")
    of_genes = cohort.take_genes(genes).adata
    sorted_genes = Cohort(
        of_genes if cohort.lazy else of_genes.copy(),
        label=train.label,
        donor=donor,
        cell_type=train.cell_type,
        covariates=covariates,
        kind=train.kind,
        paired=train.paired,
        source=cohort.source,
    )
    if cohort.lazy:
        return sorted_genes
    digests = row_digests(dense_values(sorted_genes)) if train.cell_type is None else cell_digests(sorted_genes)
    rows = np.lexsort((digests, sorted_genes.classes()))
    return sorted_genes.subset(rows)


def check_disjoint(sides: dict[str, Cohort]) -> None:
    """Check that the real sets share neither a donor nor a profile, nor nearly a profile.

    Raises
    ------
    CohortError
        Two of them do; the message names the donors or the pairs of samples, ten at most, and how many there are.
    """
    real = {name: cohort for name, cohort in sides.items() if name != "twin"}
    pairs = list(combinations(real, 2))
    for name, other_name in pairs:
        _check_donors(name, real[name], other_name, real[other_name])
    if sides["train"].cell_type is not None:
        for name, other_name in pairs:
            _check_cells(name, real[name], other_name, real[other_name])
        return
    values = {name: dense_values(cohort) for name, cohort in real.items()}
    donors = [cohort.donors() for cohort in real.values()]
    points = as_points(list(values.values()), donors, sides["train"].kind) if len(real) > 1 else None
    by_name = dict(zip(real, points, strict=True)) if points is not None else {}
    for name, other_name in pairs:
        exact = _equal_rows(values[name], values[other_name])
        near = near_duplicates(by_name[name], by_name[other_name]) if by_name else {}
        repeats = near | exact
        if repeats:
            cohort, other = real[name], real[other_name]
            shown = ", ".join(
                f"'{shorten(other.adata.obs_names[row], 25)}' {'=' if row in exact else '≈'} "
                f"'{shorten(cohort.adata.obs_names[column], 25)}'"
                for row, column in sorted(repeats.items(), key=lambda pair: str(other.adata.obs_names[pair[0]]))[:SHOWN]
            )
            nearly = "" if len(exact) == len(repeats) else "nearly " if not exact else "the same or nearly "
            raise CohortError(
                f"{other.source}: {len(repeats)} sample(s) of the {other_name} set have {nearly}the same profile as "
                f"one of the {name} set: {shown}{_more(len(repeats))}. Replicates and altered copies of a profile "
                f"belong to one donor. {REMEDY}"
            )


def _check_donors(name: str, cohort: Cohort, other_name: str, other: Cohort) -> None:
    if cohort.donor is None or other.donor is None:
        return
    shared = np.intersect1d(cohort.donors(), other.donors())
    if len(shared):
        shown = ", ".join(f"'{shorten(donor, 40)}'" for donor in shared[:SHOWN])
        raise CohortError(
            f"{other.source}: {len(shared)} donor(s) of the {other_name} set are in the {name} set too: "
            f"{shown}{_more(len(shared))}. {REMEDY}"
        )


def _check_cells(name: str, cohort: Cohort, other_name: str, other: Cohort) -> None:
    """Refuse cells of two sets that are equal count for count and have too many counts for that to be chance."""
    repeats = np.isin(cell_digests(other), cell_digests(cohort)) & (_totals(other) >= FEWEST_COUNTS)
    if repeats.any():
        cells = other.adata.obs_names[repeats]
        shown = ", ".join(f"'{shorten(cell, 25)}'" for cell in cells[:SHOWN])
        raise CohortError(
            f"{other.source}: {len(cells)} cell(s) of the {other_name} set equal one of the {name} set count for "
            f"count: {shown}{_more(len(cells))}. {REMEDY}"
        )


def _equal_rows(first: NDArray[Any], second: NDArray[Any]) -> dict[int, int]:
    """Return the rows of ``second`` that ``first`` has too, each with the first such one."""
    known: dict[bytes, int] = {}
    for row, digest in enumerate(row_digests(first).tolist()):
        known.setdefault(digest, row)
    digests = row_digests(second).tolist()
    return {row: known[digest] for row, digest in enumerate(digests) if digest in known}


def _more(number: int) -> str:
    return f" and {number - SHOWN} more" if number > SHOWN else ""
