"""Patients who are followed for some time."""

import dataclasses

import numpy as np

from twinseq.cohort import Cohort

SURVIVAL = ("months", "died")


def followed(cohort: Cohort, seed: int) -> Cohort:
    """Follow everybody for some time; cases die sooner, and so do those in whom the first module is high."""
    rng = np.random.default_rng(seed)
    risk = 0.5 * cohort.adata.uns["truth"]["samples"]["MODULE_01"].to_numpy() + 2.0 * (cohort.labels() == "case")
    death, leaving = rng.exponential(40 * np.exp(-risk)), rng.uniform(6, 60, len(risk))
    cohort.adata.obs["months"] = np.minimum(death, leaving)
    cohort.adata.obs["died"] = (death <= leaving).astype(int)
    return dataclasses.replace(cohort, covariates=(*cohort.covariates, *SURVIVAL))
