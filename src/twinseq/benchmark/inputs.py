"""The cohorts of a grid: how they are read, and a digest of all that they hang on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np

from ..cohort import ROLES_KEY, Cohort, from_anndata
from ..datasets import load
from ..errors import CohortError, shorten
from ..io import read, samples_beside
from ..tables import first_line
from ..transforms import log_cpm
from .grid import SIMULATORS, CohortEntry

SCHEMA = 1
"""Version of the files that hold the outcomes."""


def digest(content: Any) -> str:
    """Return a key for plain values."""
    text = json.dumps([SCHEMA, content], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def data_digest(entry: CohortEntry) -> str:
    """Return a digest of all that a cohort hangs on: bytes of its files, roles, and what is kept of it."""
    content: list[Any] = [entry.source, dict(entry.roles), dict(entry.where), entry.log_cpm]
    if entry.source == "file":
        content.append([file_digest(path) for path in _files(entry.value)])
    else:
        content.append(entry.value)
    content += [None if path is None else file_digest(path) for path in (entry.obs, entry.genes)]
    return digest(content)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(part for part in path.rglob("*") if part.is_file())
    beside = samples_beside(path)
    return [path, beside] if beside.exists() else [path]


def file_digest(path: Path) -> str:
    """Return a digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_cohort(entry: CohortEntry) -> Cohort:
    """Read or simulate a cohort, and keep of it what the grid wants.

    Raises
    ------
    CohortError
        It cannot be used, or nothing of it is left.
    """
    if entry.source == "file":
        cohort = read(entry.value, obs=entry.obs, **entry.roles)
    else:
        cohort = load(entry.value) if entry.source == "dataset" else SIMULATORS[entry.source](**entry.value)
        stated = dict(entry.roles)
        if stated and "covariates" not in stated:
            taken = [stated.get(role) for role in ("label", "donor", "cell_type")]
            stated["covariates"] = tuple(name for name in cohort.covariates if name not in taken)
        cohort = dataclasses.replace(cohort, **stated)
    for column, kept in entry.where.items():
        if column not in cohort.obs.columns:
            raise CohortError(f"{cohort.source}: the sample table has no column '{shorten(column)}' (where).")
        rows = np.flatnonzero(cohort.obs[column].astype(str).isin(kept))
        if not len(rows):
            raise CohortError(f"{cohort.source}: no sample has {shorten(column)} = {', '.join(map(shorten, kept))}.")
        cohort = cohort.with_adata(cohort.adata[rows].copy())
    if entry.genes is not None:
        wanted = set(entry.genes.read_text(encoding="utf-8").split())
        inside = cohort.genes.isin(wanted)
        if not inside.any():
            raise CohortError(f"{cohort.source}: has none of the genes in {entry.genes}.")
        cohort = cohort.with_adata(cohort.adata[:, inside].copy())
    if entry.log_cpm:
        adata = cohort.adata.copy()
        adata.X = log_cpm(cohort.dense())
        cohort = cohort.with_adata(adata, kind="continuous")
    return cohort


def read_twin(path: Path, train: Cohort) -> Cohort:
    """Read a twin from an ``.h5ad`` file, with the roles of its training data but for the donors, whom it has not.

    Covariates that its maker did not fill in are left out.

    Raises
    ------
    CohortError
        It cannot be used.
    """
    try:
        adata = ad.read_h5ad(path)
    except Exception as error:
        raise CohortError(f"{path.name}: not a readable .h5ad file ({first_line(error)}).") from error
    adata.uns.pop(ROLES_KEY, None)
    filled = [name for name in train.covariates if name in adata.obs.columns and adata.obs[name].notna().any()]
    return from_anndata(
        adata, label=train.label, cell_type=train.cell_type, covariates=filled, kind=train.kind,
        source=path.name, min_per_class=1,
    )  # fmt: skip
