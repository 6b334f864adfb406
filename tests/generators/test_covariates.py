"""Label and covariates come out with their joint distribution, and stay tied to the genes."""

import numpy as np
import pandas as pd
import pytest

from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cohort
from twinseq.generators import create, load
from twinseq.generators._covariates import CovariateModel, is_categorical

from .planted import cohort_of, log_values

LABEL = np.repeat(["case", "control"], [80, 120])


def draw(columns: dict[str, object], n: int | None = None, seed: int = 1, **kwargs: object) -> pd.DataFrame:
    """Return the covariates of a twin of a cohort with these columns and unrelated genes."""
    cohort = cohort_of({"group": LABEL, **columns}, label="group", covariates=tuple(columns), **kwargs)
    return create("copula").fit(cohort).sample(n=n, seed=seed).obs


def total_variation(real: pd.DataFrame, twin: pd.DataFrame, columns: list[str]) -> float:
    one, other = (frame[columns].value_counts(normalize=True, dropna=False) for frame in (real, twin))
    return float(one.sub(other, fill_value=0).abs().sum() / 2)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_strata_come_out_exactly(rng):
    sex = np.where(rng.random(200) < np.where(LABEL == "case", 0.7, 0.4), "f", "m")
    batch = rng.choice(["one", "two"], 200)
    real = pd.DataFrame({"group": LABEL, "sex": sex, "batch": batch})
    columns = ["group", "sex", "batch"]
    twin = draw({"sex": sex, "batch": batch})
    pd.testing.assert_series_equal(
        twin[columns].value_counts().sort_index(), real.value_counts().sort_index(), check_dtype=False
    )
    half = draw({"sex": sex, "batch": batch}, n=100)
    assert total_variation(real, half, columns) < 0.03
    ten = draw({"sex": sex, "batch": batch}, n=2000)
    assert total_variation(real, ten, columns) < 1e-9


def test_levels_too_rare_for_strata_are_drawn_jointly(rng):
    """Stage depends on the class and grade on stage; both have rare levels."""
    stage = np.where(
        LABEL == "case", rng.choice(4, 200, p=[0.1, 0.3, 0.4, 0.2]), rng.choice(4, 200, p=[0.7, 0.25, 0.04, 0.01])
    )
    grade = np.clip(stage + rng.choice([-1, 0, 1], 200, p=[0.1, 0.8, 0.1]), 0, 3)
    real = pd.DataFrame({"group": LABEL, "stage": stage, "grade": grade}).astype(str)
    names = ["group", "stage", "grade"]
    joint = []
    for seed in range(5):
        twin = draw({"stage": real["stage"].to_numpy(), "grade": real["grade"].to_numpy()}, seed=seed)
        for column in ("stage", "grade"):
            assert total_variation(real, twin, ["group", column]) < 0.006
        joint.append(total_variation(real, twin, names))
    independent = real.assign(grade=real.groupby("group")["grade"].sample(frac=1, random_state=0).to_numpy())
    assert np.mean(joint) < 0.25
    assert np.mean(joint) < 0.55 * total_variation(real, independent, names)


def test_a_class_without_any_value_and_a_tiny_class():
    """Subtypes are known in tumours only, and three metastases do not keep tumours from being strata."""
    label = np.repeat(["metastasis", "normal", "tumour"], [3, 40, 57])
    subtype = np.array([None] * 43 + ["A"] * 30 + ["B"] * 20 + ["C"] * 7, dtype=object)
    subtype[:3] = "A"
    cohort = cohort_of({"tissue": label, "subtype": subtype}, label="tissue", covariates=("subtype",))
    twin = create("copula").fit(cohort).sample(seed=1).obs
    assert total_variation(cohort.obs.fillna("none"), twin.fillna("none"), ["tissue", "subtype"]) == 0
    rare = subtype.copy()
    rare[-2:] = "D"
    cohort = cohort_of({"tissue": label, "subtype": rare}, label="tissue", covariates=("subtype",))
    twin = create("copula").fit(cohort).sample(seed=1).obs
    assert twin.loc[twin["tissue"] == "normal", "subtype"].isna().all()
    assert total_variation(cohort.obs.fillna("none"), twin.fillna("none"), ["tissue", "subtype"]) < 0.02


