"""The account: totals against closed forms and another accountant, files, and words."""

import json
import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import log_ndtr
from scipy.stats import norm

from twinseq.dp import Ledger, LedgerError, Query
from twinseq.dp.ledger import GAUSSIAN, LAPLACE, MECHANISMS, NOISY_MAX, SAMPLED
from twinseq.dp.mechanisms import gaussian

DELTA = 1e-5


def ledger_of(*queries: Query) -> Ledger:
    ledger = Ledger()
    for query in queries:
        ledger.charge(query)
    return ledger


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Balle & Wang 2018: δ(ε) = Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ), solved for ε."""

    def excess(epsilon):
        return norm.cdf(mu / 2 - epsilon / mu) - np.exp(epsilon + log_ndtr(-mu / 2 - epsilon / mu)) - delta

    return brentq(excess, 0.0, 500.0)


@pytest.mark.parametrize("multiplier", [0.2, 1.0, 3.7, 20.0])
@pytest.mark.parametrize("delta", [1e-9, 1e-5, 1e-2])
def test_one_gaussian_is_the_analytic_formula(multiplier, delta):
    ledger = ledger_of(Query("q", GAUSSIAN, 2.5, 2.5 * multiplier))
    expected = gaussian_epsilon(1 / multiplier, delta)
    assert ledger.epsilon(delta) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_strengths_of_gaussians_add_up_as_squares():
    many = ledger_of(Query("a", GAUSSIAN, 1.0, 3.0), Query("b", GAUSSIAN, 7.0, 28.0), Query("c", GAUSSIAN, 1.0, 6.0, 4))
    mu = math.sqrt(1 / 9 + 1 / 16 + 4 / 36)
    assert many.epsilon(DELTA) == pytest.approx(ledger_of(Query("x", GAUSSIAN, 1.0, 1 / mu)).epsilon(DELTA), rel=1e-9)


def test_sampling_of_everyone_is_no_sampling():
    plain, sampled = (ledger_of(Query("q", name, 1.0, 4.0, 10)) for name in (GAUSSIAN, SAMPLED))
    assert plain.epsilon(DELTA) == sampled.epsilon(DELTA)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 3.0])
def test_laplace_and_noisy_max_alone_cost_their_epsilon(epsilon):
    assert ledger_of(Query("q", LAPLACE, 2.0, 2.0 / epsilon)).epsilon(1e-12) == pytest.approx(epsilon, rel=2e-3)
    assert ledger_of(Query("q", NOISY_MAX, 2.0, 4.0 / epsilon)).epsilon(1e-12) == pytest.approx(epsilon, rel=2e-3)


def test_laplace_at_a_large_delta_costs_what_its_density_says():
    """δ(ε) = 1 − e^{(ε − 1/b) / 2} for scale b."""
    scale, delta = 0.8, 0.05
    expected = 1 / scale + 2 * math.log(1 - delta)
    assert ledger_of(Query("q", LAPLACE, 1.0, scale)).epsilon(delta) == pytest.approx(expected, rel=1e-3)


MIXED = {
    "gaussians": [Query("a", GAUSSIAN, 1.0, 3.0, 2)],
    "laplace": [Query("a", LAPLACE, 1.0, 3.0, 5)],
    "noisy max": [Query("a", NOISY_MAX, 1.0, 8.0, 3)],
    "sampled": [Query("a", SAMPLED, 1.0, 1.3, 60, 0.1)],
    "all": [
        Query("a", GAUSSIAN, 1.0, 4.0),
        Query("b", LAPLACE, 1.0, 5.0),
        Query("c", NOISY_MAX, 1.0, 9.0),
        Query("d", SAMPLED, 1.0, 2.0, 30, 0.2),
    ],
}


@pytest.mark.parametrize("case", MIXED)
@pytest.mark.parametrize("delta", [1e-7, 1e-3])
def test_renyi_composition_is_never_below(case, delta):
    ledger = ledger_of(*MIXED[case])
    tight, loose = ledger.epsilon(delta), ledger.epsilon_renyi(delta)
    assert tight <= loose * (1 + 1e-3)
    assert loose < 3.5 * tight


def test_every_query_adds_to_the_total():
    ledger, before = Ledger(), 0.0
    assert ledger.epsilon(DELTA) == ledger.epsilon_renyi(DELTA) == 0.0
    for query in MIXED["all"]:
        ledger.charge(query)
        assert ledger.epsilon(DELTA) > before
        before = ledger.epsilon(DELTA)
    alone = sum(ledger_of(query).epsilon(DELTA / 4) for query in MIXED["all"])
    assert before < alone


def test_more_noise_and_a_larger_delta_cost_less():
    costs = [ledger_of(Query("q", GAUSSIAN, 1.0, noise)).epsilon(delta) for noise, delta in
             ((1.0, 1e-6), (1.0, 1e-3), (2.0, 1e-3), (50.0, 1e-3))]  # fmt: skip
    assert costs == sorted(costs, reverse=True)


def test_a_ledger_survives_a_file():
    ledger = ledger_of(*MIXED["all"])
    ledger.assume("the genes")
    ledger.assume("the genes")
    gaussian(np.zeros(3), np.sqrt(3.0), np.float64(2.0), ledger, "answers of numpy's numbers")
    again = Ledger.from_dict(json.loads(json.dumps(ledger.to_dict())))
    assert again == ledger
    assert again.public == ["the genes"]
    assert again.epsilon(DELTA) == ledger.epsilon(DELTA)
    assert ledger.to_dict()["neighbours"] == "add or remove one donor"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("noise", 0.0), ("noise", -1.0), ("noise", math.nan), ("noise", math.inf), ("noise", None), ("noise", "much"),
        ("sensitivity", 0.0), ("sensitivity", math.inf), ("sensitivity", math.nan),
        ("times", 0), ("times", 1.9), ("times", math.inf), ("times", math.nan),
        ("rate", 0.0), ("rate", 1.5), ("rate", math.nan), ("rate", 0.5),
        ("mechanism", "Cauchy"), ("mechanism", None),
    ],
)  # fmt: skip
def test_a_query_without_a_guarantee_is_refused(key, value):
    good = Query("q", GAUSSIAN, 1.0, 2.0)
    if not isinstance(value, str | None) or key == "mechanism":
        with pytest.raises(LedgerError, match="no guarantee"):
            Query(**(vars(good) | {key: value}))
    stored = ledger_of(good).to_dict()
    stored["queries"][0][key] = value
    with pytest.raises(LedgerError):
        Ledger.from_dict(stored)


@pytest.mark.parametrize("broken", [{}, {"schema": 2}, {"schema": 1, "queries": []}, {"schema": 1, "queries": 3}])
def test_what_is_no_ledger_is_refused(broken):
    with pytest.raises(LedgerError):
        Ledger.from_dict(broken)


def test_the_statement_says_all_that_a_claim_hangs_on():
    ledger = ledger_of(*MIXED["all"])
    assert "Taken to be public, and not protected:\n  - nothing" in ledger.statement(DELTA)
    ledger.assume("gene names")
    text = ledger.statement(DELTA)
    for words in (
        "1e-05)-differential privacy for each donor", "all samples of any one donor", "at most e^ε",
        "  - a: Gaussian, noise 4 × sensitivity", "30 times", "each donor with chance 0.2", "  - gene names",
    ):  # fmt: skip
        assert words in text, words
    assert all(name in text for name in MECHANISMS)


@pytest.mark.parametrize("noise", [0.31, 0.77, 1.0, 1.234, 5.0, 99.0])
def test_the_statement_never_promises_more_than_was_paid_for(noise):
    ledger = ledger_of(Query("q", GAUSSIAN, 1.0, noise))
    said, true = float(ledger.statement(DELTA).split(",")[0].strip("(")), ledger.epsilon(DELTA)
    assert true * (1 - 1e-6) <= said <= 1.01 * true
