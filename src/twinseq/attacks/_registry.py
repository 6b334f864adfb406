"""Attacks by name: who could mount each one, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, TwinseqError, suggest
from ..plugins import load_plugins
from ._base import LEVELS, Level, NotApplicableError, View

Floats = NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., Floats])


class FailedAttackError(TwinseqError):
    """An attack did not give one finite number per target; the message says why."""


@dataclass(frozen=True)
class Attack:
    """One way to guess who was in the training data.

    Parameters
    ----------
    name
        Registry key.
    levels
        Threat levels at which it can be mounted (see `LEVELS`).
    threat
        What the attacker does, in words for a data steward.
    formula
        The score in one line.
    reference
        Where the attack comes from.
    function
        ``function(view, **setting)`` gives one number per target, higher for likelier members. Whatever it fits, it
        fits on the twin and the reference cohort, never on targets (``mean_tracing`` at T0 is the one exception).
    settings
        Named choices of the keywords of ``function``; each is tried, and the trying is accounted for.
    slow
        Whether it fits many models, and is left out where time is short.
    unit
        Whether its scores are those of single samples, or of their donors, the same for all samples of one.
    cells
        Whether it is mounted on single cells only.
    """

    name: str
    levels: tuple[Level, ...]
    threat: str
    formula: str
    reference: str
    function: Callable[..., Floats]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})
    slow: bool = False
    unit: Literal["sample", "donor"] = "sample"
    cells: bool = False

    def score(self, view: View, setting: str = "") -> Floats:
        """Return one number per target, higher = likelier member.

        Raises
        ------
        NotApplicableError
            There is nothing to work on in these data.
        ThreatLevelError
            The view grants less than the attack needs.
        FailedAttackError
            The scores are not finite numbers, one per target.
        """
        if view.level not in self.levels:
            raise NotApplicableError(f"is no attack of level {view.level}")
        scores = np.asarray(self.function(view, **self.settings[setting]), dtype=np.float64)
        if scores.shape != (len(view.targets),):
            raise FailedAttackError(f"gave scores of shape {scores.shape} for {len(view.targets)} targets")
        bad = int((~np.isfinite(scores)).sum())
        if bad:
            raise FailedAttackError(f"{bad} of {len(scores)} scores are not finite numbers")
        return scores


_REGISTRY: dict[str, Attack] = {}
PLUGINS = "twinseq.attacks"
"""Entry points at which other packages announce theirs."""


def register(**entry: Any) -> Callable[[Function], Function]:
    """Make the decorated function known as an attack; see `Attack` for the keywords.

    Raises
    ------
    ConfigError
        Two attacks carry the same name, or a level is unknown.
    """

    def keep(function: Function) -> Function:
        attack = Attack(function=function, **entry)
        if attack.name in _REGISTRY:
            raise ConfigError(f"Two attacks are called '{attack.name}'.")
        for level in attack.levels:
            if level not in LEVELS:
                raise ConfigError(f"Unknown threat level '{level}'{suggest(level, LEVELS)}")
        _REGISTRY[attack.name] = attack
        return function

    return keep


def names() -> list[str]:
    """Return the known attacks, those that need least first."""
    load_plugins(PLUGINS)
    return sorted(_REGISTRY, key=lambda name: _REGISTRY[name].levels[0])


def get(name: str) -> Attack:
    """Return an attack.

    Raises
    ------
    ConfigError
        No attack has this name; the nearest is suggested.
    """
    if name not in _REGISTRY:
        load_plugins(PLUGINS)
    if name not in _REGISTRY:
        raise ConfigError(f"Unknown attack '{name}'{suggest(name, _REGISTRY)}")
    return _REGISTRY[name]
