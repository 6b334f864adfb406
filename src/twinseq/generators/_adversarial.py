r"""The training of generative adversarial networks, and what they give away about single samples.

Wasserstein networks with a gradient penalty (Gulrajani et al. 2017): the critic :math:`D` raises, the maker lowers

.. math::  E\, D(x, c) - E\, D(\tilde x, c) - \lambda\, E\, (|\nabla D(\hat x, c)| - 1)^2,

:math:`\hat x` on the line between a sample :math:`x` and a draw :math:`\tilde x` of the same class. Neither loss says
how good the draws are: each is measured against an opponent that moves. What is watched instead is the energy score

.. math::  E |y - x| - \tfrac{1}{2} E |y - y'|

of draws :math:`y` against unseen samples :math:`x` of their class, taken in the leading components of the training
data. It is a strictly proper score (Gneiting & Raftery 2007): the true distribution alone has the best expectation, so
that a collapse to few profiles is punished by the second term and the replay of training samples by the first. And it
hangs on no opponent and no chance, as the draws come from the same noise each time.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ._critics import Adversaries, Critic, Dropout, Maker

SECOND_MOMENTUM = 0.9
COMPONENTS = 50
"""Leading components in which draws are compared with unseen samples."""
DRAWS = 4
"""Draws for each unseen sample, at least `LEAST_DRAWS` for a class."""
LEAST_DRAWS = 16
WARMING = 10.0
"""Updates after which an average over updates is worth its name."""
NOISE_SEED = 20_250_311
COMPANY = 256
"""Draws of each class against which the critic's scores are centred."""
NEIGHBOURS = 16
NEARBY = 0.3
"""Standard deviation of the steps from a sample to points beside it."""


@dataclass(frozen=True)
class Contest:
    """How maker and critic are trained.

    Parameters
    ----------
    critic_steps
        Updates of the critic for one of the maker.
    penalty
        λ.
    average
        Decay of the running average of the maker's weights that draws are made with; 0: its last weights.
    balanced
        Draw classes of a batch in proportion to the logarithm of their sizes (training by sampling).
    learning_rate, momentum
        Of Adam.
    """

    critic_steps: int
    penalty: float
    average: float
    balanced: bool
    learning_rate: float
    momentum: float


