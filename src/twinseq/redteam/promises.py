r"""Whether a promise of differential privacy is kept: the strongest attacker that the definition allows.

The attacker knows every donor but one, sees **every noisy answer** that a generator was given, not just its model, and
asks whether one more donor, the canary, was there. Answers hang on earlier answers, so the fit is played again in the
other world with the answers that were heard, and what would have been asked there is written down. With answers
:math:`a` and true values :math:`q_0` (without the canary) and :math:`q_1` (with it) in units of the noise, the
likelihood ratio

.. math:: \sum_j (q_1 - q_0) \cdot (a - (q_0 + q_1) / 2)

is the best test there is, so the bound on ε comes near the promise where the canary stands far out. Three things are
seen besides. The length of all :math:`q_1 - q_0` is what the canary really costs, and can be held against the ledger
without any statistics. If the two worlds, given the same answers, come to different models, then something reached the
model that was not noised; this gives the canary away altogether. And the noise itself, what was heard less what is
true, can be held against what was charged.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv
from scipy.stats import norm

from ..attacks.epsilon import epsilon_lower
from ..attacks.roc import auc
from ..cohort import Cohort
from ..dp.budget import Budget, PrivacyWarning
from ..errors import ConfigError
from ..generators._modelfile import pack_frame
from ..generators._private import PrivateGenerator
from ..generators._private_deep import PrivateDeepGenerator
from .transcripts import PathError, listening

Floats = NDArray[np.float64]
LEAST_RUNS = 8
ROUNDING = 1e-6
"""By how much gradients of 32-bit numbers may be too long."""
SURE = 5.0
"""Standard errors by which noise has to be too small."""


@dataclass(frozen=True)
class PromiseAudit:
    """What came out.

    Parameters
    ----------
    claimed, delta
        What was promised.
    epsilon_lower
        ε that is not kept below, at confidence ``1 − alpha``: the larger of what error rates say at ``delta``, and of
        the ε at ``delta`` of a Gaussian mechanism as strong as they say.
    alpha
        Probability of a bound that is too high.
    reached
        Largest strength μ that the canary had on all true answers together; ``mu`` is what the budget allows.
    mu
        Strength of the one Gaussian mechanism that would use up the budget.
    noise, noise_error
        Standard deviation of the noise in units of what was charged, over all answers of all runs; its standard error.
    auc
        How well the likelihood ratio tells runs with the canary from those without.
    runs
        Number of fits.
    leaks
        Names of what in the model hangs on the canary but through no noisy answer.
    """

    claimed: float
    delta: float
    epsilon_lower: float
    alpha: float
    reached: float
    mu: float
    noise: float
    noise_error: float
    auc: float
    runs: int
    leaks: tuple[str, ...]

    @property
    def refutes(self) -> bool:
        """Whether the promise is broken: by the bound, the answers' length, their noise, or by what was not noised."""
        return (
            self.epsilon_lower > self.claimed
            or self.reached > self.mu * (1 + ROUNDING)
            or self.noise < 1 - SURE * self.noise_error
            or bool(self.leaks)
        )


