"""The red team: one attack a file, a registry that explains them, a view that holds what each attacker may see."""

from . import nearest_distance
from ._base import LEVELS, Definition, Level, Model, NotApplicableError, Samples, ThreatLevelError, View
from ._registry import Attack, FailedAttackError, get, names, register

__all__ = [
    "LEVELS",
    "Attack",
    "Definition",
    "FailedAttackError",
    "Level",
    "Model",
    "NotApplicableError",
    "Samples",
    "ThreatLevelError",
    "View",
    "get",
    "names",
    "nearest_distance",
    "register",
]
