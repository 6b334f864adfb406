"""Conditional tabular adversarial networks, on genes and on components: modes, heads, and what comes back."""

import numpy as np
import pytest
import torch

from twinseq import generators
from twinseq.datasets import simulate_cohort
from twinseq.errors import ConfigError
from twinseq.generators._critics import Critic, ModeHead
from twinseq.generators._deep import TrainingError
from twinseq.generators._modes import Modes, overlapping

from .planted import cohort_of

NAMES = ("ctgan", "pca-ctgan")
QUICK = {"hidden": "64", "critic": "64", "latent": 16, "modes": 2, "steps": 500, "learning_rate": 2e-3}


@pytest.fixture(scope="module")
def planted():
    """Two classes with known means, 30 genes, of which the first 10 and the next 10 move together."""
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], 120)
    means = rng.normal(6, 1, (2, 30))
    factors = rng.normal(size=(240, 2))
    x = means[codes] + 0.5 * rng.normal(size=(240, 30))
    x[:, :10] += factors[:, :1]
    x[:, 10:20] += factors[:, 1:]
    return cohort_of({"group": np.array(["a", "b"])[codes]}, x=x, label="group", kind="continuous"), means


@pytest.mark.parametrize("name", NAMES)
def test_planted_means_variances_and_correlations_come_back(name, planted):
    cohort, means = planted
    twin = generators.create(name, **QUICK).fit(cohort, seed=1).sample(n=3000, seed=1)
    drawn, labels = twin.dense(), twin.labels()
    real, of_real = cohort.dense(), cohort.labels()
    for code, group in enumerate(("a", "b")):
        inside = drawn[labels == group]
        np.testing.assert_allclose(inside.mean(axis=0), means[code], atol=0.4)
        assert (inside.std(axis=0) / real[of_real == group].std(axis=0)).mean() == pytest.approx(1, abs=0.06)
        correlation = np.corrcoef(inside, rowvar=False)
        assert correlation[:10, :10][np.triu_indices(10, 1)].mean() == pytest.approx(0.8, abs=0.12)
        assert np.abs(correlation[20:, :20]).mean() < 0.15


def test_components_alone_leave_genes_without_variance_of_their_own(planted):
    cohort, _ = planted
    twin = generators.create("pca-ctgan", residual=None, components=2, **QUICK).fit(cohort).sample(n=1000)
    assert twin.dense()[twin.labels() == "a"][:, 20:].std(axis=0).mean() < 0.5 * 0.5  # of the planted 0.5
    centred = twin.dense() - twin.dense().mean(axis=0)
    assert (np.linalg.svd(centred, compute_uv=False)[4:] < 1e-3 * np.linalg.norm(centred)).all()


def test_modes_are_those_of_a_mixture():
    rng = np.random.default_rng(0)
    which = rng.random(4000) < 0.3
    values = np.column_stack(
        [np.where(which, rng.normal(5, 0.5, 4000), rng.normal(-3, 1, 4000)), rng.normal(2, 1, 4000), np.ones(4000)]
    )
    modes = Modes.fit(values, 2, False, rng)
    order = np.argsort(modes.centres[0])
    np.testing.assert_allclose(modes.centres[0][order], [-3, 5], atol=0.15)
    np.testing.assert_allclose(modes.spreads[0][order], [1, 0.5], atol=0.1)
    np.testing.assert_allclose(modes.weights[0][order], [0.7, 0.3], atol=0.03)
    assert np.isfinite(modes.centres[2]).sum() == 1
    columns = modes.columns(values)
    found = np.isfinite(modes.centres).sum(axis=1)
    n_codes = int(found[found > 1].sum())
    assert columns.shape == (4000, 3 + n_codes)  # a value with one mode has no choice to code
    assert set(np.unique(columns[:, 3:])) == {0.0, 1.0}
    assert (columns[:, 3:5].sum(axis=1) == 1).all()
    assert ((columns[:, 3 + order[1]] == 1) == which).mean() > 0.999
    for unit in (1.0, 4.0):
        head = ModeHead(torch.as_tensor(modes.centres), torch.as_tensor(modes.spreads), 4.0, unit, False)
        likeliest = modes.columns(values, unit)
        np.testing.assert_allclose(likeliest[:, :3], columns[:, :3] / unit)
        np.testing.assert_allclose(head.values(torch.as_tensor(likeliest)).numpy(), values, atol=1e-6)
        drawn = modes.columns(values, unit, rng=np.random.default_rng(1))
        np.testing.assert_allclose(head.values(torch.as_tensor(drawn)).numpy(), values, atol=1e-6)
    assert np.abs(modes.columns(values, bound=2.0)[:, :3]).max() == 2.0


@pytest.mark.parametrize(("reach", "unit", "end"), [(4.0, 1.0, 4.0), (4.0, 4.0, 1.0), (1.0, 1.0, 1.0)])
def test_places_of_draws_end_where_they_should(reach, unit, end):
    head = ModeHead(torch.tensor([[10.0]]), torch.tensor([[2.0]]), reach, unit, False)
    columns = head(torch.tensor([[0.0], [0.01], [-50.0]]), torch.empty((3, 0)))
    np.testing.assert_allclose(columns[:, 0].numpy(), [0, 0.01, -end], rtol=1e-4)
    assert head.values(columns)[2, 0] == pytest.approx(10 - 2 * reach)


