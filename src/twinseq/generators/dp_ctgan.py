r"""`dp-ctgan`: conditional adversarial networks with differential privacy.

A sample of class c is, on a scale where all genes have about the same say,

.. math::  x = m_c + A\, G(z, c) + ψ^{1/2} e, \qquad z, e \sim N(0, I),

with noisy class means :math:`m_c` (`_private_rows`), a few noisy axes A along which genes vary together
(`_private_axes`), and a maker G of what samples do along the axes, trained against a critic that sees donors by DP-SGD
only (`_private_contest`). DP-SGD pays for every weight of the critic: along four axes it has some two hundred.

The preset ``paper`` has no axes: maker and critic work on the genes themselves, and G makes all of a draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..cohort import Cohort
from ..dp.budget import Spending
from ._base import GeneratorInfo
from ._deep import layer_widths, require_torch
from ._margins import under
from ._private_axes import SCORE_REACH, leading_axes, turned_axes, whitening
from ._private_deep import PrivateDeepGenerator
from ._private_places import Places
from ._private_rows import EvenRows, bought, scaled_moments
from ._registry import register

if TYPE_CHECKING:
    from ._private_rivals import Critic, Maker

Floats = NDArray[np.float64]
SHARES = {
    "first location": 0.015, "second location": 0.045, "spread": 0.02, "spread kept": 0.003, "sums": 0.65, "kept": 0.01,
    "scores": 0.01, "turn": 0.10, "covariance": 0.02,
}  # fmt: skip
"""Shares of what class counts and covariates leave of the budget; the training has the rest."""
PAPER_SHARES = {"first location": 0.02, "second location": 0.05, "spread": 0.03, "spread kept": 0.005}
"""The same where nothing but a scaler is asked for beside the training."""
LEVELS = 2_000
"""Draws of a class that stand for its distribution when others are spread evenly over it."""
CRITIC_FASTER = 4.0
"""Learning rate of the critic in units of the maker's."""
FORGETTING = 0.05
AVERAGE = 0.95
DRAWS = 256
"""Draws of the maker in each step."""


