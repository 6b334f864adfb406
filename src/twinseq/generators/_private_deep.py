"""What private generators that train a network share: the donors of DP-SGD, and Opacus."""

from __future__ import annotations

import importlib
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cohort import Cohort
from ..dp.budget import Budget, Spending
from ..errors import ConfigError
from ._extras import MissingExtraError, install, require
from ._private_profiles import PrivateProfileGenerator

FLOATING = "that nobody makes use of the rounding of floating-point numbers in the noise of the training"


class PrivateDeepGenerator(PrivateProfileGenerator):
    """A private generator that trains by DP-SGD, with one example for each donor."""

    steps: int
    rate: float
    clip: float
    learning_rate: float
    _donors: NDArray[np.intp]

    def fit(self, cohort: Cohort, seed: int = 0, jobs: int = 1) -> Self:
        """Learn from ``cohort``, spending the whole budget; see `PrivateGenerator.fit`.

        Raises
        ------
        MissingExtraError
            PyTorch or Opacus is not installed.
        TrainingError
            The training came to nothing.
        """
        require_opacus(self.info.name)
        self._donors = pd.factorize(cohort.donors())[0].astype(np.intp)
        try:
            return super().fit(cohort, seed, jobs)
        finally:
            del self._donors

    def _check(self) -> Budget:
        name = self.info.name
        for key, value in self._wholes().items():
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ConfigError(f"{name}: {key} must be a whole number of at least 1, not {value!r}.")
        for key in ("clip", "learning_rate"):
            if not 0 < getattr(self, key) < np.inf:
                raise ConfigError(f"{name}: {key} must be above 0, not {getattr(self, key)}.")
        if not 0 < self.rate <= 1:
            raise ConfigError(f"{name}: rate must be above 0 and at most 1, not {self.rate}.")
        return self._check_privacy()

    def _wholes(self) -> dict[str, Any]:
        """Return the settings that must be whole numbers of at least 1."""
        return {"steps": self.steps}

    def _pay(self, spending: Spending, share: float) -> float:
        """Charge the training, and return the multiplier of its noise."""
        spending.ledger.assume(FLOATING)
        what = f"gradients of a donor, cut to a length of {self.clip:g}"
        return spending.take_training(share, self.rate, self.steps, self.clip, what)


def require_opacus(name: str) -> None:
    """Check that PyTorch and Opacus are there for generator ``name``.

    Raises
    ------
    MissingExtraError
        One is not; the message says how to install it.
    """
    require(name, "deep")
    try:
        importlib.import_module("opacus")
    except ImportError as error:
        raise MissingExtraError(
            f"Generator '{name}' needs Opacus, which cannot be loaded ({error}). Install it with: {install('deep')}"
        ) from error
