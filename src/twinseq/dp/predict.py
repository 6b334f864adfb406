r"""What a budget lets an attacker find out at most, before anything is spent.

Whoever tells members from others by a twin of strength :math:`μ` (Gaussian differential privacy) names at most
:math:`\Phi(\Phi^{-1}(α) + μ)` of the members at a rate of false alarms :math:`α`; the area under that curve is
:math:`\Phi(μ / \sqrt 2)`. Where nothing is known but (ε, δ), the curve is

.. math:: \min(1, δ + e^ε α, 1 - e^{-ε}(1 - δ - α)),

which lies higher. Both are reached only by an attacker who knows all other donors and of whom nothing is hidden but
one: attackers of flesh and blood stay far below.

Sources: Kairouz, Oh & Viswanath 2015, ICML; Dong, Roth & Su 2022, JRSS B 84:3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import norm

from .budget import Budget

FALSE_ALARMS = 0.01


@dataclass(frozen=True)
class Ceiling:
    """The most that any attacker reaches, whatever he knows.

    Parameters
    ----------
    mu
        Strength of the budget as one Gaussian mechanism.
    auc, tpr
        Area under the curve, and share of members named at `FALSE_ALARMS`, where all mechanisms are Gaussian.
    auc_any, tpr_any
        The same for any mechanism that keeps (ε, δ).
    """

    mu: float
    auc: float
    tpr: float
    auc_any: float
    tpr_any: float


def ceiling(budget: Budget) -> Ceiling:
    """Return what attackers can reach at most under ``budget``."""
    mu, epsilon, delta = budget.mu, budget.epsilon, budget.delta
    # Both pieces of the curve meet where false alarms and misses are as many.
    meeting = (1.0 - delta) / (1.0 + math.exp(epsilon))
    rising = meeting * (delta + 1.0 - meeting) / 2
    flat = (1.0 - delta - meeting) * (2.0 - meeting) / 2
    alarms = FALSE_ALARMS
    tpr_any = min(1.0, delta + math.exp(min(epsilon, 700.0)) * alarms, 1.0 - math.exp(-epsilon) * (1 - delta - alarms))
    return Ceiling(
        mu,
        float(norm.cdf(mu / math.sqrt(2.0))),
        float(norm.cdf(norm.ppf(alarms) + mu)),
        rising + flat + delta,
        tpr_any,
    )
