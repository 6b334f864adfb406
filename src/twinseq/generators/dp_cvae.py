r"""`dp-cvae`: conditional variational autoencoder with differential privacy.

1. noisy location, spread and class means of genes (`_private_rows`);
2. a linear decoder and its encoder, trained by DP-SGD on what the class means leave (`_private_vae`,
   `_private_training`);
3. noisy class means and covariance along the decoder's directions (`_private_axes`), which give draws their scale.

The preset ``paper`` has a deep decoder instead, whose expected values are the draws (`_private_decoder`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..dp.budget import Spending
from ..errors import ConfigError
from ._base import GeneratorInfo, NotOfferedError
from ._deep import layer_widths
from ._factor_normals import FactorNormals
from ._private_axes import measured_along
from ._private_decoder import DecoderShape, DeepDecoder
from ._private_deep import PrivateDeepGenerator
from ._private_rows import EvenRows, bought, scaled_moments
from ._registry import register

if TYPE_CHECKING:
    from ._private_training import Steps

Floats = NDArray[np.float64]
SHARES = {
    "first location": 0.015, "second location": 0.045, "spread": 0.02, "spread kept": 0.003, "sums": 0.55, "kept": 0.01,
    "covariance": 0.02, "means": 0.09,
}  # fmt: skip
"""Shares of what class counts and covariates leave of the budget; the training has the rest."""
PAPER_SHARES = {"first location": 0.02, "second location": 0.05, "spread": 0.03, "spread kept": 0.005}
"""The same where nothing but a scaler is asked for beside the training."""
START = 0.05
"""Standard deviation of the decoder's weights at the start."""
ENCODER_SLOWER = 0.01
"""Learning rate of the encoder in units of the decoder's, whose weights have to grow large."""
DECODERS = ("linear", "deep")


