"""The two variational autoencoders: what they recover, what they give away."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from twinseq import generators
from twinseq.datasets import simulate_cohort
from twinseq.errors import ConfigError
from twinseq.generators._networks import MixturePrior, normal_log_density
from twinseq.generators._residual import Residual, missing_factors

from .planted import as_continuous, cohort_of

NAMES = ("cvae", "cvae-gmm")
QUICK = {"latent": 8, "hidden": "64", "steps": 600}


def auc(members, others):
    return (members[:, None] > others[None, :]).mean()


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


@pytest.mark.parametrize("name", NAMES)
def test_planted_means_variances_and_correlations_come_back(name, planted):
    cohort, means = planted
    twin = generators.create(name, **QUICK).fit(cohort, seed=1).sample(n=3000, seed=1)
    drawn, labels = twin.dense(), twin.labels()
    real, of_real = cohort.dense(), cohort.labels()
    for code, group in enumerate(("a", "b")):
        inside = drawn[labels == group]
        np.testing.assert_allclose(inside.mean(axis=0), means[code], atol=0.35)
        spread = inside.std(axis=0) / real[of_real == group].std(axis=0)
        assert np.abs(spread - 1).max() < 0.25
        assert spread.mean() == pytest.approx(1, abs=0.05)
        correlation = np.corrcoef(inside, rowvar=False)
        block = correlation[:20, :20][np.triu_indices(20, 1)]
        assert block.mean() == pytest.approx(0.8, abs=0.08)
        assert np.abs(correlation[:20, 20:40]).mean() < 0.15
        assert np.abs(correlation[40:, :40]).mean() < 0.12


@pytest.mark.parametrize("name", NAMES)
def test_expected_values_alone_have_too_little_variance(name, planted):
    cohort, _ = planted
    twin = generators.create(name, residual=None, **QUICK).fit(cohort).sample(n=1000)
    apart, real = (x.dense()[x.labels() == "a"].std(axis=0) for x in (twin, cohort))
    assert (apart[40:] / real[40:]).mean() < 0.6


@pytest.mark.parametrize("name", NAMES)
def test_an_overfitted_model_gives_its_members_away(name):
    members, others = simulate_cohort(40, 40, 300, seed=1).split((0.5, 0.5), seed=0)
    params = {"hidden": "128", "latent": 16, "dropout": 0.0, "patience": None, "steps": 800, "learning_rate": 1e-3}
    model = generators.create(name, **params).fit(members)
    here, there = model.losses(members), model.losses(others)
    assert here.shape == (40, 4)
    assert np.isfinite(there).all()
    for column in (0, 2, 3):
        assert auc(-here[:, column], -there[:, column]) > 0.95
    assert auc(model.log_likelihood(members), model.log_likelihood(others)) > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_neither_company_nor_order_changes_a_loss(name):
    members, others = simulate_cohort(20, 20, 200, seed=1).split((0.5, 0.5), seed=0)
    model = generators.create(name, **QUICK | {"steps": 50}).fit(members)
    whole = model.losses(others)
    some = np.array([17, 3, 11])
    np.testing.assert_allclose(model.losses(others.subset(some)), whole[some], rtol=1e-9)
    shuffled = others.with_adata(others.adata[:, np.random.default_rng(0).permutation(200)].copy())
    np.testing.assert_allclose(model.losses(shuffled), whole, rtol=1e-9)


def test_bounds_lie_in_order_below_the_likelihood_of_a_linear_model(planted):
    """With nothing but linear maps the model is a factor model, whose likelihood is known."""
    cohort, _ = planted
    model = generators.create("cvae", hidden="8", latent=4, steps=1500, dropout=0.0).fit(cohort)
    losses = model.losses(cohort)
    assert (losses[:, 3] <= losses[:, 2] + 1e-12).all()
    assert (losses[:, 0] < losses[:, 2]).mean() > 0.9
    values, labels = cohort.dense(), cohort.labels()
    trusted = np.concatenate(
        [
            multivariate_normal(values[labels == name].mean(axis=0), np.cov(values[labels == name].T)).logpdf(
                values[labels == name]
            )
            for name in ("a", "b")
        ]
    )
    assert model.log_likelihood(cohort).mean() < trusted.mean()
    assert model.log_likelihood(cohort).mean() > trusted.mean() - 40


def test_the_mixture_prior_is_a_density():
    prior = MixturePrior(2, 3)
    prior.spread_out(torch.Generator().manual_seed(0))
    with torch.no_grad():
        prior.logits += torch.tensor([0.0, 1.0, -1.0])
        prior.log_variances += 0.3
    grid = torch.linspace(-8, 8, 321)
    z = torch.cartesian_prod(grid, grid)
    density = prior.log_density(z).exp()
    assert float(density.detach().sum() * 0.05**2) == pytest.approx(1, abs=1e-3)
    shares = torch.softmax(prior.logits, 0).detach().numpy()
    trusted = sum(
        share * multivariate_normal(mean, np.exp(0.3) * np.eye(2)).pdf(z[500:520].numpy())
        for share, mean in zip(shares, prior.means.detach().numpy(), strict=True)
    )
    np.testing.assert_allclose(density[500:520].detach().numpy(), trusted, rtol=1e-4)
    with torch.no_grad():
        drawn = prior.draw(20_000, torch.Generator().manual_seed(1)).numpy()
    np.testing.assert_allclose(drawn.mean(axis=0), shares @ prior.means.detach().numpy(), atol=0.03)


def test_the_divergence_of_one_component_is_the_closed_form():
    prior = MixturePrior(4, 1)
    mean, log_variance = torch.full((1, 4), 0.7), torch.full((1, 4), -0.5)
    noise = torch.randn((200_000, 4), generator=torch.Generator().manual_seed(0))
    z = mean + torch.exp(0.5 * log_variance) * noise
    estimate = (normal_log_density(z, mean, log_variance) - prior.log_density(z)).mean()
    assert float(estimate) == pytest.approx(float(prior.divergence(mean, log_variance, z[:1])), abs=0.02)
    assert not any(weight.requires_grad for weight in prior.parameters())


def test_missing_factors_are_those_of_the_difference():
    rng = np.random.default_rng(0)
    first, second = np.r_[np.ones(10), np.zeros(20)], np.r_[np.zeros(10), np.ones(10), np.zeros(10)]
    n = 2000
    shared = rng.normal(size=(n, 1)) * first
    real = shared + rng.normal(size=(n, 1)) * second + 0.5 * rng.normal(size=(n, 30))
    drawn = rng.normal(size=(n, 1)) * first
    loadings = missing_factors(real / np.sqrt(n), drawn / np.sqrt(n), np.ones(30), 3)
    strength = np.abs(loadings[0])
    assert strength[10:20] == pytest.approx(np.full(10, 0.97), abs=0.05)
    assert np.r_[strength[:10], strength[20:]].max() < 0.12
    assert (loadings[1:] ** 2).sum() < 0.1 * (loadings[0] ** 2).sum()


def test_the_residual_restores_moments_whatever_the_decoder_does():
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], 200)
    x = rng.normal(size=(400, 30)) * np.array([0.9, 1.1])[codes, None] + codes[:, None]
    for level, spread in ((0.0, 0.0), (3.0, 0.4), (-1.0, 5.0)):

        def draw(asked, level=level, spread=spread):
            return level + spread * rng.normal(size=(len(asked), 30))

        residual = Residual.fit(x, codes, draw, 5)
        asked = np.repeat([0, 1], 4000)
        drawn = residual.add(draw(asked), asked, rng)
        for code in (0, 1):
            np.testing.assert_allclose(drawn[asked == code].mean(axis=0), x[codes == code].mean(axis=0), atol=0.35)
            ratio = drawn[asked == code].std(axis=0) / x[codes == code].std(axis=0)
            # Spreads of classes are drawn a little towards the pooled one.
            assert ratio.mean() == pytest.approx(1, abs=0.12)


def test_more_genes_than_samples_and_paper_settings():
    cohort = simulate_cohort(20, 20, 400, seed=0)
    for name in NAMES:
        paper = generators.create(name, preset="paper", steps=5)
        assert (paper.latent, paper.hidden, paper.beta, paper.residual) == (128, "1000-512-256", 0.001, None)
        assert np.isfinite(paper.fit(cohort).sample().dense()).all()
    assert generators.create("cvae", preset="paper").steps == 10_000


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"hidden": "512x256"}, "hidden must be widths"),
        ({"hidden": ""}, "hidden must be widths"),
        ({"latent": 0}, "latent must be at least 1"),
        ({"beta": -0.1}, "beta must be 0 or more"),
        ({"residual": -1}, "residual must be 0 or more"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
    ],
)
def test_settings_out_of_range(name, params, words):
    with pytest.raises(ConfigError, match=f"{name}: {words}"):
        generators.create(name, **params)


def test_a_mixture_needs_a_component():
    with pytest.raises(ConfigError, match="components must be at least 1"):
        generators.create("cvae-gmm", components=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_continuous_and_counts_twins_tell_classes_apart(name):
    cohort = simulate_cohort(100, 100, 400, seed=3)
    for profiles in (cohort, as_continuous(cohort)):
        twin = generators.create(name).fit(profiles).sample(seed=1)
        scale = np.log1p if profiles is cohort else np.asarray
        contrasts = [
            scale(c.dense()[c.labels() == "case"]).mean(axis=0) - scale(c.dense()[c.labels() == "control"]).mean(axis=0)
            for c in (profiles, twin)
        ]
        assert np.corrcoef(*contrasts)[0, 1] > 0.9
