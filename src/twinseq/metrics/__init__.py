"""What a twin keeps: pure functions on arrays, a registry that explains them, and one comparison that feeds them."""

from . import biology, cells, covariates, fidelity, paper, pathways, privacy, utility
from ._comparison import Comparison
from ._profiles import Profiles
from ._registry import GROUPS, Metric, NotComputableError, get, names, register
from ._space import Space

__all__ = [
    "GROUPS",
    "Comparison",
    "Metric",
    "NotComputableError",
    "Profiles",
    "Space",
    "biology",
    "cells",
    "covariates",
    "fidelity",
    "get",
    "names",
    "paper",
    "pathways",
    "privacy",
    "register",
    "utility",
]
