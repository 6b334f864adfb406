"""Canaries: planted donors that show how much a generator lets through of a single one (level T4).

Whether a promise of differential privacy holds is not seen on ordinary donors. So the auditor plants donors who stand
as far out as the data allow, each by the toss of a coin, lets the generator learn, and guesses the coins from what
comes out. Guesses that are right too often refute the promised ε. One run with many canaries gives a bound at the
price of one fit; many runs with one canary give a tighter one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..parallel import run
from ..transforms import size_reference
from ._base import Definition, Floats, Model, NotApplicableError, Samples
from .epsilon import epsilon_lower, one_run_epsilon
from .roc import auc

Kind = Literal["edges", "shuffled"]
KINDS: dict[Kind, str] = {
    "edges": "every gene at the lowest or the highest value of its class, by the toss of a coin",
    "shuffled": "every gene from another donor of the class: ordinary values that no one has together",
}
TWINS = 10
"""Twins of the training set's size from which means are taken; what a mechanism promises holds for all of them."""

RIDGE = 0.1
"""Ridge of that regression, as a share of the mean squared length of a canary."""


@dataclass(frozen=True)
class CanaryResult:
    """What planted donors prove.

    Parameters
    ----------
    epsilon_lower
        ε that the generator does not keep below, at confidence ``1 − alpha``; 0 proves nothing.
    claimed
        ε that was promised; ``None``: nothing was.
    delta, alpha
        δ of the promise, and the probability of a bound that is too high.
    method
        ``"one run"`` or ``"many runs"``.
    scored_by
        ``"likelihood"`` of the fitted model, or ``"tracing"`` in its twins.
    kind
        Which canaries (`KINDS`).
    n_canaries, n_guesses
        Canaries planted (runs, where there are many), and coins guessed.
    auc
        How well scores tell canaries that were in from those that were not; NaN where all coins fell alike.
    """

    epsilon_lower: float
    claimed: float | None
    delta: float
    alpha: float
    method: str
    scored_by: str
    kind: Kind
    n_canaries: int
    n_guesses: int
    auc: float

    @property
    def refutes(self) -> bool:
        """Whether the promise is broken."""
        return self.claimed is not None and self.epsilon_lower > self.claimed


