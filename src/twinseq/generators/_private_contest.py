r"""Adversarial training of which only the critic sees donors, and those by DP-SGD.

The critic :math:`D` descends, the maker :math:`G` ascends on

.. math::  E\, D(G(z, c), c) - E\, D(x, c) + \tfrac{λ}{2} |w|^2, \qquad w \text{ the weights of } D .

Only the second term looks at donors: its gradient is cut donor by donor and gets its noise. The first is cut draw by
draw to the same length, as the two would not balance otherwise. Plain descent, not Adam: a step that is noise alone is
then small, and the critic, which starts from nothing, is evidence added up; λ lets it forget and keeps the two from
running in circles. No step is longer than one of noiseless gradients could be, or two networks would drive each other
beyond all numbers where noise rules. The maker sees the data through the critic alone: whatever it does is free.

References
----------
Abadi et al. 2016, CCS; Xie et al. 2018, arXiv 1802.06739 (DPGAN).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..dp.entropy import uniforms
from ._deep import TrainingError
from ._private_rivals import Critic, Maker
from ._private_training import Losses, Steps, cut_sums, noisy_gradients, per_sample_gradients

LONGEST = 1.0
"""Length to which the maker's gradient is cut."""


@dataclass(frozen=True)
class Rivalry:
    """How maker and critic take turns.

    Parameters
    ----------
    critic_rate, maker_rate
        Learning rates at the first step; they fall to 0.
    maker_steps
        Updates of the maker for one of the critic.
    draws
        Draws in each update.
    forgetting
        λ.
    average
        Decay of the running average of the maker's weights.
    """

    critic_rate: float
    maker_rate: float
    maker_steps: int
    draws: int
    forgetting: float
    average: float


def compete_privately(
    kept: Maker,
    critic: Critic,
    columns: Tensor,
    codes: Tensor,
    weights: Tensor,
    counts: NDArray[np.float64],
    donors: NDArray[np.intp],
    steps: Steps,
    rivalry: Rivalry,
    generator: torch.Generator,
    name: str,
) -> None:
    """Train both networks, and leave the average of its weights in ``kept``.

    Parameters
    ----------
    kept, critic
        Maker and critic; no layer may mix samples.
    columns, codes, weights
        Samples, ``n × n_columns``, their classes and their weights, which add up to 1 for each donor.
    counts
        Noisy numbers of donors of the classes, in whose proportions draws are made.
    donors
        Donor of each sample, from 0.
    steps
        Number, rate, clipping and noise of the critic's steps: what the ledger was charged with.
    rivalry
        How they take turns.
    generator
        For the maker's draws, on which the guarantee does not rest.
    name
        Generator, for the message.

    Raises
    ------
    TrainingError
        Weights are not finite any more.
    """
    maker = copy.deepcopy(kept)
    n_donors, owner = int(donors.max()) + 1, torch.as_tensor(donors)
    of_critic = torch.optim.SGD(critic.parameters(), lr=rivalry.critic_rate, weight_decay=rivalry.forgetting)
    of_maker = torch.optim.SGD(maker.parameters(), lr=rivalry.maker_rate)
    shares = torch.as_tensor(counts / counts.sum())

    def drawn() -> tuple[Tensor, Tensor]:
        classes = torch.multinomial(shares, rivalry.draws, replacement=True, generator=generator)
        noise = torch.randn((rivalry.draws, maker.latent), generator=generator)
        return maker(noise, classes), classes

    def real_losses(rows: Tensor) -> Tensor:
        return cast(Tensor, -weights[rows] * critic(columns[rows], codes[rows]))

    for step in range(steps.times):
        left = 1.0 - step / steps.times
        of_critic.param_groups[0]["lr"] = rivalry.critic_rate * left
        of_maker.param_groups[0]["lr"] = rivalry.maker_rate * left
        with torch.no_grad():
            made, classes = drawn()
        rows = torch.as_tensor(np.flatnonzero((uniforms(n_donors) < steps.rate)[donors]))
        add_gradients(critic, real_losses, rows, owner[rows], made, classes, steps)
        nn.utils.clip_grad_norm_(critic.parameters(), steps.clip)
        of_critic.step()
        critic.requires_grad_(False)
        for _ in range(rivalry.maker_steps):
            made, classes = drawn()
            of_maker.zero_grad()
            (-critic(made, classes).mean()).backward()
            nn.utils.clip_grad_norm_(maker.parameters(), LONGEST)
            of_maker.step()
        critic.requires_grad_(True)
        if not all(bool(torch.isfinite(weight).all()) for weight in (*critic.parameters(), *maker.parameters())):
            raise TrainingError(
                f"{name}: the training diverged at step {step + 1}: its noise took weights beyond all numbers. Lower "
                "learning_rate."
            )
        _towards(kept, maker, min(rivalry.average, (step + 1) / (step + 10)))


def add_gradients(
    critic: Critic, losses: Losses, rows: Tensor, owner: Tensor, made: Tensor, classes: Tensor, steps: Steps
) -> None:
    """Set the gradient of each weight of the critic: the noisy one of donors, and that of draws, which is free.

    Parameters
    ----------
    critic
        Outside `per_sample_gradients`.
    losses, rows, owner
        Of donors, as for `noisy_gradients`.
    made, classes
        Draws, ``n × n_columns``, and their classes.
    steps
        Clipping, noise and divisor.
    """
    weights, everyone = list(critic.parameters()), torch.arange(len(made))
    with per_sample_gradients(critic):
        # First, since its backward pass leaves uncut gradients behind, which the noisy ones then replace.
        sums = cut_sums(weights, lambda rows: critic(made[rows], classes[rows]), everyone, everyone, steps.clip)
        noisy_gradients(critic, losses, rows, owner, steps)
    for weight, of_draws in zip(weights, sums, strict=True):
        assert weight.grad is not None
        weight.grad += of_draws / len(made)


@torch.no_grad()
def _towards(kept: Maker, new: Maker, decay: float) -> None:
    for average, weight in zip(kept.parameters(), new.parameters(), strict=True):
        average.lerp_(weight, 1.0 - decay)
