"""The diffusion model: the ways to normal scores and back, the two processes, what each gives away."""

import math

import numpy as np
import pytest
import torch

from twinseq import generators
from twinseq.datasets import simulate_cohort
from twinseq.errors import ConfigError
from twinseq.generators._denoiser import Denoiser, NormalVelocity
from twinseq.generators._noising import AnglePath, LinearSchedule, denoising_losses
from twinseq.generators._quantiles import ExactQuantiles, SmoothQuantiles
from twinseq.generators._torch import initialise
from twinseq.generators.diffusion import filled_up
from twinseq.redteam.trial import Trial, available, score

from .planted import as_continuous, cohort_of

QUICK = {"width": 64, "steps": 200}
PROCESSES = (AnglePath(25), LinearSchedule(1000))


def auc(members, others):
    return (members[:, None] > others[None, :]).mean()


class Known(torch.nn.Module):
    """What a perfect network would say of independent normal genes of mean 2 and standard deviation 0.5."""

    n_genes = 30

    def __init__(self, process):
        super().__init__()
        self.velocity = isinstance(process, AnglePath)

    def forward(self, x, angles, codes):
        signal, noise = torch.cos(angles), torch.sin(angles)
        away = x - 2.0 * signal
        total = (0.5 * signal) ** 2 + noise**2
        clean = 2.0 + 0.25 * signal / total * away
        added = noise / total * away
        return signal * added - noise * clean if self.velocity else added


@pytest.mark.parametrize("process", PROCESSES)
def test_a_perfect_network_draws_the_distribution(process):
    drawn = process.sample(Known(process), torch.zeros(400, dtype=torch.long), torch.Generator().manual_seed(0))
    assert drawn.mean() == pytest.approx(2.0, abs=0.03)
    assert drawn.std(0).mean() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("process", PROCESSES)
def test_the_perfect_network_is_what_the_target_asks_for(process):
    """The conditional mean minimises the squared error: any other prediction has a larger one."""
    stream = torch.Generator().manual_seed(1)
    x = 2.0 + 0.5 * torch.randn((4000, 30), generator=stream)
    angles = process.angles(len(x), stream)
    assert float(angles.min()) > 0
    assert float(angles.max()) <= math.pi / 2
    noise = torch.randn(x.shape, generator=stream)
    predicted = Known(process)(torch.cos(angles) * x + torch.sin(angles) * noise, angles, None)
    missed = process.target(x, noise, angles) - predicted
    loss = (missed**2).mean()
    for other in (0.9 * predicted, 1.1 * predicted, predicted + 0.1, predicted - 0.1):
        assert ((process.target(x, noise, angles) - other) ** 2).mean() > loss
    assert abs(float(missed.mean())) < 0.01


