r"""The evidence bound of a variational autoencoder, in training and afterwards.

.. math::  \log p(x | c) \ge E_q \log N(x; \mu(z, c), \operatorname{diag} \sigma^2) - KL(q(z | x, c) \,\|\, p(z))

With the variance of each gene learnt along (Rybkin et al. 2021), reconstruction and divergence are in balance whatever
the number of genes; the published loss, mean squared error :math:`+ β` KL, is the same with :math:`\sigma^2 = β G / 2`
for all genes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ._networks import ConditionalVae, normal_log_density
from ._training import descend

FASTER = 10.0
"""Learning rate of the genes' variances, in units of that of the network: they have a way to go, and one each."""
LEAST_LOG_VARIANCE = -8.0
DRAWS = 8
"""Noises, the same for every sample, at which losses are taken."""
NOISE_SEED = 20_240_817


class VaeTraining:
    """A variational autoencoder in training, as `_training.Trainee`.

    Parameters
    ----------
    network
        What is trained.
    x, codes
        Standardised genes, ``n × n_genes``, and class of each sample; on the device of the network.
    beta
        Weight of the divergence against the mean squared error; ``None``: the variance of each gene is learnt.
    dropout
        Share of the genes hidden from the encoder in each sample of a batch.
    learning_rate
        Of Adam.
    generator
        Random stream on the device.
    """

    def __init__(
        self,
        network: ConditionalVae,
        x: Tensor,
        codes: Tensor,
        beta: float | None,
        dropout: float,
        learning_rate: float,
        generator: torch.Generator,
    ) -> None:
        self.network = network
        self.x, self.codes, self.beta, self.dropout = x, codes, beta, dropout
        self.generator = generator
        others = [weight for name, weight in network.named_parameters() if name != "noise" and weight.requires_grad]
        groups: list[dict[str, Any]] = [{"params": others}]
        if beta is None:
            groups.append({"params": [network.noise], "lr": FASTER * learning_rate})
        self.optimiser = torch.optim.Adam(groups, lr=learning_rate, fused=True)
        watching = torch.Generator(device=x.device).manual_seed(NOISE_SEED)
        self.watching = torch.randn((len(x), network.mean.out_features), generator=watching, device=x.device)

    def _terms(self, rows: Tensor, seen: Tensor, noise: Tensor) -> dict[str, Tensor]:
        network = self.network
        x, codes = self.x[rows], self.codes[rows]
        mean, log_variance = network.encode(seen, codes)
        z = mean + torch.exp(0.5 * log_variance) * noise
        squared = (x - network.decode(z, codes)) ** 2
        divergence = network.prior.divergence(mean, log_variance, z).mean()
        if self.beta is not None:
            return {"reconstruction": squared.mean(), "divergence": self.beta * divergence}
        scale = network.noise.clamp(min=LEAST_LOG_VARIANCE)
        fit = 0.5 * (squared * torch.exp(-scale) + scale).mean()
        return {"reconstruction": fit, "divergence": divergence / x.shape[1]}

    def step(self, rows: Tensor) -> Mapping[str, Tensor]:
        """Go one step up the evidence bound of these rows."""
        shape = (len(rows), self.watching.shape[1])
        noise = torch.randn(shape, generator=self.generator, device=self.x.device)
        seen = self.x[rows]
        if self.dropout:
            kept = torch.rand(seen.shape, generator=self.generator, device=seen.device) >= self.dropout
            seen = seen * kept / (1.0 - self.dropout)
        terms = self._terms(rows, seen, noise)
        descend(self.optimiser, terms["reconstruction"] + terms["divergence"])
        return {name: value.detach() for name, value in terms.items()}

    @torch.no_grad()
    def watch(self, rows: Tensor) -> Tensor:
        """Return the negative bound of these rows, by gene, at a noise that is always the same."""
        terms = self._terms(rows, self.x[rows], self.watching[rows])
        return terms["reconstruction"] + terms["divergence"]


@torch.no_grad()
def reconstructed(network: ConditionalVae, x: Tensor, codes: Tensor, generator: torch.Generator) -> NDArray[Any]:
    """Return the genes expected at one draw from each sample's posterior, ``n × n_genes``."""
    mean, log_variance = network.encode(x, codes)
    z = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=generator)
    expected: NDArray[Any] = network.decode(z, codes).numpy()
    return expected


@torch.no_grad()
def expected_genes(network: ConditionalVae, codes: Tensor, generator: torch.Generator) -> NDArray[Any]:
    """Return the genes expected at a draw from the prior for each class in ``codes``, ``n × n_genes``."""
    expected: NDArray[Any] = network.decode(network.prior.draw(len(codes), generator), codes).numpy()
    return expected


@torch.no_grad()
def evidence(
    network: ConditionalVae, x: Tensor, codes: Tensor, log_variance: Tensor
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return how the network describes samples, at noises shared by all of them.

    Parameters
    ----------
    network
        In double precision, so that company does not change a sample's figures.
    x, codes
        Standardised genes, ``n × n_genes``, and classes.
    log_variance
        Of what the decoder leaves of each gene.

    Returns
    -------
    at_mean
        Log-density of the genes given the posterior's mean, ``n``.
    divergence
        Of the posterior from the prior, ``n``.
    ratios
        ``log p(x, z) − log q(z | x)`` at each of `DRAWS` noises, ``n × DRAWS``: their mean is the evidence bound, the
        logarithm of the mean of their exponentials the tighter one of Burda et al. 2016.
    """
    mean, spread = network.encode(x, codes)
    at_mean = normal_log_density(x, network.decode(mean, codes), log_variance)
    generator = torch.Generator().manual_seed(NOISE_SEED)
    divergences, ratios = [], []
    for noise in torch.randn((DRAWS, mean.shape[1]), generator=generator, dtype=x.dtype):
        z = mean + torch.exp(0.5 * spread) * noise
        joint = normal_log_density(x, network.decode(z, codes), log_variance) + network.prior.log_density(z)
        ratios.append(joint - normal_log_density(z, mean, spread))
        divergences.append(network.prior.divergence(mean, spread, z))
    return at_mean.numpy(), torch.stack(divergences).mean(0).numpy(), torch.stack(ratios, 1).numpy()