def test_types(rng):
    age = rng.integers(20, 80, 200)
    columns = {
        "sex": pd.Categorical(rng.choice(["f", "m"], 200), categories=["unused", "m", "f"]),
        "smoker": rng.random(200) < 0.3,
        "batch": rng.integers(1, 4, 200),
        "age": age,
        "bmi": np.round(18 + 20 * rng.random(200), 2),
        "site": ["only one"] * 200,
    }
    twin = draw(columns)
    assert twin["sex"].cat.categories.tolist() == ["unused", "m", "f"]
    assert set(twin["sex"]) == {"m", "f"}
    assert twin["smoker"].dtype == bool
    assert twin["smoker"].mean() == pytest.approx(columns["smoker"].mean(), abs=0.011)
    assert twin["batch"].dtype == np.int64
    assert sorted(twin["batch"].unique()) == [1, 2, 3]
    assert twin["age"].dtype == np.int64
    assert twin["age"].between(15, 85).all()
    assert twin["age"].nunique() > 40
    assert twin["bmi"].between(17, 39).all()
    assert set(twin["site"]) == {"only one"}
    for name in ("age", "bmi"):
        assert twin[name].mean() == pytest.approx(np.mean(columns[name]), rel=0.01)
        assert twin[name].std() == pytest.approx(np.std(columns[name]), rel=0.05)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", "b"] * 20, True),
        ([True, False] * 20, True),
        ([1, 2, 3, 4] * 10, True),
        ([1.0, 2.0, np.nan, 2.0] * 10, True),
        (list(range(40)), False),
        ([0.5, 1.5] * 20, False),
        ([1, 2, 3], False),
    ],
)
def test_codes_are_told_from_quantities(values, expected):
    assert is_categorical(pd.Series(values)) is expected


def test_missing_values_keep_their_rate_in_each_class(rng):
    rate = np.where(LABEL == "case", 0.4, 0.1)
    crp, stage = rng.lognormal(size=200), rng.choice(["I", "II", "III"], 200, p=[0.9, 0.07, 0.03]).astype(object)
    crp[rng.random(200) < rate] = np.nan
    stage[rng.random(200) < rate] = None
    for n in (200, 600):
        twin = draw({"crp": crp, "stage": stage}, n=n)
        for group in ("case", "control"):
            for name, values in (("crp", crp), ("stage", stage)):
                expected = pd.isna(values[group == LABEL]).mean()
                assert twin.loc[twin["group"] == group, name].isna().mean() == pytest.approx(expected, abs=0.02)


def test_missingness_that_goes_with_another_covariate_survives(rng):
    age = rng.normal(50, 10, 200)
    smoked = np.where(age + rng.normal(0, 3, 200) > 57, np.nan, rng.random(200))
    twin = draw({"age": age, "smoked": smoked})
    gap = twin.loc[twin["smoked"].isna(), "age"].mean() - twin.loc[twin["smoked"].notna(), "age"].mean()
    real_gap = age[np.isnan(smoked)].mean() - age[~np.isnan(smoked)].mean()
    assert gap == pytest.approx(real_gap, rel=0.2)


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_correlation_between_quantities_survives(rng, missing):
    age = rng.normal(50, 10, 200)
    pressure = 100 + 0.6 * age + rng.normal(0, 5, 200)
    holes = rng.random((2, 200)) < missing
    columns = {"age": np.where(holes[0], np.nan, age), "pressure": np.where(holes[1], np.nan, pressure)}
    real = pd.DataFrame(columns).corr().iloc[0, 1]
    drawn = [draw(columns, seed=seed)[["age", "pressure"]].corr().iloc[0, 1] for seed in range(8)]
    assert np.mean(drawn) == pytest.approx(real, abs=0.05)


