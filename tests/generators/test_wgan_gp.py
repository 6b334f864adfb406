"""Wasserstein adversarial networks: what they recover, what they give away, and how they are trained."""

import numpy as np
import pytest
import torch

from twinseq import generators
from twinseq.datasets import simulate_cohort
from twinseq.errors import ConfigError
from twinseq.generators._adversarial import AdversarialTraining, Contest, energy_score
from twinseq.generators._critics import Adversaries, Critic, Dropout, Maker, OwnNoise, Plain
from twinseq.generators._deep import TrainingError

from .planted import cohort_of

QUICK = {"hidden": "64", "critic": "64", "latent": 16, "steps": 800, "learning_rate": 2e-3}


def auc(members, others):
    return (members[:, None] < others[None, :]).mean()


@pytest.fixture(scope="module")
def planted():
    """Two classes with known means, 60 genes, of which the first 20 and the next 20 move together."""
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], 150)
    means = rng.normal(6, 1, (2, 60))
    factors = rng.normal(size=(300, 2))
    x = means[codes] + 0.5 * rng.normal(size=(300, 60))
    x[:, :20] += factors[:, :1]
    x[:, 20:40] += factors[:, 1:]
    return cohort_of({"group": np.array(["a", "b"])[codes]}, x=x, label="group", kind="continuous"), means


@pytest.mark.parametrize("residual", [20, None])
def test_planted_means_variances_and_correlations_come_back(residual, planted):
    cohort, means = planted
    twin = generators.create("wgan-gp", residual=residual, **QUICK).fit(cohort, seed=1).sample(n=3000, seed=1)
    drawn, labels = twin.dense(), twin.labels()
    real, of_real = cohort.dense(), cohort.labels()
    for code, group in enumerate(("a", "b")):
        inside = drawn[labels == group]
        np.testing.assert_allclose(inside.mean(axis=0), means[code], atol=0.45)
        spread = inside.std(axis=0) / real[of_real == group].std(axis=0)
        assert spread.mean() == pytest.approx(1, abs=0.05 if residual else 0.15)
        correlation = np.corrcoef(inside, rowvar=False)
        block = correlation[:20, :20][np.triu_indices(20, 1)]
        assert block.mean() == pytest.approx(0.8, abs=0.1)
        assert np.abs(correlation[40:, :40]).mean() < 0.15


def test_the_published_networks_have_lost_the_classes():
    """Trained as published on a small cohort, they hardly leave their start; the default has class means by design."""
    cohort = simulate_cohort(60, 60, 300, seed=2)
    real = np.log1p(cohort.dense())
    labels = cohort.labels()
    apart = real[labels == "case"].mean(axis=0) - real[labels == "control"].mean(axis=0)
    found = {}
    for preset in (None, "paper"):
        twin = generators.create("wgan-gp", preset=preset, steps=200).fit(cohort).sample(seed=1)
        drawn, labels = np.log1p(twin.dense()), twin.labels()
        contrast = drawn[labels == "case"].mean(axis=0) - drawn[labels == "control"].mean(axis=0)
        found[preset] = np.corrcoef(apart, contrast)[0, 1]
    assert found[None] > 0.85
    assert found["paper"] < 0.6


def test_an_overfitted_critic_gives_members_away():
    members, others = simulate_cohort(30, 30, 300, seed=1).split((0.5, 0.5), seed=0)
    params = {"patience": None, "steps": 800, "learning_rate": 2e-3, "hidden": "64", "critic": "256"}
    model = generators.create("wgan-gp", **params).fit(members)
    here, there = model.losses(members), model.losses(others)
    assert here.shape == (30, 2)
    assert np.isfinite(there).all()
    assert auc(here[:, 0], there[:, 0]) > 0.9
    assert auc(here[:, 1], there[:, 1]) > 0.9


def test_neither_company_nor_order_changes_a_loss():
    members, others = simulate_cohort(20, 20, 200, seed=1).split((0.5, 0.5), seed=0)
    model = generators.create("wgan-gp", **QUICK | {"steps": 50}).fit(members)
    whole = model.losses(others)
    some = np.array([17, 3, 11])
    np.testing.assert_allclose(model.losses(others.subset(some)), whole[some], rtol=1e-9)


def test_the_energy_score_is_least_for_the_truth():
    rng = torch.Generator().manual_seed(0)
    real = torch.randn((2000, 3), generator=rng)
    scores = {
        "true": energy_score(torch.randn((2000, 3), generator=rng), real),
        "shifted": energy_score(0.5 + torch.randn((2000, 3), generator=rng), real),
        "narrow": energy_score(0.7 * torch.randn((2000, 3), generator=rng), real),
        "wide": energy_score(1.4 * torch.randn((2000, 3), generator=rng), real),
        "collapsed": energy_score(0.01 * torch.randn((2000, 3), generator=rng), real),
    }
    assert min(scores, key=lambda name: float(scores[name])) == "true"
    # For two points 0 and 2 and a sample at 1 the score is 1 - 2 / 2.
    assert float(energy_score(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0]]))) == pytest.approx(0.0)


def small_networks(pack=1, projected=True):
    torch.manual_seed(0)
    maker = Maker(OwnNoise(6), 2, 4, [8], 3, True, False, 0.0)
    return Adversaries(maker, Critic(6, 2, [8], 3, pack, projected, False, 0.0))


def training(network, average=0.9, critic_steps=2, balanced=False):
    columns, codes = torch.randn((40, 6)), torch.tensor([0] * 32 + [1] * 8)
    contest = Contest(critic_steps, 10.0, average, balanced, 1e-3, 0.5)
    return AdversarialTraining(network, columns, codes, contest, torch.Generator().manual_seed(0))


