r"""DP-SGD by donors: one loop for every network that is trained with differential privacy.

.. math::  \theta \leftarrow \theta - \frac{\eta_t}{q n} \Big( \sum_{d \in B} g_d \min(1, C / |g_d|) + σ C \xi \Big)

A donor's gradient :math:`g_d` is the sum over all its samples (their losses weighted, weights adding to 1), taken from
the per-sample gradients of Opacus, and is cut as one vector over all weights of the network. Each donor is in a batch
by the toss of its own coin, of chance q; a batch may be empty and gets its noise all the same; the divisor is the
expected size of a batch by the noisy number of donors. Coins, noise and the noise within a loss come from the
operating system (`dp.entropy`), never from a seed. The number of steps is fixed: nothing about the data says when to
stop. No layer may mix samples (batch normalisation).

References
----------
Abadi et al. 2016, CCS, "Deep learning with differential privacy"; Yousefpour et al. 2021 (Opacus).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..dp.entropy import normals, uniforms
from ._deep import TrainingError

Losses = Callable[[Tensor], Tensor]
"""From numbers of samples to their losses, one each, that hang on nothing but the sample and independent noise."""
AVERAGED = 0.3
"""Share of the steps, the last ones, whose weights are averaged."""
AT_ONCE = 2**24
"""Most gradients of single weights and donors that are held at once."""
MIXING = (nn.modules.batchnorm._BatchNorm,)


@dataclass(frozen=True)
class Steps:
    """How DP-SGD goes.

    Parameters
    ----------
    times, rate
        Number of steps; chance of each donor to be in one.
    clip
        Length to which a donor's gradient is cut.
    multiplier
        Standard deviation of the noise, in units of ``clip``.
    expected
        Expected number of donors in a batch, which must itself be private.
    """

    times: int
    rate: float
    clip: float
    multiplier: float
    expected: float


def train_privately(
    network: nn.Module,
    losses: Losses,
    donors: NDArray[np.intp],
    steps: Steps,
    rates: Sequence[tuple[Sequence[nn.Parameter], float]],
    name: str,
) -> None:
    """Train ``network``, and leave the mean of its last weights in it.

    Parameters
    ----------
    network
        All its weights that require gradients are trained.
    losses
        Weighted loss of each sample.
    donors
        Donor of each sample, from 0.
    steps
        Number, rate, clipping and noise: what the ledger was charged with.
    rates
        Groups of weights, all of them in one, and their first learning rates, which fall to 0 in a straight line.
    name
        Generator, for the message.

    Raises
    ------
    TrainingError
        Weights are not finite any more. (The losses are private, and nobody looks at them.)
    """
    n_donors = int(donors.max()) + 1
    owner = torch.as_tensor(donors)
    sums = [(weight, torch.zeros_like(weight)) for group, _ in rates for weight in group]
    first = steps.times - max(1, round(AVERAGED * steps.times))
    with per_sample_gradients(network):
        for step in range(steps.times):
            chosen = uniforms(n_donors) < steps.rate
            rows = torch.as_tensor(np.flatnonzero(chosen[donors]))
            noisy_gradients(network, losses, rows, owner[rows], steps)
            for group, rate in rates:
                for weight in group:
                    assert weight.grad is not None
                    with torch.no_grad():
                        weight.sub_(weight.grad, alpha=rate * (1.0 - step / steps.times))
            if not all(bool(torch.isfinite(weight).all()) for weight, _ in sums):
                raise TrainingError(
                    f"{name}: the training diverged at step {step + 1}: with its noise, the gradient of the loss took "
                    "weights beyond all numbers. Lower learning_rate."
                )
            if step >= first:
                for weight, total in sums:
                    total += weight.detach()
    for weight, total in sums:
        weight.data = total / (steps.times - first)


def noisy_gradients(network: nn.Module, losses: Losses, rows: Tensor, owner: Tensor, steps: Steps) -> None:
    """Set the gradient of each weight to the noisy mean of the donors' cut gradients.

    Parameters
    ----------
    network
        Within `per_sample_gradients`.
    losses
        As for `train_privately`.
    rows, owner
        Samples of the batch, and their donors; there may be none.
    steps
        Clipping, noise and divisor.
    """
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    sums = cut_sums(weights, losses, rows, owner, steps.clip)
    for weight, total in zip(weights, sums, strict=True):
        noise = torch.as_tensor(normals(*weight.shape), dtype=weight.dtype)
        weight.grad = (total + steps.multiplier * steps.clip * noise) / steps.expected


def cut_sums(weights: Sequence[nn.Parameter], losses: Losses, rows: Tensor, owner: Tensor, clip: float) -> list[Tensor]:
    """Return the sum over donors of their gradients, each cut to the length ``clip`` over all weights."""
    if not len(rows):
        return [torch.zeros_like(weight) for weight in weights]
    for weight in weights:
        weight.grad_sample = None  # type: ignore[attr-defined]
    present, place = torch.unique(owner, return_inverse=True)
    at_once = max(1, AT_ONCE // sum(weight.numel() for weight in weights))
    totals = [torch.zeros_like(weight) for weight in weights]
    for first in range(0, len(present), at_once):
        chosen = (place >= first) & (place < first + at_once)
        losses(rows[chosen]).sum().backward()  # type: ignore[no-untyped-call]
        n_donors = min(at_once, len(present) - first)
        for total, part in zip(totals, _cut_by_donor(weights, place[chosen] - first, n_donors, clip), strict=True):
            total += part
    return totals


def _cut_by_donor(weights: Sequence[nn.Parameter], place: Tensor, n_donors: int, clip: float) -> list[Tensor]:
    """Return the sum over donors of the cut gradients that Opacus has left in ``weights``, and take them away."""
    by_donor = []
    for weight in weights:
        sample = weight.grad_sample  # type: ignore[attr-defined]
        total = torch.zeros((n_donors, *weight.shape), dtype=weight.dtype)
        by_donor.append(total if sample is None else total.index_add_(0, place, sample))
        weight.grad_sample = None  # type: ignore[attr-defined]
    # Rows of a weight in single precision, their sum in double: as exact as the sums below, without a copy in double.
    rows = [torch.linalg.vector_norm(part, dim=-1).reshape(n_donors, -1) for part in by_donor]
    squares = torch.stack([norms.double().square().sum(1) for norms in rows]).sum(0)
    # A gradient that is no number would take the bound with it; its donor is left out of the step.
    sound = torch.isfinite(squares)
    factor = torch.where(sound, (clip / squares.sqrt().clamp(min=1e-12)).clamp(max=1.0), 0.0)
    return [
        torch.tensordot(factor.to(part.dtype), torch.where(_beside(sound, part), part, 0.0), dims=1)
        for part in by_donor
    ]


@contextmanager
def per_sample_gradients(network: nn.Module) -> Iterator[None]:
    """Have Opacus keep the gradient of each sample in the attribute ``grad_sample`` of each weight.

    Raises
    ------
    ValueError
        A layer mixes samples.
    """
    from opacus import GradSampleModule  # type: ignore[import-untyped]

    if any(isinstance(module, MIXING) for module in network.modules()):
        raise ValueError("batch normalisation mixes donors: a gradient is then no longer of one of them")
    with warnings.catch_warnings():
        # Layers whose input needs no gradient (the first ones) get a backward hook all the same.
        warnings.filterwarnings("ignore", message="Full backward hook is firing", category=UserWarning)
        hooked = GradSampleModule(network, loss_reduction="sum")
        try:
            yield
        finally:
            hooked.to_standard_module()


def _beside(flags: Tensor, values: Tensor) -> Tensor:
    return flags.reshape(-1, *(1,) * (values.dim() - 1))
