"""Patients who are followed for some time."""

import numpy as np

from twinseq.cohort import Cohort

SURVIVAL = ("months", "died")


def followed(cohort: Cohort, seed: int) -> Cohort:
    """Follow everybody for some time; cases die sooner, and so do those in whom the first module is high."""
    rng = np.random.default_rng(seed)
    risk = 0.5 * cohort.adata.uns["truth"]["samples"]["MODULE_01"].to_numpy() + 2.0 * (cohort.labels() == "case")
    death, leaving = rng.exponential(40 * np.exp(-risk)), rng.uniform(6, 60, len(risk))
    adata = cohort.adata.copy()
    adata.obs["months"], adata.obs["died"] = np.minimum(death, leaving), (death <= leaving).astype(int)
    return cohort.with_adata(adata, covariates=(*cohort.covariates, *SURVIVAL))
