"""The cohort: an AnnData plus the roles that its columns play, checked once at the door.

Roles are stated by the caller and never guessed from names or uniqueness. They are kept in
``uns["twinseq"]``, so that an ``.h5ad`` file carries them along.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from numpy.typing import NDArray

from .errors import CohortError, ConfigError, suggest
from .errors import shorten as shorten  # others find it here

Kind = Literal["counts", "continuous"]
ROLES_KEY = "twinseq"


@dataclass(frozen=True, eq=False)
class Cohort:
    """RNA-seq profiles (samples or cells × genes) and the roles of their columns.

    Parameters
    ----------
    adata
        Profiles; ``X`` is ``n_samples × n_genes``, dense or CSR, and is never changed.
    label
        Column of ``obs`` with the class of each sample (condition, subtype); ``None``: one class.
    donor
        Column with the person a sample comes from, the unit of privacy; ``None``: a sample is a donor.
    cell_type
        Column with the cell type, for single cells.
    covariates
        Further columns that a twin has to carry (batch, sex, age).
    kind
        ``"counts"`` (raw, non-negative integers) or ``"continuous"`` (VST, log-CPM).
    paired
        Whether one donor may have samples in several classes (tumour and normal of one patient).
    source
        Where the data came from, for messages.

    Raises
    ------
    CohortError
        A role names a column that does not exist, or two roles name the same one.
    """

    adata: AnnData
    label: str | None = None
    donor: str | None = None
    cell_type: str | None = None
    covariates: tuple[str, ...] = ()
    kind: Kind = "counts"
    paired: bool = False
    source: str = "cohort"

    def __post_init__(self) -> None:
        columns: Any = self.covariates
        names = (columns,) if isinstance(columns, str) else tuple(str(name) for name in columns)
        object.__setattr__(self, "covariates", names)
        if self.kind not in ("counts", "continuous"):
            raise ConfigError(f"Unknown kind '{self.kind}'{suggest(self.kind, ('counts', 'continuous'))}")
        used: dict[str, str] = {}
        for role, column in self._role_columns():
            if column not in self.adata.obs.columns:
                known = map(shorten, self.adata.obs.columns)
                raise CohortError(
                    f"{self.source}: the sample table has no column '{shorten(column)}' ({role})"
                    f"{suggest(column, known)}"
                )
            if column in used:
                raise CohortError(
                    f"{self.source}: column '{shorten(column)}' is stated both as {used[column]} and as {role}. "
                    "Give each column one role."
                )
            used[column] = role

    def _role_columns(self) -> Iterator[tuple[str, str]]:
        for role in ("label", "donor", "cell_type"):
            column = getattr(self, role)
            if column is not None:
                yield role, column
        for column in self.covariates:
            yield "covariate", column

    @property
    def n_samples(self) -> int:
        """Number of samples (or cells)."""
        return int(self.adata.n_obs)

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return int(self.adata.n_vars)

    @property
    def genes(self) -> pd.Index[str]:
        """Gene names."""
        names: pd.Index[str] = self.adata.var_names
        return names

    @property
    def obs(self) -> pd.DataFrame:
        """Sample table, ``n_samples`` rows."""
        table: pd.DataFrame = self.adata.obs
        return table

    def dense(self, dtype: Any = np.float64) -> NDArray[Any]:
        """Return the profiles as a dense ``n_samples × n_genes`` array of ``dtype``."""
        x = self.adata.X
        return np.asarray(x.toarray() if sp.issparse(x) else x, dtype=dtype)

    def chunks(self, size: int = 4096) -> Iterator[tuple[slice, Any]]:
        """Yield the profiles a part at a time, in order.

        Parameters
        ----------
        size
            Most samples in a part.

        Yields
        ------
        Rows, and their profiles: a csr matrix where the cohort is sparse, else an array; ``n × n_genes``.
        """
        for start in range(0, self.n_samples, size):
            rows = slice(start, min(start + size, self.n_samples))
            part = self.adata.X[rows]
            yield rows, part.tocsr() if sp.issparse(part) else np.asarray(part)

    def labels(self) -> NDArray[np.str_]:
        """Class of each sample as text; ``"all"`` for everyone where no label was stated."""
        if self.label is None:
            return np.full(self.n_samples, "all")
        return self.obs[self.label].astype(str).to_numpy(dtype=str)

    def classes(self) -> NDArray[np.str_]:
        """Class of each sample or cell as text: label and cell type, as far as stated; ``"all"`` where neither is."""
        if self.cell_type is None:
            return self.labels()
        types = self.obs[self.cell_type].astype(str)
        if self.label is not None:
            types = self.obs[self.label].astype(str) + " / " + types
        return types.to_numpy(dtype=str)

    def donors(self) -> NDArray[np.str_]:
        """Donor of each sample as text; the sample's own name where no donor was stated."""
        if self.donor is None:
            names: NDArray[np.str_] = self.adata.obs_names.to_numpy(dtype=str)
            return names
        return self.obs[self.donor].astype(str).to_numpy(dtype=str)

    def roles(self) -> dict[str, Any]:
        """Return the stated roles as plain values, the form kept in ``uns["twinseq"]``."""
        roles: dict[str, Any] = {"kind": self.kind, "paired": self.paired}
        for role in ("label", "donor", "cell_type"):
            if getattr(self, role) is not None:
                roles[role] = getattr(self, role)
        if self.covariates:
            roles["covariates"] = list(self.covariates)
        return roles

    def with_adata(self, adata: AnnData, **changes: Any) -> Cohort:
        """Return a cohort with the same roles over other profiles."""
        return dataclasses.replace(self, adata=adata, **changes)

    def subset(self, rows: NDArray[Any]) -> Cohort:
        """Return the samples in ``rows`` (indices or mask) as a cohort of their own.

        Classes and covariates keep all their levels: which of them a part happens to hold may hang on a single donor.
        """
        part = self.adata[rows].copy()
        for column in (self.label, self.cell_type, *self.covariates):
            if column is not None and isinstance(self.obs[column].dtype, pd.CategoricalDtype):
                part.obs[column] = part.obs[column].cat.set_categories(self.obs[column].cat.categories)
        return self.with_adata(part)

    def split(self, fractions: Sequence[float] = (0.6, 0.2, 0.2), seed: int = 0) -> tuple[Cohort, ...]:
        """Split by donor, stratified by class, into disjoint parts.

        Parameters
        ----------
        fractions
            Share of the donors for each part, adding up to at most 1.
        seed
            The same seed gives the same parts.

        Returns
        -------
        One cohort per fraction, samples in their original order.

        Raises
        ------
        ConfigError
            Fractions are not positive or add up to more than 1.
        CohortError
            A class has too few donors for every part to get one.
        """
        from .splits import split_rows

        rows = split_rows(self.donors(), self.labels(), fractions, seed, source=self.source)
        return tuple(self.subset(part) for part in rows)

    def folds(self, k: int = 5, seed: int = 0) -> Iterator[tuple[Cohort, Cohort]]:
        """Yield ``k`` donor-disjoint, class-stratified (train, test) pairs.

        Raises
        ------
        ConfigError
            ``k`` is below 2.
        CohortError
            A class has fewer than ``k`` donors.
        """
        from .splits import fold_rows

        for test in fold_rows(self.donors(), self.labels(), k, seed, source=self.source):
            mask = np.zeros(self.n_samples, dtype=bool)
            mask[test] = True
            yield self.subset(~mask), self.subset(mask)


