r"""Noise of what `dp-copula` asks of a cohort, from its design, with the constants of the generator itself.

A sum of rows of length C over n donors has noise :math:`C σ`, a mean :math:`C σ / n`. Rows are cut to about the length
expected of them, :math:`\sqrt G` times the spread of a gene, so that in units of a gene's standard deviation the
noise of a class mean is about :math:`σ \sqrt G / n_c` whatever the data are. What else goes into it, how unequal genes
are and how much of their length rows keep, is taken from public cohorts: the constants below.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from ..dp.budget import Budget
from ..generators import _private, _private_moments, _private_profiles
from ..generators._private_axes import NEAR, WIDE
from ..generators.dp_copula import BLIND, DROWNED, LOG_SCALE, OWN, REACH, WITH_BASIS, WITH_LABELS

PANEL_LEVEL, WHOLE_LEVEL = 7.0, 3.7
"""Mean of the genes' means, log2: of a panel of well-expressed genes, of all genes that are expressed at all."""
APART = 2.3
"""Standard deviation of the means of genes, log2."""
SPREAD = 0.77
"""Median standard deviation of a gene, log2."""
UNEVEN = 0.47
"""Standard deviation of the logarithm of the genes' standard deviations."""
LENGTHS = 0.92 * np.exp(0.26 * ndtri((np.arange(40) + 0.5) / 40))
"""Lengths of rows, in units of their root mean square."""
CUT = 0.04
"""Error of a class mean that cutting rows to length brings along, in a gene's standard deviations."""