class AdversarialTraining:
    """A maker and its critic in training, as `_training.Trainee`; a step is an update of the critic.

    Parameters
    ----------
    network
        What is trained; its maker holds the average of the weights.
    columns, codes
        Columns of the data, ``n × n_columns``, and class of each sample; on the device of the network.
    contest
        How it is trained.
    generator
        Random stream on the device.
    """

    def __init__(
        self, network: Adversaries, columns: Tensor, codes: Tensor, contest: Contest, generator: torch.Generator
    ) -> None:
        self.network, self.columns, self.codes, self.contest = network, columns, codes, contest
        self.generator = generator
        self.maker = copy.deepcopy(network.maker)
        self.network.maker.requires_grad_(False)
        for module in (*self.maker.modules(), *network.critic.modules()):
            if isinstance(module, Dropout):
                module.stream = generator
        rate, momenta = contest.learning_rate, (contest.momentum, SECOND_MOMENTUM)
        self.of_maker = torch.optim.Adam(self.maker.parameters(), lr=rate, betas=momenta, fused=True)
        self.of_critic = torch.optim.Adam(network.critic.parameters(), lr=rate, betas=momenta, fused=True)
        self.done = 0
        values = network.maker.head.values(columns)
        apart = values - values.mean(0)
        axes = torch.linalg.svd(apart, full_matrices=False)[2][:COMPONENTS]
        # Between the components as they are, of which the first few would rule, and as many of equal weight.
        self.axes = axes.T / (apart @ axes.T).std(0, correction=0).clamp(min=1e-9).sqrt()

    def step(self, rows: Tensor) -> Mapping[str, Tensor]:
        """Update the critic on these rows, and the maker when it is its turn."""
        rows = self._chosen(rows)
        real, codes = self.columns[rows], self.codes[rows]
        critic = self.network.critic
        losses = {}
        if self.done % self.contest.critic_steps == 0 and self.done:
            losses["maker"] = -critic(self._made(codes), codes).mean()
            _update(self.of_maker, losses["maker"])
            self._average()
        with torch.no_grad():
            drawn = self._made(codes)
        losses["critic"] = critic(drawn, codes).mean() - critic(real, codes).mean()
        losses["penalty"] = self.contest.penalty * self._steepness(real, drawn, codes)
        _update(self.of_critic, losses["critic"] + losses["penalty"])
        self.done += 1
        return losses

    def _chosen(self, rows: Tensor) -> Tensor:
        """Return the rows of a step: whole packs of them, and classes in the proportions asked for."""
        pack = self.network.critic.pack
        n = max(len(rows) // pack, 1) * pack
        if self.contest.balanced:
            sizes = torch.bincount(self.codes)
            weights = (torch.log1p(sizes) / sizes)[self.codes[rows]]
            return rows[torch.multinomial(weights, n, replacement=True, generator=self.generator)]
        return rows[torch.arange(n, device=rows.device) % len(rows)]

    def _made(self, codes: Tensor) -> Tensor:
        shape = (len(codes), self.maker.n_noise)
        made: Tensor = self.maker(torch.randn(shape, generator=self.generator, device=codes.device), codes)
        return made

    def _steepness(self, real: Tensor, drawn: Tensor, codes: Tensor) -> Tensor:
        """Return the mean squared distance from 1 of the length of the critic's gradient between two samples."""
        pack = self.network.critic.pack
        share = torch.rand((len(codes) // pack, 1), generator=self.generator, device=codes.device)
        share = share.repeat_interleave(pack, 0)
        between = (share * real + (1.0 - share) * drawn).requires_grad_()
        scores = self.network.critic(between, codes).sum()
        (gradient,) = torch.autograd.grad(scores, between, create_graph=True)
        lengths: Tensor = gradient.reshape(len(codes) // pack, -1).norm(dim=1)
        return ((lengths - 1.0) ** 2).mean()

    @torch.no_grad()
    def _average(self) -> None:
        updates = self.done / self.contest.critic_steps
        decay = min(self.contest.average, updates / (updates + WARMING))
        for kept, new in zip(self.network.maker.parameters(), self.maker.parameters(), strict=True):
            kept.lerp_(new, 1.0 - decay)
        for seen, now in zip(self.network.maker.buffers(), self.maker.buffers(), strict=True):
            seen.copy_(now)

    @torch.no_grad()
    def watch(self, rows: Tensor) -> Tensor:
        """Return the mean energy score of draws against these rows, each within its class."""
        maker = self.network.maker.eval()
        classes, sizes = torch.unique(self.codes[rows], return_counts=True)
        asked = classes.repeat_interleave((DRAWS * sizes).clamp(min=LEAST_DRAWS))
        drawn = maker.head.values(_drawn(maker, asked)) @ self.axes
        real = maker.head.values(self.columns[rows]) @ self.axes
        total = torch.zeros((), device=rows.device)
        for code, size in zip(classes, sizes, strict=True):
            total = total + size * energy_score(drawn[asked == code], real[self.codes[rows] == code])
        return total / len(rows)


def energy_score(drawn: Tensor, real: Tensor) -> Tensor:
    """Return the mean energy score of draws, two or more, against samples; each ``n × n_columns``."""
    among = torch.cdist(drawn, drawn).sum() / (len(drawn) * (len(drawn) - 1))
    return torch.cdist(drawn, real).mean() - 0.5 * among


def _update(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _drawn(maker: Maker, codes: Tensor) -> Tensor:
    """Return columns for classes from noise that is always the same."""
    generator = torch.Generator(device=codes.device).manual_seed(NOISE_SEED)
    dtype = maker.output.weight.dtype
    noise = torch.randn((len(codes), maker.n_noise), generator=generator, device=codes.device, dtype=dtype)
    columns: Tensor = maker(noise, codes)
    return columns


@torch.no_grad()
def drawn_values(maker: Maker, codes: Tensor, generator: torch.Generator) -> NDArray[Any]:
    """Return new values of the classes ``codes``, ``n × n_values``."""
    noise = torch.randn((len(codes), maker.n_noise), generator=generator, dtype=maker.output.weight.dtype)
    values: NDArray[Any] = maker.head.values(maker(noise, codes)).numpy()
    return values


@torch.no_grad()
def critic_losses(network: Adversaries, columns: Tensor, codes: Tensor) -> NDArray[Any]:
    """Return how little a critic takes samples for training data, ``n × 2``, the higher the less.

    Parameters
    ----------
    network
        In double precision, so that company does not change a sample's figures.
    columns, codes
        Columns of the data, ``n × n_columns``, and classes.

    Returns
    -------
    First the score against the mean score of draws of the class, then against that of points beside the sample: a
    critic that knows a sample by heart has a peak there. Packs are filled up with draws, the same for all samples.
    """
    generator = torch.Generator().manual_seed(NOISE_SEED)
    steps = NEARBY * torch.randn((NEIGHBOURS, columns.shape[1]), generator=generator, dtype=columns.dtype)
    losses = torch.empty((len(columns), 2), dtype=columns.dtype)
    for code in torch.unique(codes):
        rows = torch.nonzero(codes == code)[:, 0]
        company = _drawn(network.maker, code.repeat(COMPANY))
        of_draws = _in_company(network.critic, company, company, code).mean()
        own = _in_company(network.critic, columns[rows], company, code)
        beside = [_in_company(network.critic, columns[rows] + step, company, code) for step in steps]
        losses[rows] = torch.stack([of_draws - own, torch.stack(beside).mean(0) - own], 1)
    found: NDArray[Any] = losses.numpy()
    return found


def _in_company(critic: Critic, columns: Tensor, company: Tensor, code: Tensor) -> Tensor:
    """Return the score of each sample of class ``code``, packed with the first draws of ``company``."""
    others = company[: critic.pack - 1].expand(len(columns), -1, -1)
    packs = torch.cat([columns[:, None, :], others], 1).flatten(0, 1)
    scores: Tensor = critic(packs, code.expand(len(packs)))
    return scores
