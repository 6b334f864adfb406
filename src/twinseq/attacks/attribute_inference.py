"""`attribute_inference`: a sensitive attribute of a target, read off the twin, better where the target was a member.

The attacker knows a target's whole profile and class, and looks the attribute up in the twin. What a good twin teaches
about everybody (sex from the genes of the Y chromosome) serves members and non-members alike and is no leak; only the
advantage on members is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..arrays import distances
from ._advantage import advantage
from ._base import Floats, NotApplicableError, Samples, View
from ._standard import standard

TOLERANCE = 0.25
"""A number counts as told when it is hit within this many of the twin's standard deviations."""
TIE = 1e-9


def attribute_inference(
    twin: Samples,
    targets: Samples,
    twin_attribute: ArrayLike,
    target_attribute: ArrayLike,
    members: NDArray[np.bool_],
    donors: NDArray[np.str_],
    *,
    seed: int,
) -> dict[str, Any]:
    """Return how often a target's attribute is told from the twin, for members and for non-members.

    The guess is the value of the nearest twin sample of the target's class, over genes standardised on the twin
    (nearest of all where the twin has none of the class); where several are equally near, success is the share of
    them that is right. A category is right where it is equal, a number where it is within a quarter of the twin's
    standard deviation. Samples without a value are left out.

    Parameters
    ----------
    twin, targets
        What the attacker holds; ``n_twin × G`` and ``n × G``.
    twin_attribute, target_attribute
        Values of the attribute, numbers or categories; may have gaps.
    members
        Which targets were in the training data.
    donors
        Donor of each target.
    seed
        Seed of random choices.

    Returns
    -------
    ``accuracy_members``, ``accuracy_nonmembers``, ``advantage`` (their difference), ``advantage_ci`` (95 %),
    ``chance`` (of the best guess that is the same for all), ``n_members`` and ``n_nonmembers`` (donors).

    Raises
    ------
    NotApplicableError
        The twin's column is empty or constant, a side has no values, or no gene varies.

    References
    ----------
    Giomi et al. 2023, PoPETs 2023(2):312 (anonymeter), whose inference attack this is, with real non-members for its
    control.
    """
    known, wanted = pd.Series(twin_attribute), pd.Series(target_attribute)
    held, asked = known.notna().to_numpy(), wanted.notna().to_numpy()
    if not held.any():
        raise NotApplicableError("the twin's column is empty")
    if known[held].nunique() < 2:
        raise NotApplicableError("the twin's column has one value only, which says nothing of a single sample")
    if not asked.any():
        raise NotApplicableError("no target has a value")
    right = _right(known[held], wanted[asked])
    space = standard(View("T0", twin, targets, seed=seed))
    apart = distances(space.targets[asked], space.twin[held])
    apart[~_same_class(space.target_labels[asked], space.twin_labels[held])] = np.inf
    nearest = apart <= apart.min(axis=1, keepdims=True) * (1 + TIE)
    success: Floats = (right & nearest).sum(axis=1) / nearest.sum(axis=1)
    told = advantage(success, members[asked], donors[asked])
    return {
        "accuracy_members": told.members,
        "accuracy_nonmembers": told.nonmembers,
        "advantage": told.difference,
        "advantage_ci": told.interval,
        "chance": float(_right(wanted[asked], wanted[asked], known[held]).mean(axis=0).max()),
        "n_members": told.n_members,
        "n_nonmembers": told.n_nonmembers,
    }


def _right(guesses: pd.Series, truth: pd.Series, scale: pd.Series | None = None) -> NDArray[np.bool_]:
    """Return which guesses would be right for which targets, ``n_targets × n_guesses``.

    The tolerance for numbers comes from ``scale``, by default the guesses.
    """
    scale = guesses if scale is None else scale
    if all(_is_number(column) for column in (guesses, truth, scale)):
        numbers, answers = guesses.to_numpy(dtype=np.float64), truth.to_numpy(dtype=np.float64)
        tolerance = TOLERANCE * float(np.std(scale.to_numpy(dtype=np.float64)))
        near: NDArray[np.bool_] = np.abs(answers[:, None] - numbers[None, :]) <= tolerance
        return near
    equal: NDArray[np.bool_] = truth.astype(str).to_numpy()[:, None] == guesses.astype(str).to_numpy()[None, :]
    return equal


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _same_class(targets: NDArray[np.str_], twin: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return which twin samples have the class of which targets; all of them where none has."""
    same: NDArray[np.bool_] = targets[:, None] == twin[None, :]
    same[~same.any(axis=1)] = True
    return same
