"""The frame of private generators: what they spend, and that nothing but noisy answers reaches a model."""

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from twinseq import generators
from twinseq.basis import build_basis
from twinseq.cell_basis import build_cell_basis
from twinseq.dp import LedgerError, PrivacyWarning, mechanisms
from twinseq.errors import ConfigError
from twinseq.redteam.promises import audit_promise

from .neighbours import GROUPS, Double, crowd, farthest, without
from .planted import cohort_of, is_private, made

pytestmark = pytest.mark.filterwarnings("ignore::twinseq.dp.PrivacyWarning")
KINDS = ("counts", "continuous")
CELLS = "cells"
CELLS_WITH_BASIS = "dp-scdesign with a basis"
WITH_BASIS = "dp-copula with a basis"
WITH_PLAIN_BASIS = "dp-copula with a basis without classes"
MODELS = [name for name in generators.names() if is_private(name)] + [WITH_BASIS, WITH_PLAIN_BASIS]
"""dp-copula asks other questions where it has a public basis, and others again where that knows no classes."""
CASES = [(model, kind) for model in MODELS for kind in (KINDS if model != "dp-scdesign" else ("counts", CELLS))]
CASES.append((CELLS_WITH_BASIS, CELLS))
"""Every model with what it is made for."""


@pytest.fixture(scope="module")
def basis(tmp_path_factory) -> dict[str, str]:
    """Bases of the genes of `crowd`, by kind of profiles."""
    folder = tmp_path_factory.mktemp("basis")
    paths = {kind: folder / f"{kind}.basis" for kind in KINDS}
    for kind, path in list(paths.items()):
        public = crowd(kind, seed=99, n_donors=15)
        build_basis(public).save(path)
        paths[f"plain {kind}"] = folder / f"plain_{kind}.basis"
        build_basis(dataclasses.replace(public, label=None)).save(paths[f"plain {kind}"])
    paths[CELLS] = folder / "cells.basis"
    public = crowd(CELLS, seed=99, n_donors=15)
    common = public.subset((public.obs["type"] != "nk").to_numpy())
    build_cell_basis(common).save(paths[CELLS])
    return {kind: str(path) for kind, path in paths.items()}


def maker(model: str, basis: dict[str, str], cohort, **params) -> generators.Generator:
    if model == WITH_BASIS:
        return made("dp-copula", cohort, basis=basis[cohort.kind], **params)
    if model == WITH_PLAIN_BASIS:
        return made("dp-copula", cohort, basis=basis[f"plain {cohort.kind}"], **params)
    if model == CELLS_WITH_BASIS:
        return made("dp-scdesign", cohort, basis=basis[CELLS], **params)
    return made(model, cohort, **params)


@pytest.mark.parametrize("epsilon", [0.5, 4.0, 40.0])
@pytest.mark.parametrize(("model", "kind"), CASES)
def test_the_whole_budget_is_spent_and_no_more(model, kind, epsilon, basis):
    cohort = crowd(kind, seed=1)
    rows = np.arange(min(cohort.n_samples, 60))
    lone = cohort_of({"group": cohort.labels()[rows]}, x=cohort.dense()[rows], label="group", kind=cohort.kind)
    for some in (cohort, lone):
        ledger = maker(model, basis, some, epsilon=epsilon).fit(some).ledger_
        spent = ledger.epsilon(1e-3)
        assert spent <= epsilon * (1 + 1e-9)
        assert spent == pytest.approx(epsilon, rel=0.01)
        assert ledger.epsilon_renyi(1e-3) >= spent * (1 - 1e-6)


