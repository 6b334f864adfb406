"""What every cohort is checked for at the door; each message names the place and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from .errors import CohortError, shorten
from .scales import Cap, reading

if TYPE_CHECKING:
    from .cohort import Cohort

PART = 8192
"""Samples that are checked at a time."""
READ = 256
"""Samples from which it is told what values read like."""


def validate(cohort: Cohort, *, min_per_class: int = 2) -> None:
    """Check that ``cohort`` can be worked with.

    Raises
    ------
    CohortError
        Empty; duplicate gene or sample names; negative, non-integer, infinite or missing values (with what they read
        like: log-normalised, scaled, capped, …); counts cut at the end of a small type; a sample without any
        count; missing, single or too small classes; missing donors or cell types; a donor in
        two classes; a text covariate that looks like an identifier. The message names the place.
    """
    if cohort.n_samples == 0 or cohort.n_genes == 0:
        raise CohortError(
            f"{cohort.source}: empty ({cohort.n_samples} samples × {cohort.n_genes} genes). "
            "Check that the right file was given and that it is not filtered to nothing."
        )
    check_unique(cohort.adata.obs_names, "sample", cohort.source)
    check_unique(cohort.adata.var_names, "gene", cohort.source)
    _check_values(cohort)
    _check_classes(cohort, min_per_class)
    _check_donors(cohort)
    _check_covariates(cohort)


def check_unique(names: pd.Index[Any], what: str, source: str) -> None:
    """Refuse names of samples or genes that occur twice.

    Raises
    ------
    CohortError
        Names the first repeats.
    """
    if not names.is_unique:
        repeated = names[names.duplicated()].unique()
        shown = ", ".join(f"'{shorten(name, 40)}'" for name in repeated[:5])
        raise CohortError(
            f"{source}: {len(repeated)} duplicate {what} name(s): {shown}. "
            f"Each {what} must occur once: rename, drop or sum the repeats."
        )


def _check_values(cohort: Cohort) -> None:
    """Refuse values that no cohort can hold; the profiles are looked at a part at a time."""
    dtype = np.dtype(getattr(cohort.adata.X, "dtype", object))
    if dtype.kind not in "iufb":
        raise CohortError(f"{cohort.source}: the profiles hold {dtype} values; numbers are needed.")
    flaws = _flaws(dtype.kind, cohort.kind == "counts")
    empty: list[NDArray[np.intp]] = []
    cap, first = Cap(), None
    for rows, part in cohort.chunks(PART):
        for flaw in flaws:
            flaw.look_for(part, rows.start)
            if flaw.reads_like_another_scale and flaw.number and first is None:
                first = part[flaw.row - rows.start :][:READ]
        if cohort.kind == "counts":
            cap.look_at(part.data if sp.issparse(part) else part)
        if cohort.kind == "counts" and not any(flaw.number for flaw in flaws):
            empty.append(rows.start + np.flatnonzero(np.asarray(part.sum(axis=1)).ravel() == 0))
    for flaw in flaws:
        if flaw.number:
            sample = shorten(cohort.adata.obs_names[flaw.row], 40)
            gene = shorten(cohort.adata.var_names[flaw.column], 40)
            raise CohortError(
                f"{cohort.source}: {flaw.what} ({flaw.value}) at sample '{sample}', gene '{gene}'; "
                f"{flaw.number} such value(s) in all. "
                + (f"The values read like {reading(first)}. " if flaw.reads_like_another_scale else "")
                + flaw.remedy
            )
    if cap.found is not None:
        bound, number = cap.found
        raise CohortError(
            f"{cohort.source}: no count is above {bound:,}, and {number} are exactly {bound:,}, more than shortly "
            "below: they read like counts capped by a type too small for them. Make it anew from the raw counts."
        )
    without = np.concatenate(empty) if empty else np.empty(0, dtype=np.intp)
    if without.size:
        names = ", ".join(f"'{shorten(name, 40)}'" for name in cohort.adata.obs_names[without[:5]])
        raise CohortError(
            f"{cohort.source}: {without.size} sample(s) without a single count: {names}. "
            "Drop them: they failed sequencing or were read wrongly."
        )


@dataclass
class _Flaw:
    """Values that must not be there: how many there are, and the first of them."""

    is_bad: Callable[[NDArray[Any]], NDArray[np.bool_]]
    what: str
    remedy: str
    reads_like_another_scale: bool = False
    number: int = 0
    row: int = -1
    column: int = -1
    value: Any = None

    def look_for(self, part: Any, start: int) -> None:
        """Count them in ``part``, whose first row is sample ``start``."""
        bad = self.is_bad(part.data if sp.issparse(part) else part)
        if not bad.any():
            return
        if not self.number:
            if sp.issparse(part):
                entries = part.tocoo()
                first = int(np.argmax(self.is_bad(entries.data)))
                row, self.column, self.value = int(entries.row[first]), int(entries.col[first]), entries.data[first]
            else:
                row, self.column = (int(index) for index in np.unravel_index(int(np.argmax(bad)), bad.shape))
                self.value = part[row, self.column]
            self.row = start + row
        self.number += int(bad.sum())


def _flaws(dtype_kind: str, counts: bool) -> list[_Flaw]:
    """Return what to look for, the gravest first."""
    remedy = "Raw counts are needed; for VST, log-CPM or other continuous values use --kind continuous."
    flaws = []
    if dtype_kind == "f":
        flaws += [
            _Flaw(np.isnan, "a missing value (NaN)", "Fill it in or drop the gene or the sample."),
            _Flaw(np.isinf, "an infinite value", "Mend the table or drop the gene or the sample."),
        ]
    if counts and dtype_kind in "if":
        flaws.append(_Flaw(lambda values: values < 0, "a negative value", remedy, True))
    if counts and dtype_kind == "f":
        flaws.append(
            _Flaw(lambda values: values != np.rint(values), "a value that is not a whole number", remedy, True)
        )
    return flaws


def _check_classes(cohort: Cohort, min_per_class: int) -> None:
    for role in ("label", "donor", "cell_type"):
        column = getattr(cohort, role)
        if column is None:
            continue
        missing = np.flatnonzero(cohort.obs[column].isna())
        if missing.size:
            name = shorten(cohort.adata.obs_names[missing[0]], 40)
            raise CohortError(
                f"{cohort.source}: column '{shorten(column)}' ({role}) is missing for {missing.size} sample(s), "
                f"first '{name}'. Fill it in or drop these samples."
            )
    if cohort.label is None:
        return
    sizes = pd.Series(cohort.labels()).value_counts()
    if len(sizes) < 2:
        raise CohortError(
            f"{cohort.source}: column '{shorten(cohort.label)}' (label) has one class only, "
            f"'{shorten(sizes.index[0], 40)}'. State a column with two or more classes, or no label."
        )
    small = sizes[sizes < min_per_class]
    if len(small):
        raise CohortError(
            f"{cohort.source}: class '{shorten(small.index[0], 40)}' of column '{shorten(cohort.label)}' has "
            f"{small.iloc[0]} sample(s); at least {min_per_class} are needed. Merge it with another class or drop it."
        )


def _check_donors(cohort: Cohort) -> None:
    if cohort.donor is None or cohort.label is None or cohort.paired:
        return
    classes = pd.Series(cohort.labels()).groupby(cohort.donors()).nunique()
    torn = classes[classes > 1]
    if len(torn):
        raise CohortError(
            f"{cohort.source}: {len(torn)} donor(s) have samples in more than one class of "
            f"'{shorten(cohort.label)}', first '{shorten(torn.index[0], 40)}'. If that is the design (tumour and "
            "normal of one patient), say so with --paired; otherwise mend the donor or the label column."
        )


def _check_covariates(cohort: Cohort) -> None:
    for column in cohort.covariates:
        values = cohort.obs[column].dropna()
        if values.empty:
            raise CohortError(f"{cohort.source}: covariate '{shorten(column)}' has no value at all. Leave it out.")
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            if not np.isfinite(values.to_numpy(dtype=float)).all():
                raise CohortError(f"{cohort.source}: covariate '{shorten(column)}' has an infinite value.")
        elif values.nunique() > max(5, len(values) // 2):
            raise CohortError(
                f"{cohort.source}: covariate '{shorten(column)}' has {values.nunique()} levels for {len(values)} "
                "samples: it reads like an identifier, and a twin would publish its levels. "
                "Leave it out, or group its levels."
            )
