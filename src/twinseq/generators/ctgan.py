r"""`ctgan`: conditional tabular adversarial networks.

Each gene becomes a place in one of its modes and the code of the mode (`_modes`); the maker chooses modes by Gumbel's
trick, the critic judges packs of samples (`_adversarial`, `_critics`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ._base import GeneratorInfo
from ._deep import Floats
from ._gan import AdversarialGenerator
from ._modes import Modes
from ._registry import register

if TYPE_CHECKING:
    from ._critics import ModeHead

PLACES = {"wide": (4.0, 1.0, 3.96), "quarters": (4.0, 4.0, 3.96), "narrow": (1.0, 1.0, math.inf)}
"""Standard deviations of the mode at which places of draws end, which are one unit, and where those of training end."""

PUBLISHED: Mapping[str, Any] = {
    "latent": 128,
    "hidden": "256-256",
    "critic": "256-256",
    "apart": False,
    "pack": 10,
    "dropout": 0.5,
    "normalised": True,
    "balanced": True,
    "own_noise": False,
    "centred": False,
    "average": 0.0,
    "residual": None,
    "critic_steps": 1,
    "penalty": 10.0,
    "patience": None,
    "learning_rate": 2e-4,
}
"""What all published settings have in common."""


@register
class TabularGan(AdversarialGenerator):
    """Conditional tabular adversarial networks, given the class.

    Counts go through size factors and a log scale. Covariates are drawn beside the genes.

    Parameters
    ----------
    latent
        Dimensions of the noise that genes share.
    hidden, critic
        Widths of the layers of the maker and of the critic, with a dash between them.
    embedding
        Numbers by which a class is told to the networks.
    modes
        Most modes of a gene.
    apart
        Give a single mode to a gene whose modes overlap.
    places
        ``"wide"``: places in standard deviations of the mode, up to 4; ``"quarters"``: in units of 4 of them, as
        Xu et al. have it; ``"narrow"``: in standard deviations, of which draws have at most 1 and training data have
        all, as the community benchmark has it.
    pack
        Samples that the critic judges together.
    dropout
        Share of the units that each layer of the critic leaves out.
    normalised
        Batch normalisation in the maker.
    balanced
        Show rare classes more often, in proportion to the logarithm of their sizes.
    own_noise
        Give each gene noise of its own within its mode, as much as training finds right.
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
    learning_rate
        Of Adam, for both networks.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU where there is one.
    """

    info = GeneratorInfo(
        name="ctgan",
        title="Conditional tabular adversarial networks",
        family="deep",
        kinds=("counts", "continuous"),
        guarantee="none",
        reference="Xu et al. 2019, NeurIPS 32; Öztürk et al. 2026, bioRxiv 10.64898/2026.03.02.707794",
        extra="deep",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {**PUBLISHED, "modes": 1, "places": "narrow", "steps": 734, "batch": 500},
        "stated": {**PUBLISHED, "modes": 10, "places": "quarters", "steps": 10_000, "batch": 64},
    }
    linked = True

    def __init__(
        self,
        latent: int = 128,
        hidden: str = "256",
        critic: str = "256",
        embedding: int = 16,
        modes: int = 2,
        apart: bool = True,
        places: str = "wide",
        pack: int = 1,
        dropout: float = 0.0,
        normalised: bool = False,
        balanced: bool = False,
        own_noise: bool = True,
        centred: bool = True,
        average: float = 0.99,
        residual: int | None = 20,
        critic_steps: int = 5,
        penalty: float = 10.0,
        steps: int = 3_000,
        batch: int = 64,
        patience: int | None = 30,
        learning_rate: float = 1e-3,
        device: str = "auto",
    ) -> None:
        self.latent = latent
        self.hidden = hidden
        self.critic = critic
        self.embedding = embedding
        self.modes = modes
        self.apart = apart
        self.places = places
        self.pack = pack
        self.dropout = dropout
        self.normalised = normalised
        self.balanced = balanced
        self.own_noise = own_noise
        self.centred = centred
        self.average = average
        self.residual = residual
        self.critic_steps = critic_steps
        self.penalty = penalty
        self.steps = steps
        self.batch = batch
        self.patience = patience
        self.learning_rate = learning_rate
        self.device = device
        self._check()

    def _check(self) -> None:
        super()._check()
        if self.places not in PLACES:
            raise ConfigError(f"{self.info.name}: places must be {', '.join(PLACES)}, not '{self.places}'.")

    def _learn(self, values: Floats, rng: np.random.Generator) -> Floats:
        self.modes_ = Modes.fit(values, self.modes, self.apart, rng)
        return self._placed(values, rng)

    def _placed(self, values: Floats, rng: np.random.Generator | None = None) -> Floats:
        _, unit, bound = PLACES[self.places]
        return self.modes_.columns(values, unit, bound, rng)

    def _columns(self, values: Floats) -> Floats:
        return self._placed(values)

    def _genes(self, values: NDArray[Any]) -> NDArray[Any]:
        return values

    def _head(self) -> ModeHead:
        from ._critics import ModeHead
        from ._torch import tensor

        reach, unit, _ = PLACES[self.places]
        return ModeHead(tensor(self.modes_.centres), tensor(self.modes_.spreads), reach, unit, self.own_noise)

    def _state(self) -> dict[str, NDArray[Any]]:
        return {**super()._state(), **self.modes_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.modes_ = Modes.restore(state)
