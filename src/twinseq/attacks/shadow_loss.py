"""`shadow_loss`: whoever trains the same model on the twin sees whom it fits better than strangers do.

At T2 the generator is fitted to the twin; at T3 the fitted generator itself is asked. Its losses of a target are held
against those of models fitted to donors who took no part (`_shadow`). How the losses are best combined is learnt in
shadow worlds, in which half of the reference donors are members of a training set made for the purpose.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from ._base import Definition, Floats, Model, Samples, View
from ._registry import register
from ._shadow import LEAST_OTHERS, deal, excess

WORLDS = 4
STRENGTH = 0.1
"""Inverse of the ridge on the weights, which keeps four correlated losses of a ladder from undoing each other."""


def _losses(model: Model, samples: Samples) -> Floats:
    return model.losses(samples)


def _through_a_twin(model: Model, like: Samples, definition: Definition, seed: int) -> Model:
    """Return what can be learnt of a model by an attacker who has no more than a twin of it."""
    return definition.fit(model.draw(like.labels, seed), seed + 1)


@register(
    name="shadow_loss",
    levels=("T2", "T3"),
    threat="Knows which generator made the twin, trains it again on the twin, and on people who surely took no part. "
    "A target that the first model describes better than the others do is called a member; how much better it has to "
    "be is learnt on training sets of the attacker's own making. With the fitted model in hand, asks that one.",
    formula="wᵀ z, z = standardised losses ℓ(x; S) and ℓ(x; S) − ℓ(x; R½), w by logistic regression in shadow worlds",
    reference="Shokri et al. 2017, IEEE S&P (shadow models); Carlini et al. 2022, IEEE S&P (calibration by record)",
    slow=True,
)
def shadow_loss(view: View) -> Floats:
    """Return the combined loss, least where a stranger's is expected; members of the shadow worlds set the weights."""
    white_box = view.level == "T3"
    reference, definition = view.reference, view.generator
    features, is_member = [], []
    for world in range(WORLDS):
        seed = int(view.rng(2, world).integers(2**31 - 16))
        inside, outside = deal(reference.labels, 2, 2 * LEAST_OTHERS, np.random.default_rng(seed))
        members = reference.subset(inside)
        suspect = definition.fit(members, seed)
        if not white_box:
            suspect = _through_a_twin(suspect, members, definition, seed + 2)
        of_members, of_others = excess(suspect, members, reference.subset(outside), definition, _losses, seed + 4)
        # Each comparison of a member is a row of its own: their mean would vary less than a non-member's figures do.
        features += [*of_members, of_others]
        is_member += [np.ones(len(of_members) * len(members)), np.zeros(len(of_others))]
    learnt = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)
    learnt.fit(np.concatenate(features), np.concatenate(is_member))
    seed = int(view.rng(2, WORLDS).integers(2**31 - 16))
    suspect = view.model if white_box else definition.fit(view.twin, seed)
    of_targets, _ = excess(suspect, view.targets, reference, definition, _losses, seed + 1)
    scores: Floats = np.mean([learnt.decision_function(side) for side in of_targets], axis=0)
    return scores
