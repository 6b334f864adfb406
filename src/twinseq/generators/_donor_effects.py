r"""How donors differ in gene means, library sizes and mix of cell types, and donors that never were.

The mean of gene g in class c of donor d is :math:`μ_{cg} \exp(δ_{dcg} - τ_{cg}^2 / 2)` per unit of library size, with

.. math:: δ_{dcg} = τ_{cg} \big(\sqrt{h}\, a_{dg} + \sqrt{1 - h}\, b_{dcg}\big), \qquad a, b \sim N(0, 1),

h being the share that all cell types of a donor have in common. Moments: the squared deviations of donors' rates from
that of their class, less what the counting of cells explains; each gene's variance is moved towards the mean over
genes as far as its own estimate is uncertain. Library sizes of a donor's cells share a normal effect on the logarithm.
The mix of cell types is logistic-normal.

Nothing of a single donor is kept. A synthetic donor is a number: its effects are drawn from a random stream that this
number names, so that any part of a twin can be drawn on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..parallel import spread
from ._count_histograms import STEP, grid_sizes, library_places
from ._margins import under
from ._segments import Segment, segments

Floats = NDArray[np.float64]
ROUNDS = 3
LEAST_SPREAD = 0.25
"""Least relative spread that variances of genes are thought to have among each other."""


@dataclass(frozen=True)
class DonorSums:
    """Sums over the cells of each class and donor that occur together (a group).

    Parameters
    ----------
    classes, donors
        Class and donor of each group, as numbers.
    totals
        Counts, ``n_groups × n_genes``.
    exposure, squares
        Library sizes in the unit of the means, and their squares, ``n_groups``.
    cells, logs
        Number of cells, and their places on the grid of library sizes (logarithms in steps), summed.
    """

    classes: NDArray[np.intp]
    donors: NDArray[np.intp]
    totals: Floats
    exposure: Floats
    squares: Floats
    cells: Floats
    logs: Floats

    @classmethod
    def of(
        cls, cohort: Cohort, codes: NDArray[np.intp], donors: NDArray[np.intp], unit: float, jobs: int = 1
    ) -> DonorSums:
        """Gather the sums of ``cohort`` in one pass over its segments; ``donors`` numbers the donor of each cell."""
        n_donors = int(donors.max()) + 1
        present, groups = np.unique(codes * n_donors + donors, return_inverse=True)
        totals = np.zeros((len(present), cohort.n_genes))
        single = np.zeros((4, len(present)))
        for own, own_totals, own_single in spread(_segment_sums, segments(cohort, codes, groups), unit, jobs):
            totals[own] += own_totals
            single[:, own] += own_single
        return cls(present // n_donors, present % n_donors, totals, *single)


def _segment_sums(unit: float, segment: Segment) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Return the groups in a segment, their counts, and their exposures, squares, numbers of cells and places."""
    own, where = np.unique(segment.groups, return_inverse=True)
    totals, single = np.zeros((len(own), segment.n_genes)), np.zeros((4, len(own)))
    for part in segment.parts():
        for _, rows, counts in part:
            places = library_places(counts)
            exposure = grid_sizes()[places] / unit
            there, place = np.unique(where[rows], return_inverse=True)
            indicator = (place == np.arange(len(there))[:, None]).astype(float)
            totals[there] += indicator @ counts
            single[:, there] += np.stack([exposure, exposure**2, np.ones(len(rows)), places]) @ indicator.T
    return own, totals, single


@dataclass(frozen=True)
class GeneEffects:
    """What was found of the donors' effects on the genes of one class.

    Parameters
    ----------
    rates
        Mean count per unit of library size, ``n_genes``.
    variance
        τ² on the scale of ratios, ``n_genes``.
    error
        Relative variance of ``rates`` between cohorts of as many other donors, ``n_genes``.
    overdispersion
        Squared coefficient of variation of a donor's cells beyond counting, ``n_genes``.
    """

    rates: Floats
    variance: Floats
    error: Floats
    overdispersion: Floats


