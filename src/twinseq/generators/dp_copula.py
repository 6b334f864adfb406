r"""`dp-copula`: the flagship's structure from noisy statistics.

On a bounded log scale a sample of class c is

.. math:: x = m + d_c + L^\top f + ψ^{1/2} e, \qquad f \sim N(0, I_k),\; e \sim N(0, I_G).

Location m and spread come from noisy sums of clipped rows (`_private_moments`), deviations d of the classes from noisy
class sums, shrunk gene by gene to what the noise allows (`_offsets`), loadings L and corrections of d from what is
measured along a few axes (`_private_axes`). A *public basis* brings m, spread and axes along, so that only d and the
covariance along the axes are asked of the data. Draws are balanced, as in `copula`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..basis import Basis, read_basis
from ..cohort import Cohort
from ..dp.budget import PrivacyWarning, Spending
from ..dp.mechanisms import clipped, gaussian
from ..errors import ConfigError
from ._base import GeneratorInfo
from ._factor_normals import LEAST_RESIDUAL, FactorNormals
from ._offsets import Offsets
from ._private_axes import covariance_on_scale, leading_axes, means_on_scale, measured_along, turned_axes
from ._private_library import ExpectedSizes
from ._private_moments import MIDDLE, noisy_offsets, noisy_scale
from ._private_profiles import PrivateProfileGenerator
from ._registry import register

Floats = NDArray[np.float64]
OWN = {
    "first location": 0.015, "second location": 0.045, "spread": 0.02, "spread kept": 0.003, "sums": 0.69, "kept": 0.01,
    "scores": 0.01, "turn": 0.10, "covariance": 0.02, "means": 0.09,
}  # fmt: skip
"""Shares of the budget without a basis; tuned on one cohort (docs/privacy.md)."""
BLIND = {
    "first location": 0.04,
    "second location": 0.14,
    "spread": 0.05,
    "spread kept": 0.01,
    "sums": 0.75,
    "kept": 0.02,
}
"""The same where noise would drown the loadings of genes."""
WITH_BASIS = {"shift": 0.05, "energy": 0.01, "first means": 0.20, "second means": 0.59, "covariance": 0.15}
WITH_LABELS = {"shift": 0.05, "energy": 0.01, "first means": 0.24, "second means": 0.70}
"""The same on a basis from a labelled cohort, where the covariance within classes is public."""
MOST_ENERGY = 2.0
"""Squared length, in units of the expected one, at which a row's share in the variances is cut."""
LEAST_ENERGY = 1e-9
LOG_SCALE = 20.0
"""Length of the log2 scale on which lengths of rows are foreseen; other bounds are stretched to it."""
DROWNED = 0.45
"""Noise of a loading, in units of a gene's spread, beyond which no axes are sought."""
EVENING = 0.5
"""Power of a gene's spread by which it is divided before rows are cut; between equal say and equal units."""
REACH = 1.0
"""Length to which rows are cut, in units of what is expected of them."""
MOST_STRETCH = 1.1
"""By how much offsets are at most stretched to have the size that the true ones have."""
NOISE_LEFT = 0.25
"""Share of the noise that is left in the offsets where nothing else is sought: the small classes are in there."""
MISFIT = 0.6


