"""The population that simulated bulk cohorts are drawn from: what is true of every gene.

Two cohorts of one population share the truth and differ in their donors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LN2 = float(np.log(2.0))
N_FACTORS = 3
MAX_DISPERSION = 10.0
# Female vs male: five Y-linked genes, one like XIST, four that escape X inactivation.
SEX_EFFECTS = np.array([-10.0, -10.0, -9.0, -8.0, -8.0, 10.0, 1.0, 0.8, 0.6, 0.5])


@dataclass(frozen=True)
class Population:
    """Gene-wise truth; effects are natural logs unless named otherwise.

    Attributes
    ----------
    mean
        Expected count in controls at size factor 1 and average covariates, per gene.
    dispersion
        Negative-binomial dispersion, ``variance = mean + dispersion × mean²``, per gene.
    log2_fold_change
        Case vs control, per gene, the share that comes through shifted modules included.
    sex, age
        Effect of female vs male, and of a decade of age, per gene (log2).
    batch
        ``n_batches × n_genes``.
    module
        Number of the module of each gene, −1 outside.
    loadings
        ``n_modules × n_genes`` loadings of the genes on their module's factor.
    shifts
        Difference of each module's factor between cases and controls, in its standard deviations.
    factors
        ``N_FACTORS × n_genes`` loadings on what all genes share (cell composition, tissue quality).
    """

    mean: Floats
    dispersion: Floats
    log2_fold_change: Floats
    sex: Floats
    age: Floats
    batch: Floats
    module: NDArray[np.intp]
    loadings: Floats
    shifts: Floats
    factors: Floats


def draw_means(rng: np.random.Generator, n_genes: int, library_size: float) -> Floats:
    """Draw expected counts that add up to ``library_size``.

    Two log-normals, as in whole blood and breast: about two thirds of the genes are expressed, the others are
    silent or nearly so and give most of the zeros.
    """
    expressed = rng.random(n_genes) < 0.65
    log_mean = np.where(expressed, rng.normal(6.2, 1.6, n_genes), rng.normal(0.0, 2.4, n_genes))
    mean = np.exp(log_mean)
    mean *= library_size / mean.sum()
    return mean


def draw_dispersions(rng: np.random.Generator, mean: Floats, a0: float, a1: float, scatter: float) -> Floats:
    """Draw dispersions ``(a1 / mean + a0) × exp(scatter × N(0, 1))``, at most `MAX_DISPERSION`."""
    trend = a1 / mean + a0
    return np.minimum(trend * np.exp(scatter * rng.standard_normal(len(mean))), MAX_DISPERSION)


def draw_population(
    *,
    seed: int,
    n_genes: int,
    n_modules: int,
    module_size: int,
    module_sd: float,
    n_differential: int,
    effect_size: float,
    n_batches: int,
    batch_sd: float,
    factor_sd: float,
    dispersion: tuple[float, float, float],
    library_size: float,
) -> Population:
    """Draw the truth. Module, differential, sex and age genes are disjoint, so that each effect can be read alone."""
    rng = np.random.default_rng((seed, n_genes))
    mean = draw_means(rng, n_genes, library_size)

    order = rng.permutation(n_genes)
    n_sex, n_age, n_in_modules = min(len(SEX_EFFECTS), n_genes // 20), n_genes // 100, n_modules * module_size
    ends = np.cumsum([n_sex, n_age, n_in_modules, n_differential])
    sex_genes, age_genes, module_genes, differential, _ = np.split(order, ends)

    sex = np.zeros(n_genes)
    sex[sex_genes] = SEX_EFFECTS[:n_sex]
    # Seen in one sex only, so well expressed there.
    mean[sex_genes] = np.exp(rng.normal(4.5, 0.3, n_sex)) * library_size / 25e6
    age = np.zeros(n_genes)
    age[age_genes] = rng.choice([-1.0, 1.0], n_age) * rng.uniform(0.1, 0.3, n_age)

    module = np.full(n_genes, -1, dtype=np.intp)
    module[module_genes] = np.repeat(np.arange(n_modules), module_size)
    # A module that nobody can see is no module: its genes are expressed.
    mean[module_genes] = np.exp(rng.normal(6.2, 1.0, n_in_modules)) * library_size / 25e6
    loadings = np.zeros((n_modules, n_genes))
    loadings[module[module_genes], module_genes] = module_sd * rng.uniform(0.6, 1.4, n_in_modules)
    shifts = np.zeros(n_modules)
    n_active = -(-n_modules // 3)
    shifts[:n_active] = rng.choice([-1.0, 1.0], n_active) * rng.uniform(0.8, 1.6, n_active)

    log2_fold_change = shifts @ loadings / LN2
    log2_fold_change[differential] = rng.choice([-1.0, 1.0], n_differential) * rng.gamma(
        2.0, effect_size / 2.0, n_differential
    )
    batch = batch_sd * rng.standard_normal((n_batches, n_genes))
    batch -= batch.mean(axis=0)
    return Population(
        mean=mean,
        dispersion=draw_dispersions(rng, mean, *dispersion),
        log2_fold_change=log2_fold_change,
        sex=sex,
        age=age,
        batch=batch,
        module=module,
        loadings=loadings,
        shifts=shifts,
        factors=factor_sd * rng.standard_normal((N_FACTORS, n_genes)),
    )


def gamma_poisson(rng: np.random.Generator, mu: Floats, dispersion: Floats) -> NDArray[np.int32]:
    """Draw negative-binomial counts with means ``mu`` (``n_samples × n_genes``) and gene-wise ``dispersion``."""
    shape = 1.0 / dispersion
    rate = rng.standard_gamma(np.broadcast_to(shape, mu.shape))
    rate *= mu * dispersion
    counts: NDArray[np.int32] = rng.poisson(np.minimum(rate, 2e9)).astype(np.int32)
    return counts
