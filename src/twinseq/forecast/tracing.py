r"""What mean tracing reaches where nothing is private, from the number of donors and genes.

Genes that move together tell less than as many independent ones: with a mean squared correlation :math:`\bar r^2`
they are worth :math:`G / (1 + (G - 1) \bar r^2)` of them. An attacker removes the leading factors first, and what
correlation is left is small. With r = .05 the formula of `expected_auc` gives .77 for 347 members in five classes and
1,354 genes, and .98 for 33 members in two classes and 17,000 genes, where mean tracing of twins by ``lowrank-mvn``
measured .75 and .99 (``benchmarks/results/red_team.md``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..attacks._tracing import expected_auc

LEFT_CORRELATION = 0.05
"""Root mean square correlation of two genes, once the leading factors are removed."""


@dataclass(frozen=True)
class Tracing:
    """What mean tracing reaches without differential privacy.

    Parameters
    ----------
    genes, effective
        Number of genes, and of independent ones that tell as much.
    auc
        Area of each class.
    """

    genes: int
    effective: float
    auc: dict[str, float]


def traced(genes: int, donors: Mapping[str, float]) -> Tracing:
    """Return what an attacker reaches who has a reference as large as each class, of a twin with its very means."""
    effective = genes / (1.0 + (genes - 1) * LEFT_CORRELATION**2)
    return Tracing(genes, effective, {name: expected_auc(effective, n, n) for name, n in donors.items()})