@register
class DpCopula(PrivateProfileGenerator):
    """Gaussian copula of few factors from noisy statistics, with or without a public basis.

    Parameters
    ----------
    epsilon, delta
        The guarantee, for each donor; both have to be stated.
    factors
        Axes of the covariance within classes; without a basis at most one fewer than classes. ``None``: with a basis,
        as many as the budget can feed; weaker ones are taken over from the basis as they are.
    basis
        File of a public basis (`twinseq.build_basis`, ``twinseq basis build``).
    panel
        Number of genes to keep: those that vary most, found for a fifth of the budget. The twin holds no others.
    balanced
        Spread the draws of each class evenly over each gene's distribution.
    bounds
        Public bounds of continuous values, ``"low:high"``.
    classes
        Names of the classes, with commas between, where they are not public by the label's categories.
    ranges
        Public ranges of covariates that are quantities, ``"age=18:90"``.
    """

    info = GeneratorInfo(
        name="dp-copula",
        title="Gaussian copula from noisy statistics",
        family="dp",
        kinds=("counts", "continuous"),
        guarantee="(epsilon, delta)-differential privacy of donors",
        reference="twinseq; Gaussian mechanism: Dong, Roth & Su 2022, JRSS B 84:3",
    )

    def __init__(
        self,
        epsilon: float | None = None,
        delta: float | None = None,
        factors: int | None = None,
        basis: str | None = None,
        panel: int | None = None,
        balanced: bool = True,
        bounds: str = "0:20",
        classes: str | None = None,
        ranges: str | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.delta = delta
        self.factors = factors
        self.basis = basis
        self.panel = panel
        self.balanced = balanced
        self.bounds = bounds
        self.classes = classes
        self.ranges = ranges
        self._check_privacy()
        if factors is not None and factors < 1:
            raise ConfigError(f"dp-copula: factors must be at least 1, not {factors}.")
        if basis is not None and panel is not None:
            raise ConfigError("dp-copula: on a basis, all genes cost no more than a panel. Leave panel out.")

    def fit(self, cohort: Cohort, seed: int = 0, jobs: int = 1) -> DpCopula:
        """Learn from ``cohort``, spending the whole budget; see `PrivateGenerator.fit`.

        Raises
        ------
        CohortError
            As there; the basis cannot be read or lacks genes of the cohort.
        """
        self._basis: Basis | None = None if self.basis is None else read_basis(Path(self.basis)).aligned(cohort)
        super().fit(cohort, seed, jobs)
        return self

    def _expected_sizes(self) -> ExpectedSizes:
        if self._basis is None or self._basis.library_sizes is None:
            return ExpectedSizes()
        return ExpectedSizes.of_public(*self._basis.library_sizes)

    def _fit_profiles(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        counts = np.maximum(self.counts_, 2.0)
        if self._basis is None:
            self._fit_own(x, codes, weights, counts, spending)
        else:
            self._fit_with_basis(x, codes, weights, counts, spending, self._basis)

    def _fit_own(self, x: Floats, codes: NDArray[np.intp], weights: Floats, counts: Floats, spending: Spending) -> None:
        total, ledger, n_genes = counts.sum(), spending.ledger, x.shape[1]
        classes = len(counts)
        axes_wanted = min(self.factors or 4, max(classes - 1, 1))
        # Known before anything is asked but the counts: what noise would do to a loading.
        turn_noise = 1.1 * math.sqrt(n_genes) * 1.1 * math.sqrt(axes_wanted) / total
        sees = turn_noise * spending.budget.multiplier(OWN["turn"] * spending.left) < DROWNED
        shares = OWN if sees else BLIND
        take = _Taker(spending, shares)
        first = (take("first location"), take("second location"), take("spread"), take("spread kept"))
        unit = (self.scale_.highest - self.scale_.lowest) / LOG_SCALE
        x = (x - self.scale_.lowest) / unit
        genes = noisy_scale(x, weights, total, MIDDLE * LOG_SCALE, first, ledger)
        even = genes.spread**-EVENING
        even /= math.sqrt(float((even**2).mean()))
        expected = math.sqrt(float((even**2 * (genes.spread**2 + genes.error**2)).sum()))
        rows = (x - genes.location) * even
        reach = REACH * expected
        left = 0.0 if sees else NOISE_LEFT
        offsets = noisy_offsets(rows, codes, weights, counts, reach, (take("sums"), take("kept")), ledger, left)
        rows -= offsets.mean[codes]
        apart = offsets.mean - counts @ offsets.mean / total
        between = counts @ (apart / even) ** 2 / total
        within = np.maximum(genes.spread**2 - between, 0.3 * genes.spread**2)
        if not sees:
            means = offsets.mean * _stretch(offsets)
            nothing = np.zeros((1, n_genes))
            normals = FactorNormals.of(genes.location + means / even, nothing, within)
            self.normals_ = normals.on_scale(self.scale_.lowest, unit)
            return
        axes = leading_axes(offsets.mean, counts, axes_wanted)
        axes = turned_axes(rows, axes, weights, total, reach, (take("scores"), take("turn")), ledger)
        both = (take("covariance"), take("means"))
        along = measured_along(rows, axes, codes, weights, counts, offsets, reach, both, ledger)
        inside = offsets.mean @ axes.T @ axes
        means = inside + along.means + (offsets.mean - inside) * _stretch(offsets)
        normals = FactorNormals.of(genes.location + means / even, along.loadings / even, within)
        self.normals_ = normals.on_scale(self.scale_.lowest, unit)

    def _fit_with_basis(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, counts: Floats, spending: Spending, basis: Basis
    ) -> None:
        total, ledger, n_genes = counts.sum(), spending.ledger, x.shape[1]
        ledger.assume(f"the basis, built from {basis.n_samples:,} samples of {basis.source}")
        most = self.factors or _axes_fed(spending, counts, len(basis.axes))
        axes, strength = basis.axes[:most], np.sqrt(basis.variances[:most])
        take = _Taker(spending, WITH_BASIS if basis.shared is None else WITH_LABELS)
        reach = REACH * math.sqrt(n_genes)
        rows = (x - basis.location) / basis.spread
        multiplier = take("shift")
        sums = gaussian(weights @ clipped(rows, reach), reach, multiplier, ledger, "means of genes against the basis")
        noise = reach * multiplier / total
        step = sums / total
        real = max(float((step**2).mean()) - noise**2, 0.0)
        shift = real / (real + noise**2) * step
        rows -= shift
        along = rows @ axes.T
        inside = (along**2).sum(axis=1)
        parts = np.stack([inside, np.maximum((rows**2).sum(axis=1) - inside, 0.0)], axis=1)
        bound = MOST_ENERGY * reach**2
        parts *= np.minimum(1.0 / bound, 1.0 / np.maximum(parts.sum(axis=1), LEAST_ENERGY))[:, None]
        energy = gaussian(weights @ parts, 1.0, take("energy"), ledger, "variance along the basis and outside of it")
        spread_along, spread_outside = np.maximum(energy / total * bound, LEAST_ENERGY)
        left = np.maximum(1.0 - basis.variances[:most] @ axes**2, LEAST_RESIDUAL)
        ratio = float(np.clip(spread_outside / left.sum(), 0.25, 4.0))
        self._note_fit(basis, most, float(spread_along / (spread_along + spread_outside)))
        asked = (take("first means"), take("second means"))
        means = means_on_scale(along / strength, codes, weights, counts, asked, ledger)
        if basis.shared is not None and basis.own is not None:
            loadings = math.sqrt(ratio) * basis.shared
            variance = ratio * (basis.own + (basis.shared**2).sum(axis=0))
        else:
            scores = along / strength - means[codes]
            values, vectors = np.linalg.eigh(covariance_on_scale(scores, weights, total, take("covariance"), ledger))
            measured = np.sqrt(np.maximum(values, 0.0))[:, None] * ((vectors.T * strength) @ axes)
            # Weaker axes are taken over as they are: what they say is public.
            loadings = np.vstack([measured, np.sqrt(ratio * basis.variances[most:])[:, None] * basis.axes[most:]])
            variance = left * ratio + (measured**2).sum(axis=0)
        location = basis.location + shift * basis.spread
        offsets = (means * strength) @ axes * basis.spread
        self.normals_ = FactorNormals.of(location + offsets, loadings * basis.spread, variance * basis.spread**2)

    def _note_fit(self, basis: Basis, most: int, share: float) -> None:
        """Say whether the basis explains the cohort about as well as unseen samples of its own."""
        own = float(basis.explained[most - 1])
        self.basis_fit_ = np.array([share, own])
        if share < MISFIT * own:
            warnings.warn(
                f"dp-copula: the basis explains {share:.0%} of the variance of this cohort, and {own:.0%} of that of "
                "its own unseen samples. Take one of the same tissue and technology.",
                PrivacyWarning,
                stacklevel=2,
            )

    def _draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        return self.normals_.draw(codes, self.balanced, rng)

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        return self.normals_.losses(self.scale_.apply(cohort), codes)

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        return self.normals_.log_likelihood(self.scale_.apply(cohort), codes)

    def _state(self) -> dict[str, NDArray[Any]]:
        return {**super()._state(), **self.normals_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.normals_ = FactorNormals.restore(state)


class _Taker:
    """Hands out what named shares buy of all that is left."""

    def __init__(self, spending: Spending, shares: Mapping[str, float]) -> None:
        self.spending, self.whole, self.shares = spending, spending.left, shares

    def __call__(self, name: str) -> float:
        return self.spending.take(self.shares[name] / sum(self.shares.values()) * self.whole)


def _stretch(offsets: Offsets) -> Floats:
    """Return factors, ``n_classes × 1``, that give shrunk offsets about the size of the true ones."""
    size = np.maximum((offsets.mean**2).mean(axis=1, keepdims=True), 1e-12)
    factors: Floats = np.clip(np.sqrt(offsets.size[:, None] / size), 1.0, MOST_STRETCH)
    return factors


def _axes_fed(spending: Spending, counts: Floats, most: int) -> int:
    """Return how many axes the budget can feed: noise of a class mean along an axis grows with their number.

    The rule is a fit to what did best at ε = 1, 4 and 10 (docs/privacy.md).
    """
    noise = spending.budget.multiplier(0.4) / (counts.sum() / len(counts))
    return int(np.clip(round(1.25 / math.sqrt(noise)), 3, most)) if most > 3 else most