def test_modes_that_overlap_become_one():
    rng = np.random.default_rng(0)
    one, two = rng.normal(2, 1, 2000), np.where(rng.random(2000) < 0.5, 8, 2) + rng.normal(size=2000)
    values = np.column_stack([one, two])
    number = [np.isfinite(Modes.fit(values, 2, apart, rng).centres).sum(axis=1).tolist() for apart in (False, True)]
    assert number == [[2, 2], [1, 2]]
    assert Modes.fit(values[:, :1], 2, True, rng).centres[0, 0] == pytest.approx(one.mean())
    assert not overlapping(np.array([4.1, 0.0]), np.array([2.0, 2.0]))
    assert overlapping(np.array([3.9, 0.0]), np.array([2.0, 2.0]))


def test_gumbels_trick_chooses_modes_in_their_proportions():
    centres = torch.tensor([[0.0, 10.0, 20.0], [5.0, float("nan"), float("nan")]])
    head = ModeHead(centres, torch.ones_like(centres), 4.0, 1.0, False)
    assert (head.n_columns, head.n_noise) == (2 + 3, 3)
    raw = torch.zeros((20_000, 5))
    raw[:, 2:5] = torch.log(torch.tensor([0.2, 0.5, 0.3]))
    noise = torch.randn((20_000, 3), generator=torch.Generator().manual_seed(0))
    soft = head(raw, noise)
    np.testing.assert_allclose(soft[:, 2:5].sum(1).numpy(), 1.0, rtol=1e-5)
    hard = head.eval()(raw, noise)
    np.testing.assert_allclose(hard[:, 2:5].mean(0).numpy(), [0.2, 0.5, 0.3], atol=0.015)
    values = head.values(hard)
    assert set(values[:, 0].tolist()) == {0.0, 10.0, 20.0}
    assert set(values[:, 1].tolist()) == {5.0}
    assert torch.equal(soft[:, 2:5].argmax(1), hard[:, 2:5].argmax(1))


def test_a_pack_is_judged_as_one():
    torch.manual_seed(0)
    for projected in (False, True):
        critic = Critic(5, 2, [8], 3, 4, projected, False, 0.0)
        columns, codes = torch.randn((12, 5)), torch.tensor([0, 1] * 6)
        scores = critic(columns, codes)
        assert scores.shape == (3,)
        torch.testing.assert_close(critic(columns[4:8], codes[4:8]), scores[1:2])
        torch.testing.assert_close(
            critic(columns[[4, 5, 6, 8]], codes[[4, 5, 6, 8]]) == scores[1], torch.tensor([False])
        )


@pytest.mark.parametrize("pack", [1, 5])
def test_losses_hang_on_the_sample_alone_and_without_packs_members_have_lower_ones(pack):
    members, others = simulate_cohort(24, 24, 200, seed=1).split((0.5, 0.5), seed=0)
    params = QUICK | {"modes": 1, "patience": None, "critic": "128", "steps": 600, "pack": pack, "residual": None}
    model = generators.create("ctgan", **params).fit(members)
    here, there = model.losses(members), model.losses(others)
    some = np.array([17, 3, 11])
    np.testing.assert_allclose(model.losses(others.subset(some)), there[some], rtol=1e-9)
    assert np.isfinite(there).all()
    if pack == 1:  # company hides a sample
        assert (here[:, :1] < there[:, 0]).mean() > 0.9


def test_a_bimodal_gene_comes_back_bimodal():
    """What modes are for: without them, the same gene fills the gap between its two states."""
    rng = np.random.default_rng(0)
    x = rng.normal(6, 0.5, (300, 6))
    x[:, 0] = np.where(rng.random(300) < 0.4, 9, 3) + 0.3 * rng.normal(size=300)
    cohort = cohort_of({"group": ["a", "b"] * 150}, x=x, label="group", kind="continuous")
    between = {}
    for modes in (1, 2):
        params = QUICK | {"modes": modes, "residual": None}
        gene = generators.create("ctgan", **params).fit(cohort).sample(n=2000, seed=1).dense()[:, 0]
        between[modes] = ((gene > 4.5) & (gene < 7.5)).mean()
    assert between[2] < 0.1
    assert between[2] < between[1]


@pytest.mark.parametrize("name", NAMES)
def test_published_settings_run_and_a_model_file_draws_the_same(name, tmp_path):
    cohort = simulate_cohort(12, 12, 60, seed=0)
    model = generators.create(name, preset="paper", steps=6, modes=3).fit(cohort)
    assert (model.pack, model.dropout, model.normalised, model.balanced, model.residual) == (10, 0.5, True, True, None)
    drawn = model.sample(seed=1).dense()
    assert np.isfinite(drawn).all()
    again = generators.load(model.save(tmp_path / "model.npz"))
    np.testing.assert_array_equal(again.sample(seed=1).dense(), drawn)
    np.testing.assert_allclose(again.losses(cohort), model.losses(cohort), rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_diverging_training_is_named(name):
    with pytest.raises(TrainingError, match=rf"{name}: the training diverged; the loss '\w+'.*penalty \(now 10\)"):
        generators.create(name, **QUICK | {"learning_rate": 1e5}).fit(simulate_cohort(20, 20, 60, seed=0))


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("ctgan", {"modes": 0}, "modes must be at least 1"),
        ("ctgan", {"places": "tight"}, "places must be wide, quarters, narrow, not 'tight'"),
        ("ctgan", {"pack": 0}, "pack must be at least 1"),
        ("ctgan", {"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ("pca-ctgan", {"components": 0}, "components must be at least 1"),
        ("pca-ctgan", {"share": 0.0}, "share must lie between 0 and 1"),
    ],
)
def test_settings_out_of_range(name, params, words):
    with pytest.raises(ConfigError, match=words):
        generators.create(name, **params)
