"""Whether tests on the twin keep their promise where there is nothing to find: its labels dealt out at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...de import fit_model
from ...errors import TwinseqError
from .._registry import NotComputableError, register
from .contrasts import PADJ, testable
from .design import LABEL, Design
from .linear_model import moderated_test

if TYPE_CHECKING:
    from .._profiles import Profiles

Floats = NDArray[np.float64]
PERMUTATIONS = 10
MOST_GENES = 1000


@register(
    name="null_fpr",
    question="How many genes does a test on the twin call when its labels mean nothing?",
    reading=(
        "Share of genes with p < .05, labels permuted; about .05 or below is right. Above: expression in the twin has "
        "outliers that the model does not expect, and its p-values are too small. Genes are correlated, so that single "
        "permutations scatter widely."
    ),
    formula="mean over 10 permutations of the labels of S of P(p < .05), unadjusted; at most 1,000 random genes",
    group="biology",
    direction="lower",
    ideal=PADJ,
    bounds=(0.0, 1.0),
    reference="Li et al. 2022, Genome Biology 23:79 (permuted labels)",
    fields=("twin.null_shares",),
    against="real",
    floor="outliers",
    needs=("label",),
    resampling="together",
    unit="permutations",
)
def null_fpr(shares: Floats) -> float:
    """Return the mean share of genes called.

    Parameters
    ----------
    shares
        Share of genes called in each permutation of the labels.
    """
    return float(np.mean(shares))


def null_shares(
    profiles: Profiles, design: Design, genes: NDArray[np.intp], jobs: int, rng: np.random.Generator
) -> Floats:
    """Return the share of genes with p < .05 for each of ten permutations of the labels, averaged over pairs.

    Parameters
    ----------
    profiles
        The side to test.
    design
        The common design; covariates stay with their samples.
    genes
        Places of the genes that take part in differential expression.
    jobs
        Number of threads.
    rng
        Source of the permutations and of the genes.

    Raises
    ------
    NotComputableError
        No pair of classes can be tested.
    """
    chosen = np.sort(rng.permutation(genes)[:MOST_GENES])
    values = profiles.values[:, chosen]
    # Genes without a count in this side cannot be called, and are no evidence that tests are careful.
    values = values[:, np.ptp(values, axis=0) > 0]
    shares = []
    for _ in range(PERMUTATIONS):
        table, pairs, _ = testable(profiles, design, rng.permutation(profiles.labels))
        try:
            if profiles.space.kind == "continuous":
                p_values = [moderated_test(values, table, pair)[1] for pair in pairs]
            else:
                fitted = fit_model(
                    values,
                    table,
                    list(table.columns),
                    (LABEL, *pairs[0]),
                    refit_cooks=False,
                    cooks_filter=False,
                    independent_filter=False,
                    n_cpus=jobs,
                )
                p_values = [fitted.test(*pair)["pvalue"].to_numpy() for pair in pairs]
        except TwinseqError as error:
            raise NotComputableError(f"differential expression could not be run: {error}") from error
        shares.append(np.mean([_share(p) for p in p_values]))
    return np.array(shares)


def _share(p_values: NDArray[Any]) -> float:
    known = np.isfinite(p_values)
    return float((p_values[known] < PADJ).mean()) if known.any() else 0.0