def audit_promise(
    make: Callable[[], PrivateGenerator], without: Cohort, with_canary: Cohort, runs: int, seed: int = 0,
    alpha: float = 0.05,
) -> PromiseAudit:  # fmt: skip
    """Fit ``runs`` times, with the canary by the toss of a coin, and bound ε from below.

    Not to be run in two threads at once: mechanisms are listened to where all threads find them. In networks each
    donor has to take part in every step (``rate=1``).

    Parameters
    ----------
    make
        Returns the generator, not fitted.
    without, with_canary
        The cohort, and the same with the samples of one more donor after all others.
    runs
        Number of fits; each is played once more in the other world.
    seed
        Of coins and fits. The noise has none, so that two audits differ.
    alpha
        Probability of a bound above the true ε.

    Raises
    ------
    ConfigError
        Runs are too few, or donors are sampled.
    PathError
        Questions differ between the worlds.

    References
    ----------
    Nasr et al. 2023, "Tight auditing of differentially private machine learning", USENIX Security; Jagielski, Ullman &
    Oprea 2020, NeurIPS.
    """
    if runs < LEAST_RUNS:
        raise ConfigError(f"An audit of a promise needs at least {LEAST_RUNS} runs, not {runs}.")
    rng = np.random.default_rng([seed, 7])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)  # small cohorts and large budgets are what audits are about
        first = make()
        if getattr(first, "rate", 1.0) != 1.0:
            raise ConfigError(f"{first.info.name}: an audit by transcripts needs rate=1.")
        budget = Budget(first.epsilon, first.delta)  # type: ignore[arg-type]  # generators are not made without
        coins = rng.permutation(np.arange(runs) % 2 == 0)
        played = [_play(make, (without, with_canary), int(coin), seed + 1 + run) for run, coin in enumerate(coins)]
    scores = np.array([one.score for one in played])
    members, others = scores[coins], scores[~coins]
    strength = _strength_at_zero(members, others, alpha / 2)
    noise = np.concatenate([one.noise for one in played])
    return PromiseAudit(
        claimed=budget.epsilon,
        delta=budget.delta,
        epsilon_lower=max(
            epsilon_lower(members, others, rng, budget.delta, alpha / 2), gaussian_epsilon(strength, budget.delta)
        ),
        alpha=alpha,
        reached=max(one.length for one in played),
        mu=budget.mu,
        noise=float(np.sqrt((noise**2).mean())),
        noise_error=1.0 / math.sqrt(2 * len(noise)),
        auc=auc(members, others),
        runs=runs,
        leaks=tuple(sorted({name for one in played for name in one.leaks})),
    )


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Return ε at ``delta`` of a Gaussian mechanism of strength ``mu``."""
    import dp_accounting as dpa

    return float(dpa.get_epsilon_gaussian(1.0 / mu, delta)) if mu > 0 else 0.0


def _strength_at_zero(members: Floats, others: Floats, alpha: float) -> float:
    """Return a lower bound on μ from the errors at a likelihood ratio of 1, the best threshold where noise is normal.

    It is known beforehand, so that no runs are spent on choosing it.
    """
    rates = [
        float(betaincinv(wrong + 1, n - wrong, 1 - alpha / 2)) if wrong < n else 1.0
        for wrong, n in ((int((members <= 0).sum()), len(members)), (int((others >= 0).sum()), len(others)))
    ]
    return max(0.0, float(-norm.ppf(rates).sum()))


@dataclass(frozen=True)
class _Run:
    """Likelihood ratio, length of what the canary changes, the noise in its units, and what was changed unnoised."""

    score: float
    length: float
    noise: Floats
    leaks: list[str]


def _play(make: Callable[[], PrivateGenerator], worlds: tuple[Cohort, Cohort], real: int, seed: int) -> _Run:
    """Fit in one world, and with the same answers in the other."""
    deep = isinstance(make(), PrivateDeepGenerator)
    with listening(deep) as told:
        model = make().fit(worlds[real], seed)
    with listening(deep, told.raw) as other:
        twin_model = make().fit(worlds[1 - real], seed)
    if len(other.raw) != len(told.raw):
        raise PathError(
            f"{len(told.raw)} questions in one world, {len(other.raw)} in the other, with the same answers."
        )
    asked = (told.exact, other.exact) if real == 0 else (other.exact, told.exact)
    score = length = 0.0
    for heard, without, with_canary in zip(told.heard, *asked, strict=True):
        apart = with_canary - without
        score += float(apart @ (heard - (without + with_canary) / 2))
        length += float(apart @ apart)
    names = _differences(released(model), released(twin_model))
    if names:
        # Whoever holds the model computes both, and sees which of them it is.
        score = math.inf if real else -math.inf
    noise = np.concatenate([heard - exact for heard, exact in zip(told.heard, told.exact, strict=True)])
    return _Run(score, math.sqrt(length), noise, names)


def released(model: PrivateGenerator) -> dict[str, bytes]:
    """Return all that a model file holds of the data, and a twin, by name."""
    twin = model.sample(seed=0)
    frames = {"genes": model.frame_.var, "columns": model.frame_.obs, "classes": model.classes_, "table": twin.obs}
    arrays = {**model._state(), "class_sizes": model.class_sizes_, "a twin": twin.dense()}
    return {name: value.tobytes() for name, value in arrays.items()} | {
        name: pack_frame(table).tobytes() for name, table in frames.items()
    }


def _differences(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    return [name for name in one if one[name] != other.get(name)]
