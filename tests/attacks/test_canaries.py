"""Canaries: bounds that hold for mechanisms of known ε, and that catch generators which keep nothing back."""

import numpy as np
import pytest
from known import quarters

from twinseq.attacks import NotApplicableError, Samples
from twinseq.attacks.canaries import canary_audit, make_canaries
from twinseq.errors import ConfigError
from twinseq.knowledge import KnownGenerator


def donors(n=60, n_genes=1500, seed=0):
    values = np.random.default_rng(seed).normal(size=(n, n_genes))
    return Samples(values, np.resize(["a", "b"], n), "continuous")


class NoisySums:
    """Class sums of rows clipped to length 1, with Gaussian noise: (ε, δ)-private at the classical σ for ε ≤ 1."""

    def __init__(self, sigma, likely=True):
        self.sigma = sigma
        self.likely = likely

    def fit(self, samples, seed):
        rng = np.random.default_rng(seed)
        sums = {}
        for name in ("a", "b"):
            rows = self.clipped(samples.on_log[samples.labels == name])
            sums[name] = rows.sum(axis=0) + self.sigma * rng.normal(size=rows.shape[1])
        return NoisyModel(self, sums, len(samples))

    @staticmethod
    def clipped(rows):
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1.0)


class NoisyModel:
    def __init__(self, definition, sums, n):
        self.definition, self.sums, self.n = definition, sums, n

    def draw(self, labels, seed):
        return Samples(np.stack([self.sums[str(name)] / (self.n / 2) for name in labels]), labels, "continuous")

    def log_likelihood(self, samples):
        if not self.definition.likely:
            raise NotApplicableError("none")
        rows = self.definition.clipped(samples.on_log)
        return np.array([row @ self.sums[str(name)] for row, name in zip(rows, samples.labels, strict=True)])


class Ignoring(NoisySums):
    def fit(self, samples, seed):
        return super().fit(donors(seed=seed % 97), seed)


def test_canaries_keep_to_the_bounds_of_the_data():
    members, *_ = quarters()
    for kind in ("edges", "shuffled"):
        planted = make_canaries(members, 7, kind, np.random.default_rng(0))
        assert planted.values.dtype == members.values.dtype
        for values, name in zip(planted.values, planted.labels, strict=True):
            own = members.values[members.labels == name]
            assert (values >= own.min(axis=0)).all()
            assert (values <= own.max(axis=0)).all()
            if kind == "edges":
                assert ((values == own.min(axis=0)) | (values == own.max(axis=0))).all()
            else:
                assert (values == own).any(axis=0).all()
                assert not (values == own).all(axis=1).any()


@pytest.mark.parametrize("likely", [True, False])
@pytest.mark.parametrize("repeats", [0, 60])
def test_what_ignores_the_data_is_not_accused(repeats, likely):
    bounds = [
        canary_audit(donors(), Ignoring(1.0, likely), n_canaries=60, repeats=repeats, seed=seed).epsilon_lower
        for seed in range(5)
    ]
    assert np.median(bounds) == 0.0
    assert max(bounds) < 0.7


@pytest.mark.parametrize(("repeats", "n_canaries"), [(0, 200), (200, 2)])
def test_a_kept_promise_is_not_refuted(repeats, n_canaries):
    sigma = np.sqrt(2 * np.log(1.25 / 1e-5)) / 1.0
    settings = {"n_canaries": n_canaries, "repeats": repeats, "delta": 1e-5, "claimed": 1.0}
    found = [canary_audit(donors(), NoisySums(sigma), seed=seed, **settings) for seed in range(3)]
    assert not any(result.refutes for result in found)
    broken = canary_audit(donors(), NoisySums(sigma / 100), seed=0, **settings)
    assert broken.refutes
    assert broken.auc > 0.95
    assert broken.method == ("many runs" if repeats else "one run")


def test_more_leakage_gives_a_higher_bound():
    bounds = [
        canary_audit(donors(), NoisySums(sigma), n_canaries=90, n_guesses=60, seed=1).epsilon_lower
        for sigma in (3.0, 0.4, 0.001)
    ]
    assert bounds[0] < bounds[1] < bounds[2]
    assert bounds[2] == pytest.approx(-np.log(0.05 ** (-1 / 60) - 1), abs=1e-3)


@pytest.mark.parametrize("generator", ["mvn", "copula"])
@pytest.mark.parametrize("kind", ["edges", "shuffled"])
def test_generators_without_a_promise_are_caught(generator, kind):
    members, *_ = quarters()
    found = canary_audit(members, KnownGenerator(generator), n_canaries=60, n_guesses=40, kind=kind, seed=2)
    assert found.scored_by == "likelihood"
    assert found.epsilon_lower > 1.0
    assert found.auc > 0.85
    assert not found.refutes


def test_tracing_where_no_likelihood_is_offered():
    members, *_ = quarters()
    found = canary_audit(members, KnownGenerator("bootstrap"), n_canaries=40, n_guesses=30, seed=2)
    assert found.scored_by == "tracing"
    assert found.epsilon_lower > 1.0


def test_many_runs_catch_a_generator():
    members, *_ = quarters()
    found = canary_audit(members, KnownGenerator("mvn"), repeats=40, seed=3, jobs=2)
    again = canary_audit(members, KnownGenerator("mvn"), repeats=40, seed=3)
    assert found == again
    assert found.n_canaries == 40
    assert found.epsilon_lower > 0.8


def test_refusals():
    with pytest.raises(ConfigError, match="at least 2 canaries"):
        canary_audit(donors(), NoisySums(1.0), n_canaries=1)
    with pytest.raises(ConfigError, match="4 runs"):
        canary_audit(donors(), NoisySums(1.0), repeats=3)
    with pytest.raises(ConfigError, match="Unknown kind of canaries 'odd'"):
        canary_audit(donors(), NoisySums(1.0), kind="odd")
