"""Adversarial networks as generators: what `wgan-gp`, `ctgan` and `pca-ctgan` share, which is all but the columns.

A subclass turns standardised genes into the columns that its networks see (`_learn`, `_columns`) and values back into
genes (`_genes`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..errors import ConfigError
from ._deep import DeepGenerator, Floats, check_training, layer_widths, require_torch
from ._margins import stratum_rows
from ._residual import Residual

if TYPE_CHECKING:
    from ._critics import Adversaries, ModeHead, Plain

LEAST_SPREAD = 1e-3
"""Least standard deviation within classes, in units of that over all samples, to which a gene is scaled up."""
ADVICE = "Lower learning_rate (now {rate:g}) or raise penalty (now {penalty:g}), and look for single extreme values."


class AdversarialGenerator(DeepGenerator):
    """A maker of samples and a critic that tells them from training data, each trained against the other."""

    latent: int
    hidden: str
    critic: str
    embedding: int
    linked: bool
    own_noise: bool
    centred: bool
    average: float
    residual: int | None
    critic_steps: int
    penalty: float
    steps: int
    batch: int
    patience: int | None
    learning_rate: float
    modes: int = 1
    pack: int = 1
    dropout: float = 0.0
    maker_dropout: float = 0.0
    normalised: bool = False
    critic_normalised: bool = False
    balanced: bool = False
    momentum: float = 0.5

    @abstractmethod
    def _learn(self, values: Floats, rng: np.random.Generator) -> Floats:
        """Learn the columns from genes, ``n × n_genes``, and return those of the training data."""

    @abstractmethod
    def _columns(self, values: Floats) -> Floats:
        """Return the columns of new samples."""

    @abstractmethod
    def _genes(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return genes for the values that draws stand for."""

    @abstractmethod
    def _head(self) -> Plain | ModeHead:
        """Return what makes columns of the last layer."""

    def _check(self) -> None:
        name = self.info.name
        wholes = ("latent", "embedding", "critic_steps", "steps", "batch", "patience", "pack", "modes")
        settings = {key: getattr(self, key) for key in wholes}
        check_training(name, device=self.device, learning_rate=self.learning_rate, **settings)
        layer_widths(name, self.hidden)
        layer_widths(f"{name}, critic", self.critic)
        for key in ("average", "dropout", "maker_dropout", "momentum"):
            if not 0 <= getattr(self, key) < 1:
                raise ConfigError(f"{name}: {key} must be at least 0 and below 1, not {getattr(self, key)}.")
        if not self.penalty > 0:
            raise ConfigError(f"{name}: penalty must be above 0, not {self.penalty}.")
        if self.residual is not None and self.residual < 0:
            raise ConfigError(f"{name}: residual must be 0 or more, or None, not {self.residual}.")

    def _network(self) -> Adversaries:
        from ._critics import Adversaries, Critic, Maker

        name, n_classes, head = self.info.name, len(self.class_sizes_), self._head()
        hidden, critic = layer_widths(name, self.hidden), layer_widths(f"{name}, critic", self.critic)
        of_maker = self.linked, self.normalised, self.maker_dropout
        of_critic = self.pack, self.centred, self.critic_normalised, self.dropout
        return Adversaries(
            Maker(head, n_classes, self.latent, hidden, self.embedding, *of_maker),
            Critic(head.n_columns, n_classes, critic, self.embedding, *of_critic),
        )

    def _trained(self, double: bool = False) -> Adversaries:
        """Return the fitted networks."""
        import torch

        from ._torch import with_arrays

        return with_arrays(self._network(), self.weights_, torch.float64 if double else torch.float32)

    def _train(self, x: Floats, codes: NDArray[np.intp], rng: np.random.Generator) -> None:
        import torch

        from ._adversarial import AdversarialTraining, Contest
        from ._torch import arrays_of, device_named, initialise, seeded, tensor
        from ._training import Schedule, train

        self.centre_, self.spread_ = np.zeros((len(self.class_sizes_), x.shape[1])), np.ones(x.shape[1])
        if self.centred:
            self.centre_ = np.stack([x[rows].mean(axis=0) for _, rows in stratum_rows(codes)])
            self.spread_ = np.maximum((x - self.centre_[codes]).std(axis=0), LEAST_SPREAD)
        columns = self._learn((x - self.centre_[codes]) / self.spread_, rng)
        device = device_named(self.device)
        network = self._network()
        initialise(network, seeded(rng))
        training = AdversarialTraining(
            network.to(device),
            tensor(columns, device),
            torch.as_tensor(codes, device=device),
            Contest(self.critic_steps, self.penalty, self.average, self.balanced, self.learning_rate, self.momentum),
            seeded(rng, device),
        )
        schedule = Schedule(self.steps, self.batch, self.patience)
        advice = ADVICE.format(rate=self.learning_rate, penalty=self.penalty)
        train(training, codes, schedule, rng, device, self.info.name, advice, self.progress)
        self.weights_ = arrays_of(network)
        self.residual_ = None
        if self.residual is not None:
            self.residual_ = Residual.fit(x, codes, lambda asked: self._made(asked, rng), self.residual)

    def _made(self, codes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[Any]:
        """Return standardised genes as the maker makes them."""
        import torch

        from ._adversarial import drawn_values
        from ._torch import seeded

        values = drawn_values(self._trained().maker, torch.as_tensor(codes), seeded(rng))
        genes: NDArray[Any] = self.centre_[codes] + self.spread_ * self._genes(values)
        return genes

    def _draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[Any]:
        made = self._made(codes, rng)
        return made if self.residual_ is None else self.residual_.add(made, codes, rng)

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        require_torch(self.info.name)
        import torch

        from ._adversarial import critic_losses
        from ._torch import one_thread, tensor

        columns = self._columns((self._standard(cohort) - self.centre_[codes]) / self.spread_)
        with one_thread():
            known = tensor(columns, dtype=torch.float64), torch.as_tensor(codes)
            losses: Floats = critic_losses(self._trained(double=True), *known)
        return losses

    def _state(self) -> dict[str, NDArray[Any]]:
        residual = {} if self.residual_ is None else self.residual_.state()
        return {**super()._state(), "centre": self.centre_, "spread": self.spread_, **residual}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.centre_, self.spread_ = state["centre"], state["spread"]
        self.residual_ = Residual.restore(state)
