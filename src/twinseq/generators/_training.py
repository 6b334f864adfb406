"""One training loop for every deep generator.

Mini-batches are shuffled once an epoch. Every class lends an eighth of its samples to an inner split that the network
never sees; once in a while the loss there is taken, the best weights are kept, and the training stops when they have
not been bettered for long. What a step is, with one optimiser or two, is the model's own business (`Trainee`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ._deep import Progress, TrainingError
from ._margins import stratum_rows
from ._torch import deterministic, seeded

HELD_BACK = 0.125
"""Share of the samples of each class in the inner split."""
LEAST_HELD_BACK = 12
"""With a smaller inner split nothing is held back: it would stop the training at random."""
FEW_STEPS = 200
"""Most steps where nothing is held back and nothing says when to stop."""
BETWEEN_CHECKS = 10
"""Fewest steps between two looks at the inner split."""
LEAST_GAIN = 1e-3
"""By how much, relative to its size, a loss must fall for the patience to start anew."""
BLOWN_UP = 1e6
"""Times its first value at which a loss is no longer one."""
GRADIENT = 100.0


@dataclass(frozen=True)
class Schedule:
    """How long to train.

    Parameters
    ----------
    steps
        Most updates.
    batch
        Samples in each.
    patience
        Checks of the inner split without gain before the training stops; ``None``: train on all samples, to the end.
        Where there are too few for an inner split, all are trained on, for `FEW_STEPS`.
    """

    steps: int
    batch: int
    patience: int | None


class Trainee(Protocol):
    """A model in training."""

    @property
    def network(self) -> nn.Module:
        """All weights that are kept."""

    def step(self, rows: Tensor) -> Mapping[str, Tensor]:
        """Do one update on these rows of the training data; return its losses by name."""

    def watch(self, rows: Tensor) -> Tensor:
        """Return the loss of rows of the inner split, a single number that hangs on nothing random."""


@dataclass(frozen=True)
class Run:
    """How a training went: steps done, step whose weights were kept, and the watched loss there (or NaN)."""

    steps: int
    kept: int
    watched: float


def train(
    trainee: Trainee,
    codes: NDArray[np.intp],
    schedule: Schedule,
    rng: np.random.Generator,
    device: torch.device,
    name: str,
    advice: str,
    progress: Progress | None = None,
) -> Run:
    """Train, and leave the best weights in ``trainee.network``.

    Parameters
    ----------
    trainee
        The model.
    codes
        Class of each of the training samples, for the inner split.
    schedule
        How long to train.
    rng
        Decides on the inner split and the batches.
    device
        Where the tensors of the trainee are.
    name, advice
        Generator, and what to change should its training diverge, for the message.
    progress
        Told of the steps of a training that takes longer than two seconds.

    Raises
    ------
    TrainingError
        A loss is not a number any more, or beyond all measure.
    """
    inside, watched = inner_split(codes, rng) if schedule.patience is not None else (np.arange(len(codes)), None)
    most = schedule.steps if watched is not None or schedule.patience is None else min(schedule.steps, FEW_STEPS)
    generator = seeded(rng)
    rows = torch.as_tensor(inside)
    size = min(schedule.batch, len(inside))
    per_epoch = len(inside) // size
    every = max(per_epoch, BETWEEN_CHECKS)
    best, kept, waited = math.inf, 0, 0
    first: dict[str, float] = {}
    held = None if watched is None else torch.as_tensor(watched, device=device)
    started = told = time.monotonic()
    state = {key: value.detach().clone() for key, value in trainee.network.state_dict().items()}
    step = 0
    with deterministic(device):
        while step < most:
            if step % per_epoch == 0:
                order = rows[torch.randperm(len(rows), generator=generator)]
            start = step % per_epoch * size
            losses = trainee.step(order[start : start + size].to(device))
            step += 1
            _check(losses, first, name, advice, step)
            now = time.monotonic()
            if progress is not None and now - started > 2 and now - told > 0.5:
                told = now
                progress(step, most, f"training {name}")
            if held is None or schedule.patience is None or (step % every and step < most):
                continue
            loss = float(trainee.watch(held).detach())
            if not math.isfinite(loss):
                raise TrainingError(_message(name, "on the inner split", loss, step, advice))
            if loss < best:
                # Small gains are kept too; they are only no reason to go on for longer.
                waited = 0 if loss < best - LEAST_GAIN * abs(best) or math.isinf(best) else waited + 1
                best, kept = loss, step
                state = {key: value.detach().clone() for key, value in trainee.network.state_dict().items()}
            else:
                waited += 1
            if waited >= schedule.patience:
                break
    if held is None:
        return Run(step, step, math.nan)
    trainee.network.load_state_dict(state)
    return Run(step, kept, best)


def descend(optimiser: torch.optim.Optimizer, loss: Tensor, largest: float = GRADIENT) -> None:
    """Take one step down ``loss``, gradients longer than ``largest`` cut to that length."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    nn.utils.clip_grad_norm_(weights, largest)
    optimiser.step()


def inner_split(codes: NDArray[np.intp], rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp] | None]:
    """Return the rows to train on and those held back, an eighth of each class; or all and ``None`` if few they are."""
    taken = [rng.permutation(rows)[: round(HELD_BACK * len(rows))] for _, rows in stratum_rows(codes)]
    held = np.sort(np.concatenate(taken))
    if len(held) < LEAST_HELD_BACK:
        return np.arange(len(codes)), None
    return np.setdiff1d(np.arange(len(codes)), held), held


def _check(losses: Mapping[str, Tensor], first: dict[str, float], name: str, advice: str, step: int) -> None:
    for which, value in losses.items():
        loss = float(value.detach())
        bound = BLOWN_UP * (1.0 + abs(first.setdefault(which, loss)))
        if not abs(loss) <= bound:
            raise TrainingError(_message(name, f"'{which}'", loss, step, advice))


def _message(name: str, which: str, loss: float, step: int, advice: str) -> str:
    return f"{name}: the training diverged; the loss {which} was {loss:.3g} at step {step}. {advice}"
