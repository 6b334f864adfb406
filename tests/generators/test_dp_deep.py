"""Generators trained by DP-SGD: the account, the clipping, the noise, and what is left of the data."""

import sys

import dp_accounting as dpa
import numpy as np
import pytest
import torch
from opacus.accountants import PRVAccountant, RDPAccountant
from torch import nn

from twinseq import generators
from twinseq.attacks import Samples
from twinseq.attacks.canaries import canary_audit
from twinseq.attacks.epsilon import epsilon_lower
from twinseq.dp import Budget, Ledger, LedgerError, Query, Spending
from twinseq.dp.entropy import normals, uniforms
from twinseq.dp.ledger import SAMPLED
from twinseq.errors import ConfigError
from twinseq.generators import _private_training
from twinseq.generators._extras import MissingExtraError
from twinseq.generators._private_contest import add_gradients
from twinseq.generators._private_rivals import Critic, Maker
from twinseq.generators._private_training import (
    Steps,
    cut_sums,
    noisy_gradients,
    per_sample_gradients,
    train_privately,
)
from twinseq.generators._private_vae import LinearVae
from twinseq.generators._torch import initialise
from twinseq.generators.dp_ctgan import spread_evenly
from twinseq.knowledge import KnownGenerator

from .planted import SMALL, cohort_of, same_draws

DP_DEEP = ("dp-cvae", "dp-ctgan")
PAPER = {"dp-cvae": {"hidden": "8-4", "latent": 3}, "dp-ctgan": {"hidden": "8", "critic": "8"}}
N_GENES = 7


def planted(n=400, n_genes=60, donors_of=1, seed=0):
    """Return a continuous cohort of two classes, 3 apart in every third gene, and the class means."""
    rng = np.random.default_rng(seed)
    label = np.repeat(["a", "b"], n // 2)
    means = np.stack([np.linspace(4, 12, n_genes)] * 2)
    means[1, ::3] += 3
    x = means[(label == "b").astype(int)] + rng.normal(0, 1, (n, n_genes)) + 0.6 * rng.normal(0, 1, (n, 1))
    donors = [f"d{row // donors_of}" for row in range(n)]
    return cohort_of({"group": label, "patient": donors}, x=x, label="group", donor="patient", kind="continuous"), means


class Batch:
    """A small network with the data that its losses are taken on."""

    def __init__(self, n=12, scale=1.0, seed=0):
        torch.manual_seed(seed)
        self.network = LinearVae(N_GENES, 2, 2, 4, 2)
        self.network.start(torch.Generator().manual_seed(seed), 0.5)
        self.x = scale * torch.randn(n, N_GENES)
        self.codes = torch.arange(n) % 2
        self.noise = torch.randn(n, 2)

    def losses(self, rows):
        return self.network.losses(self.x[rows], self.codes[rows], self.noise[rows])

    @property
    def weights(self):
        return list(self.network.parameters())

    def sums(self, rows, donors, clip):
        with per_sample_gradients(self.network):
            parts = cut_sums(self.weights, self.losses, torch.as_tensor(rows), torch.as_tensor(donors), clip)
        return torch.cat([part.flatten() for part in parts]).double().numpy()


@pytest.mark.parametrize(("noise", "rate", "times"), [(3.6, 0.3, 40), (1.1, 0.05, 500), (2.0, 0.9, 10)])
def test_the_account_agrees_with_that_of_opacus(noise, rate, times):
    ours = Ledger(queries=[Query("gradients", SAMPLED, 1.0, noise, times, rate)])
    tight, loose = PRVAccountant(), RDPAccountant()
    tight.history = loose.history = [(noise, rate, times)]
    assert ours.epsilon(1e-5) == pytest.approx(tight.get_epsilon(delta=1e-5, eps_error=0.005), rel=0.01)
    # Rényi composition is an upper bound: never below, and a tenth or so above.
    assert 1.0 <= loose.get_epsilon(delta=1e-5) / ours.epsilon(1e-5) < 1.2
    assert ours.epsilon_renyi(1e-5) == pytest.approx(loose.get_epsilon(delta=1e-5), rel=0.02)


def test_spending_on_training():
    ledger = Ledger()
    spending = Spending(Budget(4.0, 1e-5), ledger)
    first = spending.take(0.5)
    ledger.charge(Query("sums", "Gaussian", 1.0, first))
    multiplier = spending.take_training(0.5, 0.4, 8, 2.0, "gradients")
    assert 4.0 * 0.99 < ledger.epsilon(1e-5) <= 4.0
    assert ledger.queries[-1] == Query("gradients", SAMPLED, 2.0, 2.0 * multiplier, 8, 0.4)
    with pytest.raises(LedgerError, match=r"0\.1 of the budget is asked for, and 0 is left"):
        spending.take_training(0.1, 0.4, 8, 2.0, "more")
    with pytest.raises(LedgerError, match="0 steps at a rate"):
        Spending(Budget(4.0, 1e-5), Ledger()).take_training(0.5, 0.4, 0, 2.0, "none")


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_taking_part_every_time_is_the_plain_mechanism(share):
    budget = Budget(3.0, 1e-5)
    noise = budget.sampled_multiplier(share, 1.0, 25)
    assert noise == pytest.approx(5 * budget.multiplier(share), rel=2e-3)


def test_entropy_is_uniform_and_normal_and_hangs_on_no_seed():
    drawn = uniforms(200, 100)
    assert drawn.shape == (200, 100)
    assert drawn.min() > 0
    assert drawn.max() < 1
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)
    normal = normals(20_000)
    assert normal.mean() == pytest.approx(0, abs=0.05)
    assert normal.std() == pytest.approx(1, abs=0.05)
    for seed in (np.random.seed, torch.manual_seed):
        seed(0)
        first = normals(4)
        seed(0)
        assert not np.array_equal(first, normals(4))
    assert normals(0).shape == (0,)


