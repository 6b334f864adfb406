"""The two networks of `dp-ctgan`: a maker of columns that starts at known moments, and a critic of few weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ._networks import layers

SLOPE = 0.2
"""Of the critic's leaky rectifiers below zero."""


class Maker(nn.Module):
    """Makes columns of noise and a class: a linear map of both, and what a network adds.

    Parameters
    ----------
    n_columns, n_classes
        Sizes of the data.
    latent
        Dimensions of the noise.
    hidden
        Widths of the layers.
    embedding
        Numbers by which a class is told to the network.
    """

    def __init__(self, n_columns: int, n_classes: int, latent: int, hidden: Sequence[int], embedding: int) -> None:
        super().__init__()
        self.latent = latent
        self.classes = nn.Embedding(n_classes, embedding)
        self.layers = layers([latent + embedding, *hidden])
        self.output = nn.Linear(hidden[-1], n_columns)
        self.past = nn.Linear(latent + embedding, n_columns, bias=False)

    @torch.no_grad()
    def start(self) -> None:
        """Start from standard normals in each column, as far as there is noise for them, whatever the class."""
        for weight in (self.output.weight, self.output.bias, self.past.weight):
            weight.zero_()
        self.past.weight.fill_diagonal_(1.0)
        self.past.weight[:, self.latent :].zero_()

    def forward(self, noise: Tensor, codes: Tensor) -> Tensor:
        """Return columns, ``n × n_columns``, of standard normals ``n × latent`` and classes ``n``."""
        inputs = torch.cat([noise, self.classes(codes)], 1)
        columns: Tensor = self.output(self.layers(inputs)) + self.past(inputs)
        return columns


class Critic(nn.Module):
    """Scores columns given their class, which weighs the last layer (Miyato & Koyama 2018); high: like donors.

    Parameters
    ----------
    n_columns, n_classes
        Sizes of the data.
    hidden
        Widths of the layers.
    """

    def __init__(self, n_columns: int, n_classes: int, hidden: Sequence[int]) -> None:
        super().__init__()
        widths = [n_columns, *hidden]
        parts: list[nn.Module] = []
        for before, after in zip(widths, hidden, strict=False):
            parts += [nn.Linear(before, after), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*parts)
        self.output = nn.Linear(hidden[-1], 1)
        self.classes = nn.Embedding(n_classes, hidden[-1])

    @torch.no_grad()
    def start(self) -> None:
        """Start from scores of 0."""
        for weight in (self.classes.weight, self.output.weight, self.output.bias):
            weight.zero_()

    def forward(self, columns: Tensor, codes: Tensor) -> Tensor:
        """Return scores, ``n``, of columns ``n × n_columns``."""
        inner = self.layers(columns)
        score: Tensor = self.output(inner)[:, 0] + (inner * self.classes(codes)).sum(1) / inner.shape[1] ** 0.5
        return score