@register
class PrivateAutoencoder(PrivateDeepGenerator):
    """Conditional variational autoencoder trained by DP-SGD, all of its scales from noisy sums.

    The preset ``paper`` is the benchmark's network; epsilon and delta are the caller's there as well.

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
    decoder
        ``"linear"``: directions, with class means and covariance measured along them; ``"deep"``: a network with the
        encoder's layers the other way round, whose expected values are the draws.
    latent
        Dimensions of the latent space.
    hidden
        Widths of the encoder's layers, with a dash between them; one where the decoder is linear.
    embedding
        Numbers by which a class is told to the network.
    beta
        Weight of the divergence against the mean squared error, of a deep decoder.
    balanced
        Spread the draws of each class evenly over each gene's distribution; a linear decoder only.
    steps
        Number of steps; nothing about the data shortens them.
    rate
        Chance with which each donor takes part in a step.
    clip
        Length to which the gradient of a donor is cut. Gradients are those of an evidence bound in nats, mostly of a
        length of some tens, so that nearly all are cut to 1.
    learning_rate
        Of the first step, for gradients of length ``clip``.
    """

    info = GeneratorInfo(
        name="dp-cvae",
        title="Conditional variational autoencoder with differential privacy",
        family="dp",
        kinds=("counts", "continuous"),
        guarantee="(ε, δ)-differential privacy of donors",
        reference="Abadi et al. 2016, CCS; Sohn et al. 2015, NeurIPS 28; Yousefpour et al. 2021 (Opacus)",
        extra="deep",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "decoder": "deep",
            "latent": 128,
            "hidden": "1000-512-256",
            "embedding": 20,
            "beta": 0.001,
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
        decoder: str = "linear",
        latent: int = 6,
        hidden: str = "16",
        embedding: int = 5,
        beta: float = 0.001,
        balanced: bool = True,
        steps: int = 40,
        rate: float = 0.3,
        clip: float = 1.0,
        learning_rate: float = 10.0,
    ) -> None:
        self.epsilon = epsilon
        self.delta = delta
        self.bounds = bounds
        self.classes = classes
        self.ranges = ranges
        self.decoder = decoder
        self.latent = latent
        self.hidden = hidden
        self.embedding = embedding
        self.beta = beta
        self.balanced = balanced
        self.steps = steps
        self.rate = rate
        self.clip = clip
        self.learning_rate = learning_rate
        self._check()
        if decoder not in DECODERS:
            raise ConfigError(f"dp-cvae: decoder must be one of {', '.join(DECODERS)}, not '{decoder}'.")
        if len(layer_widths("dp-cvae", hidden)) > 1 and decoder == "linear":
            raise ConfigError(f"dp-cvae: hidden must be one width where the decoder is linear, not '{hidden}'.")
        if beta < 0:
            raise ConfigError(f"dp-cvae: beta must be 0 or more, not {beta}.")

    def _wholes(self) -> dict[str, Any]:
        return {"latent": self.latent, "embedding": self.embedding, "steps": self.steps}

    def _fit_profiles(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        fit = self._fit_linear if self.decoder == "linear" else self._fit_deep
        fit(x, codes, weights, spending, rng)

    def _fit_linear(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        counts, ledger = np.maximum(self.counts_, 2.0), spending.ledger
        multipliers = bought(spending, SHARES)
        bounds = self.scale_.lowest, self.scale_.highest
        even = EvenRows.measured(x, codes, weights, counts, bounds, multipliers, ledger)
        rows = even.rows(x, codes)
        axes = self._directions(rows, codes, weights, self._pay(spending, spending.left), rng)
        both = multipliers["covariance"], multipliers["means"]
        along = measured_along(rows, axes, codes, weights, counts, even.offsets, even.reach, both, ledger)
        self.model_: FactorNormals | DeepDecoder = FactorNormals.of(
            even.centres(axes, along.means), along.loadings / even.even, even.within(counts)
        )

    def _directions(
        self, rows: Floats, codes: NDArray[np.intp], weights: Floats, multiplier: float, rng: np.random.Generator
    ) -> Floats:
        """Train on rows about their class means; return the decoder's directions, ``latent × n_genes``."""
        import torch

        from ..dp.entropy import normals
        from ._private_training import train_privately
        from ._private_vae import LinearVae
        from ._torch import initialise, one_thread, seeded, tensor

        latent = min(self.latent, rows.shape[1])
        (hidden,) = layer_widths(self.info.name, self.hidden)
        with one_thread():
            network = LinearVae(rows.shape[1], len(self.class_sizes_), latent, hidden, self.embedding)
            start = seeded(rng)
            initialise(network, start)
            network.start(start, START)
            genes, labels, shares = tensor(rows), torch.as_tensor(codes), tensor(weights)

            def losses(chosen: torch.Tensor) -> torch.Tensor:
                noise = tensor(normals(len(chosen), latent))
                return shares[chosen] * network.losses(genes[chosen], labels[chosen], noise)

            of_decoder = list(network.decoder.parameters())
            others = [weight for part, weight in network.named_parameters() if not part.startswith("decoder")]
            rate = self.learning_rate / self.clip
            groups = [(of_decoder, rate), (others, ENCODER_SLOWER * rate)]
            train_privately(network, losses, self._donors, self._steps(multiplier), groups, self.info.name)
            loadings = network.decoder.weight.detach().double().numpy()
        directions: Floats = np.linalg.svd(loadings.T, full_matrices=False)[2]
        return directions

    def _fit_deep(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        multipliers = bought(spending, PAPER_SHARES)
        first, second, spread, kept = (multipliers[name] for name in PAPER_SHARES)
        total = float(np.maximum(self.counts_, 2.0).sum())
        bounds = self.scale_.lowest, self.scale_.highest
        genes = scaled_moments(x, weights, total, bounds, (first, second, spread, kept), spending.ledger)
        widths = layer_widths(self.info.name, self.hidden)
        shape = DecoderShape(x.shape[1], len(self.counts_), widths, self.latent, self.embedding)
        steps = self._steps(self._pay(spending, spending.left))
        rate = self.learning_rate / self.clip
        self.model_ = DeepDecoder.fit(
            x, codes, weights, self._donors, genes, shape, self.beta, steps, rate, rng, self.info.name
        )

    def _steps(self, multiplier: float) -> Steps:
        from ._private_training import Steps

        expected = self.rate * max(float(self.counts_.sum()), 1.0)
        return Steps(self.steps, self.rate, self.clip, multiplier, expected)

    def _draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        return self.model_.draw(codes, self.balanced, rng)

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        return self.model_.losses(self.scale_.apply(cohort), codes)

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        if isinstance(self.model_, DeepDecoder):
            raise NotOfferedError("dp-cvae: a deep decoder states no likelihood; its draws are expected values.")
        return self.model_.log_likelihood(self.scale_.apply(cohort), codes)

    def _state(self) -> dict[str, NDArray[Any]]:
        return {**super()._state(), **self.model_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.model_ = (FactorNormals if self.decoder == "linear" else DeepDecoder).restore(state)