def from_anndata(
    adata: AnnData,
    *,
    label: str | None = None,
    donor: str | None = None,
    cell_type: str | None = None,
    covariates: Sequence[str] | None = None,
    kind: Kind | None = None,
    paired: bool | None = None,
    source: str = "cohort",
    min_per_class: int = 2,
) -> Cohort:
    """Build and check a cohort; roles left out are taken from ``uns["twinseq"]`` when it has them.

    Parameters
    ----------
    adata
        Profiles, ``n_samples × n_genes``.
    label, donor, cell_type, covariates, kind, paired
        See `Cohort`.
    source
        Named in messages, usually the file.
    min_per_class
        Smallest class that is accepted; a hold-out may do with 1.

    Raises
    ------
    CohortError
        The data break one of the rules in `validate`.
    """
    kept = adata.uns.get(ROLES_KEY, {})
    if not isinstance(kept, Mapping):
        raise CohortError(
            f"{source}: uns['{ROLES_KEY}'] holds no roles of columns ({type(kept).__name__}). "
            "Remove the entry and state the roles."
        )

    def stated(value: Any, role: str, otherwise: Any) -> Any:
        return value if value is not None else kept.get(role, otherwise)

    cohort = Cohort(
        adata,
        label=stated(label, "label", None),
        donor=stated(donor, "donor", None),
        cell_type=stated(cell_type, "cell_type", None),
        covariates=stated(covariates, "covariates", ()),
        kind=stated(kind, "kind", "counts"),
        paired=bool(stated(paired, "paired", False)),
        source=source,
    )
    validate(cohort, min_per_class=min_per_class)
    return cohort


