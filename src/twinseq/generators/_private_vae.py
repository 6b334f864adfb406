"""The network of `dp-cvae`: a linear decoder, which noise harms least, and an encoder that knows the decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._networks import layers


class LinearVae(nn.Module):
    r"""Variational autoencoder with decoder :math:`N(W z, I)` and an encoder that corrects the decoder's inverse.

    Of a linear decoder the exact posterior is known: mean :math:`(I + W^\top W)^{-1} W^\top x`. The encoder is that,
    with W held fixed, and a network that adds to it, given the class. With W in the encoder not followed by
    gradients, that of W is the one of the M-step of probabilistic principal components (Tipping & Bishop
    1999), and the encoder has a few hundred weights of its own instead of one for each gene.

    Parameters
    ----------
    n_genes, n_classes
        Sizes of the data.
    latent, hidden, embedding
        Dimensions of the latent space, units of the encoder's hidden layer, and numbers by which it is told the class.
    """

    def __init__(self, n_genes: int, n_classes: int, latent: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.classes = nn.Embedding(n_classes, embedding)
        self.inner = layers([latent + embedding, hidden])
        self.correction = nn.Linear(hidden, 2 * latent)
        self.decoder = nn.Linear(latent, n_genes, bias=False)

    def start(self, generator: torch.Generator, scale: float) -> None:
        """Start from a small random decoder and no correction."""
        nn.init.normal_(self.decoder.weight, std=scale, generator=generator)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def encode(self, x: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the posteriors, ``n × latent`` each."""
        loadings = self.decoder.weight.detach()
        precision = torch.eye(loadings.shape[1]) + loadings.T @ loadings
        covariance = torch.linalg.inv(precision)
        mean = x @ loadings @ covariance
        inner = self.inner(torch.cat([mean, self.classes(codes)], 1))
        shift, stretch = self.correction(inner).chunk(2, dim=1)
        # In units of the posterior's own spread, so that the network has not to learn its size.
        spread = covariance.diagonal().sqrt()
        return mean + spread * shift, (2.0 * spread.log() + stretch).clamp(-12.0, 6.0)

    def losses(self, x: Tensor, codes: Tensor, noise: Tensor) -> Tensor:
        """Return the negative evidence bound of each sample, constants left out; ``noise`` is ``n × latent``."""
        mean, log_variance = self.encode(x, codes)
        z = mean + torch.exp(0.5 * log_variance) * noise
        left = 0.5 * (x - self.decoder(z)).square().sum(1)
        bound: Tensor = left + 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(1)
        return bound
