"""Privacy bounds, against mechanisms whose privacy is known."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom, norm
from statsmodels.stats.proportion import proportion_confint

from twinseq.attacks.epsilon import auc_half_width, epsilon_lower, gdp_mu_lower, largest_epsilon, one_run_epsilon


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def randomised_response(rng, n, epsilon):
    """Members answer yes with probability ``e^ε / (1 + e^ε)``, non-members with the rest."""
    honest = 1 / (1 + np.exp(-epsilon))
    return (rng.random(n) < honest).astype(float), (rng.random(n) >= honest).astype(float)


def laplace(rng, n, epsilon):
    return 1 + rng.laplace(0, 1 / epsilon, n), rng.laplace(0, 1 / epsilon, n)


def gaussian(rng, n, mu):
    return mu + rng.standard_normal(n), rng.standard_normal(n)


def gaussian_epsilon(mu, delta):
    """ε of the Gaussian mechanism by the analytic formula of Balle and Wang."""
    return brentq(lambda e: norm.cdf(-e / mu + mu / 2) - np.exp(e) * norm.cdf(-e / mu - mu / 2) - delta, 0, 50)


def test_power_is_what_the_number_of_donors_allows():
    sizes = (22, 50, 100, 500, 1000)
    assert [round(largest_epsilon(n, n), 1) for n in sizes] == [1.7, 2.6, 3.3, 4.9, 5.6]
    assert [auc_half_width(n, n) for n in sizes] == pytest.approx([0.17, 0.11, 0.08, 0.036, 0.025], abs=0.004)
    # By the formula: an error not seen in n donors may have a rate of 1 − (α/2)^(1/n).
    rate = 1 - 0.05 ** (1 / 40)
    assert largest_epsilon(40, 40, delta=0.1, alpha=0.1) == pytest.approx(np.log((0.9 - rate) / rate))
    assert largest_epsilon(1, 100) == 0


@pytest.mark.parametrize(("n_members", "n_nonmembers"), [(22, 22), (21, 40), (50, 9), (101, 37), (2, 2)])
def test_a_perfect_attack_certifies_the_most_possible(rng, n_members, n_nonmembers):
    members, nonmembers = 9 + rng.random(n_members), rng.random(n_nonmembers)
    most = largest_epsilon(n_members, n_nonmembers)
    assert epsilon_lower(members, nonmembers, rng) == pytest.approx(most)
    assert epsilon_lower(members, nonmembers, rng, delta=0.05) == pytest.approx(
        largest_epsilon(n_members, n_nonmembers, delta=0.05)
    )


def test_bound_on_binary_scores_is_that_of_the_counts(rng):
    """With two distinct scores there is one threshold, so that both halves read the same test."""
    members, nonmembers = np.repeat([1.0, 0], [170, 30]), np.repeat([1.0, 0], [10, 190])
    missed, false = (proportion_confint(wrong, 200, 0.05, "beta")[1] for wrong in (30, 10))
    assert epsilon_lower(members, nonmembers, rng) == pytest.approx(np.log((1 - missed) / false))
    assert epsilon_lower(members, nonmembers, rng, delta=0.01) == pytest.approx(np.log((0.99 - missed) / false))
    assert gdp_mu_lower(members, nonmembers, rng) == pytest.approx(-norm.ppf(false) - norm.ppf(missed))
    # The other direction, where members are the ones hardly ever missed.
    assert epsilon_lower(-nonmembers, -members, rng) == pytest.approx(np.log((1 - missed) / false))


def test_scores_that_say_nothing_prove_nothing(rng):
    for bound in (epsilon_lower, gdp_mu_lower):
        assert bound(np.zeros(50), np.zeros(50), rng) == 0
        assert bound(np.array([5.0]), np.zeros(50), rng) == 0
        assert bound(np.zeros(50), np.ones(50), rng) == 0
        with pytest.raises(ValueError, match="missing"):
            bound(np.array([np.nan, 1]), np.zeros(50), rng)


def test_bound_ignores_the_order_of_donors_and_the_units_of_scores(rng):
    members, nonmembers = gaussian(rng, 60, 2)
    for bound in (epsilon_lower, gdp_mu_lower):
        first = bound(members, nonmembers, np.random.default_rng(1))
        assert bound(members[::-1], np.sort(nonmembers), np.random.default_rng(1)) == pytest.approx(first)
        assert bound(3 + 4 * members, 3 + 4 * nonmembers, np.random.default_rng(1)) == pytest.approx(first)
        assert first > 0


def test_infinite_scores_are_the_highest_and_lowest(rng):
    far = np.full(30, np.inf)
    assert epsilon_lower(far, -far, rng) == largest_epsilon(30, 30)
    assert epsilon_lower(far, np.zeros(30), rng) == largest_epsilon(30, 30)


# A probability of 5 % shows below 7.5 % in 500 audits with near certainty; what was measured is below 2.5 %.
@pytest.mark.slow
@pytest.mark.parametrize("n", [22, 50, 200])
@pytest.mark.parametrize(
    ("mechanism", "parameter", "delta", "truth"),
    [
        pytest.param(laplace, 1e-9, 0.0, 1e-9, id="nothing leaks"),
        pytest.param(randomised_response, 1.0, 0.0, 1.0, id="randomised response"),
        pytest.param(randomised_response, 3.0, 0.0, 3.0, id="clear randomised response"),
        pytest.param(laplace, 1.0, 0.0, 1.0, id="Laplace"),
        pytest.param(gaussian, 1.0, 0.05, gaussian_epsilon(1.0, 0.05), id="Gaussian"),
    ],
)
def test_bound_exceeds_the_true_epsilon_in_few_audits(n, mechanism, parameter, delta, truth):
    rng = np.random.default_rng(n)
    bounds = np.array([epsilon_lower(*mechanism(rng, n, parameter), rng, delta=delta) for _ in range(500)])
    assert np.mean(bounds > truth * (1 + 1e-9)) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("n", "most"), [(50, 0.6), (1000, 0.85)])
def test_bound_comes_near_the_true_epsilon_with_many_donors(n, most):
    rng = np.random.default_rng(4)
    bounds = [epsilon_lower(*randomised_response(rng, n, 2.0), rng) for _ in range(100)]
    assert np.median(bounds) > 2.0 * most - 0.2


@pytest.mark.slow
@pytest.mark.parametrize("mu", [0.0, 1.0, 2.0])
def test_gaussian_bound_exceeds_the_true_mu_in_few_audits(mu):
    rng = np.random.default_rng(5)
    for n in (22, 200):
        bounds = np.array([gdp_mu_lower(*gaussian(rng, n, mu), rng) for _ in range(500)])
        assert np.mean(bounds > mu) <= 0.05
    # 200 donors show about 70 % of a μ of 2.
    assert np.median(bounds) >= 0.5 * (mu - 1)


def one_run(v, n_guesses, n_canaries, **claim):
    """An audit in which exactly ``v`` guesses are right."""
    scores = np.arange(n_canaries, dtype=float)
    included = scores >= n_canaries / 2
    wrong = n_guesses - v
    included[:wrong] = True
    return one_run_epsilon(scores, included, n_guesses, **claim)


def test_one_run_bound_is_the_published_one():
    """Steinke, Nasr & Jagielski 2023, Appendix D: 75 of 100 guesses among 1,000 canaries, δ = 1e-4."""
    assert one_run(75, 100, 1000, delta=1e-4) == pytest.approx(0.673, abs=5e-4)


def test_one_run_bound_without_delta_is_that_of_a_proportion():
    for right in (40, 45, 50):
        rate = proportion_confint(right, 50, 0.1, "beta")[0]
        assert one_run(right, 50, 120) == pytest.approx(np.log(rate / (1 - rate)), abs=1e-9)
    assert one_run(25, 50, 120) == 0


def test_one_run_bound_with_delta_solves_the_tail_equation():
    epsilon, delta = one_run(70, 80, 200, delta=1e-3), 1e-3
    tail = [binom(80, 1 / (1 + np.exp(-epsilon))).pmf(k) for k in range(81)]
    steepest = max(sum(tail[70 - i : 70]) / i for i in range(1, 71))
    assert sum(tail[70:]) + 2 * 200 * delta * steepest == pytest.approx(0.05, abs=1e-6)
    assert one_run(70, 80, 200) > epsilon > one_run(70, 80, 200, delta=2e-3)


def test_one_run_ties_are_not_broken_by_the_order_of_canaries():
    included = np.arange(100) >= 50
    assert one_run_epsilon(np.zeros(100), included, 40) == 0
    # All the same but for five: at most ten guesses can be right.
    assert one_run_epsilon(np.r_[np.arange(-5.0, 0), np.zeros(90), np.arange(1.0, 6)], included, 40) == 0


def test_one_run_default_guesses_a_third_and_wrong_numbers_are_refused():
    scores = np.arange(30.0)
    included = scores >= 15
    assert one_run_epsilon(scores, included) == one_run_epsilon(scores, included, 10)
    for wrong in (0, 7, 32):
        with pytest.raises(ValueError, match="even number"):
            one_run_epsilon(scores, included, wrong)
    with pytest.raises(ValueError, match="each canary"):
        one_run_epsilon(scores, included[:9])


@pytest.mark.slow
@pytest.mark.parametrize(("epsilon", "delta"), [(0.0, 0.0), (1.0, 1e-3), (3.0, 0.0)])
def test_one_run_bound_exceeds_the_true_epsilon_in_few_audits(epsilon, delta):
    """Randomised response on each canary's inclusion: the worst case of the theorem."""
    rng = np.random.default_rng(6)
    bounds = []
    for _ in range(500):
        included = rng.random(120) < 0.5
        answer = np.where(rng.random(120) < 1 / (1 + np.exp(-epsilon)), included, ~included)
        bounds.append(one_run_epsilon(answer + 0.1 * rng.random(120), included, delta=delta))
    assert np.mean(np.array(bounds) > epsilon) <= 0.06