@pytest.mark.parametrize("epsilon", [1.0, 20.0])
@pytest.mark.parametrize(("model", "kind"), CASES)
def test_without_a_donor_the_questions_are_the_same_and_so_is_the_model(model, kind, epsilon, basis):
    """Given the same noisy answers, nothing that is asked or learnt may hang on any one donor."""
    for seed in range(2):
        cohort = crowd(kind, seed)
        first = Double()
        learnt = first.fit(maker(model, basis, cohort, epsilon=epsilon), cohort)
        for donor in ("d0", "d1", "d2", "d7"):
            fewer = without(cohort, donor)
            second = Double(script=first.asked)
            again = second.fit(maker(model, basis, cohort, epsilon=epsilon), fewer)
            assert [query.form for query in first.asked] == [query.form for query in second.asked]
            for one, other in zip(first.asked, second.asked, strict=True):
                assert farthest(one, other) <= 1 + 1e-9, (one.measured, donor)
            assert_same_model(learnt, again)


def assert_same_model(one: generators.Generator, other: generators.Generator) -> None:
    mine, yours = one._state(), other._state()
    assert mine.keys() == yours.keys()
    for name, value in mine.items():
        np.testing.assert_array_equal(value, yours[name], err_msg=name)
    np.testing.assert_array_equal(one.class_sizes_, other.class_sizes_)
    pd.testing.assert_frame_equal(one.classes_, other.classes_)
    pd.testing.assert_frame_equal(one.frame_.var, other.frame_.var)
    pd.testing.assert_frame_equal(one.frame_.obs, other.frame_.obs)
    assert (one.frame_.roles, one.frame_.dtype, one.frame_.sparse) == (
        other.frame_.roles,
        other.frame_.dtype,
        other.frame_.sparse,
    )


@pytest.mark.parametrize(("model", "kind"), CASES)
def test_fifty_samples_of_a_donor_weigh_as_one(model, kind, basis):
    cohort = crowd(kind, seed=3)
    rows = np.flatnonzero(cohort.donors() == "d4")
    chosen = np.r_[np.flatnonzero(cohort.donors() != "d4"), np.repeat(rows[:1], 50)]
    obs = cohort.obs.iloc[chosen].set_axis([f"copy{number}" for number in range(len(chosen))])
    many = cohort.with_adata(AnnData(cohort.adata.X[chosen], obs=obs, var=cohort.adata.var))
    first, second = Double(), Double()
    fitted = first.fit(maker(model, basis, cohort), many)
    second.script = first.asked
    second.fit(maker(model, basis, cohort), without(cohort, "d4"))
    moves = [farthest(one, other) for one, other in zip(first.asked, second.asked, strict=True)]
    assert max(moves) <= 1 + 1e-9
    # The count of classes: one donor more or less, and no more.
    assert moves[0] == pytest.approx(1.0)
    assert first.asked[0].values.sum() == pytest.approx(12)
    assert len(fitted.ledger_.queries) >= len(first.asked)


def test_the_double_sees_a_question_that_hangs_on_a_donor(monkeypatch):
    """The tests above can fail: a sum of rows that nobody cut, and one whose bound is taken from the data."""
    cohort = crowd("continuous", seed=0)
    real = generators.get("dp-copula")._fit_profiles

    def fit(careless):
        def learn(self, x, codes, weights, spending, rng):
            noise = spending.take(spending.left / 2)
            mechanisms.gaussian(weights @ x[:, 0], careless(x), noise, spending.ledger, "careless")
            real(self, x, codes, weights, spending, rng)

        return learn

    for careless, words in ((lambda x: 0.5, "moved"), (lambda x: float(x[:, 0].sum()), "form")):
        monkeypatch.setattr(generators.get("dp-copula"), "_fit_profiles", fit(careless))
        first = Double()
        first.fit(made("dp-copula", cohort), cohort)
        second = Double(script=first.asked)
        second.fit(made("dp-copula", cohort), without(cohort, "d2"))
        pairs = list(zip(first.asked, second.asked, strict=True))
        assert any(one.form != other.form for one, other in pairs) == (words == "form")
        assert (max(farthest(one, other) for one, other in pairs) > 1 + 1e-9) == (words == "moved")


