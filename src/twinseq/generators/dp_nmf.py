r"""`dp-nmf`: non-negative matrix factorisation with every released statistic noised.

1. Noisy location, spread and class means of genes (`_private_moments`), and a few noisy directions in which samples of
   a class differ (`_private_axes`), make non-negative profiles: the classes, and the mean profile moved along each
   direction to both sides. Their factorisation costs nothing: :math:`P \approx U H` with metagenes :math:`H \ge 0`.
2. Each sample gets non-negative weights on the metagenes, :math:`w = \arg\min_{w \ge 0} |x - w H|`, which hang on it
   and on noisy figures alone. Asked for are their class means and their covariance within classes.

A sample of class c is :math:`x = b_c + w H + ψ^{1/2} e`, with :math:`b_c` what noisy class means have beside the
metagenes. Draws of w are normal and not cut at 0: where metagenes are alike, cutting ties genes together that have
nothing in common. What is measured and drawn are coordinates in the span of H, of which w is one of many writings.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

from ..cohort import Cohort
from ..dp.budget import Spending
from ..errors import ConfigError
from ._base import GeneratorInfo
from ._factor_normals import FactorNormals
from ._private_axes import leading_axes, measured_along, turned_axes
from ._private_moments import MIDDLE, noisy_offsets, noisy_scale
from ._private_profiles import PrivateProfileGenerator
from ._registry import register
from .dp_copula import BLIND, DROWNED, EVENING, LOG_SCALE, NOISE_LEFT, OWN, REACH, _stretch, _Taker

Floats = NDArray[np.float64]
MOST_AXES = 4
LEAST_PROFILE = 1e-3
STEP = 0.3
"""How far the mean profile is moved along a direction, in units of what is expected of a row's length."""
ROUNDS = 500


