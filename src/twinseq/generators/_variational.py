"""Conditional variational autoencoders as generators: what `cvae` and `cvae-gmm` share, which is all but the prior."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ..cohort import Cohort
from ..errors import ConfigError
from ._deep import DeepGenerator, Floats, check_training, layer_widths, require_torch
from ._residual import Residual

if TYPE_CHECKING:
    from ._networks import ConditionalVae

LEAST_NOISE = 1e-3
"""Least variance of what a decoder leaves of a standardised gene, so that a constant one has a likelihood."""
ADVICE = "Lower learning_rate (now {rate:g}), and look for single extreme values among the genes."


class VariationalGenerator(DeepGenerator):
    """An encoder that finds a latent place for each sample, and a decoder that draws samples from places.

    The subclass says how many components the prior of the latent space has.
    """

    latent: int
    hidden: str
    embedding: int
    direct: bool
    dropout: float
    beta: float | None
    residual: int | None
    steps: int
    batch: int
    patience: int | None
    learning_rate: float

    @property
    @abstractmethod
    def n_components(self) -> int:
        """Components of the prior."""

    def _check(self) -> None:
        name = self.info.name
        wholes = {key: getattr(self, key) for key in ("latent", "embedding", "steps", "batch", "patience")}
        check_training(name, device=self.device, learning_rate=self.learning_rate, **wholes)
        layer_widths(name, self.hidden)
        if self.beta is not None and self.beta < 0:
            raise ConfigError(f"{name}: beta must be 0 or more, or None, not {self.beta}.")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"{name}: dropout must be at least 0 and below 1, not {self.dropout}.")
        if self.residual is not None and self.residual < 0:
            raise ConfigError(f"{name}: residual must be 0 or more, or None, not {self.residual}.")

    def _network(self, n_genes: int, n_classes: int) -> ConditionalVae:
        from ._networks import ConditionalVae

        widths = layer_widths(self.info.name, self.hidden)
        return ConditionalVae(n_genes, n_classes, widths, self.latent, self.embedding, self.n_components, self.direct)

    def _trained(self, double: bool = False) -> ConditionalVae:
        """Return the fitted network."""
        import torch

        from ._torch import with_arrays

        network = self._network(len(self.genes_.mean), len(self.class_sizes_))
        return with_arrays(network, self.weights_, torch.float64 if double else torch.float32)

    def _train(self, x: Floats, codes: NDArray[np.intp], rng: np.random.Generator) -> None:
        import torch

        from . import _evidence
        from ._torch import arrays_of, device_named, initialise, seeded, tensor
        from ._training import Schedule, train

        device = device_named(self.device)
        network = self._network(x.shape[1], len(self.class_sizes_))
        start = seeded(rng)
        initialise(network, start)
        network.prior.spread_out(start)
        training = _evidence.VaeTraining(
            network.to(device),
            tensor(x, device),
            torch.as_tensor(codes, device=device),
            self.beta,
            self.dropout,
            self.learning_rate,
            seeded(rng, device),
        )
        schedule = Schedule(self.steps, self.batch, self.patience)
        advice = ADVICE.format(rate=self.learning_rate)
        train(training, codes, schedule, rng, device, self.info.name, advice, self.progress)
        self.weights_ = arrays_of(network)
        fitted = _evidence.reconstructed(self._trained(), tensor(x), torch.as_tensor(codes), seeded(rng))
        self.noise_ = np.maximum(((x - fitted) ** 2).mean(axis=0), LEAST_NOISE)
        self.residual_ = None
        if self.residual is not None:
            self.residual_ = Residual.fit(x, codes, lambda asked: self._expected(asked, rng), self.residual)

    def _expected(self, codes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[Any]:
        import torch

        from ._evidence import expected_genes
        from ._torch import seeded

        return expected_genes(self._trained(), torch.as_tensor(codes), seeded(rng))

    def _draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[Any]:
        expected = self._expected(codes, rng)
        return expected if self.residual_ is None else self.residual_.add(expected, codes, rng)

    def _evidence(self, cohort: Cohort, codes: NDArray[np.intp]) -> tuple[Floats, Floats, Floats]:
        """Return the reconstruction's log-density, the divergence, and log-ratios at several noises; see `evidence`."""
        require_torch(self.info.name)
        import torch

        from ._evidence import evidence
        from ._torch import one_thread, tensor

        with one_thread():
            x, noise = (
                tensor(self._standard(cohort), dtype=torch.float64),
                tensor(np.log(self.noise_), dtype=torch.float64),
            )
            return evidence(self._trained(double=True), x, torch.as_tensor(codes), noise)

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        at_mean, divergence, ratios = self._evidence(cohort, codes)
        columns = (-at_mean, divergence, -ratios.mean(axis=1), -_tight(ratios))
        return np.column_stack(columns) / cohort.n_genes

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        _, _, ratios = self._evidence(cohort, codes)
        likelihood: Floats = _tight(ratios) - np.log(self.genes_.spread).sum()
        return likelihood

    def _state(self) -> dict[str, NDArray[Any]]:
        residual = {} if self.residual_ is None else self.residual_.state()
        return {**super()._state(), "noise": self.noise_, **residual}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.noise_ = state["noise"]
        self.residual_ = Residual.restore(state)


def _tight(ratios: Floats) -> Floats:
    """Return the importance-weighted bound of each row."""
    bound: Floats = logsumexp(ratios, axis=1) - np.log(ratios.shape[1])
    return bound
