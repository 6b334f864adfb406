"""The two networks of a generative adversarial network: the maker of samples and their critic.

A head turns what the maker's layers give into columns of the data, with noise of its own: `OwnNoise` for values, and
`ModeHead` for the modes of conditional tabular networks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

SLOPE = 0.2
"""Of the critic's leaky rectifiers below zero."""
FIRST_LOG_SPREAD = -1.0
TEMPERATURE = 0.2
"""Of the softmax that stands in for a choice of mode."""


class Dropout(nn.Module):
    """Leaves out a share of the units, in training, by chance of a stream of its own.

    PyTorch's dropout draws from the global random state, on which nothing here may hang.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.stream: torch.Generator | None = None

    def forward(self, units: Tensor) -> Tensor:
        """Return the units, those that are left scaled up."""
        if not self.training or self.share == 0.0:
            return units
        kept = torch.rand(units.shape, generator=self.stream, device=units.device) >= self.share
        return units * kept / (1.0 - self.share)


class Plain(nn.Module):
    """Columns as the layers give them."""

    def __init__(self, n_columns: int) -> None:
        super().__init__()
        self.n_raw, self.n_columns, self.n_noise = n_columns, n_columns, 0

    def forward(self, raw: Tensor, noise: Tensor) -> Tensor:
        """Return the columns, ``n × n_columns``."""
        return raw

    def values(self, columns: Tensor) -> Tensor:
        """Return the values that columns stand for."""
        return columns


class OwnNoise(Plain):
    """Columns with noise of their own, as much of it as training finds right.

    A few shared dimensions of noise cannot give a thousand genes a variance of their own.
    """

    def __init__(self, n_columns: int) -> None:
        super().__init__(n_columns)
        self.n_noise = n_columns
        self.log_spread = nn.Parameter(torch.full((n_columns,), FIRST_LOG_SPREAD))

    def forward(self, raw: Tensor, noise: Tensor) -> Tensor:
        """Return the columns, ``n × n_columns``."""
        return raw + torch.exp(self.log_spread) * noise


class ModeHead(nn.Module):
    """A choice among the modes of each value, by Gumbel's trick, and the place within the mode.

    Columns are the places of all values in their modes, then the weights of the modes, value by value, of the values
    that have more than one.

    Parameters
    ----------
    centres, spreads
        Of the modes, ``n_values × most_modes``; NaN where a value has fewer.
    reach, unit
        End of the places, and what a column counts them in, both in standard deviations of the mode.
    own
        Whether places have noise of their own, as in `OwnNoise`.
    """

    centres: Tensor
    spreads: Tensor
    slots: Tensor
    sole: Tensor

    def __init__(self, centres: Tensor, spreads: Tensor, reach: float, unit: float, own: bool) -> None:
        super().__init__()
        there = torch.isfinite(centres)
        choice = there.sum(1, keepdim=True) > 1
        self.shape, self.end, self.unit = centres.shape, reach / unit, unit
        self.register_buffer("centres", torch.nan_to_num(centres), persistent=False)
        self.register_buffer("spreads", torch.nan_to_num(spreads), persistent=False)
        self.register_buffer("slots", torch.nonzero((there & choice).flatten())[:, 0], persistent=False)
        self.register_buffer("sole", there & ~choice, persistent=False)
        self.n_columns = self.n_raw = len(centres) + len(self.slots)
        self.n_noise = len(self.slots) + (len(centres) if own else 0)
        self.log_spread = nn.Parameter(torch.full((len(centres),), FIRST_LOG_SPREAD)) if own else None

    def _by_value(self, of_modes: Tensor, absent: float, sole: float) -> Tensor:
        padded = of_modes.new_full((len(of_modes), self.shape[0] * self.shape[1]), absent)
        return padded.index_copy(1, self.slots, of_modes).reshape(-1, *self.shape).masked_fill(self.sole, sole)

    def forward(self, raw: Tensor, noise: Tensor) -> Tensor:
        """Return the columns, ``n × n_columns``; in use, not in training, one mode has all the weight."""
        n_values, n_modes = self.shape[0], len(self.slots)
        places = raw[:, :n_values]
        if self.log_spread is not None:
            places = places + torch.exp(self.log_spread) * noise[:, n_modes:]
        places = self.end * torch.tanh(places / self.end)
        if not n_modes:
            return places
        uniform = torch.special.ndtr(noise[:, :n_modes]).clamp(1e-6, 1 - 1e-6)
        logits = self._by_value(raw[:, n_values:] - torch.log(-torch.log(uniform)), -math.inf, 0.0)
        if self.training:
            weights = torch.softmax(logits / TEMPERATURE, 2)
        else:
            weights = nn.functional.one_hot(logits.argmax(2), self.shape[1]).to(raw.dtype)
        return torch.cat([places, weights.flatten(1)[:, self.slots]], 1)

    def values(self, columns: Tensor) -> Tensor:
        """Return the values that columns stand for, ``n × n_values``."""
        places, weights = columns[:, : self.shape[0], None], self._by_value(columns[:, self.shape[0] :], 0.0, 1.0)
        values: Tensor = (weights * (self.centres + self.spreads * self.unit * places)).sum(2)
        return values


class Maker(nn.Module):
    """Makes samples of noise and a class.

    Parameters
    ----------
    head
        What gives the columns.
    n_classes
        Number of classes.
    latent
        Dimensions of the noise that all columns share.
    hidden
        Widths of the layers.
    embedding
        Numbers by which a class is told to the network.
    linked
        Whether each layer also hands on what it was given, so that all layers reach the columns directly.
    normalised
        Whether layers are followed by batch normalisation.
    dropout
        Share of the units that each layer leaves out.
    """

    def __init__(
        self,
        head: Plain | ModeHead,
        n_classes: int,
        latent: int,
        hidden: Sequence[int],
        embedding: int,
        linked: bool,
        normalised: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.latent, self.linked, self.head = latent, linked, head
        self.classes = nn.Embedding(n_classes, embedding)
        self.layers = nn.ModuleList()
        width = latent + embedding
        for units in hidden:
            norm = [nn.BatchNorm1d(units)] if normalised else []
            self.layers.append(nn.Sequential(nn.Linear(width, units), *norm, nn.ReLU(), Dropout(dropout)))
            width = units + (width if linked else 0)
        self.output = nn.Linear(width, head.n_raw)

    @property
    def n_noise(self) -> int:
        """Standard normals needed for a sample."""
        return self.latent + self.head.n_noise

    def forward(self, noise: Tensor, codes: Tensor) -> Tensor:
        """Return columns, ``n × n_columns``, of standard normals ``n × n_noise`` and classes ``n``."""
        inner = torch.cat([noise[:, : self.latent], self.classes(codes)], 1)
        for layer in self.layers:
            inner = torch.cat([layer(inner), inner], 1) if self.linked else layer(inner)
        columns: Tensor = self.head(self.output(inner), noise[:, self.latent :])
        return columns


class Critic(nn.Module):
    """Scores samples, or packs of them, given their classes; higher: more like training data.

    Parameters
    ----------
    n_columns, n_classes
        Sizes of the data.
    hidden
        Widths of the layers.
    embedding
        Numbers by which a class is told to the network.
    pack
        Samples that are judged together (PacGAN).
    projected
        Whether the class weighs the last layer (Miyato & Koyama 2018), instead of being one more input beside
        thousands of columns.
    normalised
        Whether layers are followed by layer normalisation.
    dropout
        Share of the units that each layer leaves out.
    """

    def __init__(
        self,
        n_columns: int,
        n_classes: int,
        hidden: Sequence[int],
        embedding: int,
        pack: int,
        projected: bool,
        normalised: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.pack, self.projected = pack, projected
        self.classes = nn.Embedding(n_classes, hidden[-1] if projected else embedding)
        widths = [pack * (n_columns + (0 if projected else embedding)), *hidden]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            norm = [nn.LayerNorm(after)] if normalised else []
            layers += [nn.Linear(before, after), *norm, nn.LeakyReLU(SLOPE), Dropout(dropout)]
        self.layers = nn.Sequential(*layers)
        self.output = nn.Linear(hidden[-1], 1)

    def forward(self, columns: Tensor, codes: Tensor) -> Tensor:
        """Return the scores of packs, ``n / pack``, of samples ``n × n_columns`` of classes ``n``."""
        known = self.classes(codes)
        inputs = columns if self.projected else torch.cat([columns, known], 1)
        inner = self.layers(inputs.reshape(len(codes) // self.pack, -1))
        score: Tensor = self.output(inner)[:, 0]
        if self.projected:
            known = known.reshape(len(inner), self.pack, -1).mean(1)
            score = score + (inner * known).sum(1) / math.sqrt(inner.shape[1])
        return score


class Adversaries(nn.Module):
    """A maker and its critic."""

    def __init__(self, maker: Maker, critic: Critic) -> None:
        super().__init__()
        self.maker, self.critic = maker, critic