@register
class PrivateFactorisation(PrivateProfileGenerator):
    """Metagenes from noisy profiles, and noisy moments of what the donors' non-negative weights on them make.

    Fitted models hold ``metagenes_`` (``rank × n_genes``, above the lowest value) and ``weights_`` of the classes on
    them (``n_classes × rank``), both non-negative.

    Parameters
    ----------
    epsilon, delta
        The guarantee, for each donor; both have to be stated.
    rank
        Number of metagenes; ``None``: one for each class, and one for each direction that is asked for.
    balanced
        Spread the draws of each class evenly over each gene's distribution.
    bounds
        Public bounds of continuous values, ``"low:high"``.
    classes
        Names of the classes, with commas between, where they are not public by the label's categories.
    ranges
        Public ranges of covariates that are quantities, ``"age=18:90"``.

    Warnings
    --------
    Where the budget is so small that noise would drown the weights, every sample has its class's, and genes vary
    independently of each other within classes.
    """

    info = GeneratorInfo(
        name="dp-nmf",
        title="Non-negative matrix factorisation from noisy statistics",
        family="dp",
        kinds=("counts", "continuous"),
        guarantee="(epsilon, delta)-differential privacy of donors",
        reference="Lee & Seung 1999, Nature 401:788; noisy statistics: twinseq",
    )

    def __init__(
        self,
        epsilon: float | None = None,
        delta: float | None = None,
        rank: int | None = None,
        balanced: bool = True,
        bounds: str = "0:20",
        classes: str | None = None,
        ranges: str | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.delta = delta
        self.rank = rank
        self.balanced = balanced
        self.bounds = bounds
        self.classes = classes
        self.ranges = ranges
        self._check_privacy()
        if rank is not None and rank < 1:
            raise ConfigError(f"dp-nmf: rank must be at least 1, not {rank}.")

    def _fit_profiles(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        counts = np.maximum(self.counts_, 2.0)
        total, ledger, n_genes, n_classes = counts.sum(), spending.ledger, x.shape[1], len(counts)
        n_axes = min(MOST_AXES, max(n_classes - 1, 1))
        drowning = 1.1 * math.sqrt(n_genes) * 1.1 * math.sqrt(n_axes) / total
        sees = drowning * spending.budget.multiplier(OWN["turn"] * spending.left) < DROWNED
        take = _Taker(spending, OWN if sees else BLIND)
        first = (take("first location"), take("second location"), take("spread"), take("spread kept"))
        # Everything from here on is in units in which the lowest value is 0.
        unit = (self.scale_.highest - self.scale_.lowest) / LOG_SCALE
        x = (x - self.scale_.lowest) / unit
        genes = noisy_scale(x, weights, total, MIDDLE * LOG_SCALE, first, ledger)
        even = genes.spread**-EVENING
        even /= math.sqrt(float((even**2).mean()))
        reach = REACH * math.sqrt(float((even**2 * (genes.spread**2 + genes.error**2)).sum()))
        rows = (x - genes.location) * even
        left = 0.0 if sees else NOISE_LEFT
        offsets = noisy_offsets(rows, codes, weights, counts, reach, (take("sums"), take("kept")), ledger, left)
        means = offsets.mean * _stretch(offsets)
        apart = offsets.mean - counts @ offsets.mean / total
        between = counts @ (apart / even) ** 2 / total
        within = np.maximum(genes.spread**2 - between, 0.3 * genes.spread**2)
        location = genes.location * even
        profiles = np.maximum(location + means, LEAST_PROFILE)
        if sees:
            axes = leading_axes(offsets.mean, counts, n_axes)
            axes = turned_axes(
                rows - offsets.mean[codes], axes, weights, total, reach, (take("scores"), take("turn")), ledger
            )
            moved = counts @ means / total + STEP * reach * np.vstack([axes, -axes])
            profiles = np.maximum(np.vstack([location + means, location + moved]), LEAST_PROFILE)
        rank = self.rank or n_classes + (len(profiles) - n_classes) // 2
        metagenes = _metagenes(profiles, rank, rng)
        centres = _weights(profiles[:n_classes], metagenes)
        loadings = np.zeros((1, n_genes))
        if sees:
            axes = np.linalg.qr(metagenes.T)[0].T
            deviations = (_weights(x * even, metagenes) - centres[codes]) @ metagenes
            both = (take("covariance"), take("means"))
            along = measured_along(deviations, axes, codes, weights, counts, offsets, reach, both, ledger)
            inside = offsets.mean @ axes.T @ axes
            means = inside + along.means + (offsets.mean - inside) * _stretch(offsets)
            loadings = along.loadings
        self.metagenes_, self.weights_ = unit * metagenes / even, centres
        normals = FactorNormals.of((location + means) / even, loadings / even, within)
        self.normals_ = normals.on_scale(self.scale_.lowest, unit)

    def _draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        return self.normals_.draw(codes, self.balanced, rng)

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        return self.normals_.losses(self.scale_.apply(cohort), codes)

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        return self.normals_.log_likelihood(self.scale_.apply(cohort), codes)

    def _state(self) -> dict[str, NDArray[Any]]:
        own = {"metagenes": self.metagenes_, "weights": self.weights_}
        return {**super()._state(), **self.normals_.state(), **own}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.normals_ = FactorNormals.restore(state)
        self.metagenes_, self.weights_ = state["metagenes"], state["weights"]


def _metagenes(profiles: Floats, rank: int, rng: np.random.Generator) -> Floats:
    """Return the metagenes of non-negative profiles, at most ``rank × n_genes``."""
    rank = min(rank, *profiles.shape)
    factorisation = NMF(rank, init="nndsvda", max_iter=ROUNDS, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        # One that still moves is a factorisation too; what it misses is in the class means and the residual.
        warnings.simplefilter("ignore", ConvergenceWarning)
        factorisation.fit(profiles)
    found = np.asarray(factorisation.components_, dtype=np.float64)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    metagenes: Floats = found[lengths[:, 0] > 0] / lengths[lengths[:, 0] > 0]
    return metagenes


def _weights(x: Floats, metagenes: Floats) -> Floats:
    """Return the non-negative weights with which metagenes come nearest to each row of ``x``, ``n × rank``."""
    axes, triangle = np.linalg.qr(metagenes.T)
    return np.stack([nnls(triangle, one)[0] for one in x @ axes])
