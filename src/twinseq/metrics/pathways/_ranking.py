"""The statistic by which genes are ranked: DESeq2's Wald statistic, or limma's moderated t as a z-score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ...de import fit_model
from ..biology.contrasts import testable
from ..biology.design import LABEL, Pair
from ..biology.linear_model import moderated_test

if TYPE_CHECKING:
    from .._profiles import Profiles

Floats = NDArray[np.float64]


def statistics(profiles: Profiles) -> tuple[tuple[Pair, ...], Floats]:
    """Return the pairs of classes and each tested gene's statistic in them, ``n_genes × n_pairs``.

    The model is that of the contrasts. A gene without a statistic on this side, since nobody expresses it, gets 0.

    Raises
    ------
    NotComputableError, CohortError
        No pair of classes can be tested.
    """
    space = profiles.space
    table, pairs, _ = testable(profiles, space.design, profiles.labels)
    values = profiles.values[:, space.expressed]
    if space.kind == "continuous":
        columns = [signed_z(*moderated_test(values, table, pair)) for pair in pairs]
    else:
        fitted = fit_model(
            values,
            table,
            list(table.columns),
            (LABEL, *pairs[0]),
            refit_cooks=False,
            cooks_filter=False,
            n_cpus=space.jobs,
        )
        columns = [fitted.test(*pair)["stat"].to_numpy(dtype=np.float64) for pair in pairs]
    return pairs, np.nan_to_num(np.column_stack(columns), nan=0.0)


def signed_z(difference: Floats, p_values: Floats) -> Floats:
    """Return two-sided p-values as standard normal deviates with the sign of a difference.

    >>> signed_z(np.array([2.0, -1.0]), np.array([0.05, 1.0])).round(2)
    array([ 1.96, -0.  ])
    """
    z: Floats = np.sign(difference) * norm.isf(np.maximum(p_values, 1e-300) / 2)
    return z