def canary_audit(
    samples: Samples,
    definition: Definition,
    *,
    n_canaries: int = 100,
    repeats: int = 0,
    kind: Kind = "edges",
    n_guesses: int | None = None,
    claimed: float | None = None,
    delta: float = 0.0,
    alpha: float = 0.05,
    seed: int = 0,
    jobs: int = 1,
) -> CanaryResult:
    """Plant canaries among donors and bound the generator's ε from below.

    The relation is add/remove: a coin decides whether a canary is there at all.

    Parameters
    ----------
    samples
        Donors that are in the training data of every run.
    definition
        The generator with its settings, promise included.
    n_canaries
        Canaries of the one run.
    repeats
        Instead: number of runs with a single canary each; 0: one run.
    kind
        Which canaries (`KINDS`).
    n_guesses
        Coins guessed in the one run (`one_run_epsilon`), an even number; by default a third of the canaries.
    claimed
        ε that was promised, kept for the comparison.
    delta, alpha
        δ of the promise; probability of a bound above the true ε.
    seed
        Seed of canaries, coins, fits and draws.
    jobs
        Threads over runs; they change no result.

    Raises
    ------
    ConfigError
        There are fewer than 2 canaries, or runs fewer than 4.
    """
    if (repeats and repeats < 4) or n_canaries < 2:
        raise ConfigError("A canary audit needs at least 2 canaries, or 4 runs.")
    if samples.kind == "counts" and samples.reference is None:
        samples = samples.against(size_reference(samples.values))
    rng = np.random.default_rng([seed, 6])
    canaries = make_canaries(samples, 1 if repeats else n_canaries, kind, rng)
    coins = rng.random((repeats or 1, len(canaries))) < 0.5
    score, scored_by = _scorer(samples, canaries, definition, seed)

    def one(number: int) -> Floats:
        planted = samples.joined(canaries.subset(np.flatnonzero(coins[number])))
        return score(definition.fit(planted, seed + 1 + number), planted, seed + 1 + number)

    scores = np.concatenate(run(one, range(len(coins)), jobs))
    included = coins.ravel()
    both = bool(included.any() and not included.all())
    if repeats:
        bound = epsilon_lower(scores[included], scores[~included], rng, delta, alpha) if both else 0.0
        guesses = len(scores)
    else:
        guesses = max(2, 2 * (n_canaries // 6)) if n_guesses is None else n_guesses
        bound = one_run_epsilon(scores, included, guesses, delta, alpha)
    return CanaryResult(
        epsilon_lower=bound,
        claimed=claimed,
        delta=delta,
        alpha=alpha,
        method="many runs" if repeats else "one run",
        scored_by=scored_by,
        kind=kind,
        n_canaries=len(scores),
        n_guesses=guesses,
        auc=auc(scores[included], scores[~included]) if both else float("nan"),
    )


def make_canaries(samples: Samples, n: int, kind: Kind, rng: np.random.Generator) -> Samples:
    """Return ``n`` canaries, their classes in the proportions of the donors.

    Raises
    ------
    ConfigError
        The kind is unknown.
    """
    if kind not in KINDS:
        raise ConfigError(f"Unknown kind of canaries '{kind}'. Known: {', '.join(KINDS)}.")
    labels = rng.permutation(np.resize(rng.permutation(samples.labels), n))
    values = np.empty((n, samples.values.shape[1]), dtype=samples.values.dtype)
    for row, name in enumerate(labels):
        own = samples.values[samples.labels == name]
        if kind == "edges":
            values[row] = np.where(rng.random(own.shape[1]) < 0.5, own.min(axis=0), own.max(axis=0))
        else:
            values[row] = np.take_along_axis(own, rng.integers(len(own), size=(1, own.shape[1])), 0)[0]
        if samples.kind == "counts" and not values[row].any():
            # A sample without any count is no sample.
            values[row] = own.max(axis=0)
    return Samples(values, labels, samples.kind).against(samples.reference)


Score = Callable[[Model, Samples, int], Floats]


def _scorer(samples: Samples, canaries: Samples, definition: Definition, seed: int) -> tuple[Score, str]:
    """Return how canaries are scored under a fitted model, decided before any coin is looked at."""
    without = definition.fit(samples, seed)
    try:
        stranger = without.log_likelihood(canaries)
    except NotApplicableError:
        return _tracing(samples, canaries), "tracing"

    def likelihood(model: Model, planted: Samples, seed: int) -> Floats:
        found: Floats = model.log_likelihood(canaries) - stranger
        return found

    return likelihood, "likelihood"


def _tracing(samples: Samples, canaries: Samples) -> Score:
    """Return the score of canaries by whether the twin's class means have moved towards them.

    The auditor knows everybody else and all canaries, so the shift of a mean is taken apart into those of the canaries
    (ridge regression) instead of being held against one at a time.
    """
    names = np.unique(samples.labels)
    centres = _means(samples, names)
    left = samples.on_log - centres[np.searchsorted(names, samples.labels)]
    spread = np.sqrt((left**2).mean(axis=0))
    scale = np.where(spread > 0, spread, np.inf)
    codes: NDArray[np.intp] = np.searchsorted(names, canaries.labels)
    away = (canaries.on_log - centres[codes]) / scale

    def tracing(model: Model, planted: Samples, seed: int) -> Floats:
        twins = [model.draw(planted.labels, seed + twin).against(samples.reference) for twin in range(TWINS)]
        shift = (np.mean([_means(twin, names) for twin in twins], axis=0) - centres) / scale
        found = np.empty(len(canaries))
        for code in np.unique(codes):
            rows = codes == code
            products = away[rows] @ away[rows].T
            ridge = RIDGE * float(np.trace(products)) / len(products)
            found[rows] = np.linalg.solve(products + ridge * np.eye(len(products)), away[rows] @ shift[code])
        return found

    return tracing


def _means(samples: Samples, names: NDArray[np.str_]) -> Floats:
    """Return the mean of each class on the log scale, ``n_classes × G``."""
    return np.stack([samples.on_log[samples.labels == name].mean(axis=0) for name in names])
