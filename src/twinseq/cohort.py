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
from .stored import StoredAnnData, StoredMatrix
from .validation import check_unique as check_unique
from .validation import validate as validate

Kind = Literal["counts", "continuous"]
ROLES_KEY = "twinseq"


@dataclass(frozen=True, eq=False)
class Cohort:
    """RNA-seq profiles (samples or cells × genes) and the roles of their columns.

    Parameters
    ----------
    adata
        Profiles; ``X`` is ``n_samples × n_genes``, dense or CSR, and is never changed. It may lie on disk (`lazy`).
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

    @property
    def lazy(self) -> bool:
        """Whether the profiles lie on disk and are read a part at a time."""
        return isinstance(self.adata, StoredAnnData)

    @property
    def sparse(self) -> bool:
        """Whether the profiles are sparse, in memory or on disk."""
        x = self.adata.X
        return x.sparse if isinstance(x, StoredMatrix) else bool(sp.issparse(x))

    def dense(self, dtype: Any = np.float64) -> NDArray[Any]:
        """Return the profiles as a dense ``n_samples × n_genes`` array of ``dtype``.

        Raises
        ------
        CohortError
            They lie on disk and would take more than half of the memory.
        """
        x = self.adata.X
        if isinstance(x, StoredMatrix):
            return x.dense(dtype)
        return np.asarray(x.toarray() if sp.issparse(x) else x, dtype=dtype)

    def in_memory(self) -> Cohort:
        """Return the cohort with its profiles in memory, sparse where they are sparse.

        Raises
        ------
        CohortError
            They lie on disk and would take more than half of the memory.
        """
        if not self.lazy:
            return self
        adata = self.adata
        return self.with_adata(AnnData(adata.X.to_memory(), obs=adata.obs, var=adata.var, uns=dict(adata.uns)))

    def chunks(self, size: int = 4096) -> Iterator[tuple[slice, Any]]:
        """Yield the profiles a part at a time, in order; where they lie on disk, only the part is read.

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
        Profiles that lie on disk stay there.
        """
        lazily = isinstance(self.adata, StoredAnnData)
        part = self.adata.taken(rows) if lazily else self.adata[rows].copy()
        stated = (self.label, self.cell_type, *self.covariates)
        for column, whole in self.obs.items():
            if not isinstance(whole.dtype, pd.CategoricalDtype):
                continue
            if column in stated:
                part.obs[column] = part.obs[column].cat.set_categories(whole.cat.categories)
            elif lazily:
                part.obs[column] = part.obs[column].cat.remove_unused_categories()
        return self.with_adata(part)

    def take_genes(self, genes: Any) -> Cohort:
        """Return the cohort with the ``genes`` of these positions, in their order."""
        if isinstance(self.adata, StoredAnnData):
            return self.with_adata(self.adata.taken(columns=genes))
        return self.with_adata(self.adata[:, genes])

    def split(self, fractions: Sequence[float] = (0.6, 0.2, 0.2), seed: int = 0) -> tuple[Cohort, ...]:
        """Split by donor, stratified by label, into disjoint parts; all cells of a donor stay together.

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
            A class has too few donors for every part to get one, or cells have no donor stated.
        """
        from .splits import split_rows

        if self.cell_type is not None and self.donor is None:
            raise CohortError(
                f"{self.source}: cells have no donor stated, so the cells of one person would land in several parts. "
                "State the column of the donors (--donor)."
            )
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