@dataclass(frozen=True)
class Design:
    """What is public of a cohort.

    Parameters
    ----------
    donors
        Number of donors in each class. A donor of several classes counts as a part in each.
    n_genes
        Number of genes.
    counts
        Whether profiles are raw counts; library sizes then have to be paid for.
    covariates
        Whether covariates are kept, which have to be paid for.
    level
        Mean of the genes' means, log2.
    """

    donors: Mapping[str, float]
    n_genes: int
    counts: bool = True
    covariates: bool = False
    level: float = PANEL_LEVEL

    @property
    def total(self) -> float:
        """Number of donors."""
        return float(sum(self.donors.values()))

    @property
    def left(self) -> float:
        """Share of the budget that is left for profiles."""
        spent = _private.COUNTS_SHARE
        spent += _private_profiles.SIZES_SHARE if self.counts else 0.0
        return 1.0 - spent - (_private.COVARIATES_SHARE if self.covariates else 0.0)


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the noise, before anything is shrunk.

    Parameters
    ----------
    count
        Of the number of donors in a class.
    location
        Of the mean of a gene over all donors, log2, after it has been shrunk; with a basis in units of its spread.
    means, means_log2
        Of the mean of a typical gene in each class, in the gene's standard deviations and in log2.
    loading
        Of a gene's loading on a factor, in its standard deviations; ``None``: none is asked for.
    along
        Of the mean of each class along an axis of a basis, in standard deviations of the axis; without one empty.
    """

    count: float
    location: float
    means: dict[str, float]
    means_log2: dict[str, float]
    loading: float | None
    along: dict[str, float]


def explained_by(axes: int) -> float:
    """Return the share of the variance of genes that so many axes of a basis explain: a fit to public cohorts."""
    return 1.0 - 0.72 / math.pow(axes, 0.17)


def predicted(
    design: Design, budget: Budget, axes: int | None = None, explained: float | None = None, *, labelled: bool = True
) -> Noise:
    """Return the noise of what ``dp-copula`` would ask.

    Parameters
    ----------
    design
        What is public of the cohort.
    budget
        What may be spent.
    axes
        Axes of a public basis; ``None``: there is no basis.
    explained
        Share of the variance that they explain; ``None``: as many of a typical basis do.
    labelled
        Whether the public cohort behind the basis has a label; then no loadings are asked for.
    """
    if axes is None:
        return _own(design, budget)
    return _with_basis(design, budget, axes, explained_by(axes) if explained is None else explained, labelled)


def sees_loadings(design: Design, budget: Budget, classes: int) -> bool:
    """Whether loadings are asked for: not where their noise would drown them."""
    noise = _private_moments.TYPICAL_SPREAD * math.sqrt(design.n_genes) * WIDE * math.sqrt(min(4, max(classes - 1, 1)))
    return noise / design.total * budget.multiplier(OWN["turn"] * design.left) < DROWNED


def _own(design: Design, budget: Budget) -> Noise:
    sees = sees_loadings(design, budget, len(design.donors))
    shares = OWN if sees else BLIND

    def multiplier(name: str) -> float:
        return budget.multiplier(shares[name] / sum(shares.values()) * design.left)

    root = math.sqrt(design.n_genes)
    location = _location(design, (multiplier("first location"), multiplier("second location")))
    # Genes are divided by the root of their spread; its mean and that of its inverse are those of a lognormal.
    middle, inverse = SPREAD * math.exp(UNEVEN**2 / 2), math.exp(UNEVEN**2 / 2) / SPREAD
    reach = REACH * root * math.sqrt((middle + location**2 * inverse) / inverse)
    evened = reach / _kept(REACH) * multiplier("sums") * math.sqrt(inverse)
    means = {name: math.hypot(evened / math.sqrt(SPREAD) / n, CUT) for name, n in design.donors.items()}
    log2 = {
        name: math.hypot(evened / n, CUT * math.sqrt(middle)) * math.sqrt(middle) for name, n in design.donors.items()
    }
    loading = None
    if sees:
        axes = min(4, max(len(design.donors) - 1, 1))
        loading = WIDE * math.sqrt(axes) * reach * multiplier("turn") / design.total * math.sqrt(inverse / SPREAD)
    return Noise(budget.multiplier(_private.COUNTS_SHARE), location, means, log2, loading, {})


def _location(design: Design, multipliers: tuple[float, float]) -> float:
    """Return the error of a gene's location after the two rounds of `noisy_location`.

    Besides noise it holds what is cut off: genes far from the public centre make rows longer than they are taken to be.
    """
    within = SPREAD * math.exp(UNEVEN**2)
    root = math.sqrt(design.n_genes)
    shift, apart = abs(design.level - _private_moments.MIDDLE * LOG_SCALE), APART
    reach = _private_moments.FIRST_REACH
    for multiplier in multipliers:
        noise = reach * root * multiplier / design.total
        kept = _kept(reach / math.sqrt(shift**2 + apart**2 + within**2))
        real = max((kept * apart) ** 2, 0.01)
        trust = real / (real + noise**2)
        reach = math.hypot(_private_moments.TYPICAL_SPREAD, math.sqrt(trust) * noise)
        shift *= 1.0 - kept
        apart = math.hypot((1.0 - trust * kept) * apart, trust * noise)
    return math.hypot(shift, apart)


def _kept(reach: float) -> float:
    """Return the share of their length that rows keep when cut to ``reach``, in units of their root mean square."""
    return float(np.minimum(1.0, reach / LENGTHS).mean())


def _with_basis(design: Design, budget: Budget, axes: int, explained: float, labelled: bool) -> Noise:
    shares = WITH_LABELS if labelled else WITH_BASIS

    def multiplier(name: str) -> float:
        return budget.multiplier(shares[name] / sum(shares.values()) * design.left)

    shift = REACH * math.sqrt(design.n_genes) * multiplier("shift") / design.total
    root = math.sqrt(axes)
    along = {name: NEAR * root * multiplier("second means") / n for name, n in design.donors.items()}
    means = {name: value * math.sqrt(explained) for name, value in along.items()}
    log2 = {name: value * SPREAD for name, value in means.items()}
    loading = None
    if not labelled:
        loading = NEAR**2 * axes * multiplier("covariance") / design.total * math.sqrt(explained / axes / 2)
    return Noise(budget.multiplier(_private.COUNTS_SHARE), shift, means, log2, loading, along)
