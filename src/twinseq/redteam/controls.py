"""Three cases whose outcome is known; an audit that gets one of them wrong is not to be believed.

*Null*: members against members, split at random, score alike. *Positive*: a twin of copied training samples is caught.
*Negative*: a twin made from other donors does not tell the members from the non-members. The last one fails where the
two differ for reasons of their own, such as a batch: then no attack's success means anything.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .. import generators
from ..attacks import Level
from ..attacks.headline import headline
from ..attacks.roc import auc, auc_interval
from ..cohort import Cohort
from ..errors import TwinseqError, shorten
from ..results import Control
from .summary import Sides
from .trial import Trial, quick_keys, score

Floats = NDArray[np.float64]
COVERAGE = 0.99
"""Of the intervals that must cover 0.5: at 95 % one sound audit in twenty would be thrown out by each control."""
DRAWS = 3
"""Copies of the training data's size in the positive control, so that nearly every training sample is copied."""
CAUGHT = 0.9
FEWEST = 4
NULL = "members split at random score alike: the interval covers 0.5"
POSITIVE = f"a twin of copied training samples is caught: AUC at least {CAUGHT}"
NEGATIVE = f"a twin of other donors does not tell members from non-members: corrected p above {1 - COVERAGE:.2f}"


def null_control(sides: Sides, places: Mapping[Level, int], rng: np.random.Generator) -> Control:
    """Set the headline attack of the highest level on members only, half of them called non-members."""
    if not places:
        return Control("null", NULL, None, "no attack could be measured")
    level = max(places)
    attack = sides.scores.keys[places[level]][0]
    values, strata = sides.scores.values[sides.member, places[level]], sides.strata[sides.member]
    if len(values) < 2 * FEWEST:
        return Control("null", NULL, None, f"{len(values)} members are too few to be split", level, attack)
    half = np.zeros(len(values), dtype=bool)
    spare = False
    for name in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == name))
        half[rows[: (len(rows) + spare) // 2]] = True
        spare ^= bool(len(rows) % 2)
    interval = auc_interval(values[half], values[~half], COVERAGE)
    passed = interval[0] <= 0.5 <= interval[1]
    return Control("null", NULL, passed, "", level, attack, auc(values[half], values[~half]), interval)


def positive_control(trial: Trial, members: Cohort, seed: int) -> Control:
    """Set the weakest of all attacks on copied training samples."""
    try:
        copied = generators.create("bootstrap").fit(members, seed=seed).sample(DRAWS * members.n_samples, seed=seed)
        staged = trial.with_twin(copied)
        found = score(staged, [("nearest_distance", "T0", "")])
        if not found.keys:
            return Control("positive", POSITIVE, None, found.troubles["nearest_distance", "T0"][1])
    except TwinseqError as error:
        return Control("positive", POSITIVE, None, shorten(error, 200))
    value, interval = _areas(found.values[:, 0], staged.is_member)
    return Control("positive", POSITIVE, value >= CAUGHT, "", "T0", "nearest_distance", value, interval)


def negative_control(trial: Trial, reference: Cohort | None, generator: generators.Generator, seed: int) -> Control:
    """Set quick attacks on a twin of half of the reference, the other half to compare with; corrected for their number.

    The headline attack has been chosen on these very targets, and would look strong on them again by chance.
    ``generator`` is unfitted; where the twin's own is not known, the faithful copula stands in.
    """
    if reference is None:
        return Control("negative", NEGATIVE, None, "needs a reference cohort")
    try:
        fitted_on, kept = reference.split((0.5, 0.5), seed=seed)
        other = generator.fit(fitted_on, seed=seed).sample(seed=seed + 1)
        staged = trial.with_twin(other, kept)
    except TwinseqError as error:
        return Control("negative", NEGATIVE, None, shorten(error, 200))
    found = score(staged, quick_keys(staged))
    if not found.keys:
        return Control("negative", NEGATIVE, None, "no attack could be measured")
    member, strata = staged.is_member, staged.strata
    values = found.values
    strongest = headline(
        values[member], values[~member], strata[member], strata[~member], np.random.default_rng([seed, 14])
    )
    name, level, _ = found.keys[strongest.index]
    passed = strongest.p_value > 1 - COVERAGE
    note = f"p = {strongest.p_value:.2g}, corrected for {len(found.keys)} attacks and settings"
    return Control("negative", NEGATIVE, passed, note, level, name, strongest.auc, strongest.interval)


def _areas(values: Floats, member: NDArray[np.bool_]) -> tuple[float, tuple[float, float]]:
    members, others = values[member], values[~member]
    return auc(members, others), auc_interval(members, others, COVERAGE)
