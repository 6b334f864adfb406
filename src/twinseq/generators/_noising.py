r"""Denoising diffusion: what noise a network learns to undo, and how undoing it draws samples.

At angle :math:`\theta` from 0 to π/2 a sample is :math:`x_\theta = \cos\theta\, x_0 + \sin\theta\, \varepsilon`, at the
end nothing but noise. `AnglePath` is ours. Its network predicts the velocity
:math:`v = dx_\theta / d\theta = \cos\theta\, \varepsilon - \sin\theta\, x_0` (Salimans & Ho 2022), which is known for
normal genes: all that is to be learnt is how genes differ from that. Samples follow :math:`dx / d\theta = v` backwards
in few steps of Heun's method. `LinearSchedule` is the published way (Ho et al. 2020): the network predicts the noise at
levels whose variances rise linearly, and sampling walks back through all of them, with fresh noise each time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._denoiser import Denoiser
from ._training import descend

FIRST, LAST = 0.001, 0.02
"""Variances of the first and the last level of the published schedule."""
LEAST_ANGLE = 0.02
"""Angle at which there is as good as no noise left."""
BEYOND = 8.0
"""Normal scores outside which no sample is expected to lie."""
AT_ONCE = 512
"""Samples drawn together."""
WATCHED = 8
"""Angles at which a loss is taken where it must not be random."""
DRAWS = 4
"""Noises at each of these angles, the same for every sample."""
NOISE_SEED = 20_261_120


class Process(Protocol):
    """A way to add noise, and to take it off again."""

    def angles(self, n: int, generator: torch.Generator) -> Tensor:
        """Return random angles for training."""

    def target(self, x: Tensor, noise: Tensor, angles: Tensor) -> Tensor:
        """Return what the network is to predict."""

    def sample(self, network: Denoiser, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Draw samples of classes ``codes``, ``n × n_genes``."""


class AnglePath:
    """Velocities at all angles, followed in a number of ``steps``."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def angles(self, n: int, generator: torch.Generator) -> Tensor:
        """Return random angles, all equally likely."""
        return torch.rand((n, 1), generator=generator, device=generator.device) * (math.pi / 2)

    def target(self, x: Tensor, noise: Tensor, angles: Tensor) -> Tensor:
        """Return the velocity."""
        return torch.cos(angles) * noise - torch.sin(angles) * x

    def sample(self, network: Denoiser, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Follow the velocity back from noise."""
        x = torch.randn((len(codes), network.n_genes), generator=generator)
        path = torch.linspace(math.pi / 2, LEAST_ANGLE, self.steps + 1)
        for angle, after in itertools.pairwise(path):
            width = after - angle
            velocity = network(x, angle.expand(len(x), 1), codes)
            ahead = network(x + width * velocity, after.expand(len(x), 1), codes)
            x = x + 0.5 * width * (velocity + ahead)
        return x


class LinearSchedule:
    """Noises at a number of ``levels``, walked back one by one."""

    def __init__(self, levels: int) -> None:
        self.variances = torch.linspace(FIRST, LAST, levels, dtype=torch.float64)
        self.signal = torch.cumprod(1.0 - self.variances, 0)

    def angles(self, n: int, generator: torch.Generator) -> Tensor:
        """Return the angles of random levels."""
        which = torch.randint(len(self.signal), (n, 1), generator=generator, device=generator.device)
        return torch.arccos(torch.sqrt(self.signal)).to(device=which.device, dtype=torch.float32)[which]

    def target(self, x: Tensor, noise: Tensor, angles: Tensor) -> Tensor:
        """Return the noise."""
        return noise

    def sample(self, network: Denoiser, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Take the predicted noise off level by level."""
        x = torch.randn((len(codes), network.n_genes), generator=generator)
        for level in reversed(range(len(self.signal))):
            kept, variance = float(self.signal[level]), float(self.variances[level])
            angle = torch.full((len(x), 1), math.acos(math.sqrt(kept)))
            noise = network(x, angle, codes)
            clean = ((x - math.sqrt(1.0 - kept) * noise) / math.sqrt(kept)).clamp(-BEYOND, BEYOND)
            before = float(self.signal[level - 1]) if level else 1.0
            x = math.sqrt(before) * variance / (1.0 - kept) * clean + (
                math.sqrt(1.0 - variance) * (1.0 - before) / (1.0 - kept) * x
            )
            spread = math.sqrt(variance * (1.0 - before) / (1.0 - kept))
            x = x + spread * torch.randn(x.shape, generator=generator)
        return x


class DiffusionTraining:
    """A denoiser in training, as `_training.Trainee`.

    Parameters
    ----------
    network
        What is trained.
    process
        How noise is added.
    x, codes
        Normal scores of the genes, ``n × n_genes``, and class of each sample; on the device of the network.
    dropout
        Share of the genes hidden from the network in each sample of a batch.
    learning_rate
        Of Adam.
    generator
        Random stream on the device.
    """

    def __init__(
        self,
        network: Denoiser,
        process: Process,
        x: Tensor,
        codes: Tensor,
        dropout: float,
        learning_rate: float,
        generator: torch.Generator,
    ) -> None:
        self.network = network
        self.process, self.x, self.codes, self.dropout, self.generator = process, x, codes, dropout, generator
        self.optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)

    def step(self, rows: Tensor) -> Mapping[str, Tensor]:
        """Go one step down the denoising loss of these rows."""
        x = self.x[rows]
        angles = self.process.angles(len(x), self.generator)
        noise = torch.randn(x.shape, generator=self.generator, device=x.device)
        noisy = torch.cos(angles) * x + torch.sin(angles) * noise
        if self.dropout:
            kept = torch.rand(x.shape, generator=self.generator, device=x.device) >= self.dropout
            noisy = noisy * kept / (1.0 - self.dropout)
        predicted = self.network(noisy, angles, self.codes[rows])
        loss = ((predicted - self.process.target(x, noise, angles)) ** 2).mean()
        descend(self.optimiser, loss)
        return {"denoising": loss.detach()}

    def watch(self, rows: Tensor) -> Tensor:
        """Return the mean loss of these rows at angles and noises that are always the same."""
        return denoising_losses(self.network, self.process, self.x[rows], self.codes[rows], 1).mean()


@torch.no_grad()
def denoising_losses(network: Denoiser, process: Process, x: Tensor, codes: Tensor, draws: int = DRAWS) -> Tensor:
    """Return the losses of samples at `WATCHED` angles, by gene; ``n × WATCHED``, means over ``draws`` fixed noises."""
    stream = torch.Generator().manual_seed(NOISE_SEED)
    noises = torch.randn((WATCHED, draws, x.shape[1]), generator=stream, dtype=torch.float64).to(x)
    middles = (torch.arange(WATCHED, dtype=torch.float64) + 0.5) / WATCHED * (math.pi / 2)
    losses = torch.zeros((len(x), WATCHED), dtype=x.dtype, device=x.device)
    for place, at in enumerate(middles.to(x)):
        angles = at.expand(len(x), 1)
        for noise in noises[place]:
            predicted = network(torch.cos(angles) * x + torch.sin(angles) * noise, angles, codes)
            losses[:, place] += ((predicted - process.target(x, noise, angles)) ** 2).mean(1) / draws
    return losses


@torch.no_grad()
def drawn(network: Denoiser, process: Process, codes: NDArray[np.intp], generator: torch.Generator) -> Tensor:
    """Return draws of classes ``codes``, ``n × n_genes``."""
    parts = (torch.as_tensor(codes[start : start + AT_ONCE]) for start in range(0, len(codes), AT_ONCE))
    return torch.cat([process.sample(network, part, generator) for part in parts])
