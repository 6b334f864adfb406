r"""`wgan-gp`: conditional Wasserstein adversarial networks with a gradient penalty.

The maker turns noise and a class into genes; the critic scores how much samples look like training data
(`_adversarial`). By default the class means are taken off first, every gene has noise of its own, the critic weighs
its layers by the class, draws come from the running average of the maker's weights, and what they lack of variance
and correlation is given back (`_residual`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._base import GeneratorInfo
from ._deep import Floats
from ._gan import AdversarialGenerator
from ._registry import register

if TYPE_CHECKING:
    from ._critics import Plain


@register
class WassersteinGan(AdversarialGenerator):
    """Wasserstein adversarial networks on genes, given the class.

    Counts go through size factors and a log scale. Covariates are drawn beside the genes.

    Parameters
    ----------
    latent
        Dimensions of the noise that genes share.
    hidden, critic
        Widths of the layers of the maker and of the critic, with a dash between them.
    embedding
        Numbers by which a class is told to the networks.
    linked
        Let all layers of the maker reach the genes directly.
    own_noise
        Give each gene noise of its own, as much as training finds right.
    normalised
        Batch normalisation in the maker, layer normalisation in the critic.
    maker_dropout, dropout
        Share of the units that each layer of the maker and of the critic leaves out.
    centred
        Take class means off before training, and let the class weigh the critic's last layer.
    average
        Decay of the running average of the maker's weights that draws are made with; 0: its last weights.
    residual
        Most factors of what draws lack of the covariance of training; 0: variances only; ``None``: draws as they are
        made, as published.
    critic_steps
        Updates of the critic for one of the maker.
    penalty
        Weight of the gradient penalty.
    steps, batch
        Most updates of the critic, and samples in each.
    patience
        Looks at an inner split, one an epoch, without gain before training stops; ``None``: train on all samples
        for all steps.
    learning_rate, momentum
        Of Adam, for both networks.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU where there is one.
    """

    info = GeneratorInfo(
        name="wgan-gp",
        title="Wasserstein adversarial networks with gradient penalty",
        family="deep",
        kinds=("counts", "continuous"),
        guarantee="none",
        reference="Gulrajani et al. 2017, NeurIPS 30; Öztürk et al. 2026, bioRxiv 10.64898/2026.03.02.707794",
        extra="deep",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "latent": 128,
            "hidden": "1024-512-256",
            "critic": "256-512",
            "embedding": 20,
            "linked": False,
            "own_noise": False,
            "normalised": True,
            "maker_dropout": 0.2,
            "dropout": 0.3,
            "centred": False,
            "average": 0.0,
            "residual": None,
            "critic_steps": 5,
            "penalty": 10.0,
            "steps": 6_500,
            "batch": 64,
            "patience": None,
            "learning_rate": 1e-4,
            "momentum": 0.0,
        }
    }

    def __init__(
        self,
        latent: int = 128,
        hidden: str = "256",
        critic: str = "256",
        embedding: int = 16,
        linked: bool = True,
        own_noise: bool = True,
        normalised: bool = False,
        maker_dropout: float = 0.0,
        dropout: float = 0.0,
        centred: bool = True,
        average: float = 0.99,
        residual: int | None = 20,
        critic_steps: int = 5,
        penalty: float = 10.0,
        steps: int = 3_000,
        batch: int = 64,
        patience: int | None = 30,
        learning_rate: float = 1e-3,
        momentum: float = 0.5,
        device: str = "auto",
    ) -> None:
        self.latent = latent
        self.hidden = hidden
        self.critic = critic
        self.embedding = embedding
        self.linked = linked
        self.own_noise = own_noise
        self.normalised = self.critic_normalised = normalised
        self.maker_dropout = maker_dropout
        self.dropout = dropout
        self.centred = centred
        self.average = average
        self.residual = residual
        self.critic_steps = critic_steps
        self.penalty = penalty
        self.steps = steps
        self.batch = batch
        self.patience = patience
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.device = device
        self._check()

    def _learn(self, values: Floats, rng: np.random.Generator) -> Floats:
        return values

    def _columns(self, values: Floats) -> Floats:
        return values

    def _genes(self, values: NDArray[Any]) -> NDArray[Any]:
        return values

    def _head(self) -> Plain:
        from ._critics import OwnNoise, Plain

        return OwnNoise(len(self.spread_)) if self.own_noise else Plain(len(self.spread_))
