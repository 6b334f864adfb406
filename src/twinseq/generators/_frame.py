"""The outer form of a twin: taken from the cohort, and put around what a generator draws, whole or in blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from numpy.typing import NDArray

from ..cohort import Cohort

BLOCK_VALUES = 2**24
"""Values in a block of a twin, samples × genes."""
FEWEST = 512
"""Samples that a block holds at least, however many genes there are."""


@dataclass(frozen=True)
class Frame:
    """The outer form of a cohort, which its twin takes over: genes, columns, types, roles, no values."""

    var: pd.DataFrame
    obs: pd.DataFrame
    roles: dict[str, Any]
    dtype: str
    sparse: bool

    @classmethod
    def of(cls, cohort: Cohort) -> Frame:
        """Take the frame of ``cohort``; its ``obs`` is the sample table with no row left in it."""
        empty = cohort.obs.iloc[:0].copy()
        for column in empty.columns:
            stated = column in (cohort.label, cohort.cell_type, *cohort.covariates)
            if isinstance(empty[column].dtype, pd.CategoricalDtype) and not stated:
                # The names of unused levels may be names of donors.
                empty[column] = pd.Categorical([], categories=[], ordered=empty[column].cat.ordered)
        return cls(cohort.adata.var.copy(), empty, cohort.roles(), str(cohort.adata.X.dtype), cohort.sparse)

    def cohort(self, values: NDArray[Any], known: pd.DataFrame, before: int = 0, total: int | None = None) -> Cohort:
        """Dress ``values`` (``n × n_genes``) and the ``known`` columns as a cohort.

        Columns that play no role are there but empty, and so is that of donors unless the model drew some of its own.
        Of a twin that comes in blocks, ``before`` is the number of samples in earlier blocks, ``total`` that in all.
        """
        width = len(str(len(known) if total is None else total))
        names = [f"twin_{number:0{width}d}" for number in range(before + 1, before + len(known) + 1)]
        obs = pd.DataFrame(index=pd.Index(names, dtype=object, name=self.obs.index.name))
        for column in self.obs.columns:
            like = self.obs[column]
            if column in known.columns and column == self.roles.get("donor"):
                obs[column] = known[column].set_axis(obs.index)
            elif column in known.columns:
                obs[column] = _cast(known[column].to_numpy(), like.dtype, obs.index)
            else:
                obs[column] = _blank(like.dtype, obs.index)
        dtype = np.dtype(self.dtype)
        if dtype.kind in "iu" and values.dtype.kind == "f":
            values = np.rint(values)
        if dtype.kind in "iu" and values.size and values.max() > np.iinfo(dtype).max:
            dtype = np.dtype(np.int64)
        x = values.astype(dtype, copy=False)
        adata = AnnData(sp.csr_matrix(x) if self.sparse else x, obs=obs, var=self.var.copy())
        roles = {role: value for role, value in self.roles.items() if role != "donor" or value in known.columns}
        return Cohort(adata, **{**roles, "covariates": tuple(roles.get("covariates", ()))}, source="twin")


def _cast(values: NDArray[Any], dtype: Any, index: pd.Index[Any]) -> pd.Series[Any]:
    """Return ``values`` in the column type of the real table, missing values allowed."""
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical(values, dtype=dtype), index=index)
    if dtype == np.dtype(bool):
        return pd.Series(values, index=index).astype(bool)
    return pd.Series(values, index=index).astype(dtype)


def _blank(dtype: Any, index: pd.Index[Any]) -> pd.Series[Any]:
    """Return a column of missing values of, or as near as can be to, ``dtype``."""
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical([None] * len(index), dtype=dtype), index=index)
    nullable = {"i": "Int64", "u": "UInt64", "b": "boolean"}
    kind = getattr(dtype, "kind", "O")
    return pd.Series([None] * len(index), index=index, dtype=nullable.get(kind, dtype))


def block_size(n_genes: int) -> int:
    """Return how many samples a twin is drawn at a time where nothing else is asked for."""
    return max(BLOCK_VALUES // max(n_genes, 1), FEWEST)


def joined(blocks: list[Cohort]) -> Cohort:
    """Return the blocks of a twin as one cohort."""
    if len(blocks) == 1:
        return blocks[0]
    first = blocks[0]
    xs = [block.adata.X for block in blocks]
    x = sp.vstack(xs, format="csr") if first.sparse else np.concatenate(xs)
    obs = pd.concat([block.obs for block in blocks])
    return first.with_adata(AnnData(x, obs=obs, var=first.adata.var.copy()))