def test_the_maker_moves_once_for_several_updates_of_the_critic():
    trainee = training(small_networks(), average=0.0)
    rows = torch.arange(20)
    before = trainee.maker.output.weight.detach().clone()
    names = [set(trainee.step(rows)) for _ in range(5)]
    assert [("maker" in found) for found in names] == [False, False, True, False, True]
    assert not torch.equal(before, trainee.maker.output.weight)
    assert torch.equal(trainee.network.maker.output.weight, trainee.maker.output.weight)
    averaged = training(small_networks(), average=0.9)
    for _ in range(5):
        averaged.step(rows)
    assert not torch.equal(averaged.network.maker.output.weight, averaged.maker.output.weight)


def test_what_is_watched_hangs_on_no_chance():
    trainee = training(small_networks())
    rows = torch.arange(0, 40, 2)
    assert float(trainee.watch(rows)) == float(trainee.watch(rows))
    first = float(trainee.watch(rows))
    with torch.no_grad():
        trainee.network.maker.output.bias += 3.0
    assert float(trainee.watch(rows)) > first + 1.0


def test_the_gradient_penalty_of_a_linear_critic_is_known():
    trainee = training(small_networks(projected=False))
    critic = trainee.network.critic
    slope = torch.full((1, 6 + 3), 0.5)
    critic.layers, critic.output = torch.nn.Identity(), torch.nn.Linear(9, 1)
    critic.output.weight.data = slope
    found = trainee._steepness(torch.zeros((4, 6)), torch.ones((4, 6)), torch.zeros(4, dtype=torch.long))
    assert found.item() == pytest.approx((0.5 * 6**0.5 - 1) ** 2, rel=1e-5)


def test_own_noise_is_what_gives_genes_a_variance_of_their_own():
    noise = torch.randn((4000, 2 + 6), generator=torch.Generator().manual_seed(0))
    own = Maker(OwnNoise(6), 1, 2, [4], 2, True, False, 0.0)(noise, torch.zeros(4000, dtype=torch.long))
    plain = Maker(Plain(6), 1, 2, [], 2, True, False, 0.0)(noise[:, :2], torch.zeros(4000, dtype=torch.long))
    rank = [np.linalg.matrix_rank(np.cov(x.detach().double().numpy().T), tol=1e-6) for x in (own, plain)]
    assert rank == [6, 2]


def test_dropout_hangs_on_its_own_stream_and_is_off_in_use():
    stream = torch.Generator().manual_seed(1)
    layer, units = Dropout(0.3), torch.ones((2000, 50))
    layer.stream = stream
    dropped = layer(units)
    assert (dropped == 0).double().mean().item() == pytest.approx(0.3, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(layer.eval()(units), units)
    cohort = simulate_cohort(12, 12, 40, seed=0)
    drawn = []
    for state in (1, 2):
        torch.manual_seed(state)
        model = generators.create("wgan-gp", preset="paper", steps=12, hidden="16", critic="16").fit(cohort, seed=3)
        drawn.append(model.sample(seed=1).dense())
    np.testing.assert_array_equal(*drawn)


def test_the_published_networks_are_normalised_and_leave_units_out():
    cohort = simulate_cohort(12, 12, 40, seed=0)
    paper, default = (generators.create("wgan-gp", name, steps=4).fit(cohort)._trained() for name in ("paper", None))
    kinds = [type(module) for module in paper.modules()]
    assert kinds.count(torch.nn.BatchNorm1d) == 3
    assert kinds.count(torch.nn.LayerNorm) == 2
    assert [module.share for module in paper.modules() if isinstance(module, Dropout)] == [0.2] * 3 + [0.3] * 2
    kinds = [type(module) for module in default.modules()]
    assert not {torch.nn.BatchNorm1d, torch.nn.LayerNorm} & set(kinds)


def test_a_diverging_training_is_named():
    cohort = simulate_cohort(20, 20, 100, seed=0)
    with pytest.raises(
        TrainingError, match=r"wgan-gp: the training diverged; the loss '\w+'.*raise penalty \(now 10\)"
    ):
        generators.create("wgan-gp", **QUICK | {"learning_rate": 1e5}).fit(cohort)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"hidden": "512x256"}, "hidden must be widths"),
        ({"critic": "a"}, "wgan-gp, critic: hidden must be widths"),
        ({"latent": 0}, "latent must be at least 1"),
        ({"critic_steps": 0}, "critic_steps must be at least 1"),
        ({"average": 1.0}, "average must be at least 0 and below 1"),
        ({"maker_dropout": 1.0}, "maker_dropout must be at least 0 and below 1"),
        ({"momentum": -0.1}, "momentum must be at least 0 and below 1"),
        ({"penalty": 0.0}, "penalty must be above 0"),
        ({"residual": -1}, "residual must be 0 or more"),
    ],
)
def test_settings_out_of_range(params, words):
    with pytest.raises(ConfigError, match=words):
        generators.create("wgan-gp", **params)


def test_paper_settings():
    paper = generators.create("wgan-gp", preset="paper")
    assert (paper.hidden, paper.critic, paper.latent) == ("1024-512-256", "256-512", 128)
    assert (paper.critic_steps, paper.penalty, paper.learning_rate) == (5, 10.0, 1e-4)
    assert (paper.residual, paper.centred, paper.average, paper.patience) == (None, False, 0.0, None)