@pytest.mark.parametrize("share", [0.5, 0.15, 0.02])
def test_correlation_with_a_yes_or_no_is_set_free_of_its_attenuation(share):
    """The latent correlation behind a cut normal is recovered, and so is the visible one."""
    rng = np.random.default_rng(11)
    n = 6000
    latent = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], n)
    columns = {
        "dose": latent[:, 0],
        "event": np.where(latent[:, 1] > np.quantile(latent[:, 1], 1 - share), "yes", "no"),
    }
    cohort = cohort_of({"group": ["a", "b"] * (n // 2), **columns}, n_genes=2, label="group", covariates=tuple(columns))
    codes = np.tile([0, 1], n // 2)
    model, _ = CovariateModel.fit(cohort, codes, min_stratum=n)
    assert abs(model.correlation[0, 1]) == pytest.approx(0.6, abs=0.05)
    known, _ = model.sample(codes, np.random.default_rng(0))
    assert (known["event"] == "yes").mean() == pytest.approx(share, abs=1e-3)
    gaps = [
        frame.loc[frame["event"] == "yes", "dose"].mean() - frame.loc[frame["event"] == "no", "dose"].mean()
        for frame in (cohort.obs, known)
    ]
    assert gaps[1] == pytest.approx(gaps[0], rel=0.1)


def effect(cohort: Cohort, column: np.ndarray, genes: np.ndarray) -> np.ndarray:
    """Return the slope of each gene's log2 value on ``column``, the condition held constant."""
    case = (cohort.obs["condition"] == "case").to_numpy(dtype=float)
    design = np.column_stack([np.ones(len(case)), case, column])
    return np.linalg.lstsq(design, log_values(cohort)[:, genes], rcond=None)[0][2]


def as_number(cohort: Cohort, name: str) -> np.ndarray:
    values = cohort.obs[name]
    if name == "age":
        return values.to_numpy(dtype=float) / 10
    return (values == {"sex": "female", "batch": "batch1"}[name]).to_numpy(dtype=float)


@pytest.fixture(scope="module")
def pair() -> tuple[Cohort, Cohort]:
    cohort = simulate_cohort(60, 70, 2000, n_batches=2, batch_sd=0.5, seed=0)
    return cohort, create("copula").fit(cohort, seed=0).sample(seed=1)


def test_sex_age_and_batch_stay_tied_to_their_genes(pair):
    cohort, twin = pair
    var, settings = cohort.adata.var, {"sex": "sex_log2_fold_change", "age": "age_log2_slope"}
    expressed = log_values(cohort).mean(axis=0) > 4
    for name, truth in settings.items():
        genes = (var[truth] != 0).to_numpy() & (expressed | (name == "sex"))
        real, drawn = (effect(one, as_number(one, name), genes) for one in (cohort, twin))
        assert np.corrcoef(real, drawn)[0, 1] > {"sex": 0.999, "age": 0.9}[name]
        slope = (real @ drawn) / (real @ real)
        assert slope == pytest.approx(1.0, abs={"sex": 0.02, "age": 0.2}[name])
    real, drawn = (effect(one, as_number(one, "batch"), expressed) for one in (cohort, twin))
    assert np.corrcoef(real, drawn)[0, 1] > 0.98
    assert (real @ drawn) / (real @ real) == pytest.approx(1.0, abs=0.03)


def test_genes_that_give_sex_away_agree_with_it(pair):
    cohort, twin = pair
    names = cohort.adata.uns["truth"]["sex_genes"]
    strong = cohort.adata.var.loc[names, "sex_log2_fold_change"] < -5
    genes = cohort.genes.get_indexer(names[strong.to_numpy()])
    female = (twin.obs["sex"] == "female").to_numpy()
    counts = twin.dense()[:, genes].sum(axis=1)
    assert counts[female].max() < counts[~female].min()


def test_a_covariate_too_rare_for_strata_moves_its_genes(rng):
    rare = np.array(["no"] * 200, dtype=object)
    rare[[0, 1, 2, 90, 91, 92, 93]] = "yes"
    x = rng.poisson(200, (200, 60))
    x[:, :20] = rng.poisson(np.where(rare == "yes", 1600, 200)[:, None], (200, 20))
    cohort = cohort_of({"group": LABEL, "rare": rare}, x=x, label="group", covariates=("rare",))
    twin = create("copula").fit(cohort).sample(seed=1)
    values = log_values(twin)[:, :20].mean(axis=1)
    yes = (twin.obs["rare"] == "yes").to_numpy()
    assert yes.sum() in (6, 7, 8)
    assert values[yes].mean() - values[~yes].mean() > 1.5


HOSTILE = [
    "class", "size.", "class_", "covariate.class", "label", "a,b", 'say "x"', "(p)", "<script>alert(1)</script>",
    "μ βeta", "x/../y", "line\nbreak", "x" * 10_000, "0.numbers", "header", "index",
]  # fmt: skip


@pytest.mark.parametrize("generator", ["copula", "independent"])
def test_what_is_never_negative_stays_so(generator):
    # So steep at its lower end that a straight line through it passes below 0.
    time = np.concatenate([[0.1, 0.2, 5.0, 15.0], np.linspace(20.0, 60.0, 56)])
    cohort = cohort_of({"months": time, "shift": time - 5}, covariates=("months", "shift"))
    twin = create(generator).fit(cohort, seed=0).sample(300, seed=1)
    assert twin.obs["months"].min() >= 0
    assert twin.obs["shift"].min() < 0


def test_hostile_names_of_columns_and_levels(rng, tmp_path):
    columns: dict[str, object] = {}
    for number, name in enumerate(HOSTILE):
        levels = [f"{name[:50]}-1", "a,b\"'<b>", "ü"]
        columns[name] = rng.normal(size=200) if number % 2 else rng.choice(levels, 200, p=[0.6, 0.38, 0.02])
    cohort = cohort_of({"group": LABEL, **columns}, label="group", covariates=tuple(columns))
    model = create("copula").fit(cohort)
    twin = model.sample(seed=1).obs
    assert list(twin.columns) == ["group", *HOSTILE]
    for name in HOSTILE[::2]:
        assert total_variation(cohort.obs, twin, [name]) < 0.02
    pd.testing.assert_frame_equal(load(model.save(tmp_path / "m.npz")).sample(seed=1).obs, twin)
