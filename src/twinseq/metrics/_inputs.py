"""The cohorts of a comparison: matching each other, in one order of genes and samples, real ones disjoint."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from ..arrays import row_digests
from ..cohort import Cohort, shorten
from ..errors import CohortError
from ._profiles import dense_values

OTHER_SCALE = 10.0
"""How many times larger on average than the training data continuous values must be to be on another scale."""


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


def check_scale(sides: dict[str, Cohort]) -> None:
    """Refuse continuous values held against others of a wholly different size, such as counts against logarithms.

    Raises
    ------
    CohortError
        The mean absolute value of one side is more than ten times that of the training data, or less than a tenth.
    """
    if sides["train"].kind == "counts":
        return
    sizes = {name: float(abs(cohort.adata.X).mean()) for name, cohort in sides.items()}
    for name, cohort in sides.items():
        small, large = sorted((sizes[name], sizes["train"]))
        if large > OTHER_SCALE * small:
            raise CohortError(
                f"{cohort.source}: its values average {sizes[name]:.3g} in size, those of the training data "
                f"{sizes['train']:.3g}. Bring both to the same scale: both VST, both log-CPM, or both raw counts."
            )


def in_order(cohort: Cohort, train: Cohort) -> Cohort:
    """Return the cohort with the training data's roles, genes by name, and samples by class and content.

    A fixed order makes every figure independent of the order in the files, resamples and folds included.
    """
    donor = train.donor if train.donor is not None and train.donor in cohort.obs.columns else None
    if donor is not None and cohort.obs[donor].isna().any():
        donor = None
    covariates = tuple(name for name in train.covariates if name in cohort.obs.columns)
    genes = np.argsort(cohort.genes.to_numpy(dtype=str), kind="stable")
    sorted_genes = Cohort(
        cohort.adata[:, genes].copy(),
        label=train.label,
        donor=donor,
        covariates=covariates,
        kind=train.kind,
        paired=train.paired,
        source=cohort.source,
    )
    rows = np.lexsort((row_digests(dense_values(sorted_genes)), sorted_genes.labels()))
    return sorted_genes.subset(rows)


def check_disjoint(sides: dict[str, Cohort]) -> None:
    """Check that the real sets share neither a donor nor a profile.

    Raises
    ------
    CohortError
        Two of them do; the message names the first.
    """
    real = [(name, cohort) for name, cohort in sides.items() if name != "twin"]
    digests = {name: row_digests(dense_values(cohort)) for name, cohort in real}
    for (name, cohort), (other_name, other) in combinations(real, 2):
        remedy = "Split by donor with `twinseq split`, before the twin is made."
        if cohort.donor is not None and other.donor is not None:
            shared = np.intersect1d(cohort.donors(), other.donors())
            if len(shared):
                raise CohortError(
                    f"{other.source}: {len(shared)} donor(s) of the {other_name} set are in the {name} set too, "
                    f"first '{shorten(shared[0], 40)}'. {remedy}"
                )
        equal = np.isin(digests[other_name], digests[name])
        if equal.any():
            first = shorten(other.adata.obs_names[int(np.argmax(equal))], 40)
            raise CohortError(
                f"{other.source}: {int(equal.sum())} sample(s) of the {other_name} set have the same profile as one "
                f"of the {name} set, first '{first}'. {remedy}"
            )
