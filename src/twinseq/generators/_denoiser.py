r"""The network of the diffusion model, beside the exact answer for normal genes.

For genes of covariance :math:`\Sigma = L L^\top + \Psi` the best prediction of the velocity at angle θ is known:
:math:`\cos\theta \sin\theta\, (I - \Sigma)(\cos^2\theta\, \Sigma + \sin^2\theta\, I)^{-1} x_\theta`. The network adds
what is beyond that, and before training it adds nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WAVES = 16
"""Sines and cosines by which the level of noise is told to the network."""


class NormalVelocity(nn.Module):
    """Velocity of normal genes with mean 0 and variance 1.

    Parameters
    ----------
    loadings
        L, ``n_genes × n_factors``; the squares of a gene add up to less than 1, and what is left is Ψ.
    """

    loadings: Tensor

    def __init__(self, loadings: Tensor) -> None:
        super().__init__()
        self.register_buffer("loadings", loadings)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """Return the velocity, ``n × n_genes``, at angles ``n × 1``."""
        signal, noise = torch.cos(angles), torch.sin(angles)
        own = 1.0 - (self.loadings**2).sum(1)
        weight = 1.0 / (signal**2 * own + noise**2)
        factors = self.loadings.shape[1]
        pairs = (self.loadings[:, :, None] * self.loadings[:, None, :]).flatten(1)
        inner = (signal**2 * (weight @ pairs)).reshape(len(x), factors, factors)
        inner = inner + torch.eye(factors, dtype=x.dtype, device=x.device)
        # By the Woodbury identity: no gene × gene matrix is formed.
        known = torch.linalg.solve(inner, (weight * x) @ self.loadings)
        scaled = weight * (x - signal**2 * (known @ self.loadings.T))
        through = scaled * own + (scaled @ self.loadings) @ self.loadings.T
        velocity: Tensor = signal * noise * (scaled - through)
        return velocity


class Denoiser(nn.Module):
    """Residual layers between the genes and what is to be predicted; each is told the level of noise and the class.

    Parameters
    ----------
    n_genes, n_classes
        Sizes of the data.
    width
        Units of each layer.
    layers
        Number of residual layers.
    factors
        Factors of the normal model to start from; ``None``: start from nothing.
    """

    def __init__(self, n_genes: int, n_classes: int, width: int, layers: int, factors: int | None) -> None:
        super().__init__()
        self.n_genes = n_genes
        self.classes = nn.Embedding(n_classes, width)
        self.level = nn.Sequential(nn.Linear(2 * WAVES, width), nn.SiLU(), nn.Linear(width, width))
        self.input = nn.Linear(n_genes, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.output = nn.Linear(width, n_genes)
        self.base = None if factors is None else NormalVelocity(torch.zeros((n_genes, factors)))

    def start_at_nothing(self) -> None:
        """Add 0 everywhere, from which training departs."""
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor, angles: Tensor, codes: Tensor) -> Tensor:
        """Return the prediction for noisy genes, ``n × n_genes``, at angles ``n × 1``."""
        waves = angles * torch.arange(1, WAVES + 1, dtype=angles.dtype, device=angles.device)
        known = self.level(torch.cat([torch.sin(waves), torch.cos(waves)], 1)) + self.classes(codes)
        inner = self.input(x) + known
        for layer in self.layers:
            inner = inner + layer(nn.functional.silu(inner + known))
        predicted: Tensor = self.output(inner)
        return predicted if self.base is None else predicted + self.base(x, angles)
