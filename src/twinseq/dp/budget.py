r"""How much noise a budget buys.

The Gaussian mechanism with noise σ times its sensitivity has strength :math:`μ = 1/σ`, and strengths add up as
squares (Dong, Roth & Su 2022). A budget (ε, δ) is therefore one number μ, a split of it shares of μ², and a share s
of it buys the multiplier :math:`1 / (μ \sqrt s)`.
"""

from __future__ import annotations

import math
import numbers
import warnings
from dataclasses import dataclass
from functools import cache, cached_property

from ..errors import ConfigError
from .ledger import GAUSSIAN, GRID, SAMPLED, Ledger, LedgerError, Query, epsilon_of

LARGE_EPSILON = 50.0
TOLERANCE = 1e-3
COARSE = 5.0
"""How much coarser the grid of privacy losses is while a noise is sought, in units of `GRID` times ε."""
LEAST_SAMPLED = 0.5
"""Least noise of DP-SGD: with less, a step that a donor takes part in gives the donor away, whatever its rarity."""


class PrivacyWarning(UserWarning):
    """A budget that promises next to nothing, or buys next to nothing."""


@dataclass(frozen=True)
class Budget:
    """A budget of (ε, δ)-differential privacy.

    Parameters
    ----------
    epsilon, delta
        What may be spent in all.

    Raises
    ------
    ConfigError
        One of them is missing, not positive, or δ is 1 or more.

    Warns
    -----
    PrivacyWarning
        ε is above 50.
    """

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        for name, value in (("epsilon", self.epsilon), ("delta", self.delta)):
            if value is None:
                raise ConfigError(
                    f"State {name}: a guarantee has both epsilon and delta, such as epsilon=4 and delta=1e-5."
                )
            if not _is_number(value) or not 0 < value < math.inf:
                raise ConfigError(f"{name} must be above 0, not {value!r}.")
        if self.delta >= 1:
            raise ConfigError(f"delta must be far below 1, not {self.delta}.")
        if self.epsilon > LARGE_EPSILON:
            warnings.warn(
                f"epsilon = {self.epsilon:g} is a guarantee in name only: it lets an attacker be all but certain. "
                "Values up to about 10 mean something.",
                PrivacyWarning,
                stacklevel=3,
            )

    @cached_property
    def mu(self) -> float:
        """Strength of the one Gaussian mechanism that would use up the budget."""
        import dp_accounting as dpa

        return 1.0 / float(dpa.get_sigma_gaussian(self.epsilon, self.delta))

    def multiplier(self, share: float) -> float:
        """Return the noise, in units of the sensitivity, that a ``share`` of the budget buys."""
        return 1.0 / (self.mu * math.sqrt(share))

    def sampled_multiplier(self, share: float, rate: float, times: int) -> float:
        """Return the noise of ``times`` Gaussian mechanisms in each of which a donor takes part with chance ``rate``.

        The rest of the budget is taken to be spent on plain Gaussian mechanisms.
        """
        return _sampled_multiplier(self, min(share, 1.0), rate, times)


@cache
def _sampled_multiplier(budget: Budget, share: float, rate: float, times: int) -> float:
    """Return the least noise that fits, to about `TOLERANCE`: sought on a coarse grid, then tried on the fine one."""
    rest = [] if share >= 1 else [Query("the rest", GAUSSIAN, 1.0, budget.multiplier(1.0 - share))]

    def fits(noise: float, grid: float) -> bool:
        training = Query("training", SAMPLED, 1.0, noise, times, rate)
        return epsilon_of([*rest, training], budget.delta, grid) <= budget.epsilon

    coarse = GRID * max(1.0, COARSE * min(budget.epsilon, LARGE_EPSILON))
    # Of many steps with much noise, strengths add up as squares (Bu et al. 2020): the search starts there.
    high = max(rate * math.sqrt(times) * budget.multiplier(share), LEAST_SAMPLED)
    low, apart = high, 1.02
    while not fits(high, coarse):
        low, high, apart = high, high * apart, apart**2
    while high > LEAST_SAMPLED and (low == high or fits(low, coarse)):
        high, low, apart = low, max(low / apart, LEAST_SAMPLED), apart**2
    while high - low > TOLERANCE * high:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if fits(middle, coarse) else (middle, high)
    while not fits(high, GRID):
        high *= 1.0 + TOLERANCE
    return high


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


@dataclass
class Spending:
    """A budget while it is spent: the ledger that is charged, and the share that is left.

    Parameters
    ----------
    budget
        What may be spent in all.
    ledger
        Where it is written down.
    """

    budget: Budget
    ledger: Ledger
    left: float = 1.0

    def take(self, share: float) -> float:
        """Return the noise multiplier that ``share`` of the budget buys, and count it as spent.

        Raises
        ------
        LedgerError
            Less is left.
        """
        self._count(share)
        return self.budget.multiplier(share)

    def take_training(self, share: float, rate: float, times: int, clip: float, measured: str) -> float:
        """Return the noise multiplier of DP-SGD that ``share`` of the budget buys, charge it and count it as spent.

        Parameters
        ----------
        share
            Part of the budget.
        rate
            Chance with which each donor takes part in a step.
        times
            Number of steps.
        clip
            Length to which each donor's gradient is cut.
        measured
            What for, in words.

        Raises
        ------
        LedgerError
            Less is left, or the rate or the number of steps is out of range.
        """
        self._count(share)
        if not (0 < rate <= 1 and times >= 1):
            raise LedgerError(f"No guarantee can be given for {times} steps at a rate of {rate}.")
        multiplier = self.budget.sampled_multiplier(share, rate, times)
        self.ledger.charge(Query(measured, SAMPLED, clip, multiplier * clip, times, rate))
        return multiplier

    def _count(self, share: float) -> None:
        if not 0 < share <= self.left * (1 + 1e-9):
            raise LedgerError(f"{share:.3g} of the budget is asked for, and {self.left:.3g} is left.")
        self.left = max(self.left - share, 0.0)


def check_delta(budget: Budget, n_donors: int, source: str) -> None:
    """Refuse a δ so large that the guarantee could be kept by publishing a donor.

    Raises
    ------
    ConfigError
        δ is above 1 / ``n_donors``.
    """
    if budget.delta * n_donors > 1:
        raise ConfigError(
            f"delta = {budget.delta:g} is above 1/{n_donors:,}, one over the number of donors in {source}: "
            f"publishing a donor picked at random would keep such a promise. Take delta = {0.1 / n_donors:.0e} or less."
        )
