"""Small cohorts with given columns, and what they are compared by."""

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from twinseq import generators
from twinseq.basis import build_basis
from twinseq.cohort import Cohort
from twinseq.transforms import log_normalised, size_factors

SHAPES = ("counts dense", "counts sparse", "continuous dense", "continuous sparse")
DONOR = "donor"
SMALL: dict[str, dict[str, Any]] = {
    "cvae": {"latent": 4, "hidden": "16", "steps": 40},
    "cvae-gmm": {"latent": 4, "hidden": "16", "steps": 40},
    "dp-cvae": {"epsilon": 50.0, "delta": 1e-3, "latent": 3, "hidden": "4", "steps": 12, "rate": 1.0},
    "dp-ctgan": {"epsilon": 50.0, "delta": 1e-3, "steps": 12, "rate": 1.0},
    "diffusion": {"width": 16, "factors": 4, "steps": 40, "sampling_steps": 8},
    "wgan-gp": {"latent": 4, "hidden": "16", "critic": "16", "steps": 40},
    "ctgan": {"latent": 4, "hidden": "16", "critic": "16", "modes": 1, "steps": 40},
    "pca-ctgan": {"components": 8, "latent": 4, "hidden": "16", "critic": "16", "modes": 2, "steps": 40},
}
"""Settings with which generators that take their time are fast; others have none."""


PRIVATE: dict[str, Any] = {"epsilon": 50.0, "delta": 1e-3}
"""What private generators must be told; a budget at which little of these small cohorts is lost in noise."""


def takes(name: str, cohort: Cohort) -> bool:
    return cohort.kind in generators.info(name).kinds


def is_private(name: str) -> bool:
    return generators.info(name).family == "dp"


def settings_of(name: str, cohort: Cohort | None = None) -> dict[str, Any]:
    """Return settings with which a generator is fast, and a private one takes ``cohort``."""
    if name == "basis-copula" and cohort is not None:
        return {"basis": basis_for(cohort)}
    if not is_private(name):
        return dict(SMALL.get(name, {}))
    numbers = [] if cohort is None else cohort.obs[list(cohort.covariates)].select_dtypes("number").columns
    ranges = {"ranges": ",".join(f"{column}=0:1000" for column in numbers)} if len(numbers) else {}
    return PRIVATE | SMALL.get(name, {}) | ranges


def basis_for(cohort: Cohort) -> str:
    """Return the file of a basis with the genes of ``cohort``, from samples scattered around its mean."""
    x = cohort.dense()
    rng = np.random.default_rng(len(x))
    rows = x[rng.integers(len(x), size=40)]
    rows = rng.poisson(rows + 1.0) if cohort.kind == "counts" else rows + 0.1 * rng.standard_normal(rows.shape)
    obs = pd.DataFrame(index=[f"public{row}" for row in range(len(rows))])
    public = Cohort(AnnData(rows.astype(np.float64), obs=obs, var=cohort.adata.var[[]]), kind=cohort.kind)
    folder = Path(tempfile.mkdtemp(prefix="twinseq-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return str(build_basis(public).save(folder / "public.basis"))


def made(name: str, cohort: Cohort | None = None, **params: Any) -> generators.Generator:
    """Return an unfitted generator with `settings_of` it."""
    return generators.create(name, **settings_of(name, cohort) | params)


def dressed(cohort: Cohort) -> Cohort:
    """Add columns that no role names: each type a sample table may have."""
    adata = cohort.adata.copy()
    n = adata.n_obs
    adata.obs["note"] = [f"seen by {name}" for name in adata.obs_names]
    adata.obs["site"] = pd.Categorical([f"site of {name}" for name in adata.obs_names])
    adata.obs["visits"] = np.arange(n)
    adata.obs["weight"] = np.linspace(50, 90, n)
    adata.obs["consent"] = np.arange(n) % 2 == 0
    adata.obs.index.name = "sample"
    return cohort.with_adata(adata)


def as_continuous(cohort: Cohort) -> Cohort:
    """Return the cohort on a log scale, as float64."""
    adata = cohort.adata.copy()
    counts = cohort.dense()
    adata.X = log_normalised(counts, size_factors(counts))
    return cohort.with_adata(adata, kind="continuous")


def cohort_of(columns: dict[str, Any], x: Any = None, n_genes: int = 40, seed: int = 0, **roles: Any) -> Cohort:
    """Return a cohort with these columns; without ``x``, of negative-binomial counts."""
    obs = pd.DataFrame(columns)
    obs.index = pd.Index([f"real{number}" for number in range(len(obs))])
    if x is None:
        rng = np.random.default_rng(seed)
        mean = np.exp(rng.normal(4, 1.5, n_genes))
        x = rng.poisson(mean * rng.gamma(5, 0.2, (len(obs), n_genes))).astype(np.int32)
        x[:, 0] += 1
    x = x if sp.issparse(x) else np.asarray(x)
    var = pd.DataFrame(index=[f"g{number}" for number in range(x.shape[1])])
    return Cohort(AnnData(x, obs=obs, var=var), **roles)


def same_draws(one: Cohort, other: Cohort) -> bool:
    pd.testing.assert_frame_equal(one.obs, other.obs)
    pd.testing.assert_frame_equal(one.adata.var, other.adata.var)
    return one.adata.X.dtype == other.adata.X.dtype and one.dense().tobytes() == other.dense().tobytes()


def log_values(cohort: Cohort) -> np.ndarray:
    """Return log2 normalised counts."""
    counts = cohort.dense()
    return log_normalised(counts, size_factors(counts))
