r"""`pca-ctgan`: conditional tabular adversarial networks on principal components.

Genes become scores on their leading components, and `ctgan` learns the scores. What the components leave out is
given back (`_residual`), except as published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from ..errors import ConfigError
from ._base import GeneratorInfo
from ._deep import Floats
from ._registry import register
from .ctgan import PUBLISHED, TabularGan


@register
class ComponentGan(TabularGan):
    """Conditional tabular adversarial networks on scores of principal components, given the class.

    Counts go through size factors and a log scale, and genes are standardised, where the published model takes log1p
    of counts as they are. Covariates are drawn beside the genes.

    Parameters
    ----------
    components
        Number of components; ``None``: as many as ``share`` allows.
    share
        Largest number of components as a share of the number of samples.
    latent
        Dimensions of the noise that scores share.
    hidden, critic
        Widths of the layers of the maker and of the critic, with a dash between them.
    embedding
        Numbers by which a class is told to the networks.
    modes
        Most modes of a component.
    apart
        Give a single mode to a component whose modes overlap.
    places
        As in `ctgan`: ``"wide"``, ``"quarters"`` as published, ``"narrow"``.
    pack
        Samples that the critic judges together.
    dropout
        Share of the units that each layer of the critic leaves out.
    normalised
        Batch normalisation in the maker.
    balanced
        Show rare classes more often, in proportion to the logarithm of their sizes.
    own_noise
        Give each score noise of its own within its mode, as much as training finds right.
    centred
        Take class means off before training, and let the class weigh the critic's last layer.
    average
        Decay of the running average of the maker's weights that draws are made with; 0: its last weights.
    residual
        Most factors of what draws lack of the covariance of training; 0: variances only; ``None``: draws lie in the
        span of the components, as published.
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
        name="pca-ctgan",
        title="Conditional tabular adversarial networks on principal components",
        family="deep",
        kinds=("counts", "continuous"),
        guarantee="none",
        reference="Nanda & Saha 2026, bioRxiv 10.64898/2026.05.22.726357; Xu et al. 2019, NeurIPS 32",
        extra="deep",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            **PUBLISHED,
            "components": None,
            "share": 0.6,
            "modes": 10,
            "places": "quarters",
            "steps": 240,
            "batch": 500,
        }
    }

    def __init__(
        self,
        components: int | None = 50,
        share: float = 0.6,
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
        if components is not None and components < 1:
            raise ConfigError(f"pca-ctgan: components must be at least 1, not {components}.")
        if not 0 < share <= 1:
            raise ConfigError(f"pca-ctgan: share must lie between 0 and 1, not {share}.")
        self.components = components
        self.share = share
        super().__init__(
            latent,
            hidden,
            critic,
            embedding,
            modes,
            apart,
            places,
            pack,
            dropout,
            normalised,
            balanced,
            own_noise,
            centred,
            average,
            residual,
            critic_steps,
            penalty,
            steps,
            batch,
            patience,
            learning_rate,
            device,
        )

    def _learn(self, values: Floats, rng: np.random.Generator) -> Floats:
        number = max(min(int(self.share * len(values)), values.shape[1], self.components or values.shape[1]), 1)
        self.middle_ = values.mean(axis=0)
        apart, seed = values - self.middle_, int(rng.integers(2**31))
        _, _, self.axes_ = randomized_svd(apart, n_components=number, random_state=seed)
        return super()._learn(self._scores(values), rng)

    def _scores(self, values: Floats) -> Floats:
        scores: Floats = (values - self.middle_) @ self.axes_.T
        return scores

    def _columns(self, values: Floats) -> Floats:
        return super()._columns(self._scores(values))

    def _genes(self, values: NDArray[Any]) -> NDArray[Any]:
        genes: NDArray[Any] = values @ self.axes_ + self.middle_
        return genes

    def _state(self) -> dict[str, NDArray[Any]]:
        return {**super()._state(), "axes": self.axes_, "middle": self.middle_}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.axes_, self.middle_ = state["axes"], state["middle"]
