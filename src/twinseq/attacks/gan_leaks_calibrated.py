"""`gan_leaks_calibrated`: nearer to the twin than to other people."""

from __future__ import annotations

import numpy as np

from ._base import Floats, View
from ._registry import register
from ._standard import nearest, to_reference, to_twin


@register(
    name="gan_leaks_calibrated",
    levels=("T1",),
    threat="As the nearest distance, set against the distance to the nearest of other people: an unusual person is far "
    "from everybody, member or not.",
    formula="log min_r d(x, r) − log min_s d(x, s), r in the reference, s in the twin",
    reference="Chen et al. 2020, CCS (GAN-Leaks, calibrated)",
)
def gan_leaks_calibrated(view: View) -> Floats:
    """Return the log distance to the nearest reference sample minus that to the nearest twin sample."""
    score: Floats = np.log(nearest(to_reference(view))) - np.log(nearest(to_twin(view)))
    return score
