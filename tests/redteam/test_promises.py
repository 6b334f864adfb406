"""Promises of differential privacy: kept by every generator that gives one, and seen to be broken where they are.

The canary has every gene at the bound, in the smallest class; among cells, all counts in one gene, in a rare type. It
uses up the whole budget of each generator, so that the audit has all the power there is.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from twinseq import generators
from twinseq.cohort import Cohort
from twinseq.errors import ConfigError
from twinseq.generators import _private
from twinseq.generators._extras import missing
from twinseq.redteam.promises import PromiseAudit, audit_promise, gaussian_epsilon
from twinseq.redteam.transcripts import PathError, listening

# Small cohorts on small budgets are what an audit is about.
pytestmark = pytest.mark.filterwarnings("ignore::twinseq.dp.PrivacyWarning")
NAMES = [name for name in generators.names() if generators.info(name).family == "dp"]
SMALL: dict[str, dict[str, Any]] = {
    "dp-cvae": {"latent": 2, "steps": 4, "rate": 1.0},
    "dp-ctgan": {"steps": 4, "rate": 1.0},
}
DELTA = 1e-3
N, N_GENES, FEW = 40, 6, 4


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    if (extra := generators.info(request.param).extra) and missing(extra):
        pytest.skip(f"extra {extra} is not installed")
    return str(request.param)


def worlds(canary: np.ndarray | float = 20.0, counts: bool = False, seed: int = 0) -> tuple[Cohort, Cohort]:
    """Return a cohort of two classes, and the same with one more donor: a row, or several samples as rows."""
    rng = np.random.default_rng(seed)
    rows = np.broadcast_to(canary, (1, N_GENES)) if np.ndim(canary) < 2 else np.asarray(canary)
    values = np.vstack([np.clip(rng.normal(8, 1.5, (N, N_GENES)), 0, 20), rows])
    if counts:
        values = np.rint(np.exp2(values)).astype(np.int64)
    n = len(values)
    obs = pd.DataFrame(
        {
            "group": pd.Categorical(np.repeat(["large", "small"], [N - FEW, FEW + len(rows)])),
            "who": [f"donor {min(row, N)}" for row in range(n)],
            "age": np.r_[rng.uniform(30, 70, N), np.full(len(rows), 200.0)],
        },
        index=[f"sample {row}" for row in range(n)],
    )
    kind = "counts" if counts else "continuous"
    genes = pd.DataFrame(index=[f"gene {gene}" for gene in range(N_GENES)])
    cohort = Cohort(AnnData(values, obs=obs, var=genes), label="group", donor="who", covariates=("age",), kind=kind)
    return cohort.subset(np.arange(n) < N), cohort


def cells(canary: np.ndarray | None = None, seed: int = 0) -> tuple[Cohort, Cohort]:
    """Return a cohort of four cells a donor, and the same with one more donor: one cell after the other as rows."""
    rng = np.random.default_rng(seed)
    rows = np.eye(1, N_GENES) * 10**5 if canary is None else np.asarray(canary)
    values = np.vstack([rng.poisson(20 * rng.gamma(2, 0.5, (4 * N, N_GENES))) + 1, rows]).astype(np.int64)
    n = len(values)
    who = np.minimum(np.arange(n) // 4, N)
    obs = pd.DataFrame(
        {
            "type": pd.Categorical(np.where(np.arange(n) % 4 > 0, "common", "rare")),
            "who": [f"donor {donor}" for donor in who],
            "age": np.where(who < N, 50.0 + who % 20, 200.0),
        },
        index=[f"cell {row}" for row in range(n)],
    )
    genes = pd.DataFrame(index=[f"gene {gene}" for gene in range(N_GENES)])
    cohort = Cohort(
        AnnData(sp.csr_matrix(values), obs=obs, var=genes), donor="who", cell_type="type", covariates=("age",)
    )
    return cohort.subset(who < N), cohort


def hardest(name: str) -> tuple[Cohort, Cohort]:
    """Return the worlds in which a canary costs a generator most."""
    return cells() if name == "dp-scdesign" else worlds()


def maker(name: str, epsilon: float) -> Callable[[], Any]:
    def make() -> Any:
        return generators.create(name, epsilon=epsilon, delta=DELTA, ranges="age=18:90", **SMALL.get(name, {}))

    return make


def audit(name: str, epsilon: float, runs: int, pair: tuple[Cohort, Cohort] | None = None) -> PromiseAudit:
    return audit_promise(maker(name, epsilon), *(pair or hardest(name)), runs)


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_generators_keep_what_they_promise(name, epsilon):
    found = audit(name, epsilon, 40)
    assert found.leaks == ()
    assert found.epsilon_lower <= epsilon
    assert found.reached <= found.mu * (1 + 1e-6)
    assert abs(found.noise - 1) < 5 * found.noise_error < 0.2
    assert not found.refutes
    # The canary costs nearly all that is charged: the audit could not be stronger, nor the ledger be tighter.
    assert found.reached > 0.95 * found.mu


def _half_the_noise(patch: pytest.MonkeyPatch) -> None:
    import opendp.measurements as measurements

    whole = measurements.make_gaussian
    patch.setattr(measurements, "make_gaussian", lambda domain, metric, scale: whole(domain, metric, scale / 2))
    if not missing("deep"):
        from twinseq.generators import _private_training as training

        normals = training.normals
        patch.setattr(training, "normals", lambda *shape: normals(*shape) / 2)


@pytest.mark.slow
def test_half_the_noise_is_caught(name, monkeypatch):
    _half_the_noise(monkeypatch)
    found = audit(name, 6.0, 160)
    assert found.leaks == ()
    assert found.noise == pytest.approx(0.5, rel=0.05)
    assert found.epsilon_lower > 6.0
    assert found.refutes


@pytest.mark.slow
def test_class_counts_without_noise_are_caught(name, monkeypatch):
    noised = _private.gaussian

    def bare(values, sensitivity, multiplier, ledger, measured):
        noisy = noised(values, sensitivity, multiplier, ledger, measured)
        return values if measured.startswith("number of donors in each class") else noisy

    monkeypatch.setattr(_private, "gaussian", bare)
    found = audit(name, 1.0, 24)
    assert {"counts", "class_sizes"} <= set(found.leaks)
    assert found.auc == 1.0
    assert found.epsilon_lower > 1.0
    assert found.refutes


@pytest.mark.slow
def test_variances_calibrated_to_the_data_afterwards_are_caught(name, monkeypatch):
    kind = generators.get(name)
    fit, sample = kind._fit, kind._sample

    def calibrated(self, cohort, *rest):
        fit(self, cohort, *rest)
        self.spread_of_the_data = cohort.dense().std(axis=0)

    def stretched(self, *asked):
        drawn, known = sample(self, *asked)
        mean, spread = drawn.mean(axis=0), np.maximum(drawn.std(axis=0), 1e-9)
        return mean + (drawn - mean) * self.spread_of_the_data / spread, known

    monkeypatch.setattr(kind, "_fit", calibrated)
    monkeypatch.setattr(kind, "_sample", stretched)
    found = audit(name, 1.0, 24)
    # Nothing in the model file shows it; the twin does.
    assert found.leaks == ("a twin",)
    assert found.epsilon_lower > 1.0
    assert found.refutes


@pytest.mark.slow
def test_rows_that_nobody_cuts_are_caught(name, monkeypatch):
    import sys

    for module in [module for path, module in sys.modules.items() if path.startswith("twinseq.generators._private")]:
        if hasattr(module, "clipped"):
            monkeypatch.setattr(module, "clipped", lambda rows, longest: rows)
    if name == "dp-pgm":
        monkeypatch.setattr("twinseq.generators._marginals.CODE_WEIGHTS", np.full(3, 1.0))
    found = audit(name, 4.0, 8)
    assert found.reached > 1.2 * found.mu
    assert found.refutes


@pytest.mark.slow
@pytest.mark.parametrize(
    "canary",
    [
        0.0,
        np.tile([0.0, 20.0], N_GENES // 2),
        np.array([20.0, *[8.0] * (N_GENES - 1)]),
        np.full((3, N_GENES), 20.0),
        np.random.default_rng(1).uniform(0, 20, (4, N_GENES)),
    ],
    ids=["all low", "low and high", "one gene", "three samples", "four samples of any values"],
)
@pytest.mark.parametrize("counts", [False, True])
def test_no_donor_costs_more_than_is_charged(name, canary, counts):
    if name == "dp-scdesign" and not counts:
        pytest.skip("dp-scdesign takes counts only")
    found = audit(name, 3.0, 8, worlds(canary, counts))
    assert found.leaks == ()
    assert found.reached <= found.mu * (1 + 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "canary",
    [np.ones((1, N_GENES)), np.eye(N_GENES) * 10**6, np.eye(1, N_GENES) * 9, np.tile([0, 1, 1000], (300, 2))],
    ids=["one count of each gene", "six cells, each of one gene", "nine counts", "three hundred cells"],
)
def test_no_donor_of_cells_costs_more_than_is_charged(canary):
    found = audit("dp-scdesign", 3.0, 8, cells(canary))
    assert found.leaks == ()
    assert found.reached <= found.mu * (1 + 1e-6)


@pytest.mark.slow
def test_with_the_same_answers_any_cohort_gives_the_same_model(name):
    """Not only neighbours: nothing of the profiles gets past the noise."""
    from twinseq.redteam.promises import released

    drawn = cells if name == "dp-scdesign" else worlds
    (one, _), (other, _) = drawn(seed=0), drawn(seed=1)
    deep = name in ("dp-cvae", "dp-ctgan")
    models = []
    with listening(deep) as told:
        models.append(maker(name, 4.0)().fit(one, 5))
    with listening(deep, told.raw):
        models.append(maker(name, 4.0)().fit(other, 5))
    alone = maker(name, 4.0)().fit(one, 5)
    assert released(models[0]) == released(models[1])
    assert released(models[0]) != released(alone)


def test_questions_that_hang_on_the_data_are_caught(monkeypatch):
    noised = _private.gaussian

    def twice(values, sensitivity, multiplier, ledger, measured):
        if measured.startswith("number of donors") and values.sum() > N:
            noised(values, sensitivity, multiplier, ledger, "asked because the cohort is large")
        return noised(values, sensitivity, multiplier, ledger, measured)

    monkeypatch.setattr(_private, "gaussian", twice)
    # A fit that spends more than it has ends by itself; here the account shall not be what catches it.
    monkeypatch.setattr(_private, "ROUNDING", 1.0)
    with pytest.raises(PathError, match=r"differs between the worlds|questions in one world"):
        audit("dp-copula", 4.0, 8)


def test_an_answer_that_is_shorter_is_another_question(monkeypatch):
    noised = _private.gaussian

    def longer(values, *rest):
        return noised(values[: 1 + (values.sum() > N)], *rest) * np.ones(2)

    monkeypatch.setattr(_private, "gaussian", longer)
    with pytest.raises(PathError, match="Question 1 differs"):
        audit("dp-copula", 4.0, 8)


def test_mechanisms_are_themselves_again_after_an_audit():
    import opendp.measurements as measurements

    before = measurements.make_gaussian
    with listening(False) as told:
        assert measurements.make_gaussian is not before
        maker("dp-copula", 4.0)().fit(worlds()[0], 0)
    assert measurements.make_gaussian is before
    assert len(told.raw) == len(told.exact) == len(told.heard) > 3


def test_the_epsilon_of_a_strength():
    assert gaussian_epsilon(0.0, 1e-5) == 0.0
    assert gaussian_epsilon(1.0, 1e-5) == pytest.approx(4.377, abs=0.01)


def test_refusals():
    with pytest.raises(ConfigError, match="at least 8 runs"):
        audit("dp-copula", 4.0, 7)


def test_sampled_donors_are_refused():
    if missing("deep"):
        pytest.skip("extra deep is not installed")
    with pytest.raises(ConfigError, match="needs rate=1"):
        audit_promise(lambda: generators.create("dp-cvae", epsilon=1.0, delta=DELTA, rate=0.5), *worlds(), 8)