def test_a_network_that_has_learnt_nothing_draws_independent_standard_normals():
    network = Denoiser(40, 2, 16, 2, None)
    initialise(network, torch.Generator().manual_seed(0))
    network.start_at_nothing()
    with torch.no_grad():
        drawn = AnglePath(5).sample(network, torch.zeros(500, dtype=torch.long), torch.Generator().manual_seed(1))
    np.testing.assert_array_equal(drawn, torch.randn((500, 40), generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("angle", [0.1, 0.7, 1.4])
def test_the_velocity_of_normal_genes_is_that_of_the_full_matrix(angle):
    rng = np.random.default_rng(0)
    loadings, x = 0.4 * rng.normal(size=(9, 3)), rng.normal(size=(5, 9))
    covariance = loadings @ loadings.T + np.diag(1 - (loadings**2).sum(axis=1))
    signal, noise, one = np.cos(angle), np.sin(angle), np.eye(9)
    wanted = signal * noise * x @ np.linalg.inv(signal**2 * covariance + noise**2 * one) @ (one - covariance)
    angles = torch.full((5, 1), angle, dtype=torch.float64)
    np.testing.assert_allclose(NormalVelocity(torch.tensor(loadings))(torch.tensor(x), angles), wanted, atol=1e-12)


def test_losses_of_a_network_that_predicts_nothing():
    network = Denoiser(2000, 1, 8, 1, None)
    network.start_at_nothing()
    x = torch.randn((6, 2000), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    codes = torch.zeros(6, dtype=torch.long)
    for process in PROCESSES:
        losses = denoising_losses(network.double(), process, x, codes)
        assert losses.shape == (6, 8)
        np.testing.assert_allclose(losses, 1.0, atol=0.1)


def skewed(n=400):
    rng = np.random.default_rng(0)
    many_floor = np.where(rng.random(n) < 0.4, 0.0, rng.normal(6, 1, n))
    bimodal = np.where(rng.random(n) < 0.5, rng.normal(0, 1, n), rng.normal(8, 1, n))
    return np.column_stack([rng.gamma(2, 2, n), rng.normal(5, 2, n), many_floor, bimodal, np.full(n, 3.0)])


@pytest.mark.parametrize("way", [ExactQuantiles, SmoothQuantiles])
def test_scores_are_normal_and_draws_have_the_distribution(way):
    values = skewed()
    quantiles = way.fit(values)
    scores = quantiles.normal(values)
    assert np.isfinite(scores).all()
    for gene in (0, 1, 3):
        assert scores[:, gene].mean() == pytest.approx(0, abs=0.05)
        assert scores[:, gene].std() == pytest.approx(1, abs=0.06)
    drawn = quantiles.values(np.random.default_rng(1).normal(size=(20_000, 5)))
    np.testing.assert_allclose(drawn.mean(axis=0), values.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(drawn.std(axis=0), values.std(axis=0), rtol=0.06)
    assert (drawn[:, 2] == 0).mean() == pytest.approx((values[:, 2] == 0).mean(), abs=0.02)
    assert (drawn[:, 4] == 3.0).all()
    again = way.restore(quantiles.state())
    np.testing.assert_array_equal(again.normal(values), scores)


def test_exact_quantiles_give_training_values_only_and_smooth_ones_none():
    values = skewed()[:, [0, 1, 3]]
    scores = np.random.default_rng(1).normal(size=(2000, 3))
    exact, smooth = ExactQuantiles.fit(values), SmoothQuantiles.fit(values)
    np.testing.assert_array_equal(exact.values(exact.normal(values)), values)
    for gene in range(3):
        assert np.isin(exact.values(scores)[:, gene], values[:, gene]).all()
        nearest = np.abs(smooth.values(scores)[:, [gene]] - values[:, gene]).min(axis=1)
        assert (nearest > 1e-9 * np.ptp(values[:, gene])).all()


@pytest.mark.parametrize("n", [2, 3, 5, 40])
def test_no_value_of_few_samples_comes_back(n):
    values = np.random.default_rng(0).normal(size=(n, 50))
    quantiles = SmoothQuantiles.fit(values)
    back = quantiles.values(quantiles.normal(values))
    drawn = quantiles.values(np.random.default_rng(1).normal(size=(200, 50)))
    assert np.isfinite(drawn).all()
    assert (np.diff(quantiles.knots, axis=0) >= 0).all()
    assert np.abs(drawn[:, None] - values).min() > 1e-9
    assert np.corrcoef(back.ravel(), values.ravel())[0, 1] > 0.9


def test_new_values_beyond_training_have_scores():
    values = skewed()
    for way in (ExactQuantiles, SmoothQuantiles):
        scores = way.fit(values).normal(np.vstack([values.min(axis=0) - 5, values.max(axis=0) + 5]))
        assert np.isfinite(scores).all()
        assert (scores[0, [0, 1, 3]] < -2.5).all()
        assert (scores[1, :4] > 2.5).all()


def test_points_between_neighbours_fill_the_classes_up():
    x = np.random.default_rng(0).normal(size=(42, 3)) + np.repeat([0, 50], [2, 40])[:, None]
    more, codes = filled_up(x, np.repeat([0, 1], [2, 40]), 60, np.random.default_rng(1))
    np.testing.assert_array_equal(more[:42], x)
    assert np.bincount(codes).tolist() == [30, 40]
    added = more[42:]
    share = (added - x[0]) / (x[1] - x[0])
    np.testing.assert_allclose(share, share[:, :1].repeat(3, axis=1), atol=1e-9)
    assert ((share >= 0) & (share <= 1)).all()


def test_planted_means_variances_and_correlations_come_back():
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], 200)
    means = rng.normal(6, 1, (2, 60))
    x = means[codes] + 0.5 * rng.normal(size=(400, 60))
    x[:, :20] += rng.normal(size=(400, 1))
    x[:, 20:40] += rng.normal(size=(400, 1))
    cohort = cohort_of({"group": np.array(["a", "b"])[codes]}, x=x, label="group", kind="continuous")
    twin = generators.create("diffusion", **QUICK).fit(cohort, seed=1).sample(n=2000, seed=1)
    for code, group in enumerate(("a", "b")):
        inside = twin.dense()[twin.labels() == group]
        np.testing.assert_allclose(inside.mean(axis=0), means[code], atol=0.3)
        spread = inside.std(axis=0) / x[codes == code].std(axis=0)
        assert spread.mean() == pytest.approx(1, abs=0.1)
        correlation = np.corrcoef(inside, rowvar=False)
        assert correlation[:20, :20][np.triu_indices(20, 1)].mean() == pytest.approx(0.8, abs=0.08)
        assert np.abs(correlation[:20, 20:40]).mean() < 0.15


def test_an_overfitted_model_gives_its_members_away():
    members, others = simulate_cohort(40, 40, 300, seed=1).split((0.5, 0.5), seed=0)
    params = {"width": 256, "patience": None, "steps": 600, "learning_rate": 1e-3}
    model = generators.create("diffusion", **params).fit(members)
    here, there = model.losses(members), model.losses(others)
    assert here.shape == (40, 8)
    assert np.isfinite(there).all()
    assert max(auc(-here[:, column], -there[:, column]) for column in range(8)) > 0.95


def test_neither_company_nor_order_changes_a_loss():
    members, others = simulate_cohort(20, 20, 200, seed=1).split((0.5, 0.5), seed=0)
    model = generators.create("diffusion", **QUICK | {"steps": 50}).fit(members)
    whole = model.losses(others)
    some = np.array([17, 3, 11])
    np.testing.assert_allclose(model.losses(others.subset(some)), whole[some], rtol=1e-9)
    shuffled = others.with_adata(others.adata[:, np.random.default_rng(0).permutation(200)].copy())
    np.testing.assert_allclose(model.losses(shuffled), whole, rtol=1e-9)


def test_paper_settings(tmp_path):
    cohort = simulate_cohort(20, 20, 60, seed=0)
    paper = generators.create("diffusion", preset="paper", steps=5, augmented=100)
    assert (paper.width, paper.layers, paper.levels, paper.batch) == (2048, 2, 1000, 32)
    assert paper.paper_quantile
    assert paper.patience is None
    small = generators.create("diffusion", preset="paper", width=16, steps=5, augmented=100, levels=20).fit(cohort)
    again = generators.load(small.save(tmp_path / "model.npz"))
    np.testing.assert_array_equal(again.sample(seed=1).dense(), small.sample(seed=1).dense())


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"width": 0}, "width must be at least 1"),
        ({"levels": 0}, "levels must be at least 1"),
        ({"sampling_steps": 0}, "sampling_steps must be at least 1"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"augmented": 500}, "augmented needs patience=None"),
    ],
)
def test_settings_out_of_range(params, words):
    with pytest.raises(ConfigError, match=words):
        generators.create("diffusion", **params)


