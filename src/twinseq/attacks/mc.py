"""`mc`: whoever has many twin samples around was in the training data (Monte Carlo attack)."""

from __future__ import annotations

import numpy as np
from scipy.special import log_expit, logsumexp

from ..arrays import distances
from ._base import Floats, View
from ._registry import register
from ._standard import standard, to_twin

EDGE = 0.05
"""Width of the ball's soft edge, as a share of its radius: counts of samples would tie."""


@register(
    name="mc",
    levels=("T0",),
    threat="Counts the twin samples within a certain distance of the target. Many neighbours speak for a member.",
    formula="log share of the twin within ε of x, ε a quantile of nearest distances within the twin",
    reference="Hilprecht et al. 2019, PoPETs (Monte Carlo attacks)",
    settings={"median": {"quantile": 0.5}, "10th percentile": {"quantile": 0.1}},
)
def mc(view: View, quantile: float) -> Floats:
    """Return the log share of twin samples in a ball with a soft edge around each target."""
    radius = float(np.quantile(view.shared("nearest in twin", _nearest_in_twin), quantile))
    width = max(EDGE * radius, np.finfo(float).tiny)
    away = to_twin(view)
    share: Floats = logsumexp(log_expit((radius - away) / width), axis=1) - np.log(away.shape[1])
    return share


def _nearest_in_twin(view: View) -> Floats:
    """Distance of each twin sample to the nearest other one that is no copy of it."""
    among = distances(standard(view).twin, standard(view).twin)
    among[among == 0] = np.inf
    nearest = among.min(axis=1)
    kept: Floats = nearest[np.isfinite(nearest)]
    return kept if len(kept) else np.ones(1)
