r"""What was asked of the data, with how much noise, and what that adds up to.

Every mechanism of this package charges the ledger before its answer is seen. The total is found by composing the
privacy loss distributions of all queries (dp-accounting), which is exact for the Gaussian mechanism and tight for
the others, and is checked against Rényi composition, which is always a little larger.

A claim is worth what it leaves out: besides ε and δ, a ledger keeps what was taken to be public.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import TwinseqError, shorten

GAUSSIAN = "Gaussian"
SAMPLED = "Poisson-sampled Gaussian"
LAPLACE = "Laplace"
NOISY_MAX = "report noisy max"
MECHANISMS = (GAUSSIAN, SAMPLED, LAPLACE, NOISY_MAX)
SCHEMA = 1
GRID = 1e-4
"""Distance of the privacy losses that are told apart; all between are taken for the larger one."""


class LedgerError(TwinseqError):
    """A query that cannot be charged, or a ledger that cannot be read."""


@dataclass(frozen=True)
class Query:
    """One question put to the data.

    Parameters
    ----------
    measured
        What was asked for, in words.
    mechanism
        One of `MECHANISMS`.
    sensitivity
        By how much the answer can change with one donor more or less, in the norm of the mechanism: L2 (Gaussian),
        L1 (Laplace), the largest score (report noisy max).
    noise
        Standard deviation (Gaussian) or scale (Laplace, report noisy max) of the noise, in the answer's units.
    times
        How often it was asked.
    rate
        Chance with which each donor took part each time.
    """

    measured: str
    mechanism: str
    sensitivity: float
    noise: float
    times: int = 1
    rate: float = 1.0

    def __post_init__(self) -> None:
        sound = (
            self.mechanism in MECHANISMS
            and math.isfinite(self.sensitivity)
            and math.isfinite(self.noise)
            and self.sensitivity > 0
            and self.noise > 0
            and self.times >= 1
            and self.times % 1 == 0
            and 0 < self.rate <= 1
            and (self.rate == 1 or self.mechanism == SAMPLED)
        )
        if not sound:
            raise LedgerError(f"A query that no guarantee can be given for: {asdict(self)}.")

    @property
    def multiplier(self) -> float:
        """Noise in units of the sensitivity."""
        return self.noise / self.sensitivity


@dataclass
class Ledger:
    """The queries put to one cohort, in their order.

    Parameters
    ----------
    public
        What was taken to be known to everyone and was not charged, in words.
    unit
        Whose data a claim is about: all samples of one ``"donor"``.
    queries
        What was asked so far.
    """

    public: list[str] = field(default_factory=list)
    unit: str = "donor"
    queries: list[Query] = field(default_factory=list)

    def charge(self, query: Query) -> None:
        """Add a query to the account."""
        self.queries.append(query)

    def assume(self, text: str) -> None:
        """Note something that is taken to be public; the same text is noted once."""
        if text not in self.public:
            self.public.append(text)

    def epsilon(self, delta: float) -> float:
        """Return the ε of all queries together at ``delta``, for adding or removing one donor.

        Source: Koskela et al. 2020, AISTATS; Doroshenko et al. 2022, PETS (dp-accounting). Gaussian mechanisms alone:
        Balle & Wang 2018, ICML.
        """
        return epsilon_of(self.queries, delta)

    def epsilon_renyi(self, delta: float) -> float:
        """Return the same by Rényi composition (Mironov 2017): a looser bound, found by other means."""
        import dp_accounting as dpa
        from dp_accounting.rdp import RdpAccountant

        accountant = RdpAccountant()
        for query in self.queries:
            if query.mechanism == LAPLACE:
                event: Any = dpa.LaplaceDpEvent(query.multiplier)
            elif query.mechanism == NOISY_MAX:
                event = dpa.ZCDpEvent(0.5 * _pure(query) ** 2)
            elif query.rate < 1:
                event = dpa.PoissonSampledDpEvent(query.rate, dpa.GaussianDpEvent(query.multiplier))
            else:
                event = dpa.GaussianDpEvent(query.multiplier)
            accountant.compose(event, query.times)
        return float(accountant.get_epsilon(delta)) if self.queries else 0.0

    def statement(self, delta: float) -> str:
        """Return the claim in words: ε, δ, unit, neighbouring relation, queries, and what was public."""
        asked = "\n".join(
            f"  - {query.measured}: {query.mechanism}, noise {query.multiplier:.3g} × sensitivity"
            + (f", {query.times:,} times" if query.times > 1 else "")
            + (f", each {self.unit} with chance {query.rate:.3g}" if query.rate < 1 else "")
            for query in self.queries
        )
        known = "\n".join(f"  - {text}" for text in self.public) or "  - nothing"
        return (
            f"({_rounded_up(self.epsilon(delta))}, {delta:g})-differential privacy for each {self.unit}: whether or "
            f"not all samples of any one {self.unit} are in the cohort changes the chance of any outcome by a factor "
            f"of at most e^ε, but for a probability of δ.\n"
            f"Asked of the data:\n{asked}\nTaken to be public, and not protected:\n{known}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger as plain values, for JSON."""
        return {
            "schema": SCHEMA,
            "unit": self.unit,
            "neighbours": f"add or remove one {self.unit}",
            "public": list(self.public),
            "queries": [asdict(query) for query in self.queries],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Ledger:
        """Invert `to_dict`.

        Raises
        ------
        LedgerError
            The values are not those of a ledger.
        """
        try:
            if values["schema"] != SCHEMA:
                raise LedgerError(f"A ledger of version {shorten(values['schema'])}; known is {SCHEMA}.")
            queries = [
                Query(
                    str(query["measured"]),
                    str(query["mechanism"]),
                    float(query["sensitivity"]),
                    float(query["noise"]),
                    _whole(query["times"]),
                    float(query["rate"]),
                )
                for query in values["queries"]
            ]
            return cls([str(text) for text in values["public"]], str(values["unit"]), queries)
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerError(f"Not a ledger: {type(error).__name__} at {shorten(error)}.") from error


def epsilon_of(queries: Sequence[Query], delta: float, grid: float = GRID) -> float:
    """Return the ε at ``delta`` of queries together; a coarser ``grid`` is faster, and errs upwards only."""
    import dp_accounting as dpa
    from dp_accounting.pld import common, privacy_loss_distribution

    gaussians = [query for query in queries if query.mechanism in (GAUSSIAN, SAMPLED) and query.rate == 1]
    others = [query for query in queries if query not in gaussians]
    strength = math.sqrt(sum(query.times / query.multiplier**2 for query in gaussians))
    if not others:
        return float(dpa.get_epsilon_gaussian(1.0 / strength, delta)) if strength else 0.0
    step = {"value_discretization_interval": grid}
    parts = [privacy_loss_distribution.from_gaussian_mechanism(1.0 / strength, **step)] if strength else []
    for query in others:
        if query.mechanism == LAPLACE:
            part = privacy_loss_distribution.from_laplace_mechanism(query.multiplier, **step)
        elif query.mechanism == NOISY_MAX:
            bound = common.DifferentialPrivacyParameters(_pure(query), 0.0)
            part = privacy_loss_distribution.from_privacy_parameters(bound, **step)
        else:
            part = privacy_loss_distribution.from_gaussian_mechanism(query.multiplier, sampling_prob=query.rate, **step)
        parts.append(part.self_compose(query.times) if query.times > 1 else part)
    total = parts[0]
    for part in parts[1:]:
        total = total.compose(part)
    return float(total.get_epsilon_for_delta(delta))


def _pure(query: Query) -> float:
    """Return the ε of one report of a noisy maximum, of scores that may rise and fall."""
    return 2.0 / query.multiplier


def _whole(number: Any) -> int:
    if number % 1:
        raise ValueError(f"{number} is no whole number")
    return int(number)


def _rounded_up(epsilon: float) -> str:
    """Return ε with three digits, never less than it is."""
    if not 0 < epsilon < math.inf:
        return f"{epsilon:g}"
    step = 10.0 ** (math.floor(math.log10(epsilon)) - 2)
    # A last digit that rounding of floating-point numbers has made is none.
    return f"{math.ceil(epsilon / step - 1e-6) * step:.3g}"