def gene_effects(sums: DonorSums, code: int, overdispersion: Floats) -> GeneEffects:
    """Estimate how far donors differ in one class.

    Parameters
    ----------
    sums
        Sums over groups.
    code
        The class.
    overdispersion
        Squared coefficient of variation of the class's cells beyond counting, whoever they come from.
    """
    own = sums.classes == code
    totals, exposure, squares = sums.totals[own], sums.exposure[own], sums.squares[own]
    whole = exposure.sum()
    rates = totals.sum(axis=0) / whole
    seen = rates > 0
    safe = np.where(seen, rates, 1.0)
    weight = exposure[:, None] / whole
    deviation = (totals / exposure[:, None] / safe - 1.0) ** 2
    freedom = float((weight * (1 - weight)).sum())
    variance, within = np.zeros(len(rates)), overdispersion.copy()
    counting = 1.0 / (safe * exposure[:, None])
    effective = 1.0 / float((weight**2).sum())
    if effective > 1.5:
        for _ in range(ROUNDS):
            noise = counting + within * (squares / exposure**2)[:, None]
            raw = (weight * (deviation - noise * (1 - weight))).sum(axis=0) / freedom
            level = (weight * noise).sum(axis=0)
            variance = _shrunk(np.where(seen, raw, 0.0), np.where(seen, level, np.inf), effective)
            within = np.maximum((1.0 + overdispersion) / (1.0 + variance * freedom) - 1.0, 0.0)
    noise = counting + within * (squares / exposure**2)[:, None]
    # The greater of two: a gene in which a single donor stands out is more than its moved variance lets expect.
    seen_error = (weight**2 * deviation).sum(axis=0) * effective / max(effective - 1.0, 0.5)
    error = np.maximum((weight**2 * (variance + noise)).sum(axis=0), seen_error)
    return GeneEffects(rates, variance, np.where(seen, error, 1.0), within)


def _shrunk(raw: Floats, noise: Floats, n_donors: float) -> Floats:
    """Return variances moved towards their common mean as far as each is uncertain, none below 0."""
    mean = 0.05
    for _ in range(ROUNDS):
        uncertainty = 2.0 / (n_donors - 1.0) * (mean + noise) ** 2
        trust = np.where(np.isfinite(uncertainty), 1.0 / uncertainty, 0.0)
        mean = max(float((trust * raw).sum() / max(trust.sum(), 1e-300)), 1e-6)
    known = trust > 0
    excess = (trust[known] * ((raw[known] - mean) ** 2 - uncertainty[known])).sum() / max(trust.sum(), 1e-300)
    prior = max(float(excess), (LEAST_SPREAD * mean) ** 2)
    return np.maximum(mean + prior / (prior + uncertainty) * (raw - mean), 0.0)


def shared_part(sums: DonorSums, effects: list[GeneEffects], labels: NDArray[np.intp]) -> float:
    """Return which share of the variance of gene effects the classes of a donor have in common, 0 to 1.

    Parameters
    ----------
    sums
        Sums over groups.
    effects
        Of each class.
    labels
        Label of each class: only classes of one label are compared.
    """
    together, apart = 0.0, 0.0
    for one in range(len(effects)):
        for other in range(one):
            if labels[one] != labels[other]:
                continue
            groups = [np.flatnonzero(sums.classes == code) for code in (one, other)]
            first, second = (sums.donors[group] for group in groups)
            rows = np.intersect1d(first, second, return_indices=True)[1:]
            deviations, spreads = [], []
            for code, group, row in zip((one, other), groups, rows, strict=True):
                found, chosen = effects[code], group[row]
                safe = np.where(found.rates > 0, found.rates, np.inf)
                exposure = sums.exposure[chosen][:, None]
                deviations.append(np.where(found.rates > 0, sums.totals[chosen] / exposure / safe - 1.0, 0.0))
                noise = 1.0 / (safe * exposure) + found.overdispersion * (sums.squares[chosen][:, None] / exposure**2)
                spreads.append((found.variance, np.where(found.rates > 0, found.variance + noise, np.inf)))
            weight = 1.0 / (np.maximum(spreads[0][1], 1e-12) * np.maximum(spreads[1][1], 1e-12))
            together += float((weight * deviations[0] * deviations[1]).sum())
            apart += float((weight * np.sqrt(spreads[0][0] * spreads[1][0])).sum())
    return float(np.clip(together / apart, 0.0, 1.0)) if apart > 0 else 0.0


