"""`white_box_likelihood`: whoever the fitted model finds likelier than models of other people do was in its training.

The likelihood-ratio test, with the model's own parameters on one side: the strongest single test where both are
right. A person may be likely under any model, so the ratio is calibrated by models of the same kind that have surely
not seen the person (`_shadow`), and by class.
"""

from __future__ import annotations

from ._base import Floats, Model, Samples, View
from ._registry import register
from ._shadow import excess


def _surprise(model: Model, samples: Samples) -> Floats:
    return -model.log_likelihood(samples)[:, None]


@register(
    name="white_box_likelihood",
    levels=("T3",),
    threat="Has the model file itself, reads from its parameters how likely it finds the target, and compares that "
    "with models of the same kind fitted to other people.",
    formula="log p(x; fitted model) − log p(x; same kind of model fitted to most of R), over its deviation in R",
    reference="Carlini et al. 2022, IEEE S&P (LiRA), with an exact likelihood",
    settings={"calibrated": {}, "uncalibrated": {"calibrated": False}},
    slow=True,
)
def white_box_likelihood(view: View, calibrated: bool = True) -> Floats:
    """Return the log-likelihood (ratio), in deviations of non-members of the class."""
    of_targets = view.shared("surprise", _of_targets)
    scores: Floats = -of_targets[:, :, int(calibrated)].mean(axis=0)
    return scores


def _of_targets(view: View) -> Floats:
    seed = int(view.rng(3).integers(2**31 - 16))
    return excess(view.model, view.targets, view.reference, view.generator, _surprise, seed)[0]
