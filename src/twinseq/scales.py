"""On which scale values stand that should be raw counts, told from the values themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]
HIGHEST_LOG = 30.0
"""No logarithm of a count is larger, whatever its base."""
STEADY = 0.01
"""Relative spread of totals below which samples were normalised to one total."""
BASES = (("natural logarithms", np.expm1), ("log2", lambda values: np.exp2(values) - 1.0))
BOUNDS = (127, 255, 32_767, 65_535)
"""Largest numbers of the small whole-number types."""
SHOULDER = 0.9
"""Values from this share of the bound on are compared with those at the bound."""
MOSTLY = 0.9
"""Share of whole numbers above which values are counts, some of them damaged."""
FEWEST = 5
"""Values at a bound from which on it is one."""


def reading(values: Any) -> str:
    """Say what profiles that are no counts read like.

    Parameters
    ----------
    values
        Some profiles, ``n × n_genes``, csr or array.

    Returns
    -------
    Words that follow "they read like".
    """
    dense = np.asarray(values.toarray() if sp.issparse(values) else values, dtype=np.float64)
    finite = dense[np.isfinite(dense)]
    if not finite.size:
        return "no numbers at all"
    shown = finite[finite != 0]
    if shown.size and (shown == np.rint(shown)).mean() > MOSTLY:
        return "counts otherwise"
    highest = float(finite.max())
    if finite.min() < 0:
        at_top = int((finite == highest).sum())
        capped = f", capped at {highest:g}" if at_top >= FEWEST and highest > 0 else ""
        return f"scaled or centred values (negative{capped})"
    if highest <= HIGHEST_LOG:
        for name, back in BASES:
            totals = back(np.nan_to_num(dense)).sum(axis=1)
            if _steady(totals):
                return f"log-normalised values ({name} of counts normalised to {np.median(totals):,.0f} a sample)"
        return "log-normalised values (none above 30, not whole)"
    totals = np.nan_to_num(dense).sum(axis=1)
    if _steady(totals):
        return f"normalised values ({np.median(totals):,.0f} a sample, as CPM or TPM)"
    return "expected counts or normalised values (not whole); counts of RSEM or salmon are rounded first"


def _steady(totals: Floats) -> bool:
    """Tell whether samples have one total; of a single one that cannot be said."""
    return len(totals) > 1 and totals.mean() > 0 and bool(totals.std() <= STEADY * totals.mean())


class Cap:
    """Looks for counts cut at the largest number that a small type holds; profiles come in parts."""

    def __init__(self) -> None:
        self._highest = 0.0
        self._at = dict.fromkeys(BOUNDS, 0)
        self._below = dict.fromkeys(BOUNDS, 0)

    def look_at(self, values: NDArray[Any]) -> None:
        """Take in some values; zeros may be left out."""
        if not values.size:
            return
        highest = float(values.max())
        self._highest = max(self._highest, highest)
        for bound in BOUNDS:
            if self._highest <= bound and highest >= SHOULDER * bound:
                near = values[values >= SHOULDER * bound]
                self._at[bound] += int((near == bound).sum())
                self._below[bound] += int((near < bound).sum())

    @property
    def found(self) -> tuple[int, int] | None:
        """The bound and how many values are at it, where more are there than shortly below; else ``None``."""
        bound = int(self._highest)
        if bound not in self._at or self._at[bound] < FEWEST or self._at[bound] <= self._below[bound]:
            return None
        return bound, self._at[bound]
