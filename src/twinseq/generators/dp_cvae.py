r"""`dp-cvae`: conditional variational autoencoder with differential privacy.

1. noisy location, spread and class means of genes (`_private_genes`);
2. a linear decoder and its encoder, trained by DP-SGD on standardised genes (`_private_vae`, `_private_training`);
3. noisy class means and second moment of the latent scores (`_private_latent`), which give the draws their scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..dp.budget import Spending
from ._base import GeneratorInfo
from ._likelihood import LADDER, factor_log_density
from ._private_deep import PrivateDeepGenerator
from ._private_genes import noisy_genes
from ._private_latent import LatentModel
from ._registry import register

Floats = NDArray[np.float64]
GENES, TRAINING, LATENT = 0.48, 0.34, 0.18
"""Shares of what class counts and covariates leave of the budget."""
START = 0.05
"""Standard deviation of the decoder's weights at the start."""
ENCODER_SLOWER = 0.01
"""Learning rate of the encoder in units of the decoder's, whose weights have to grow large."""


@register
class PrivateAutoencoder(PrivateDeepGenerator):
    """Conditional variational autoencoder trained by DP-SGD, all of its scales from noisy sums.

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
    latent
        Dimensions of the latent space.
    hidden
        Units of the encoder's network.
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

    def __init__(
        self,
        epsilon: float | None = None,
        delta: float | None = None,
        bounds: str = "0:20",
        classes: str | None = None,
        ranges: str | None = None,
        latent: int = 6,
        hidden: int = 16,
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
        self.latent = latent
        self.hidden = hidden
        self.steps = steps
        self.rate = rate
        self.clip = clip
        self.learning_rate = learning_rate
        self._check()

    def _wholes(self) -> dict[str, Any]:
        return {"latent": self.latent, "hidden": self.hidden, "steps": self.steps}

    def _fit_profiles(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        left = spending.left
        bounds = self.scale_.lowest, self.scale_.highest
        genes = noisy_genes(x, codes, self.counts_, weights, bounds, spending, GENES * left)
        multiplier = self._pay(spending, TRAINING * left)
        standard = (x - genes.location) / genes.spread
        directions, scores = self._train(standard, codes, weights, multiplier, rng)
        self.model_ = LatentModel.fit(
            x, scores, directions, codes, self.counts_, weights, genes, spending, spending.left
        )

    def _train(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, multiplier: float, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Train on standardised genes; return the decoder's directions, and each sample's scores along them."""
        import torch

        from ..dp.entropy import normals
        from ._private_training import Steps, train_privately
        from ._private_vae import LinearVae
        from ._torch import initialise, one_thread, seeded, tensor

        latent = min(self.latent, x.shape[1])
        with one_thread():
            network = LinearVae(x.shape[1], len(self.class_sizes_), latent, self.hidden, len(self.class_sizes_))
            start = seeded(rng)
            initialise(network, start)
            network.start(start, START)
            genes, labels, shares = tensor(x), torch.as_tensor(codes), tensor(weights)

            def losses(rows: torch.Tensor) -> torch.Tensor:
                noise = tensor(normals(len(rows), latent))
                return shares[rows] * network.losses(genes[rows], labels[rows], noise)

            expected = self.rate * max(float(self.counts_.sum()), 1.0)
            steps = Steps(self.steps, self.rate, self.clip, multiplier, expected)
            of_decoder = list(network.decoder.parameters())
            others = [weight for part, weight in network.named_parameters() if not part.startswith("decoder")]
            rate = self.learning_rate / self.clip
            groups = [(of_decoder, rate), (others, ENCODER_SLOWER * rate)]
            train_privately(network, losses, self._donors, steps, groups, self.info.name)
            with torch.no_grad():
                loadings = network.decoder.weight.double().numpy()
                means = network.encode(genes, labels)[0].double().numpy()
        directions = np.linalg.svd(loadings, full_matrices=False)[0]
        return directions, means @ (loadings.T @ directions)

    def _draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        return self.model_.draw(codes, rng)

    def _density(self, cohort: Cohort, codes: NDArray[np.intp], ridges: tuple[float, ...]) -> Floats:
        model = self.model_
        return factor_log_density(
            model.standard(self.scale_.apply(cohort), codes), model.loadings, model.residual, ridges
        )

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        return -self._density(cohort, codes, LADDER) / cohort.n_genes

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> Floats:
        likelihood: Floats = self._density(cohort, codes, (1.0,))[:, 0] - np.log(self.model_.spread).sum()
        return likelihood

    def _state(self) -> dict[str, NDArray[Any]]:
        return {**super()._state(), **self.model_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.model_ = LatentModel.restore(state)
