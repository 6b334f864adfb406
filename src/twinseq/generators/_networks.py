"""Networks of the deep generators."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def layers(widths: Sequence[int]) -> nn.Sequential:
    """Return linear layers of these widths, each followed by a rectifier."""
    pairs = itertools.pairwise(widths)
    return nn.Sequential(*(module for before, after in pairs for module in (nn.Linear(before, after), nn.ReLU())))


class MixturePrior(nn.Module):
    """Mixture of normals with diagonal covariance, all of it learnt; with one component, the fixed N(0, I).

    Parameters
    ----------
    latent
        Number of dimensions.
    components
        Number of normals.
    """

    def __init__(self, latent: int, components: int) -> None:
        super().__init__()
        self.fixed = components == 1
        shape = (components, latent)
        self.means = nn.Parameter(torch.zeros(shape), requires_grad=not self.fixed)
        self.log_variances = nn.Parameter(torch.zeros(shape), requires_grad=not self.fixed)
        self.logits = nn.Parameter(torch.zeros(components), requires_grad=not self.fixed)

    def spread_out(self, generator: torch.Generator) -> None:
        """Move the components apart; from one place they would never part."""
        if not self.fixed:
            nn.init.normal_(self.means, std=0.5, generator=generator)

    def log_density(self, z: Tensor) -> Tensor:
        """Return log p(z); ``n`` for ``n × latent``."""
        apart = z[:, None, :] - self.means
        inside = apart**2 * torch.exp(-self.log_variances) + self.log_variances + math.log(2 * math.pi)
        return torch.logsumexp(torch.log_softmax(self.logits, 0) - 0.5 * inside.sum(2), 1)

    def divergence(self, mean: Tensor, log_variance: Tensor, z: Tensor) -> Tensor:
        """Return the divergence of posteriors from the prior, ``n``; one draw ``z`` of each stands in for a mixture."""
        if self.fixed:
            return 0.5 * (mean**2 + log_variance.exp() - 1.0 - log_variance).sum(1)
        return normal_log_density(z, mean, log_variance) - self.log_density(z)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return ``n × latent`` draws."""
        which = torch.multinomial(torch.softmax(self.logits, 0), n, replacement=True, generator=generator)
        noise = torch.randn((n, self.means.shape[1]), generator=generator, dtype=self.means.dtype)
        return self.means[which] + torch.exp(0.5 * self.log_variances[which]) * noise


def normal_log_density(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the log-density of rows of ``x`` under normals with diagonal covariance."""
    inside = (x - mean) ** 2 * torch.exp(-log_variance) + log_variance + math.log(2 * math.pi)
    return -0.5 * inside.sum(1)


class ConditionalVae(nn.Module):
    """Encoder and decoder that both know the class.

    Parameters
    ----------
    n_genes, n_classes
        Sizes of the data.
    hidden
        Widths of the encoder's layers; the decoder has them the other way round.
    latent
        Dimensions of the latent space.
    embedding
        Numbers by which a class is told to the network.
    components
        Components of the prior.
    direct
        Whether linear maps past the hidden layers add to the posterior's mean and to the expected genes.
    """

    def __init__(
        self,
        n_genes: int,
        n_classes: int,
        hidden: Sequence[int],
        latent: int,
        embedding: int,
        components: int,
        direct: bool,
    ) -> None:
        super().__init__()
        self.classes = nn.Embedding(n_classes, embedding)
        self.encoder = layers([n_genes + embedding, *hidden])
        self.mean = nn.Linear(hidden[-1], latent)
        self.log_variance = nn.Linear(hidden[-1], latent)
        self.decoder = layers([latent + embedding, *reversed(hidden)])
        self.output = nn.Linear(hidden[0], n_genes)
        self.noise = nn.Parameter(torch.zeros(n_genes))
        self.prior = MixturePrior(latent, components)
        self.past_encoder = nn.Linear(n_genes + embedding, latent) if direct else None
        self.past_decoder = nn.Linear(latent + embedding, n_genes) if direct else None

    def encode(self, x: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the posteriors, ``n × latent`` each."""
        known = torch.cat([x, self.classes(codes)], 1)
        inner = self.encoder(known)
        mean = self.mean(inner) if self.past_encoder is None else self.mean(inner) + self.past_encoder(known)
        # Beyond these bounds a variance is as good as 0 or as no knowledge at all, and its exponential overflows.
        return mean, self.log_variance(inner).clamp(-12.0, 6.0)

    def decode(self, z: Tensor, codes: Tensor) -> Tensor:
        """Return the expected genes, ``n × n_genes``."""
        known = torch.cat([z, self.classes(codes)], 1)
        expected: Tensor = self.output(self.decoder(known))
        return expected if self.past_decoder is None else expected + self.past_decoder(known)
