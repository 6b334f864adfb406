"""Known-bad twins of single cells: what a metric must not be fooled by.

Two more controls, ``independent`` and ``bootstrap``, are generators and are handed in by the audit.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from anndata import AnnData
from numpy.typing import NDArray

from ...cohort import Cohort

CHUNK = 1024


def shuffled_types(train: Cohort, rng: np.random.Generator) -> Cohort:
    """Return the training cells with their types dealt out at random."""
    return _with_types(train, rng.permutation(_types(train)))


def equal_types(train: Cohort, rng: np.random.Generator) -> Cohort:
    """Return the training cells with types drawn at random, each as often as any other."""
    return _with_types(train, rng.choice(np.unique(_types(train)), train.n_samples))


def mean_profile(train: Cohort, rng: np.random.Generator) -> Cohort:
    """Return cells that are all the mean profile: Poisson noise on counts, a tenth of the spread on values."""
    total = np.zeros(train.n_genes)
    squares = np.zeros(train.n_genes)
    for _, part in train.chunks():
        cells = sp.csr_matrix(part, dtype=np.float64)
        total += np.asarray(cells.sum(axis=0)).ravel()
        squares += np.asarray(cells.multiply(cells).sum(axis=0)).ravel()
    mean = total / train.n_samples
    spread = np.sqrt(np.maximum(squares / train.n_samples - mean**2, 0.0))
    parts = []
    for _, part in train.chunks(CHUNK):
        depth = np.asarray(part.sum(axis=1), dtype=np.float64).ravel()
        if train.kind == "counts":
            parts.append(sp.csr_matrix(rng.poisson(np.outer(depth, total / total.sum()))))
        else:
            parts.append(sp.csr_matrix(mean + 0.1 * spread * rng.standard_normal((len(depth), len(mean)))))
    cells = AnnData(sp.vstack(parts, format="csr"), obs=train.obs.copy(), var=train.adata.var[[]].copy())
    return train.with_adata(cells)


def _types(cohort: Cohort) -> NDArray[np.str_]:
    return cohort.obs[str(cohort.cell_type)].astype(str).to_numpy(dtype=str)


def _with_types(cohort: Cohort, types: NDArray[np.str_]) -> Cohort:
    obs = cohort.obs.copy()
    obs[str(cohort.cell_type)] = types
    return cohort.with_adata(AnnData(cohort.adata.X, obs=obs, var=cohort.adata.var[[]].copy()))