@pytest.mark.slow
def test_exact_quantiles_are_caught_and_smooth_ones_are_not():
    cohort = as_continuous(simulate_cohort(60, 60, 400, seed=2))
    members, others, reference = cohort.split((1 / 3, 1 / 3, 1 / 3), seed=0)
    areas = {}
    for exact in (True, False):
        model = generators.create("diffusion", paper_quantile=exact, **QUICK).fit(members)
        trial = Trial.of(model.sample(seed=1), members, others, reference)
        found = score(trial, [key for key in available(trial) if key[0] == "quantile_replay"])
        # Where no value of anybody reappears, the attack does not apply at all.
        columns = [auc(column[trial.is_member], column[~trial.is_member]) for column in found.values.T]
        areas[exact] = max(columns, default=0.5)
    assert areas[True] > 0.95
    assert areas[False] < 0.65


@pytest.mark.slow
def test_continuous_and_counts_twins_tell_classes_apart():
    cohort = simulate_cohort(100, 100, 400, seed=3)
    for profiles in (cohort, as_continuous(cohort)):
        twin = generators.create("diffusion").fit(profiles).sample(seed=1)
        scale = np.log1p if profiles is cohort else np.asarray
        contrasts = [
            scale(c.dense()[c.labels() == "case"]).mean(axis=0) - scale(c.dense()[c.labels() == "control"]).mean(axis=0)
            for c in (profiles, twin)
        ]
        assert np.corrcoef(*contrasts)[0, 1] > 0.9