@pytest.mark.parametrize("kind", KINDS)
def test_every_sum_of_the_frame_can_reach_its_sensitivity(kind):
    """Noise is not wasted either: some donor moves counts, covariates and library sizes as far as is charged."""
    reached: dict[str, float] = {}
    for seed in range(4):
        cohort = crowd(kind, seed)
        first = Double()
        first.fit(made("dp-copula", cohort), cohort)
        for donor in sorted(set(cohort.donors())):
            second = Double(script=first.asked)
            second.fit(made("dp-copula", cohort), without(cohort, donor))
            for one, other in zip(first.asked, second.asked, strict=True):
                reached[one.measured] = max(reached.get(one.measured, 0.0), farthest(one, other))
    assert reached["number of donors in each class"] == pytest.approx(1)
    assert reached["tables of class × covariate (3)"] == pytest.approx(1)
    assert reached["means of genes, round 1"] > 0.9
    if kind == "counts":
        assert reached["mean library size, round 1"] == pytest.approx(1)
        assert reached["absolute deviation of library sizes"] > 0.5


@pytest.mark.parametrize("model", ["dp-copula", WITH_BASIS])
def test_the_promise_is_kept_on_counts(model, basis):
    """Library sizes, and what a basis says of them, go through noisy answers alone."""
    cohort = crowd("counts", seed=1)
    audit = audit_promise(
        lambda: maker(model, basis, cohort, epsilon=4.0), without(cohort, "d0"), cohort, runs=8, seed=0
    )
    assert audit.leaks == ()
    assert not audit.refutes
    assert 0.6 * audit.mu < audit.reached <= audit.mu * (1 + 1e-9)


def test_delta_is_held_against_the_number_of_donors():
    cohort = crowd("continuous", seed=0)
    assert cohort.n_samples > 25
    made("dp-copula", cohort, delta=1 / 12).fit(cohort)
    with pytest.raises(ConfigError, match=r"delta = 0\.09 is above 1/12, .*Take delta = 8e-03 or less"):
        made("dp-copula", cohort, delta=0.09).fit(cohort)


def test_a_large_epsilon_is_warned_of_once(tmp_path):
    cohort = crowd("continuous", seed=0)
    with pytest.warns(PrivacyWarning, match="epsilon = 80 is a guarantee in name only") as caught:
        model = made("dp-copula", cohort, epsilon=80.0)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", PrivacyWarning)
        generators.load(model.fit(cohort).save(tmp_path / "model.npz"))


def test_a_class_that_was_not_stated_is_refused():
    cohort = crowd("continuous", seed=0)
    with pytest.raises(ConfigError, match="class 'c' is not among those stated in classes"):
        made("dp-copula", cohort, classes="a, b").fit(cohort)


def test_classes_that_are_stated_are_there_whether_or_not_anyone_is_in_them():
    x = np.random.default_rng(0).normal(8, 1, (30, 5))
    cohort = cohort_of({"group": ["a", "b"] * 15}, x=x, label="group", kind="continuous")
    model = made("dp-copula", cohort, classes="a, b, c").fit(cohort)
    assert model.classes_["group"].tolist() == list(GROUPS)
    assert model.class_sizes_[2] >= 2
    assert model.sample(design={"c": 3}).obs["group"].tolist() == ["c"] * 3
    assert "the names of the classes: a, b, c" in model.ledger_.public


def test_what_was_public_is_written_down():
    cohort = crowd("continuous", seed=0)
    public = made("dp-copula", cohort).fit(cohort).ledger_.public
    for words in ("gene names", "the range 0 to 1000 of covariate 'age'", "the levels of covariate 'sex'",
                  "values lie between 0 and 20"):  # fmt: skip
        assert any(words in text for text in public), words
    assert not any("no donor column" in text for text in public)
    lone = cohort_of({"group": ["a", "b"] * 20}, label="group")
    assert any("no donor column was stated" in text for text in made("dp-copula", lone).fit(lone).ledger_.public)


def test_no_more_can_be_taken_than_is_left():
    from twinseq.dp import Budget, Ledger, Spending

    spending = Spending(Budget(1.0, 1e-5), Ledger())
    spending.take(0.75)
    with pytest.raises(LedgerError, match=r"0\.3 of the budget is asked for, and 0\.25 is left"):
        spending.take(0.3)