@register
class PrivateGan(PrivateDeepGenerator):
    """Conditional adversarial networks of which the critic is trained by DP-SGD, the maker by the critic.

    The preset ``paper`` is about the benchmark's; epsilon and delta are the caller's there as well.

    Parameters
    ----------
    epsilon, delta
        Budget of the guarantee, which covers all samples of a donor; both must be stated.
    bounds
        Lowest and highest value that continuous profiles can take, known beforehand; counts need none.
    classes
        Names of all classes, with commas, where the label is not categorical and its values are not public.
    ranges
        Ranges of covariates that are quantities, such as ``age=18:90``.
    axes
        Axes along which the networks work, at most one fewer than classes; ``None``: on all genes, as published.
    latent
        Dimensions of the maker's noise.
    hidden, critic
        Widths of the layers of the maker and of the critic, with a dash between them.
    embedding
        Numbers by which a class is told to the maker.
    balanced
        Spread the draws of each class evenly over each gene's distribution.
    maker_steps
        Updates of the maker for one of the critic.
    steps
        Number of the critic's steps; nothing about the data shortens them.
    rate
        Chance with which each donor takes part in a step.
    clip
        Length to which the gradient of a donor is cut.
    learning_rate
        Of the maker at the first step; the critic's is four times that, for gradients of length ``clip``.
    """

    info = GeneratorInfo(
        name="dp-ctgan",
        title="Conditional adversarial networks with differential privacy",
        family="dp",
        kinds=("counts", "continuous"),
        guarantee="(ε, δ)-differential privacy of donors",
        reference="Abadi et al. 2016, CCS; Xie et al. 2018, arXiv 1802.06739; Xu et al. 2019, NeurIPS 32",
        extra="deep",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "axes": None,
            "latent": 128,
            "hidden": "256-256",
            "critic": "256-256",
            "balanced": False,
            "maker_steps": 1,
            "steps": 1_000,
            "rate": 0.08,
            "clip": 0.1,
            "learning_rate": 0.01,
        }
    }

    def __init__(
        self,
        epsilon: float | None = None,
        delta: float | None = None,
        bounds: str = "0:20",
        classes: str | None = None,
        ranges: str | None = None,
        axes: int | None = 4,
        latent: int = 4,
        hidden: str = "8",
        critic: str = "8",
        embedding: int = 5,
        balanced: bool = True,
        maker_steps: int = 1,
        steps: int = 100,
        rate: float = 0.3,
        clip: float = 1.0,
        learning_rate: float = 0.5,
    ) -> None:
        self.epsilon = epsilon
        self.delta = delta
        self.bounds = bounds
        self.classes = classes
        self.ranges = ranges
        self.axes = axes
        self.latent = latent
        self.hidden = hidden
        self.critic = critic
        self.embedding = embedding
        self.balanced = balanced
        self.maker_steps = maker_steps
        self.steps = steps
        self.rate = rate
        self.clip = clip
        self.learning_rate = learning_rate
        self._check()
        layer_widths("dp-ctgan", hidden)
        layer_widths("dp-ctgan, critic", critic)

    def _wholes(self) -> dict[str, Any]:
        names = ("latent", "embedding", "maker_steps", "steps")
        return {name: getattr(self, name) for name in names} | ({} if self.axes is None else {"axes": self.axes})

    def _fit_profiles(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        counts = np.maximum(self.counts_, 2.0)
        find = self._on_genes if self.axes is None else self._along_axes
        places, within = find(x, codes, weights, counts, spending)
        self._compete(places.columns(x, codes), codes, weights, counts, self._pay(spending, spending.left), rng)
        if self.axes is not None:
            everyone = np.repeat(np.arange(len(counts)), LEVELS)
            shares = (counts / counts.sum() / LEVELS)[everyone]
            places = places.with_noise(self._made(everyone, rng), shares, within)
        self.places_ = places

    def _along_axes(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, counts: Floats, spending: Spending
    ) -> tuple[Places, Floats]:
        """Return axes among noisy class means, and the variance of genes within classes."""
        multipliers, ledger, total = bought(spending, SHARES), spending.ledger, float(counts.sum())
        bounds = self.scale_.lowest, self.scale_.highest
        even = EvenRows.measured(x, codes, weights, counts, bounds, multipliers, ledger)
        rows = even.rows(x, codes)
        both = multipliers["scores"], multipliers["turn"]
        axes = leading_axes(even.offsets.mean, counts, self.axes or 1)
        axes = turned_axes(rows, axes, weights, total, even.reach, both, ledger)
        widest = SCORE_REACH * even.reach
        root, _ = whitening(rows @ axes.T, weights, total, widest, multipliers["covariance"], ledger, "axes")
        centres = even.centres(axes, np.zeros((len(counts), x.shape[1])))
        # Columns are about the offsets, which centres stretch where axes do not reach: columns are the same for both.
        forth = even.even[:, None] * (axes.T @ root)
        back = np.linalg.inv(root) @ axes / even.even
        return Places(centres, forth, back, np.zeros(x.shape[1])), even.within(counts)

    def _on_genes(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, counts: Floats, spending: Spending
    ) -> tuple[Places, Floats]:
        """Return genes on a noisy scale as columns of their own."""
        multipliers = bought(spending, PAPER_SHARES)
        first, second, spread, kept = (multipliers[name] for name in PAPER_SHARES)
        bounds = self.scale_.lowest, self.scale_.highest
        asked = (first, second, spread, kept)
        genes = scaled_moments(x, weights, float(counts.sum()), bounds, asked, spending.ledger)
        centres = np.tile(genes.location, (len(counts), 1))
        return Places(centres, 1.0 / genes.spread, genes.spread, np.zeros(x.shape[1])), genes.spread**2

    def _compete(
        self, columns: Floats, codes: NDArray[np.intp], weights: Floats, counts: Floats, multiplier: float,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        """Train the networks on ``columns``, ``n × n_columns``."""
        import torch

        from ._private_contest import Rivalry, compete_privately
        from ._private_training import Steps
        from ._torch import arrays_of, initialise, one_thread, seeded, tensor

        with one_thread():
            maker, critic = self._networks(columns.shape[1], len(counts))
            for network in (maker, critic):
                initialise(network, seeded(rng))
                network.start()
            steps = Steps(self.steps, self.rate, self.clip, multiplier, self.rate * float(counts.sum()))
            critic_rate = CRITIC_FASTER * self.learning_rate / self.clip
            rivalry = Rivalry(critic_rate, self.learning_rate, self.maker_steps, DRAWS, FORGETTING, AVERAGE)
            data = tensor(columns), torch.as_tensor(codes), tensor(weights)
            compete_privately(maker, critic, *data, counts, self._donors, steps, rivalry, seeded(rng), self.info.name)
            self.maker_, self.critic_ = arrays_of(maker), arrays_of(critic)

    def _networks(self, n_columns: int, n_classes: int) -> tuple[Maker, Critic]:
        from ._private_rivals import Critic, Maker

        hidden, critic = layer_widths(self.info.name, self.hidden), layer_widths(self.info.name, self.critic)
        maker = Maker(n_columns, n_classes, self.latent, hidden, self.embedding)
        return maker, Critic(n_columns, n_classes, critic)

    def _made(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        """Return columns of new samples."""
        require_torch(self.info.name)
        import torch

        from ._torch import one_thread, tensor, with_arrays

        with one_thread():
            maker, _ = self._networks(len(self.maker_["output.bias"]), len(self.class_sizes_))
            maker = with_arrays(maker, self.maker_, torch.float64)
            noise = tensor(rng.standard_normal((len(codes), self.latent)), dtype=torch.float64)
            made: Floats = maker(noise, torch.as_tensor(codes)).numpy()
        return made

    def _draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        drawn = self.places_.centres[codes]
        for code in np.unique(codes):
            rows = codes == code
            apart = self._apart(np.full(rows.sum(), code), rng)
            if self.balanced:
                apart = spread_evenly(apart, self._apart(np.full(LEVELS, code), rng))
            drawn[rows] += apart
        return drawn

    def _apart(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        """Return what new samples differ from the centres of their classes."""
        made = self.places_.about_centres(self._made(codes, rng))
        apart: Floats = made + np.sqrt(self.places_.noise) * rng.standard_normal(made.shape)
        return apart

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        require_torch(self.info.name)
        import torch

        from ._torch import one_thread, tensor, with_arrays

        with one_thread():
            columns = self.places_.columns(self.scale_.apply(cohort), codes)
            _, critic = self._networks(columns.shape[1], len(self.class_sizes_))
            critic = with_arrays(critic, self.critic_, torch.float64)
            scores: Floats = critic(tensor(columns, dtype=torch.float64), torch.as_tensor(codes)).numpy()
        return -scores[:, None]

    def _state(self) -> dict[str, NDArray[Any]]:
        networks = {"maker": self.maker_, "critic": self.critic_}
        arrays = {f"{part}.{name}": value for part, known in networks.items() for name, value in known.items()}
        return {**super()._state(), **self.places_.state(), **arrays}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.places_ = Places.restore(state)
        self.maker_, self.critic_ = under("maker.", state), under("critic.", state)


def spread_evenly(values: Floats, others: Floats) -> Floats:
    """Return values of each gene, ``n × n_genes``, put at even levels of the distribution of ``others``, in order."""
    levels = (rankdata(values, axis=0) - 0.5) / len(values)
    places = (levels * len(others)).astype(np.intp)
    evenly: Floats = np.take_along_axis(np.sort(others, axis=0), places, axis=0)
    return evenly
