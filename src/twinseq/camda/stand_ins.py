"""What may have made a twin of which nothing is known: one quick generator of each kind."""

from __future__ import annotations

from ..attacks import Definition
from ..attacks._surrogate import Surrogate
from ..knowledge import KnownGenerator

STAND_INS = ("copula", "mvn", "lowrank-mvn", "nmf", "independent", "smote", "bootstrap")
"""Generators that are fitted in no time, one of each kind."""
PRIVATE = {"epsilon": 10.0, "delta": 1e-5}
"""Guarantee of the private stand-in: that of the challenge's own private twins, roughly."""


def stand_ins() -> dict[str, Definition]:
    """Return what may have made a twin of which nothing is known."""
    found: dict[str, Definition] = {name: KnownGenerator(name) for name in STAND_INS}
    found["dp-copula"] = KnownGenerator("dp-copula", None, PRIVATE)
    # Low rank with a residual for every gene: what deep generators are most like.
    found["low rank"] = Surrogate(keeps_margins=False)
    found["low rank with margins"] = Surrogate(keeps_margins=True)
    return found