@pytest.mark.parametrize("scale", [0.01, 1.0, 1e4])
def test_a_donor_moves_the_sum_by_no_more_than_the_clip(scale):
    batch = Batch(scale=scale)
    rows, donors = np.arange(12), np.array([0, 0, 0, 1, 2, 2, 3, 4, 5, 6, 6, 6])
    everyone = batch.sums(rows, donors, 0.7)
    for left_out in range(7):
        kept = donors != left_out
        apart = np.linalg.norm(everyone - batch.sums(rows[kept], donors[kept], 0.7))
        assert apart <= 0.7 * (1 + 1e-5)
        if scale >= 1:
            assert apart > 0.7 * (1 - 1e-3)


def test_gradients_of_a_donor_are_added_before_they_are_cut():
    batch = Batch()
    with per_sample_gradients(batch.network):
        batch.losses(torch.tensor([3, 4])).sum().backward()
        plain = torch.cat([weight.grad.flatten() for weight in batch.weights]).double().numpy()
    batch.network.zero_grad()
    length = np.linalg.norm(plain)
    np.testing.assert_allclose(batch.sums([3, 4], [5, 5], 2 * length), plain, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(batch.sums([3, 4], [5, 5], length / 2), plain / 2, rtol=1e-4, atol=1e-5)


def test_a_gradient_that_is_no_number_costs_its_donor_only():
    batch = Batch()
    without = batch.sums([0, 1], [0, 1], 1.0)
    batch.x[2] = torch.inf
    np.testing.assert_allclose(batch.sums([0, 1, 2], [0, 1, 2], 1.0), without, atol=1e-6)


def gradients(batch, rows, steps):
    with per_sample_gradients(batch.network):
        noisy_gradients(batch.network, batch.losses, torch.as_tensor(rows), torch.as_tensor(rows), steps)
    return torch.cat([weight.grad.flatten() for weight in batch.weights]).double().numpy()


def test_an_empty_batch_gets_its_noise():
    batch = Batch()
    steps = Steps(1, 0.5, 0.7, 3.0, 6.0)
    none = torch.zeros(0, dtype=torch.long)
    drawn = np.concatenate([gradients(batch, none, steps) for _ in range(60)])
    assert drawn.std() == pytest.approx(3.0 * 0.7 / 6.0, rel=0.05)
    assert drawn.mean() == pytest.approx(0.0, abs=0.02)


def test_the_divisor_is_the_expected_batch_not_the_one_drawn():
    batch = Batch()
    steps = Steps(1, 0.5, 0.7, 1e-9, 6.0)
    for rows in ([0], [0, 1, 2]):
        np.testing.assert_allclose(
            gradients(batch, np.array(rows), steps), batch.sums(rows, rows, 0.7) / 6.0, rtol=1e-4, atol=1e-6
        )


def test_every_donor_tosses_a_coin_of_its_own():
    donors = np.repeat(np.arange(50), 2)
    seen = []
    network = nn.Linear(1, 1, bias=False)

    def losses(rows):
        seen.append(rows.numpy().copy())
        return network(torch.ones(len(rows), 1))[:, 0]

    groups = [(list(network.parameters()), 0.1)]
    train_privately(network, losses, donors, Steps(200, 0.3, 1.0, 1.0, 15.0), groups, "test")
    sizes = np.array([len(rows) / 2 for rows in seen])
    assert sizes.mean() == pytest.approx(15, abs=1)
    assert sizes.std() == pytest.approx(np.sqrt(50 * 0.3 * 0.7), rel=0.25)
    for rows in seen:
        counts = np.bincount(donors[rows], minlength=50)
        assert set(counts) <= {0, 2}


def test_batches_may_all_be_empty():
    network = nn.Linear(1, 1, bias=False)
    before = float(network.weight.detach())
    steps = Steps(5, 1e-9, 1.0, 1.0, 1.0)
    train_privately(
        network, lambda rows: network(torch.ones(len(rows), 1))[:, 0], np.arange(3), steps,
        [(list(network.parameters()), 0.1)], "test",
    )  # fmt: skip
    assert float(network.weight.detach()) != before


def test_batch_normalisation_is_refused():
    with pytest.raises(ValueError, match="batch normalisation"), per_sample_gradients(nn.BatchNorm1d(3)):
        pass


@pytest.mark.parametrize(("share_of_noise", "caught"), [(1.0, False), (0.5, True)])
def test_an_audit_of_a_step_tells_half_the_noise_from_all_of_it(share_of_noise, caught):
    """A canary in the batch or not; the score is how far the noisy gradient lies along its own gradient."""
    batch = Batch(n=2)
    delta, multiplier = 0.01, 1.0
    claimed = dpa.get_epsilon_gaussian(multiplier, delta)
    steps = Steps(1, 1.0, 0.7, multiplier * share_of_noise, 1.0)
    own = batch.sums([0], [0], 0.7)
    present, absent = (
        np.array([gradients(batch, np.array(rows), steps) @ own for _ in range(700)]) for rows in ([0, 1], [1])
    )
    bound = epsilon_lower(present, absent, np.random.default_rng(0), delta=delta)
    assert (bound > claimed) is caught


@pytest.mark.parametrize("name", DP_DEEP)
@pytest.mark.parametrize("epsilon", [1.0, 8.0])
def test_the_whole_budget_is_spent_and_no_more(name, epsilon):
    cohort, _ = planted()
    model = generators.create(name, **SMALL[name] | {"epsilon": epsilon, "delta": 1e-4, "rate": 0.5}).fit(cohort)
    assert 0.99 * epsilon < model.ledger_.epsilon(1e-4) <= epsilon
    asked = [query.measured for query in model.ledger_.queries]
    assert asked[:3] == ["number of donors in each class", "means of genes, round 1", "means of genes, round 2"]
    training = [query for query in model.ledger_.queries if query.mechanism == SAMPLED]
    assert [(query.times, query.rate) for query in training] == [(model.steps, model.rate)]
    assert any("floating-point" in text for text in model.ledger_.public)


@pytest.mark.parametrize("name", DP_DEEP)
def test_planted_class_means_come_back(name):
    cohort, means = planted()
    model = generators.create(name, **SMALL[name] | {"epsilon": 50.0, "delta": 1e-3}).fit(cohort)
    twin = model.sample(design={"a": 500, "b": 500}, seed=1).dense()
    found = np.stack([twin[:500].mean(axis=0), twin[500:].mean(axis=0)])
    assert np.abs(found - means).max() < 0.6
    assert np.corrcoef((found[1] - found[0]), means[1] - means[0])[0, 1] > 0.97
    np.testing.assert_allclose(twin[:500].std(axis=0).mean(), np.sqrt(1.36), rtol=0.2)


@pytest.mark.filterwarnings("ignore::twinseq.dp.PrivacyWarning")
def test_what_is_shared_by_genes_is_learnt():
    cohort, _ = planted()
    model = generators.create("dp-cvae", **SMALL["dp-cvae"] | {"epsilon": 50.0, "delta": 1e-3}).fit(cohort)
    twin = model.sample(design={"a": 800}, seed=1).dense()
    between = np.corrcoef(twin.T)[np.triu_indices(60, 1)]
    assert between.mean() == pytest.approx(0.36 / 1.36, abs=0.1)
    lost = []
    for _ in range(7):
        noisy = generators.create("dp-cvae", **SMALL["dp-cvae"] | {"epsilon": 0.5, "delta": 1e-3}).fit(cohort)
        drawn = noisy.sample(design={"a": 800}, seed=1).dense()
        lost.append(np.corrcoef(drawn.T)[np.triu_indices(60, 1)].mean())
    assert abs(np.median(lost)) < 0.16


@pytest.mark.parametrize("name", DP_DEEP)
def test_samples_of_a_donor_count_once(name):
    cohort, _ = planted(donors_of=4)
    model = generators.create(name, **SMALL[name] | {"epsilon": 50.0, "delta": 1e-3}).fit(cohort)
    assert model.counts_.sum() == pytest.approx(100, abs=10)


@pytest.mark.parametrize("name", DP_DEEP)
def test_the_seed_has_no_say_in_the_noise(name):
    cohort, _ = planted(n=80)
    one, other = (generators.create(name, **SMALL[name]).fit(cohort, seed=3) for _ in range(2))
    assert not np.array_equal(one.counts_, other.counts_)
    assert not np.array_equal(one.sample(seed=1).dense(), other.sample(seed=1).dense())


@pytest.mark.parametrize("name", DP_DEEP)
def test_a_model_file_draws_the_same(name, tmp_path):
    cohort, _ = planted(n=80)
    model = generators.create(name, **SMALL[name]).fit(cohort)
    again = generators.load(model.save(tmp_path / "model.npz"))
    assert same_draws(model.sample(seed=5), again.sample(seed=5))
    assert again.ledger_ == model.ledger_
    np.testing.assert_allclose(again.losses(cohort), model.losses(cohort), rtol=1e-12)


def test_a_linear_decoder_states_a_likelihood(tmp_path):
    cohort, _ = planted(n=80, n_genes=5)
    model = generators.create("dp-cvae", **SMALL["dp-cvae"]).fit(cohort)
    normals_ = model.model_
    covariance = normals_.loadings.T @ normals_.loadings + np.diag(normals_.noise)
    away = np.clip(cohort.dense(), 0, 20) - normals_.means[(cohort.obs["group"] == "b").to_numpy().astype(int)]
    inside = np.einsum("ij,ij->i", away, np.linalg.solve(covariance, away.T).T)
    expected = -0.5 * (inside + np.linalg.slogdet(2 * np.pi * covariance)[1])
    np.testing.assert_allclose(model.log_likelihood(cohort), expected, rtol=1e-9)
    again = generators.load(model.save(tmp_path / "model.npz"))
    np.testing.assert_allclose(again.log_likelihood(cohort), expected, rtol=1e-9)


@pytest.mark.parametrize("name", DP_DEEP)
def test_the_published_networks_are_paid_for_like_any_other(name, tmp_path):
    cohort, means = planted()
    stated = {"epsilon": 4.0, "delta": 1e-4, "steps": 5, "rate": 0.2}
    model = generators.create(name, "paper", **stated | PAPER[name]).fit(cohort)
    assert 0.99 * 4.0 < model.ledger_.epsilon(1e-4) <= 4.0
    asked = [query.measured for query in model.ledger_.queries]
    assert asked[0] == "number of donors in each class"
    assert asked[-1].startswith("gradients of a donor, cut to a length of 0.1")
    assert "absolute deviations of genes" in asked
    twin = model.sample(seed=1)
    assert np.corrcoef(twin.dense().mean(axis=0), means.mean(axis=0))[0, 1] > 0.8
    again = generators.load(model.save(tmp_path / "model.npz"))
    assert same_draws(twin, again.sample(seed=1))
    np.testing.assert_allclose(again.losses(cohort), model.losses(cohort), rtol=1e-12)
    with pytest.raises(ConfigError, match="State epsilon"):
        generators.create(name, "paper")


def test_a_deep_decoder_states_no_likelihood():
    cohort, _ = planted(n=80)
    stated = {"epsilon": 4.0, "delta": 1e-3, "steps": 2}
    model = generators.create("dp-cvae", "paper", **stated | PAPER["dp-cvae"]).fit(cohort)
    with pytest.raises(generators.NotOfferedError, match="a deep decoder states no likelihood"):
        model.log_likelihood(cohort)


def critic_and_draws():
    generator = torch.Generator().manual_seed(0)
    maker, critic = Maker(3, 2, 3, [4], 2), Critic(3, 2, [4])
    for network in (maker, critic):
        initialise(network, generator)
    maker.start()
    codes = torch.arange(40) % 2
    return maker, critic, torch.randn((40, 3), generator=generator), codes


def test_a_maker_starts_from_standard_normals():
    maker, _, noise, codes = critic_and_draws()
    np.testing.assert_allclose(maker(noise, codes).detach(), noise, atol=1e-6)


def test_draws_and_donors_alike_leave_nothing_of_the_critics_gradient():
    """The draws' part is cut like the donors', and its backward pass adds nothing uncut."""
    _, critic, columns, codes = critic_and_draws()
    rows = torch.arange(40)

    def losses(chosen):
        return -critic(columns[chosen], codes[chosen])

    add_gradients(critic, losses, rows, rows, columns, codes, Steps(1, 1.0, 0.3, 1e-9, 40.0))
    assert max(float(weight.grad.abs().max()) for weight in critic.parameters()) < 1e-6
    add_gradients(critic, losses, rows, rows, columns + 1.0, codes, Steps(1, 1.0, 0.3, 1e-9, 40.0))
    length = torch.cat([weight.grad.flatten() for weight in critic.parameters()]).norm()
    assert 0.01 < float(length) < 0.6


def test_large_networks_are_cut_in_parts(monkeypatch):
    batch = Batch()
    at_once = batch.sums(np.arange(12), np.arange(12) // 2, 0.7)
    monkeypatch.setattr(_private_training, "AT_ONCE", 1)
    np.testing.assert_allclose(batch.sums(np.arange(12), np.arange(12) // 2, 0.7), at_once, rtol=1e-4, atol=1e-6)


def test_even_draws_keep_order_and_distribution():
    rng = np.random.default_rng(0)
    values, others = rng.normal(3, 5, (50, 2)), np.sort(rng.gamma(2, 1, (5000, 2)), axis=0)
    evenly = spread_evenly(values, others)
    assert np.array_equal(np.argsort(values, axis=0), np.argsort(evenly, axis=0))
    np.testing.assert_allclose(evenly.mean(axis=0), others.mean(axis=0), rtol=0.02)


@pytest.mark.parametrize(("epsilon", "share", "rate", "times"), [(0.2, 0.3, 0.3, 40), (50.0, 0.5, 0.3, 60)])
def test_the_noise_found_on_a_coarse_grid_keeps_the_promise_on_the_fine_one(epsilon, share, rate, times):
    budget = Budget(epsilon, 1e-5)
    rest = Query("the rest", "Gaussian", 1.0, budget.multiplier(1 - share))
    spent = Ledger(
        queries=[rest, Query("training", SAMPLED, 1.0, budget.sampled_multiplier(share, rate, times), times, rate)]
    )
    assert 0.99 * epsilon < spent.epsilon(1e-5) <= epsilon


@pytest.mark.filterwarnings("ignore::twinseq.dp.PrivacyWarning")
@pytest.mark.parametrize("name", DP_DEEP)
def test_canaries_do_not_refute_the_promise(name):
    cohort, _ = planted(n=60, n_genes=40)
    samples = Samples(cohort.dense(), cohort.labels().astype(str), "continuous")
    definition = KnownGenerator(name, None, SMALL[name] | {"epsilon": 1.0, "delta": 1e-4})
    result = canary_audit(samples, definition, n_canaries=60, claimed=1.0, delta=1e-4)
    # dp-ctgan states no likelihood.
    assert result.scored_by == ("likelihood" if name == "dp-cvae" else "tracing")
    assert not result.refutes


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"rate": 0.0}, "rate must be above 0 and at most 1, not 0"),
        ({"rate": 1.5}, "rate must be"),
        ({"clip": 0.0}, "clip must be above 0"),
        ({"learning_rate": -1.0}, "learning_rate must be above 0"),
        ({"steps": 0}, "steps must be a whole number of at least 1, not 0"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"epsilon": None}, "State epsilon"),
        ({"delta": None}, "State delta"),
        ({"bounds": "5:1"}, "bounds must be two numbers"),
    ],
)
@pytest.mark.parametrize("name", DP_DEEP)
def test_settings_out_of_range(name, params, words):
    with pytest.raises(ConfigError, match=words):
        generators.create(name, **SMALL[name] | params)


@pytest.mark.parametrize("name", DP_DEEP)
def test_without_opacus_the_message_says_what_to_install(name, monkeypatch):
    cohort, _ = planted(n=40)
    monkeypatch.setitem(sys.modules, "opacus", None)
    with pytest.raises(MissingExtraError, match=rf"'{name}' needs Opacus.*pip install 'twinseq\[deep\]'"):
        generators.create(name, **SMALL[name]).fit(cohort)
