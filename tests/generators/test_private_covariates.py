"""Covariates under differential privacy: shares that come back with much budget, gaps, ranges, and levels."""

import numpy as np
import pandas as pd
import pytest

from twinseq import generators
from twinseq.dp import Budget, Ledger, Spending
from twinseq.errors import ConfigError
from twinseq.generators._private_covariates import BINS, PrivateCovariates, parse_ranges

from .planted import cohort_of, made

N = 4000


@pytest.fixture(scope="module")
def clinic():
    """Age rises, and smoking falls, from class a to class b; a fifth of the ages of class b are missing."""
    rng = np.random.default_rng(0)
    group = np.repeat(["a", "b"], [N // 4, N - N // 4])
    late = group == "b"
    age = rng.normal(np.where(late, 65.0, 45.0), 8.0)
    age[late & (rng.random(N) < 0.2)] = np.nan
    columns = {
        "group": group,
        "age": age,
        "visits": rng.poisson(np.where(late, 6, 2)),
        "smoker": rng.random(N) < np.where(late, 0.2, 0.6),
        "stage": pd.Categorical(rng.choice(["I", "II"], N), categories=["I", "II", "III"], ordered=True),
        "site": np.where(rng.random(N) < 0.1, None, rng.choice(["north", "south"], N)),
        "grade": pd.array(rng.integers(1, 4, N), dtype="Int64"),
        "seen": pd.to_datetime(rng.choice(["2020-01-01", "2021-06-30"], N)),
    }
    x = rng.normal(8, 1, (N, 3))
    return cohort_of(columns, x=x, label="group", kind="continuous", covariates=tuple(columns)[1:])


RANGES = "age=0:100,visits=0:20,grade=0:10"


def learn(cohort, epsilon, ranges=RANGES, weights=None):
    codes = (cohort.labels() == "b").astype(np.intp)
    ledger = Ledger()
    ones = np.ones(cohort.n_samples) if weights is None else weights
    spending = Spending(Budget(epsilon, 1e-6), ledger)
    return PrivateCovariates.fit(cohort, codes, 2, ones, ranges, spending, 1.0), ledger, codes


def test_what_was_planted_comes_back_with_much_budget(clinic):
    model, _, codes = learn(clinic, 50.0)
    drawn = model.sample(codes, np.random.default_rng(1))
    for name, late in (("a", 0), ("b", 1)):
        real, twin = clinic.obs[clinic.labels() == name], drawn[codes == late]
        age = twin["age"].astype(float)
        assert age.mean() == pytest.approx(real["age"].mean(), abs=1.0)
        # Taking bins of ten years, and any year within, adds the variance of a bin twice.
        assert real["age"].std() - 0.5 < age.std() < np.hypot(real["age"].std(), 10 / np.sqrt(6)) + 0.5
        assert age.isna().mean() == pytest.approx(real["age"].isna().mean(), abs=0.03)
        assert twin["visits"].astype(float).mean() == pytest.approx(real["visits"].mean(), abs=0.4)
        for column in ("smoker", "stage", "site", "seen"):
            shares = real[column].value_counts(normalize=True)
            for level, share in shares.items():
                assert (twin[column].dropna() == level).mean() == pytest.approx(share, abs=0.05), (column, level)
        assert twin["site"].isna().mean() == pytest.approx(0.1, abs=0.03)
    assert (drawn["stage"] == "III").mean() < 0.01
    assert not drawn["visits"].isna().any()
    assert not drawn["smoker"].isna().any()


def test_quantities_stay_within_their_ranges_and_whole_ones_are_whole(clinic):
    model, _, codes = learn(clinic, 50.0, "age=50:60,visits=3:5,grade=0:10")
    drawn = model.sample(codes, np.random.default_rng(1))
    age = drawn["age"].dropna().astype(float)
    assert 50 <= age.min() < 51
    assert 59 < age.max() <= 60
    # Whoever lies outside is counted at the edge.
    assert (age < 51).mean() == pytest.approx((clinic.obs["age"].dropna() < 51).mean(), abs=0.03)
    # The highest one shares its bin with numbers below it.
    assert {3, 4} <= set(drawn["visits"]) <= {3, 4, 5}
    assert all(isinstance(visits, int) for visits in drawn["visits"])


def test_types_of_columns_are_kept(clinic, tmp_path):
    model = made("dp-copula", clinic, delta=1e-4).fit(clinic)
    twin = model.sample(n=200, seed=1)
    for column in clinic.covariates:
        assert twin.obs[column].dtype == clinic.obs[column].dtype, column
    loaded = generators.load(model.save(tmp_path / "model.npz"))
    pd.testing.assert_frame_equal(loaded.sample(n=200, seed=1).obs, twin.obs)


def test_one_answer_for_all_tables_with_the_noise_that_is_charged(clinic):
    few = clinic.subset(np.arange(0, N, 100))
    model, ledger, _ = learn(few, 0.01)
    (query,) = ledger.queries
    assert query.measured == f"tables of class × covariate ({len(clinic.covariates)})"
    assert query.sensitivity == pytest.approx(np.sqrt(len(clinic.covariates)), rel=1e-4)
    assert ledger.epsilon(1e-6) == pytest.approx(0.01, rel=0.01)
    assert len(model.shares[0][0]) == BINS + 1
    for shares in model.shares:
        np.testing.assert_allclose(shares.sum(axis=1), 1.0)
        assert shares.min() >= 0
    # So much noise that nothing is left of the data: half of all cells are below zero, and none.
    cells = np.concatenate([shares.ravel() for shares in model.shares])
    assert 0.2 < (cells == 0).mean() < 0.8


def test_gaps_that_may_be_noise_alone_are_none(clinic):
    few = clinic.subset(np.arange(0, N, 20))
    model, _, codes = learn(few, 1.0)
    drawn = model.sample(codes, np.random.default_rng(0))
    assert few.obs["grade"].notna().all()
    assert drawn["grade"].notna().all()
    model, _, codes = learn(few, 50.0)
    assert model.sample(codes, np.random.default_rng(0))["age"].isna().any()


def test_without_covariates_nothing_is_asked(clinic):
    bare = cohort_of({"group": clinic.labels()}, x=clinic.dense(), label="group", kind="continuous")
    model, ledger, codes = learn(bare, 1.0, None)
    assert ledger.queries == []
    assert model.sample(codes, np.random.default_rng(0)).shape == (N, 0)


def test_many_samples_of_a_donor_count_as_one():
    columns = {"group": ["a"] * 60, "sex": ["f"] * 10 + ["m"] * 50}
    cohort = cohort_of(columns, label="group", covariates=("sex",))
    model, _, _ = learn(cohort, 50.0, None, np.r_[np.ones(10), np.full(50, 1 / 50)])
    assert model.shares[0][0, 0] == pytest.approx(10 / 11, abs=0.1)


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        (None, "Covariate 'age' is a quantity, and its range in the data is private.*ranges=age=LOW:HIGH"),
        ("visits=0:9", "Covariate 'age' is a quantity"),
        ("age", r"ranges: write name=low:high, with commas between, not 'age'"),
        ("age 1:2", "write name=low:high"),
        ("agee=0:100", r"there is no covariate 'agee'; did you mean 'age'"),
        ("group=0:1", "there is no covariate 'group'"),
        ("age=100:0", "ranges of 'age': bounds must be two numbers, low and high"),
        ("age=0-100", "bounds must be two numbers"),
        ("age=0:inf", "bounds must be two numbers"),
        ("age=0:100,stage=1:4,visits=0:9,grade=0:9", "ranges: covariate 'stage' is not a quantity"),
        ("age=0:100,smoker=0:1,visits=0:9,grade=0:9", "ranges: covariate 'smoker' is not a quantity"),
    ],
)
def test_ranges_that_will_not_do(clinic, ranges, words):
    with pytest.raises(ConfigError, match=words):
        learn(clinic, 1.0, ranges)


def test_ranges_as_they_are_written():
    assert parse_ranges(" age = 1:2 , b=c=-1:.5,", ("age ", "age", "b=c"))["b=c"] == (-1.0, 0.5)
    assert parse_ranges(None, ("age",)) == parse_ranges("", ("age",)) == {}
