"""The frame and the training loop that all deep generators share."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from twinseq import generators
from twinseq.errors import ConfigError
from twinseq.generators._deep import GeneScale, TrainingError
from twinseq.generators._extras import MissingExtraError
from twinseq.generators._torch import arrays_of, device_named, initialise, seeded, with_arrays
from twinseq.generators._training import FEW_STEPS, LEAST_HELD_BACK, Schedule, inner_split, train

from .planted import SMALL, as_continuous, cohort_of, same_draws

DEEP = [name for name in generators.names() if generators.info(name).family == "deep"]
CPU = torch.device("cpu")


class Line:
    """Least squares of one weight per feature: the smallest thing that can be trained."""

    def __init__(self, x, y, rate=0.1):
        self.x, self.y = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y, dtype=torch.float32)
        self.network = torch.nn.Linear(x.shape[1], 1)
        initialise(self.network, torch.Generator().manual_seed(0))
        self.rate, self.rows, self.watched = rate, [], []

    def loss(self, rows):
        return ((self.network(self.x[rows])[:, 0] - self.y[rows]) ** 2).mean()

    def step(self, rows):
        self.rows.append(rows.numpy())
        loss = self.loss(rows)
        weights = list(self.network.parameters())
        with torch.no_grad():
            for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                weight -= self.rate * slope
        return {"squares": loss.detach()}

    @torch.no_grad()
    def watch(self, rows):
        self.watched.append(float(self.loss(rows)))
        return self.loss(rows)


def line(n=160, rate=0.1, noise=1.0):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 5))
    return Line(x, x @ np.arange(5.0) + noise * rng.normal(size=n), rate), np.arange(n) % 2


def trained(trainee, codes, schedule, **arguments):
    rng = np.random.default_rng(1)
    return train(trainee, codes, schedule, rng, CPU, "line", "Lower the rate.", **arguments)


def test_training_stops_when_nothing_is_gained_and_keeps_the_best_weights():
    trainee, codes = line()
    run = trained(trainee, codes, Schedule(5000, 16, 5))
    assert run.steps < 1000
    assert run.kept < run.steps
    assert run.watched == min(trainee.watched)
    rows = inner_split(codes, np.random.default_rng(1))[1]
    assert float(trainee.loss(torch.as_tensor(rows)).detach()) == pytest.approx(run.watched, rel=1e-6)
    assert trainee.network.weight.detach().numpy()[0] == pytest.approx(np.arange(5.0), abs=0.4)


def test_batches_go_through_all_samples_but_those_held_back():
    trainee, codes = line()
    trained(trainee, codes, Schedule(40, 20, 100))
    inside, held = inner_split(codes, np.random.default_rng(1))
    assert len(held) == 20
    assert np.bincount(codes[held]).tolist() == [10, 10]
    assert set(np.concatenate(trainee.rows[:7])) == set(inside)
    assert not set(np.concatenate(trainee.rows)) & set(held)


def test_without_patience_all_samples_take_part_to_the_end():
    trainee, codes = line()
    run = trained(trainee, codes, Schedule(30, 16, None))
    assert (run.steps, run.kept, trainee.watched) == (30, 30, [])
    assert set(np.concatenate(trainee.rows)) == set(range(160))


def test_too_few_samples_for_an_inner_split():
    trainee, codes = line(n=8 * LEAST_HELD_BACK - 16)
    assert trained(trainee, codes, Schedule(5000, 16, 5)).steps == FEW_STEPS
    assert inner_split(codes, np.random.default_rng(0))[1] is None


def test_a_diverging_training_says_which_loss_and_what_to_change():
    trainee, codes = line(rate=50.0)
    with pytest.raises(TrainingError, match=r"line: the training diverged; the loss 'squares' was .* Lower the rate"):
        trained(trainee, codes, Schedule(5000, 16, None))
    trainee, codes = line()
    trainee.y[3] = float("nan")
    with pytest.raises(TrainingError, match="'squares' was nan at step"):
        trained(trainee, codes, Schedule(5000, 16, None))


def test_progress_is_told_after_two_seconds_only(monkeypatch):
    told = []
    trained(*line(), Schedule(30, 16, None), progress=lambda *news: told.append(news))
    assert told == []
    clock = iter(np.arange(0, 1000, 0.3))
    monkeypatch.setattr("twinseq.generators._training.time.monotonic", lambda: next(clock))
    trained(*line(), Schedule(30, 16, None), progress=lambda *news: told.append(news))
    assert told[0][0] >= 7
    assert 5 < len(told) < 20
    assert told[-1][1:] == (30, "training line")


def test_the_scale_of_genes():
    values = np.column_stack([np.arange(10.0), np.full(10, 3.0), np.r_[np.zeros(9), 5]])
    scale = GeneScale.fit(values)
    standard = scale.standard(values)
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(standard.std(axis=0), [1, 0, 1])
    np.testing.assert_allclose(scale.latent(standard), values)
    np.testing.assert_allclose(scale.latent(np.full((1, 3), 99.0)), [[9.9, 3.0, 5.5]])
    again = GeneScale.restore(scale.state())
    np.testing.assert_array_equal(again.latent(standard), scale.latent(standard))


def test_weights_as_arrays():
    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Embedding(5, 2))
    initialise(network, seeded(np.random.default_rng(0)))
    again = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Embedding(5, 2))
    with_arrays(again, arrays_of(network))
    assert all(np.array_equal(value, arrays_of(again)[name]) for name, value in arrays_of(network).items())
    with pytest.raises(ValueError, match="another network"):
        with_arrays(torch.nn.Linear(2, 2), arrays_of(network))


def test_devices():
    assert device_named("cpu").type == "cpu"
    if not torch.cuda.is_available():
        assert device_named("auto").type == "cpu"
        with pytest.raises(ConfigError, match="no GPU here"):
            device_named("cuda")


@pytest.mark.parametrize("name", DEEP)
def test_same_bytes_whatever_the_jobs_and_the_state_of_torch(name, bulk):
    before = torch.random.get_rng_state()
    model = generators.create(name, **SMALL[name]).fit(bulk, seed=3)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(77)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        again = generators.create(name, **SMALL[name]).fit(bulk, seed=3, jobs=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert same_draws(model.sample(seed=1), again.sample(seed=1, jobs=2))
    assert all(np.array_equal(value, again.weights_[key]) for key, value in model.weights_.items())


@pytest.mark.parametrize("name", DEEP)
def test_values_stay_within_what_training_allows(name):
    x = np.random.default_rng(0).normal(5, 1, (40, 12))
    x[:, 3] = 2.5
    x[::7, 5] = 30.0
    cohort = cohort_of({"group": ["a", "b"] * 20}, x=x, label="group", kind="continuous")
    drawn = generators.create(name, **SMALL[name]).fit(cohort).sample(n=2000).dense()
    room = 0.1 * (x.max(axis=0) - x.min(axis=0)) + 1e-9
    assert (drawn <= x.max(axis=0) + room).all()
    assert (drawn >= x.min(axis=0) - room).all()
    assert (drawn[:, 3] == 2.5).all()
    assert (np.delete(drawn, 3, axis=1).std(axis=0) > 0).all()


@pytest.mark.parametrize("name", DEEP)
def test_an_absurd_learning_rate_is_named(name, bulk):
    model = generators.create(name, **{**SMALL[name], "learning_rate": 1e6})
    with pytest.raises(
        TrainingError, match=rf"{name}: the training diverged; the loss '\w+'.*learning_rate \(now 1e\+06\)"
    ):
        model.fit(bulk)


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"device": "tpu"}, "device must be auto, cpu, cuda, not 'tpu'"),
    ],
)
def test_settings_out_of_range(name, params, words):
    with pytest.raises(ConfigError, match=f"{name}: {words}"):
        generators.create(name, **params)


@pytest.mark.parametrize("name", DEEP)
def test_without_torch_the_message_says_what_to_install(name, bulk, tmp_path, monkeypatch):
    path = generators.create(name, **SMALL[name]).fit(bulk).save(tmp_path / "model.npz")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert name in generators.names()
    assert generators.info(name).extra == "deep"
    model = generators.create(name, **SMALL[name])
    with pytest.raises(MissingExtraError, match=rf"'{name}' needs PyTorch.*pip install 'twinseq\[deep\]'"):
        model.fit(bulk)
    with pytest.raises(MissingExtraError, match="twinseq"):
        generators.load(path).sample()


def test_torch_is_loaded_by_those_who_need_it_only():
    script = "import sys, twinseq; twinseq.generators.create('cvae'); twinseq.generators.info('cvae-gmm')"
    script += "; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("kind", ["counts", "continuous"])
def test_a_model_file_draws_the_same(name, kind, bulk, tmp_path):
    cohort = bulk if kind == "counts" else as_continuous(bulk)
    model = generators.create(name, **SMALL[name]).fit(cohort, seed=2)
    again = generators.load(model.save(tmp_path / "model.npz"))
    assert same_draws(model.sample(seed=5), again.sample(seed=5))
    np.testing.assert_allclose(again.losses(cohort), model.losses(cohort), rtol=1e-12)
