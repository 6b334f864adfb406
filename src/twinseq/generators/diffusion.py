"""`diffusion`: conditional denoising diffusion on normal scores of the genes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from ..cohort import Cohort
from ..errors import ConfigError
from ._base import GeneratorInfo
from ._deep import DeepGenerator, Floats, check_training, require_torch
from ._margins import stratum_rows
from ._quantiles import ExactQuantiles, SmoothQuantiles
from ._registry import register
from ._residual import missing_factors

if TYPE_CHECKING:
    from ._denoiser import Denoiser
    from ._noising import Process

NEIGHBOURS = 5
PER_FACTOR = 4
"""Degrees of freedom needed for each factor."""
LEAST_SPREAD = 1e-3
"""Least standard deviation within classes, in normal scores, to which a gene is scaled up."""
ADVICE = "Lower learning_rate (now {rate:g}), and look for single extreme values among the genes."


@register
class Diffusion(DeepGenerator):
    """Denoising diffusion, given the class, on genes made normal by their ranks.

    Parameters
    ----------
    width, layers
        Units of each residual layer, and their number.
    levels
        Levels of noise of the published process, with the linear schedule and as many steps of sampling; ``None``:
        all levels, velocities instead of noises, and ``sampling_steps``; see `_noising`.
    factors
        Where ``levels`` is ``None``: factors of the normal model within classes that the network starts from; few
        samples allow fewer.
    sampling_steps
        Steps in which samples are drawn where ``levels`` is ``None``.
    paper_quantile
        Leave the normal scores by the inverse of the empirical distribution. It replays training values and is
        there to show this; without it the way back is a smooth curve.
    augmented
        Samples up to which training data are filled with points between neighbours, the same number of each class;
        only without ``patience``, as such points say little of unseen samples.
    dropout
        Share of the genes hidden from the network in each sample of a batch.
    steps, batch, patience
        Most updates, samples in each, and checks of an inner split without gain before training stops.
    learning_rate
        Of Adam.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU where there is one.
    """

    info = GeneratorInfo(
        name="diffusion",
        title="Conditional denoising diffusion",
        family="deep",
        kinds=("counts", "continuous"),
        guarantee="none",
        reference="Ho et al. 2020, NeurIPS 33; Öztürk et al. 2026, bioRxiv 10.64898/2026.03.02.707794",
        extra="deep",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "width": 2048,
            "layers": 2,
            "levels": 1_000,
            "paper_quantile": True,
            "augmented": 3_000,
            "dropout": 0.0,
            "steps": 18_600,
            "batch": 32,
            "patience": None,
            "learning_rate": 1e-3,
        }
    }

    def __init__(
        self,
        width: int = 512,
        layers: int = 2,
        levels: int | None = None,
        factors: int = 20,
        sampling_steps: int = 25,
        paper_quantile: bool = False,
        augmented: int | None = None,
        dropout: float = 0.0,
        steps: int = 5_000,
        batch: int = 64,
        patience: int | None = 10,
        learning_rate: float = 5e-4,
        device: str = "auto",
    ) -> None:
        self.width = width
        self.layers = layers
        self.levels = levels
        self.factors = factors
        self.sampling_steps = sampling_steps
        self.paper_quantile = paper_quantile
        self.augmented = augmented
        self.dropout = dropout
        self.steps = steps
        self.batch = batch
        self.patience = patience
        self.learning_rate = learning_rate
        self.device = device
        wholes = ("width", "layers", "levels", "factors", "sampling_steps", "augmented", "steps", "batch", "patience")
        check_training(
            self.info.name,
            device=device,
            learning_rate=learning_rate,
            **{key: getattr(self, key) for key in wholes},
        )
        if not 0 <= dropout < 1:
            raise ConfigError(f"diffusion: dropout must be at least 0 and below 1, not {dropout}.")
        if augmented is not None and patience is not None:
            raise ConfigError("diffusion: augmented needs patience=None; points between samples say nothing of others.")

    def _process(self) -> Process:
        from ._noising import AnglePath, LinearSchedule

        return AnglePath(self.sampling_steps) if self.levels is None else LinearSchedule(self.levels)

    def _network(self) -> Denoiser:
        from ._denoiser import Denoiser

        freedom = max(int(self.class_sizes_.sum()) - len(self.class_sizes_), 1)
        factors = None if self.levels is not None else min(self.factors, freedom // PER_FACTOR)
        return Denoiser(len(self.genes_.mean), len(self.class_sizes_), self.width, self.layers, factors)

    def _train(self, x: Floats, codes: NDArray[np.intp], rng: np.random.Generator) -> None:
        import torch

        from ._noising import DiffusionTraining
        from ._torch import arrays_of, device_named, initialise, seeded, tensor
        from ._training import Schedule, train

        self.quantiles_ = ExactQuantiles.fit(x) if self.paper_quantile else SmoothQuantiles.fit(x)
        scores = self.quantiles_.normal(x)
        self.centre_, self.spread_ = np.zeros((len(self.class_sizes_), x.shape[1])), np.ones(x.shape[1])
        if self.levels is None:
            self.centre_ = np.stack([scores[rows].mean(axis=0) for _, rows in stratum_rows(codes)])
            self.spread_ = np.maximum((scores - self.centre_[codes]).std(axis=0), LEAST_SPREAD)
        scores = (scores - self.centre_[codes]) / self.spread_
        if self.augmented is not None:
            scores, codes = filled_up(scores, codes, self.augmented, rng)
        device = device_named(self.device)
        network = self._network()
        initialise(network, seeded(rng))
        network.start_at_nothing()
        if network.base is not None:
            n, factors = len(scores), network.base.loadings.shape[1]
            nothing = np.zeros((1, scores.shape[1]))
            loadings = missing_factors(scores / np.sqrt(n), nothing, np.ones(scores.shape[1]), factors)
            network.base.loadings[:, : len(loadings)] = tensor(loadings.T)
        training = DiffusionTraining(
            network.to(device),
            self._process(),
            tensor(scores, device),
            torch.as_tensor(codes, device=device),
            self.dropout,
            self.learning_rate,
            seeded(rng, device),
        )
        schedule = Schedule(self.steps, self.batch, self.patience)
        advice = ADVICE.format(rate=self.learning_rate)
        train(training, codes, schedule, rng, device, self.info.name, advice, self.progress)
        self.weights_ = arrays_of(network)

    def _draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[Any]:
        from ._noising import drawn
        from ._torch import seeded, with_arrays

        network = with_arrays(self._network(), self.weights_)
        scores = drawn(network, self._process(), codes, seeded(rng)).numpy().astype(np.float64)
        return self.quantiles_.values(self.centre_[codes] + self.spread_ * scores)

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        require_torch(self.info.name)
        import torch

        from ._noising import denoising_losses
        from ._torch import one_thread, tensor, with_arrays

        network = with_arrays(self._network(), self.weights_, torch.float64)
        latent = (self.quantiles_.normal(self._standard(cohort)) - self.centre_[codes]) / self.spread_
        scores = tensor(latent, dtype=torch.float64)
        with one_thread():
            losses: Floats = denoising_losses(network, self._process(), scores, torch.as_tensor(codes)).numpy()
        return losses

    def _state(self) -> dict[str, NDArray[Any]]:
        return {**super()._state(), **self.quantiles_.state(), "centre": self.centre_, "spread": self.spread_}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.centre_, self.spread_ = state["centre"], state["spread"]
        self.quantiles_ = ExactQuantiles.restore(state) if self.paper_quantile else SmoothQuantiles.restore(state)


def filled_up(
    x: Floats, codes: NDArray[np.intp], total: int, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.intp]]:
    """Return samples and classes with points on the lines between neighbours added, up to ``total`` samples.

    Each class is filled up to the same number; one that has more already stays as it is.
    """
    parts, labels = [x], [codes]
    wanted = total // len(np.unique(codes))
    for code, rows in stratum_rows(codes):
        lacking = max(wanted - len(rows), 0)
        k = min(NEIGHBOURS, len(rows) - 1)
        neighbours = rows[NearestNeighbors(n_neighbors=k).fit(x[rows]).kneighbors(return_distance=False)]
        start = rng.integers(len(rows), size=lacking)
        end = neighbours[start, rng.integers(k, size=lacking)]
        parts.append(x[rows[start]] + rng.random((lacking, 1)) * (x[end] - x[rows[start]]))
        labels.append(np.full(lacking, code, dtype=np.intp))
    return np.concatenate(parts), np.concatenate(labels)
