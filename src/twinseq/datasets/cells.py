"""A single-cell cohort (donors × cell types × cells) whose truth is known."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from numpy.typing import NDArray

from ..cohort import Cohort
from ..errors import ConfigError, suggest
from .population import LN2, Floats, draw_dispersions, gamma_poisson
from .truth import TRUTH_KEY, check_numbers

CHUNK = 1024
WHOLE = {
    "n_cases": 2,
    "n_controls": 2,
    "n_genes": 20,
    "cells_per_donor": 1,
    "n_cell_types": 1,
    "seed": 0,
    "population_seed": 0,
}


@dataclass(frozen=True)
class CellPopulation:
    """Gene-wise truth of each cell type.

    Attributes
    ----------
    profiles
        Expected share of a cell's counts, ``n_cell_types × n_genes``, each row adding up to 1 in controls.
    markers, programmes
        Number of the cell type that a gene marks, or in whose programme it varies; −1 for none.
    loadings
        Loading of each gene on its programme's factor (natural log), ``n_genes``.
    log2_fold_change
        Case vs control within each cell type, ``n_cell_types × n_genes``.
    dispersion
        Negative-binomial dispersion, ``n_genes``.
    composition
        Expected share of each cell type.
    """

    profiles: Floats
    markers: NDArray[np.intp]
    programmes: NDArray[np.intp]
    loadings: Floats
    log2_fold_change: Floats
    dispersion: Floats
    composition: Floats


def simulate_cells(
    n_cases: int = 10,
    n_controls: int = 10,
    n_genes: int = 2_000,
    *,
    seed: int = 0,
    population_seed: int = 0,
    cells_per_donor: int = 200,
    n_cell_types: int = 4,
    depth: float = 1_500.0,
    depth_sd: float = 0.5,
    fraction_markers: float = 0.04,
    marker_effect: float = 3.0,
    fraction_differential: float = 0.03,
    effect_size: float = 1.5,
    programme_sd: float = 0.6,
    composition_spread: float = 0.04,
    donor_sd: float = 0.25,
    dispersion_a0: float = 0.2,
    dispersion_a1: float = 0.1,
    dispersion_scatter: float = 0.4,
) -> Cohort:
    """Simulate UMI counts of single cells of a case–control cohort with planted truth.

    Parameters
    ----------
    n_cases, n_controls
        Donors of each condition, at least 2.
    n_genes
        Number of genes.
    seed
        Draws the donors and cells. The same settings and seeds give the same bytes.
    population_seed
        Draws the truth; another ``seed`` with the same population seed gives further donors of one population.
    cells_per_donor
        Expected cells of a donor (Poisson, at least 1).
    n_cell_types
        Number of cell types.
    depth, depth_sd
        Median UMI count of a cell, at least 100, and the standard deviation of its logarithm.
    fraction_markers, marker_effect
        Share of the genes that mark each cell type, and their mean log2 fold change against the other types.
    fraction_differential, effect_size
        Share of the genes that differ between conditions in each cell type, drawn anew for every type, and their
        mean absolute log2 fold change.
    programme_sd
        Mean sd (natural log) that a cell type's programme, a set of genes with a factor per cell, gives to its
        genes in cells of that type; in other types these genes do not move together.
    composition_spread
        How far donors' shares of the cell types differ, 0 (not at all) to 1 (Dirichlet with
        concentration ``1 / spread − 1``).
    donor_sd
        Standard deviation of gene-wise donor effects (natural log), one per donor, gene and cell type.
    dispersion_a0, dispersion_a1, dispersion_scatter
        Dispersion at high means, its rise at low means, and the sd of log dispersions about this trend.

    Returns
    -------
    A cohort of int32 CSR counts with columns ``condition`` (label), ``donor``, ``cell_type``, ``sex`` and ``age``
    (of the donor; no gene depends on them). The truth: ``var`` columns ``dispersion``, ``marker`` and ``module``;
    ``uns["truth"]`` with tables ``profiles`` and ``log2_fold_change`` (genes × cell types), ``composition``
    (donors × cell types), ``modules`` (programme → genes), ``settings`` and ``samples`` (depth and programme factor
    of each cell).

    Raises
    ------
    ConfigError
        A setting is impossible.

    Examples
    --------
    >>> cells = simulate_cells(2, 2, 100, cells_per_donor=20)
    >>> cells.cell_type, cells.label
    ('cell_type', 'condition')
    """
    settings = dict(locals())
    cohort, parts = _simulated(settings)
    x = sp.vstack(list(parts), format="csr")
    return cohort.with_adata(AnnData(x, obs=cohort.obs, var=cohort.adata.var, uns=cohort.adata.uns))


def write_cells(path: str | Path, **settings: Any) -> list[Path]:
    """Simulate cells straight into an ``.h5ad`` or ``.zarr``, a part at a time: for more than fit into memory.

    Parameters
    ----------
    path
        File to write.
    **settings
        As for `simulate_cells`; the file holds the same cohort.

    Returns
    -------
    The paths written.

    Raises
    ------
    ConfigError
        A setting does not exist or is impossible.
    OutputError
        The place cannot be written; nothing is left behind.
    """
    from ..containers import write_parts  # not needed to simulate

    known = {name: option.default for name, option in inspect.signature(simulate_cells).parameters.items()}
    for name in settings:
        if name not in known:
            raise ConfigError(f"simulate_cells has no setting '{name}'{suggest(name, known)}")
    cohort, parts = _simulated(known | settings)

    def blocks() -> Iterator[Cohort]:
        done = 0
        for x in parts:
            obs = cohort.obs.iloc[done : done + x.shape[0]]
            done += x.shape[0]
            yield cohort.with_adata(AnnData(x, obs=obs, var=cohort.adata.var, uns=cohort.adata.uns))

    return write_parts(blocks(), path)


def _simulated(settings: dict[str, Any]) -> tuple[Cohort, Iterator[sp.csr_matrix]]:
    """Return a cohort without profiles, and its profiles in parts."""
    _check(settings)
    n_genes, n_cell_types, n_cases = settings["n_genes"], settings["n_cell_types"], settings["n_cases"]
    seed = settings["seed"]
    population_seed, depth = settings["population_seed"], settings["depth"]
    population = _draw_population(
        np.random.default_rng((population_seed, n_genes, n_cell_types)),
        n_genes=n_genes,
        n_types=n_cell_types,
        n_markers=int(settings["fraction_markers"] * n_genes),
        marker_effect=settings["marker_effect"],
        n_differential=round(settings["fraction_differential"] * n_genes),
        effect_size=settings["effect_size"],
        programme_sd=settings["programme_sd"],
        depth=depth,
        dispersion=(settings["dispersion_a0"], settings["dispersion_a1"], settings["dispersion_scatter"]),
    )
    rng = np.random.default_rng((population_seed, n_genes, n_cell_types, seed))
    n_donors = n_cases + settings["n_controls"]
    composition = _donor_compositions(rng, population.composition, n_donors, settings["composition_spread"])
    n_cells = np.maximum(rng.poisson(settings["cells_per_donor"], n_donors), 1)
    donor = np.repeat(np.arange(n_donors), n_cells)
    cell_type = np.concatenate(
        [rng.choice(n_cell_types, size=size, p=shares) for size, shares in zip(n_cells, composition, strict=True)]
    )
    # A droplet with almost nothing in it is not called a cell.
    cell_depth = np.maximum(depth * np.exp(rng.normal(0.0, settings["depth_sd"], len(donor))), depth / 5)
    factor = rng.standard_normal(len(donor))
    case = donor < n_cases
    people = rng.spawn(1)[0]  # the stream itself goes on with the counts, which may be drawn later

    types = [f"type{number + 1}" for number in range(n_cell_types)]
    sex = people.permutation(np.where(np.arange(n_donors) % 2 == 0, "female", "male"))
    age = np.clip(np.rint(people.normal(55.0, 15.0, n_donors)), 18, 90).astype(np.int64)
    donor_names = [f"donor-{seed}-{number + 1:04d}" for number in range(n_donors)]
    obs = pd.DataFrame(
        {
            "condition": pd.Categorical(np.where(case, "case", "control")),
            "donor": pd.Categorical(np.array(donor_names)[donor]),
            "cell_type": pd.Categorical(np.array(types)[cell_type], categories=types),
            "sex": pd.Categorical(sex[donor]),
            "age": age[donor],
        },
        index=[f"cell-{seed}-{number + 1:06d}" for number in range(len(donor))],
    )
    genes = pd.Index([f"GENE{number + 1:05d}" for number in range(n_genes)])
    var = pd.DataFrame(
        {
            "dispersion": population.dispersion,
            "marker": pd.Categorical([types[number] if number >= 0 else "none" for number in population.markers]),
            "module": pd.Categorical(
                [f"PROGRAMME_{types[number]}" if number >= 0 else "none" for number in population.programmes]
            ),
        },
        index=genes,
    )
    truth = {
        "profiles": pd.DataFrame(population.profiles.T, index=genes, columns=types),
        "log2_fold_change": pd.DataFrame(population.log2_fold_change.T, index=genes, columns=types),
        "composition": pd.DataFrame(composition, index=donor_names, columns=types),
        "modules": {
            f"PROGRAMME_{name}": genes.to_numpy(dtype=object)[population.programmes == number]
            for number, name in enumerate(types)
        },
        "samples": pd.DataFrame({"depth": cell_depth, "programme": factor}, index=obs.index),
        "settings": dict(settings),
    }
    cohort = Cohort(
        AnnData(obs=obs, var=var, uns={TRUTH_KEY: truth}),
        label="condition",
        donor="donor",
        cell_type="cell_type",
        covariates=("sex", "age"),
        source="simulated cells",
    )
    return cohort, _draw_counts(
        rng, population, donor, cell_type, case, cell_depth, factor, float(settings["donor_sd"])
    )


def _check(settings: dict[str, Any]) -> None:
    """Refuse settings that describe no cohort."""
    check_numbers(settings, WHOLE)
    for name in ("fraction_markers", "fraction_differential", "composition_spread"):
        if settings[name] > 1:
            raise ConfigError(f"{name} is a share, between 0 and 1, not {settings[name]}.")
    if 2 * settings["n_cell_types"] * settings["fraction_markers"] > 1:
        raise ConfigError(
            f"{settings['n_cell_types']} cell types with {settings['fraction_markers']:.0%} of the genes as markers "
            "and as many in a programme need more genes than there are. Lower fraction_markers or n_cell_types."
        )
    if settings["depth"] < 100:
        raise ConfigError(f"depth must be at least 100 counts a cell, not {settings['depth']}.")
    if settings["dispersion_a0"] == 0:
        raise ConfigError("dispersion_a0 must be above 0: counts without any dispersion are not RNA-seq.")


def _draw_population(
    rng: np.random.Generator,
    *,
    n_genes: int,
    n_types: int,
    n_markers: int,
    marker_effect: float,
    n_differential: int,
    effect_size: float,
    programme_sd: float,
    depth: float,
    dispersion: tuple[float, float, float],
) -> CellPopulation:
    """Draw the truth; the genes of markers and programmes are disjoint."""
    shares = np.exp(rng.normal(0.0, 2.0, n_genes))
    order = rng.permutation(n_genes)
    markers, programmes = np.full((2, n_genes), -1, dtype=np.intp)
    each = np.repeat(np.arange(n_types), n_markers)
    marker_genes, programme_genes = order[: len(each)], order[len(each) : 2 * len(each)]
    markers[marker_genes] = each
    programmes[programme_genes] = each
    loadings = np.zeros(n_genes)
    loadings[programme_genes] = programme_sd * rng.uniform(0.6, 1.4, len(each))
    # A programme shows only in genes that a droplet catches.
    shares[programme_genes] = np.exp(rng.normal(1.5, 1.0, len(each)))

    profiles = np.tile(shares, (n_types, 1))
    profiles[each, marker_genes] *= np.exp2(marker_effect * rng.uniform(0.6, 1.4, len(each)))
    profiles /= profiles.sum(axis=1, keepdims=True)
    log2_fold_change = np.zeros((n_types, n_genes))
    for row in log2_fold_change:
        genes = rng.choice(n_genes, n_differential, replace=False)
        row[genes] = rng.choice([-1.0, 1.0], n_differential) * rng.gamma(2.0, effect_size / 2.0, n_differential)
    return CellPopulation(
        profiles=profiles,
        markers=markers,
        programmes=programmes,
        loadings=loadings,
        log2_fold_change=log2_fold_change,
        dispersion=draw_dispersions(rng, depth * profiles.mean(axis=0), *dispersion),
        # Common and rare types, none below a tenth of the commonest.
        composition=_shares(np.linspace(1.0, 0.25, n_types) * rng.uniform(0.8, 1.25, n_types)),
    )


def _shares(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _donor_compositions(rng: np.random.Generator, expected: Floats, n_donors: int, spread: float) -> Floats:
    """Draw the shares of the cell types for each donor, ``n_donors × n_cell_types``."""
    if spread == 0:
        return np.tile(expected, (n_donors, 1))
    concentration = max(1.0 / spread - 1.0, 1e-2)
    return np.asarray(rng.dirichlet(concentration * expected, size=n_donors))


def _draw_counts(
    rng: np.random.Generator,
    population: CellPopulation,
    donor: NDArray[np.intp],
    cell_type: NDArray[np.intp],
    case: NDArray[np.bool_],
    depth: Floats,
    factor: Floats,
    donor_sd: float,
) -> Iterator[sp.csr_matrix]:
    """Yield counts by chunks of cells, so that the dense cells × genes array is never held."""
    n_types, n_genes = population.profiles.shape
    donor_effect = donor_sd * rng.standard_normal((donor[-1] + 1, n_types, n_genes)).astype(np.float32)
    log_profile = np.log(population.profiles) - donor_sd**2 / 2
    for start in range(0, len(donor), CHUNK):
        rows = slice(start, start + CHUNK)
        types, people = cell_type[rows], donor[rows]
        log_mu = log_profile[types] + donor_effect[people, types]
        log_mu += LN2 * population.log2_fold_change[types] * case[rows, None]
        in_programme = population.programmes[None, :] == types[:, None]
        log_mu += in_programme * (factor[rows, None] * population.loadings - population.loadings**2 / 2)
        mu = np.exp(log_mu) * depth[rows, None]
        yield sp.csr_matrix(gamma_poisson(rng, mu, population.dispersion))