def library_spread(sums: DonorSums) -> tuple[float, Floats]:
    """Return the standard deviation of donors' effects on log library sizes, and each class's centre in log units."""
    n_classes = int(sums.classes.max()) + 1
    cells = np.bincount(sums.classes, weights=sums.cells, minlength=n_classes)
    centres = np.bincount(sums.classes, weights=sums.logs, minlength=n_classes) / np.maximum(cells, 1.0)
    # Over all classes of a donor at once, each cell against the centre of its class.
    deviation = np.bincount(sums.donors, weights=sums.logs - sums.cells * centres[sums.classes])
    own = np.bincount(sums.donors, weights=sums.cells)
    known = own > 0
    if known.sum() < 2:
        return 0.0, centres * STEP
    effects = deviation[known] / own[known]
    return float(np.sqrt(effects.var(ddof=1))) * STEP, centres * STEP


@dataclass(frozen=True)
class CellMix:
    """Mix of classes over the donors of one label: a logistic normal, and the number of cells a donor has.

    Parameters
    ----------
    classes
        Classes that a donor can have cells of.
    mean, root
        Of the centred log-ratios: mean, and a matrix whose product with its transpose is their covariance.
    spread
        Standard deviation of the logarithm of a donor's number of cells.
    """

    classes: NDArray[np.intp]
    mean: Floats
    root: Floats
    spread: float

    @classmethod
    def fit(cls, counts: Floats, classes: NDArray[np.intp]) -> CellMix:
        """Learn from numbers of cells, ``n_donors × len(classes)``."""
        logs = np.log(counts + 0.5)
        ratios = logs - logs.mean(axis=1, keepdims=True)
        n, k = ratios.shape
        if n < 2:
            return cls(classes, ratios.mean(axis=0), np.zeros((k, k)), 0.0)
        covariance = np.atleast_2d(np.cov(ratios.T))
        chance = (1.0 / (counts + 0.5)).mean(axis=0)
        own = np.maximum(np.diag(covariance) - chance, 0.1 * np.diag(covariance))
        # Few donors say little about how the shares of many types go together.
        covariance *= n / (n + k)
        np.fill_diagonal(covariance, own)
        values, vectors = np.linalg.eigh(covariance)
        spread = float(np.log(np.maximum(counts.sum(axis=1), 1.0)).std(ddof=1))
        return cls(classes, ratios.mean(axis=0), vectors * np.sqrt(np.maximum(values, 0.0)), spread)

    def draw(self, rng: np.random.Generator) -> Floats:
        """Return the numbers of cells of one donor in each class, in units of the median donor."""
        ratios = self.mean + self.root @ rng.standard_normal(len(self.mean))
        shares = np.exp(ratios - ratios.max())
        cells: Floats = shares / shares.sum() * np.exp(self.spread * rng.standard_normal())
        return cells


@dataclass(frozen=True)
class SyntheticDonors:
    """Donors that never were.

    Parameters
    ----------
    key
        Names the random streams of the donors.
    chances
        Probability that a cell of a class is of each donor, ``n_classes × n_donors``.
    spread
        τ of each class, ``n_classes × n_genes``, natural logarithm.
    shared
        Share of τ² that classes of a donor have in common.
    libraries
        Effect of each donor on log library sizes, ``n_donors``.
    """

    key: int
    chances: Floats
    spread: Floats
    shared: float
    libraries: Floats

    def shifts(self, code: int, donor: int) -> Floats:
        """Return the factors on the means of a donor in a class, ``n_genes``, 1 in expectation."""
        spread = self.spread[code]
        common = np.random.default_rng((self.key, donor)).standard_normal(len(spread))
        own = np.random.default_rng((self.key, donor, code + 1)).standard_normal(len(spread))
        effect = spread * (np.sqrt(self.shared) * common + np.sqrt(1.0 - self.shared) * own)
        factors: Floats = np.exp(effect - 0.5 * spread**2)
        return factors

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the donors as plain arrays."""
        return {f"donors.{name}": np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> SyntheticDonors | None:
        """Invert `state`; ``None`` where there are no donors."""
        found = under("donors.", state)
        if not found:
            return None
        return cls(int(found["key"]), found["chances"], found["spread"], float(found["shared"]), found["libraries"])
