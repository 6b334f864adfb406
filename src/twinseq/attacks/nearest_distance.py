"""`nearest_distance`: whoever has a close copy in the twin was in the training data.

The only attack behind most claims of safety, and a weak one: it sees copies, and hardly anything else.
"""

from __future__ import annotations

import numpy as np

from ._base import Floats, View
from ._registry import register
from ._standard import nearest, to_twin


@register(
    name="nearest_distance",
    levels=("T0",),
    threat="Looks for the twin sample most like the target. A target with a close copy is called a member.",
    formula="−log min_s d(x, s), s in the twin",
    reference="Chen et al. 2020, CCS (GAN-Leaks); the distance to the closest record of most vendors",
)
def nearest_distance(view: View) -> Floats:
    """Return minus the log distance to the nearest twin sample."""
    score: Floats = -np.log(nearest(to_twin(view)))
    return score
