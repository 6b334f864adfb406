"""What else a twin may tell of a person: an attribute, or that two halves of a profile belong together."""

from __future__ import annotations

from typing import Any

from ..attacks import NotApplicableError
from ..attacks.attribute_inference import attribute_inference
from ..attacks.linkability import linkability
from ..cohort import Cohort
from .holding import held
from .trial import Trial


def attribute_rows(trial: Trial, twin: Cohort, seed: int) -> tuple[dict[str, Any], ...]:
    """Return how well each stated covariate of a target is told from the twin, members against non-members."""
    rows = []
    twin, _ = held(twin, trial.view.seed)
    for column, of_targets in trial.covariates.items():
        if column not in twin.obs.columns:
            continue
        try:
            found = attribute_inference(
                trial.view.twin,
                trial.view.targets,
                twin.obs[column].to_numpy(),
                of_targets,
                trial.member,
                trial.donors,
                seed=seed,
            )
        except NotApplicableError:
            continue
        rows.append({"column": column, **found})
    return tuple(rows)


def linkability_rows(trial: Trial, seed: int) -> tuple[dict[str, Any], ...]:
    """Return how often two halves of a target's genes are linked through the twin, members against non-members."""
    try:
        return tuple(linkability(trial.view.twin, trial.view.targets, trial.member, trial.donors, seed=seed))
    except NotApplicableError:
        return ()
