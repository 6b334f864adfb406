"""What all deep generators share: the frame around a network, without which nothing of PyTorch is loaded.

Profiles come in through `LogScale`, the transform pair of every generator that works on a continuous scale, and
`GeneScale`, which gives each gene mean 0 and variance 1; what a network draws goes back the same way and is cut to
the range that each gene has in training, with a margin. A fitted generator holds its network as plain arrays, so a
model file is the same ``.npz`` as anywhere else: no pickle, and no second format beside it.

A generator of this kind implements `_train` and `_draw`, and `_losses` where it can. Its module imports what needs
PyTorch (`_training`, `_networks`) inside these methods only.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cohort import Cohort
from ..errors import ConfigError, TwinseqError
from ._base import Generator
from ._counts import LogScale
from ._covariates import CovariateModel
from ._extras import require
from ._margins import under

Floats = NDArray[np.float64]
Progress = Callable[[int, int, str], None]
"""Called with the number of the step, the largest number there can be, and what is being done."""
DEVICES = ("auto", "cpu", "cuda")
MARGIN = 0.1
"""How far beyond its range in training a gene may go, as a share of that range."""


class TrainingError(TwinseqError):
    """The training of a network came to nothing."""


def require_torch(name: str) -> None:
    """Check that PyTorch is there for generator ``name``.

    Raises
    ------
    MissingExtraError
        It is not; the message says how to install it.
    """
    require(name, "deep")


@dataclass(frozen=True)
class GeneScale:
    """Location, spread and range of each gene on the latent scale; ``n_genes`` each."""

    mean: Floats
    spread: Floats
    lowest: Floats
    highest: Floats

    @classmethod
    def fit(cls, latent: Floats) -> GeneScale:
        """Learn from latent values, ``n_samples × n_genes``; a constant gene gets spread 1."""
        lowest, highest = latent.min(axis=0), latent.max(axis=0)
        spread = np.where(highest > lowest, latent.std(axis=0), 1.0)
        room = MARGIN * (highest - lowest)
        return cls(latent.mean(axis=0), np.maximum(spread, 1e-12), lowest - room, highest + room)

    def standard(self, latent: Floats) -> Floats:
        """Return genes with mean 0 and variance 1 in training."""
        return (latent - self.mean) / self.spread

    def latent(self, standard: NDArray[Any]) -> Floats:
        """Invert `standard`, within the range of each gene."""
        values: Floats = np.clip(standard * self.spread + self.mean, self.lowest, self.highest)
        return values

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the scale as plain arrays."""
        return {f"genes.{name}": value for name, value in vars(self).items()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> GeneScale:
        """Invert `state`."""
        return cls(**under("genes.", state))


class DeepGenerator(Generator):
    """A generator that trains a network; on one processor core, or on a GPU.

    ``device`` is a parameter of each of them: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU where there is one. On
    a processor one thread is used whatever ``jobs`` says, so that no result hangs on it: the batches are too small
    for a second thread to gain much, and on a busy machine it loses. A model trained on a GPU draws on the processor.

    Attributes
    ----------
    progress
        Called during training that takes longer than two seconds, where it is set.
    """

    device: str
    progress: Progress | None = None
    weights_: dict[str, NDArray[Any]]

    @abstractmethod
    def _train(self, x: Floats, codes: NDArray[np.intp], rng: np.random.Generator) -> None:
        """Train on standardised genes, ``n_samples × n_genes``, of samples of classes ``codes``; set ``weights_``."""

    @abstractmethod
    def _draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[Any]:
        """Return standardised genes of new samples of classes ``codes``."""

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        require_torch(self.info.name)
        from ._torch import one_thread

        self.scale_, latent = LogScale.fit(cohort, codes, len(self.class_sizes_))
        self.covariates_, _ = CovariateModel.fit(cohort, codes)
        self.genes_ = GeneScale.fit(latent)
        with one_thread():
            self._train(self.genes_.standard(latent), codes, rng)

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        require_torch(self.info.name)
        from ._torch import one_thread

        known, _ = self.covariates_.sample(codes, rng)
        with one_thread():
            latent = self.genes_.latent(self._draw(codes, rng))
        return self.scale_.invert(latent, codes, rng), known

    def _standard(self, cohort: Cohort) -> Floats:
        """Return the standardised genes of new samples, ``n × n_genes``."""
        return self.genes_.standard(self.scale_.apply(cohort))

    def _state(self) -> dict[str, NDArray[Any]]:
        weights = {f"weights.{name}": value for name, value in self.weights_.items()}
        return {**weights, **self.genes_.state(), **self.scale_.state(), **self.covariates_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.weights_ = under("weights.", state)
        self.genes_ = GeneScale.restore(state)
        self.scale_ = LogScale.restore(state)
        self.covariates_ = CovariateModel.restore(state)


def check_training(name: str, **settings: Any) -> None:
    """Check the settings that deep generators have in common.

    Parameters
    ----------
    name
        Generator, for the message.
    **settings
        Values by name: whole numbers of at least 1, ``learning_rate`` above 0, a known ``device``; ``None`` passes.

    Raises
    ------
    ConfigError
        A value is out of range.
    """
    for key, value in settings.items():
        if key == "device":
            if value not in DEVICES:
                raise ConfigError(f"{name}: device must be {', '.join(DEVICES)}, not '{value}'.")
        elif key == "learning_rate":
            if not value > 0:
                raise ConfigError(f"{name}: learning_rate must be above 0, not {value}.")
        elif value is not None and value < 1:
            raise ConfigError(f"{name}: {key} must be at least 1, not {value}.")


def layer_widths(name: str, hidden: str) -> list[int]:
    """Return the widths of hidden layers written as ``"1000-512-256"``.

    Raises
    ------
    ConfigError
        The text is nothing of the kind.
    """
    parts = hidden.split("-")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(f"{name}: hidden must be widths with a dash between them, such as 512-256, not '{hidden}'.")
    return [int(part) for part in parts]
