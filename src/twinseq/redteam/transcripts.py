"""Transcripts: what a private generator asks of the data and hears, written down and played again.

For auditors only: noise of mechanisms and of training is listened to where all threads find it, so that one fit at a
time can be followed, and a fit that is given its answers has no noise of its own, hence no privacy.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from ..errors import TwinseqError

Floats = NDArray[np.float64]


class PathError(TwinseqError):
    """With the same answers, a generator asks other questions of a neighbouring cohort."""


@dataclass
class Transcript:
    """What was asked and heard in a fit, one entry for each answer.

    Parameters
    ----------
    exact, heard
        True and noisy answers, flat, in units of the noise that was charged.
    raw
        Noisy answers in the form in which the fit got them.
    """

    exact: list[Floats] = field(default_factory=list)
    heard: list[Floats] = field(default_factory=list)
    raw: list[Any] = field(default_factory=list)

    def add(self, exact: Floats, heard: Floats, noise: float, raw: Any) -> None:
        """Write down one answer."""
        self.exact.append(np.ravel(exact) / noise)
        self.heard.append(np.ravel(heard) / noise)
        self.raw.append(raw)


@contextmanager
def listening(deep: bool, answers: Sequence[Any] | None = None) -> Iterator[Transcript]:
    """Write down what is asked of the data within the block.

    Parameters
    ----------
    deep
        Whether a network is trained; its noisy gradients are answers like others.
    answers
        Answers to give instead of noisy ones, in their order (`Transcript.raw`).

    Raises
    ------
    PathError
        There are fewer answers than questions, or answers of another length.
    """
    found = Transcript()

    def known(size: int) -> Any:
        place = len(found.raw)
        if answers is None:
            return None
        if place >= len(answers) or _size(answers[place]) != size:
            raise PathError(f"Question {place + 1} differs between the worlds, though all answers were the same.")
        return answers[place]

    with ExitStack() as stack:
        _listen_to_mechanisms(stack, found, known)
        if deep:
            _listen_to_training(stack, found, known)
        yield found


def _listen_to_mechanisms(stack: ExitStack, found: Transcript, known: Callable[[int], Any]) -> None:
    import opendp.measurements as measurements

    make_gaussian = measurements.make_gaussian

    def listened(domain: Any, metric: Any, scale: float) -> Callable[[list[int]], Any]:
        mechanism = make_gaussian(domain, metric, scale)

        def ask(whole: list[int]) -> Any:
            raw = known(len(whole))
            raw = mechanism(whole) if raw is None else raw
            found.add(np.asarray(whole, dtype=np.float64), np.asarray(raw, dtype=np.float64), scale, raw)
            return raw

        return ask

    stack.enter_context(patch.object(measurements, "make_gaussian", listened))


def _listen_to_training(stack: ExitStack, found: Transcript, known: Callable[[int], Any]) -> None:
    import torch

    from .. import generators
    from ..dp import entropy
    from ..generators import _private_training as training

    noisy_gradients = training.noisy_gradients

    def flat(parts: Sequence[torch.Tensor]) -> Floats:
        joined: Floats = torch.cat([part.flatten() for part in parts]).double().numpy()
        return joined

    def listened(network: Any, losses: Any, rows: Any, owner: Any, steps: Any) -> None:
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        exact = flat(training.cut_sums(weights, losses, rows, owner, steps.clip))
        raw = known(exact.size)
        if raw is None:
            noisy_gradients(network, losses, rows, owner, steps)
            raw = [weight.grad.clone() for weight in weights]
        for weight, gradient in zip(weights, raw, strict=True):
            weight.grad = gradient.clone()
        found.add(exact, flat(raw) * steps.expected, steps.multiplier * steps.clip, raw)

    def within_loss(*shape: int) -> Floats:
        # The same in both worlds for all donors but the canary, who comes last: the attacker is told of it.
        drawn: Floats = np.random.default_rng(len(found.raw)).standard_normal(shape)
        return drawn

    # All loops of training are loaded first, lest one of them takes the listener for the function and keeps it.
    for found_module in pkgutil.iter_modules(generators.__path__):
        if found_module.name.startswith("_private"):
            module = importlib.import_module(f"{generators.__name__}.{found_module.name}")
            if hasattr(module, "noisy_gradients"):
                stack.enter_context(patch.object(module, "noisy_gradients", listened))
    stack.enter_context(patch.object(entropy, "normals", within_loss))


def _size(raw: Any) -> int:
    """Return the number of values in an answer: whole numbers, or a list of gradients."""
    return sum(int(part.numel()) if hasattr(part, "numel") else 1 for part in raw)
