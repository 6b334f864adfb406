"""Whether the twin is spread around the centre as real data are, neither crowded nor scattered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.floating[Any]]
LEVELS = np.linspace(0.0, 1.0, 31)[1:-1]

_REFERENCE = "Alaa et al. 2022, ICML"
_SHARED: dict[str, Any] = {
    "group": "fidelity",
    "direction": "higher",
    "ideal": 1.0,
    "bounds": (0.0, 1.0),
    "reference": _REFERENCE,
    "floor": "mean profile",
    "unit": "samples",
}


@register(
    name="alpha_precision",
    question="Do twin samples lie as near to the centre of the real data as real samples do?",
    reading="1: the central α of the real data holds α of the twin, for every α; 0: all in the wrong place.",
    formula="1 − 2 mean_α |P(S in the ball holding α of the real data) − α|",
    fields=("real.points", "twin.points"),
    **_SHARED,
)
def alpha_precision(real: Floats, twin: Floats) -> float:
    """Return the agreement of the twin's distances from the real centre with the real ones.

    A real sample is measured from the mean of the *others*: with few samples and many genes each sample pulls
    the mean towards itself, and real data themselves would fail the test otherwise.

    Parameters
    ----------
    real, twin
        Profiles on the log scale, ``n_samples × n_genes``.

    Raises
    ------
    NotComputableError
        There are fewer than three samples on a side.
    """
    return _agreement(*_from_centre(real, twin))


@register(
    name="beta_recall",
    question="Do real samples lie as near to the centre of the twin as twin samples do?",
    reading="1: the central β of the twin holds β of the real data, for every β; 0: real data lie elsewhere.",
    formula="1 − 2 mean_β |P(R in the ball holding β of the twin) − β|",
    fields=("real.points", "twin.points"),
    **_SHARED,
)
def beta_recall(real: Floats, twin: Floats) -> float:
    """Return the agreement of the real distances from the twin's centre with the twin's own.

    Real samples are looked up by their own index throughout; an implementation in wide use mixes them with the
    indices of synthetic samples.

    Parameters
    ----------
    real, twin
        Profiles on the log scale, ``n_samples × n_genes``.

    Raises
    ------
    NotComputableError
        There are fewer than three samples on a side.
    """
    return _agreement(*_from_centre(twin, real))


def _from_centre(own: Floats, other: Floats) -> tuple[Floats, Floats]:
    n = len(own)
    if n < 3 or len(other) < 3:
        raise NotComputableError("needs at least three samples on each side")
    centre = own.mean(axis=0)
    return np.linalg.norm(own - centre, axis=1) * n / (n - 1), np.linalg.norm(other - centre, axis=1)


def _agreement(own: Floats, other: Floats) -> float:
    inside = (other[None, :] <= np.quantile(own, LEVELS)[:, None]).mean(axis=1)
    return float(max(0.0, 1 - 2 * np.abs(inside - LEVELS).mean()))
