"""The deep decoder of `dp-cvae`'s preset ``paper``: trained by DP-SGD, its expected values are the draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ._margins import under
from ._private_moments import NoisyScale

if TYPE_CHECKING:
    import torch

    from ._networks import ConditionalVae
    from ._private_training import Steps

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of the network.

    Parameters
    ----------
    n_genes, n_classes
        Sizes of the data.
    hidden
        Widths of the encoder's layers; the decoder has them the other way round.
    latent, embedding
        Dimensions of the latent space, and numbers by which a class is told to the network.
    """

    n_genes: int
    n_classes: int
    hidden: Sequence[int]
    latent: int
    embedding: int

    def network(self) -> ConditionalVae:
        """Return a network of this shape; what a fixed variance and a fixed prior need is not trained."""
        from ._networks import ConditionalVae

        network = ConditionalVae(
            self.n_genes, self.n_classes, self.hidden, self.latent, self.embedding, components=1, direct=False
        )
        network.noise.requires_grad_(False)
        network.prior.requires_grad_(False)
        return network


@dataclass(frozen=True)
class DeepDecoder:
    """Conditional autoencoder of genes on a noisy scale.

    Parameters
    ----------
    shape
        Sizes.
    weights
        Of the network, by name.
    location, spread
        Of each gene.
    beta
        Weight of the divergence against the mean squared error.
    """

    shape: DecoderShape
    weights: Mapping[str, NDArray[Any]]
    location: Floats
    spread: Floats
    beta: float

    @classmethod
    def fit(
        cls, x: Floats, codes: NDArray[np.intp], weights: Floats, donors: NDArray[np.intp], genes: NoisyScale,
        shape: DecoderShape, beta: float, steps: Steps, learning_rate: float, rng: np.random.Generator, name: str,
    ) -> Self:  # fmt: skip
        """Train by DP-SGD.

        Parameters
        ----------
        x
            Values on the bounded scale, ``n × n_genes``.
        codes, weights, donors
            Class, weight and donor of each sample.
        genes
            Noisy location and spread.
        shape, beta
            Of the network and its loss.
        steps, learning_rate
            Of DP-SGD, as the ledger was charged.
        rng
            For starting weights.
        name
            Generator, for messages.
        """
        import torch

        from ..dp.entropy import normals
        from ._private_training import train_privately
        from ._torch import arrays_of, initialise, one_thread, seeded, tensor

        with one_thread():
            network = shape.network()
            initialise(network, seeded(rng))
            standard = tensor((x - genes.location) / genes.spread)
            labels, shares = torch.as_tensor(codes), tensor(weights)

            def losses(rows: torch.Tensor) -> torch.Tensor:
                noise = tensor(normals(len(rows), shape.latent))
                return shares[rows] * bound(network, standard[rows], labels[rows], noise, beta)

            trained = [weight for weight in network.parameters() if weight.requires_grad]
            train_privately(network, losses, donors, steps, [(trained, learning_rate)], name)
            return cls(shape, arrays_of(network), genes.location, genes.spread, beta)

    def _trained(self) -> ConditionalVae:
        import torch

        from ._torch import with_arrays

        return with_arrays(self.shape.network(), self.weights, torch.float64)

    def draw(self, codes: NDArray[np.intp], balanced: bool, rng: np.random.Generator) -> Floats:
        """Return expected values at new places; they are not balanced."""
        import torch

        from ._torch import one_thread

        with one_thread():
            places = torch.as_tensor(rng.standard_normal((len(codes), self.shape.latent)))
            drawn: Floats = self._trained().decode(places, torch.as_tensor(codes)).numpy()
        return self.location + self.spread * drawn

    def losses(self, x: Floats, codes: NDArray[np.intp]) -> Floats:
        """Return the loss of training at the posterior's mean, ``n × 1``."""
        import torch

        from ._torch import one_thread, tensor

        with one_thread():
            standard = tensor((x - self.location) / self.spread, dtype=torch.float64)
            nothing = torch.zeros((len(x), self.shape.latent), dtype=torch.float64)
            losses: Floats = bound(self._trained(), standard, torch.as_tensor(codes), nothing, self.beta).numpy()
        return losses[:, None]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the model as plain arrays."""
        n_genes, n_classes, hidden, latent, embedding = astuple(self.shape)
        return {
            "decoder.sizes": np.array([n_genes, n_classes, latent, embedding, *hidden]),
            "decoder.location": self.location,
            "decoder.spread": self.spread,
            "decoder.beta": np.array(self.beta),
            **{f"decoder.weights.{name}": value for name, value in self.weights.items()},
        }

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Invert `state`."""
        n_genes, n_classes, latent, embedding, *hidden = (int(size) for size in state["decoder.sizes"])
        shape = DecoderShape(n_genes, n_classes, hidden, latent, embedding)
        known = under("decoder.", state)
        return cls(shape, under("decoder.weights.", state), known["location"], known["spread"], float(known["beta"]))


def bound(
    network: ConditionalVae, x: torch.Tensor, codes: torch.Tensor, noise: torch.Tensor, beta: float
) -> torch.Tensor:
    """Return the loss of each sample: mean squared error over genes, and ``beta`` times the divergence."""
    mean, log_variance = network.encode(x, codes)
    z = mean + (0.5 * log_variance).exp() * noise
    error = (x - network.decode(z, codes)).square().mean(1)
    return error + beta * network.prior.divergence(mean, log_variance, z)