def validate(cohort: Cohort, *, min_per_class: int = 2) -> None:
    """Check that ``cohort`` can be worked with.

    Raises
    ------
    CohortError
        Empty; duplicate gene or sample names; negative, non-integer, infinite or missing values; a sample
        without any count; missing, single or too small classes; missing donors or cell types; a donor in
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
    x = cohort.adata.X
    values = x.data if sp.issparse(x) else np.asarray(x)
    if values.dtype.kind not in "iufb":
        raise CohortError(f"{cohort.source}: the profiles hold {values.dtype} values; numbers are needed.")
    if values.dtype.kind == "f":
        _refuse(cohort, np.isnan, "a missing value (NaN)", "Fill it in or drop the gene or the sample.")
        _refuse(cohort, np.isinf, "an infinite value", "Mend the table or drop the gene or the sample.")
    if cohort.kind == "continuous":
        return
    remedy = "Raw counts are needed; for VST, log-CPM or other continuous values use --kind continuous."
    if values.dtype.kind in "if":
        _refuse(cohort, lambda v: v < 0, "a negative value", remedy)
    if values.dtype.kind == "f":
        _refuse(cohort, lambda v: v != np.rint(v), "a value that is not a whole number", remedy)
    empty = np.flatnonzero(np.asarray(x.sum(axis=1)).ravel() == 0)
    if empty.size:
        names = ", ".join(f"'{shorten(name, 40)}'" for name in cohort.adata.obs_names[empty[:5]])
        raise CohortError(
            f"{cohort.source}: {empty.size} sample(s) without a single count: {names}. "
            "Drop them: they failed sequencing or were read wrongly."
        )


def _refuse(cohort: Cohort, is_bad: Any, what: str, remedy: str) -> None:
    """Raise for the first value of ``X`` that ``is_bad``, naming its sample and gene."""
    x = cohort.adata.X
    if sp.issparse(x):
        bad = is_bad(x.data)
        if not bad.any():
            return
        where = x.tocoo()
        first = int(np.flatnonzero(is_bad(where.data))[0])
        row, column, value = int(where.row[first]), int(where.col[first]), where.data[first]
    else:
        values = np.asarray(x)
        bad = is_bad(values)
        if not bad.any():
            return
        row, column = (int(index) for index in np.unravel_index(int(np.argmax(bad)), bad.shape))
        value = values[row, column]
    sample = shorten(cohort.adata.obs_names[row], 40)
    gene = shorten(cohort.adata.var_names[column], 40)
    raise CohortError(
        f"{cohort.source}: {what} ({value}) at sample '{sample}', gene '{gene}'; "
        f"{int(bad.sum())} such value(s) in all. {remedy}"
    )


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
