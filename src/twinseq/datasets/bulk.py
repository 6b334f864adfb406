"""A bulk RNA-seq cohort whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from ..cohort import Cohort
from ..errors import ConfigError
from .population import LN2, N_FACTORS, Floats, Population, draw_population, gamma_poisson
from .truth import TRUTH_KEY, check_numbers

BLOCK = 2048
# Settings that are whole numbers, and the least that each can be.
WHOLE = {
    "n_cases": 2,
    "n_controls": 2,
    "n_genes": 1,
    "seed": 0,
    "population_seed": 0,
    "samples_per_donor": 1,
    "n_batches": 1,
    "n_modules": 0,
    "module_size": 1,
}


def simulate_cohort(
    n_cases: int = 56,
    n_controls: int = 80,
    n_genes: int = 27_000,
    *,
    seed: int = 0,
    population_seed: int = 0,
    samples_per_donor: int = 1,
    n_batches: int = 1,
    fraction_differential: float = 0.1,
    effect_size: float = 1.0,
    n_modules: int | None = None,
    module_size: int | None = None,
    module_sd: float = 0.4,
    factor_sd: float = 0.12,
    library_size: float = 25e6,
    library_sd: float = 0.2,
    dispersion_a0: float = 0.05,
    dispersion_a1: float = 1.0,
    dispersion_scatter: float = 0.5,
    batch_sd: float = 0.3,
    donor_sd: float = 0.3,
    missing_rate: float = 0.1,
) -> Cohort:
    r"""Simulate a case–control cohort of negative-binomial counts with planted truth.

    The count of gene :math:`g` in sample :math:`s` has dispersion :math:`\alpha_g` and mean

    .. math:: \mu_{sg} = f_s\, m_g\, \exp(\beta_g c_s + \sigma_g x_s + \gamma_g a_s + b_{g,k(s)}
              + \lambda_g z_{s,j(g)} + \phi_g^\top w_s + u_{g,d(s)} - v_g)

    with size factor :math:`f`, case :math:`c`, sex :math:`x`, age :math:`a`, batch :math:`b`, module factor
    :math:`z`, genome-wide factors :math:`w`, donor effect :math:`u`, and :math:`v` such that the random terms leave
    the mean at :math:`m_g`. Dispersions follow :math:`a_1 / m_g + a_0` with log-normal scatter.

    Parameters
    ----------
    n_cases, n_controls
        Donors of each condition, at least 2.
    n_genes
        Number of genes.
    seed
        Draws the donors. The same settings and seeds give the same bytes.
    population_seed
        Draws the truth: cohorts with the same population seed and settings but another ``seed`` are further donors
        of one population, as a hold-out needs.
    samples_per_donor
        Samples of each donor; with more than one, they share a donor effect per gene of sd ``donor_sd``.
    n_batches
        With more than one, samples are dealt to batches within each condition.
    fraction_differential
        Share of the genes that differ between the conditions by themselves, not through a module.
    effect_size
        Mean absolute log2 fold change of these genes (gamma with shape 2, either sign).
    n_modules, module_size
        Correlated modules and genes in each. A third of the modules is shifted in cases, so that they are
        enriched gene sets. Default: 20 × 60, fewer where there are few genes.
    module_sd
        Mean standard deviation (natural log) that a module's factor gives to its genes.
    factor_sd
        Standard deviation of all genes' loadings on each of three factors shared by the whole transcriptome.
    library_size, library_sd
        Expected counts of a sample, and the standard deviation of log size factors.
    dispersion_a0, dispersion_a1, dispersion_scatter
        Dispersion at high means, its rise at low means, and the sd of log dispersions about this trend.
    batch_sd, donor_sd
        Standard deviations of gene-wise batch and donor effects (natural log).
    missing_rate
        Share of missing values of the covariate ``crp``.

    Returns
    -------
    A cohort, cases first, of int32 counts with columns ``condition`` (label), ``donor``, ``sex``, ``age`` (years),
    ``crp`` (mg/L, higher in cases and with the factor of the first module, some missing) and, with several batches,
    ``batch``. The truth: ``var`` columns ``mean``, ``dispersion``, ``log2_fold_change`` (case vs control),
    ``sex_log2_fold_change`` (female vs male), ``age_log2_slope`` (per decade), ``module``; ``uns["truth"]`` with
    ``differential`` (genes) and their ``log2_fold_change``, ``modules`` (name → genes), ``module_shift``,
    ``sex_genes``, ``age_genes``, ``settings``, and ``samples``: a table of size factors and module factors (about
    their mean in the condition) by sample name.

    Raises
    ------
    ConfigError
        A setting is impossible.

    Examples
    --------
    >>> cohort = simulate_cohort(10, 10, 500)
    >>> holdout = simulate_cohort(10, 10, 500, seed=1)  # other donors, same truth
    >>> bool((cohort.adata.var["log2_fold_change"] == holdout.adata.var["log2_fold_change"]).all())
    True
    """
    settings = {name: value for name, value in locals().items() if value is not None}
    _check(settings)
    if n_modules is None:
        n_modules = min(20, n_genes // 40)
    if module_size is None:
        module_size = min(60, n_genes // (4 * n_modules)) if n_modules else 0
    n_differential = round(fraction_differential * n_genes)
    taken = n_modules * module_size + n_differential + n_genes // 100 + min(10, n_genes // 20)
    if taken > n_genes:
        raise ConfigError(
            f"{n_modules} modules of {module_size} genes, {n_differential} differential genes and those of sex and "
            f"age are {taken} genes, more than n_genes = {n_genes}. Use fewer or smaller modules, or a lower "
            "fraction_differential."
        )
    population = draw_population(
        seed=population_seed,
        n_genes=n_genes,
        n_modules=n_modules,
        module_size=module_size,
        module_sd=module_sd,
        n_differential=n_differential,
        effect_size=effect_size,
        n_batches=n_batches,
        batch_sd=batch_sd,
        factor_sd=factor_sd,
        dispersion=(dispersion_a0, dispersion_a1, dispersion_scatter),
        library_size=library_size,
    )
    rng = np.random.default_rng((population_seed, n_genes, seed))
    n_donors = n_cases + n_controls
    donor = np.repeat(np.arange(n_donors), samples_per_donor)
    case = (donor < n_cases).astype(float)
    female = _alternate(rng, n_cases, n_controls)[donor]
    age = np.clip(np.rint(rng.normal(55.0, 15.0, n_donors)), 18, 90)[donor]
    batch = _deal(rng, case, n_batches)
    size_factor = np.exp(rng.normal(-(library_sd**2) / 2, library_sd, len(donor)))
    module_factor = rng.standard_normal((len(donor), n_modules))
    counts = _draw_counts(
        rng,
        population,
        donor=donor,
        size_factor=size_factor,
        design=np.column_stack([case, female - 0.5, (age - 55.0) / 10.0, np.eye(n_batches)[batch]]),
        module_factor=module_factor,
        donor_sd=donor_sd if samples_per_donor > 1 else 0.0,
    )

    # The first module moves with inflammation, whichever way it is shifted.
    first = np.sign(population.shifts[0]) * module_factor[:, 0] if n_modules else np.zeros(len(donor))
    crp = np.round(np.exp(1.0 + 1.5 * case + 0.5 * first + rng.normal(0.0, 0.6, len(donor))), 1)
    crp[rng.random(len(donor)) < missing_rate] = np.nan
    obs = pd.DataFrame(
        {
            "condition": pd.Categorical(np.where(case == 1, "case", "control")),
            "donor": pd.Categorical([f"donor-{seed}-{number + 1:04d}" for number in donor]),
            "sex": pd.Categorical(np.where(female, "female", "male")),
            "age": age.astype(np.int64),
            "crp": crp,
        },
        index=[f"sample-{seed}-{number + 1:04d}" for number in range(len(donor))],
    )
    covariates = ["sex", "age", "crp"]
    if n_batches > 1:
        obs["batch"] = pd.Categorical([f"batch{number + 1}" for number in batch])
        covariates.append("batch")
    genes = [f"GENE{number + 1:05d}" for number in range(n_genes)]
    module_names = [f"MODULE_{number + 1:02d}" for number in range(n_modules)]
    var = _gene_truth(population, genes, module_names)
    samples = pd.DataFrame(module_factor, index=obs.index, columns=module_names)
    samples.insert(0, "size_factor", size_factor)
    truth = _truth(population, var, module_names) | {"samples": samples, "settings": settings}
    return Cohort(
        AnnData(counts, obs=obs, var=var, uns={TRUTH_KEY: truth}),
        label="condition",
        donor="donor",
        covariates=tuple(covariates),
        source="simulated cohort",
    )


def _check(settings: dict[str, Any]) -> None:
    """Refuse settings that describe no cohort."""
    check_numbers(settings, WHOLE)
    for name in ("fraction_differential", "missing_rate"):
        if settings[name] > 1:
            raise ConfigError(f"{name} is a share, between 0 and 1, not {settings[name]}.")
    if settings["missing_rate"] == 1:
        raise ConfigError("missing_rate must be below 1: a covariate without any value is none.")
    if settings["dispersion_a0"] == 0:
        raise ConfigError("dispersion_a0 must be above 0: counts without any dispersion are not RNA-seq.")
    if not 1 <= settings["library_size"] <= 1e9:
        raise ConfigError(f"library_size must lie between 1 and 1e9 counts, not {settings['library_size']:g}.")
    smallest = min(settings["n_cases"], settings["n_controls"]) * settings["samples_per_donor"]
    if settings["n_batches"] > smallest:
        raise ConfigError(f"{settings['n_batches']} batches need as many samples in each condition, not {smallest}.")


def _alternate(rng: np.random.Generator, *sizes: int) -> NDArray[np.bool_]:
    """Return a shuffled half of True for each of ``sizes``: conditions matched by sex."""
    return np.concatenate([rng.permutation(np.arange(size) % 2 == 0) for size in sizes])


def _deal(rng: np.random.Generator, case: Floats, n_batches: int) -> NDArray[np.intp]:
    """Deal the samples of each condition to batches of equal size."""
    batch = np.empty(len(case), dtype=np.intp)
    for value in (0.0, 1.0):
        rows = np.flatnonzero(case == value)
        batch[rows] = rng.permutation(np.arange(len(rows)) % n_batches)
    return batch


def _draw_counts(
    rng: np.random.Generator,
    population: Population,
    *,
    donor: NDArray[np.intp],
    size_factor: Floats,
    design: Floats,
    module_factor: Floats,
    donor_sd: float,
) -> NDArray[np.int32]:
    """Draw counts block by block, so that no float array of the whole cohort is held."""
    n_samples, n_genes = len(donor), len(population.mean)
    # A module's shift is already part of the fold change.
    columns = np.column_stack([design, module_factor, rng.standard_normal((n_samples, N_FACTORS))])
    effects = np.vstack(
        [
            LN2 * population.log2_fold_change,
            LN2 * population.sex,
            LN2 * population.age,
            population.batch,
            population.loadings,
            population.factors,
        ]
    )
    variance = (population.loadings**2).sum(axis=0) + (population.factors**2).sum(axis=0) + donor_sd**2
    base = np.log(population.mean) - variance / 2
    counts = np.empty((n_samples, n_genes), dtype=np.int32)
    for start in range(0, n_genes, BLOCK):
        block = slice(start, start + BLOCK)
        log_mu = columns @ effects[:, block] + base[block]
        if donor_sd > 0:
            log_mu += donor_sd * rng.standard_normal((donor[-1] + 1, log_mu.shape[1]))[donor]
        mu = np.exp(log_mu) * size_factor[:, None]
        counts[:, block] = gamma_poisson(rng, mu, population.dispersion[block])
    return counts


def _gene_truth(population: Population, genes: list[str], module_names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "mean": population.mean,
            "dispersion": population.dispersion,
            "log2_fold_change": population.log2_fold_change,
            "sex_log2_fold_change": population.sex,
            "age_log2_slope": population.age,
            "module": pd.Categorical([module_names[number] if number >= 0 else "none" for number in population.module]),
        },
        index=genes,
    )


def _truth(population: Population, var: pd.DataFrame, module_names: list[str]) -> dict[str, Any]:
    differential = var["log2_fold_change"] != 0
    names = var.index.to_numpy(dtype=object)
    return {
        "differential": names[differential],
        "log2_fold_change": var.loc[differential, "log2_fold_change"].to_numpy(),
        "modules": {name: names[population.module == number] for number, name in enumerate(module_names)},
        "module_shift": dict(zip(module_names, population.shifts.tolist(), strict=True)),
        "sex_genes": names[var["sex_log2_fold_change"] != 0],
        "age_genes": names[var["age_log2_slope"] != 0],
    }
