"""What every generator promises, tried on each of them."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twinseq import generators, io
from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cells
from twinseq.errors import CohortError, ConfigError, NotFittedError

from .planted import cohort_of, is_private, made, same_draws, takes

NAMES = [name for name in generators.names() if not is_private(name)]
"""Private generators promise less: `test_private_contract`."""
UNDECLARED = ("note", "site", "visits", "weight", "consent", "donor")


def fitted(name: str, cohort: Cohort, **params: object) -> generators.Generator:
    if not takes(name, cohort):
        pytest.skip(f"{name} takes no {cohort.kind} profiles")
    return made(name, cohort, **params).fit(cohort, seed=3)


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_has_the_form_of_the_cohort(name, shaped, fits):
    twin = fits(name, shaped).twin
    pd.testing.assert_frame_equal(twin.adata.var, shaped.adata.var)
    assert list(twin.obs.columns) == list(shaped.obs.columns)
    assert twin.obs.index.name == "sample"
    assert (twin.label, twin.covariates, twin.kind) == ("condition", shaped.covariates, shaped.kind)
    assert twin.donor == ("donor" if name == "cell-copula" else None)  # it makes donors of its own
    for column in ("condition", *shaped.covariates):
        assert twin.obs[column].dtype == shaped.obs[column].dtype, column
    for column in UNDECLARED:
        assert twin.obs[column].isna().all() or column == twin.donor, column
    kinds = {column: twin.obs[column].dtype.name for column in UNDECLARED}
    assert kinds["weight"] == "float64"
    assert (kinds["visits"], kinds["consent"], kinds["site"]) == ("Int64", "boolean", "category")
    assert twin.adata.X.dtype == shaped.adata.X.dtype
    assert isinstance(twin.adata.X, type(shaped.adata.X))
    assert twin.obs["condition"].value_counts().to_dict() == shaped.obs["condition"].value_counts().to_dict()


@pytest.mark.parametrize("name", NAMES)
def test_no_name_of_a_donor_or_sample_reaches_the_twin(name, whole, fits, tmp_path):
    twin = fits(name, whole).twin
    assert twin.adata.obs_names.is_unique
    (path,) = io.write(twin, tmp_path / "twin.h5ad")
    content = path.read_bytes()
    for word in (b"sample-0-", b"donor-0-", b"site of", b"seen by"):
        assert word not in content, word
    for values in twin.obs.select_dtypes("category"):
        assert not any("donor-" in str(level) for level in twin.obs[values].cat.categories)


@pytest.mark.parametrize("name", NAMES)
def test_values_are_of_the_kind_of_the_cohort(name, shaped, fits):
    twin = fits(name, shaped).twin
    real, drawn = shaped.dense(), twin.dense()
    assert np.isfinite(drawn).all()
    assert drawn.min() >= 0
    if shaped.kind == "counts":
        assert twin.adata.X.dtype.kind == "i"
    varied = (real.max(axis=0) > real.min(axis=0)) & ((real > real.min(axis=0)).sum(axis=0) >= 5)
    constant = drawn.max(axis=0) == drawn.min(axis=0)
    assert varied.sum() > 700
    if name == "copula":
        varied = real.max(axis=0) > real.min(axis=0)
    assert not (constant & varied).any()


@pytest.mark.parametrize("name", NAMES)
def test_fit_and_sample_leave_the_cohort_as_it_was(name, shaped, fits):
    before = fits(name, shaped).before
    assert shaped.dense().tobytes() == before.dense().tobytes()
    pd.testing.assert_frame_equal(shaped.obs, before.obs)


@pytest.mark.parametrize("name", NAMES)
def test_seeds(name, whole, fits):
    known = fits(name, whole)
    model = known.model
    again = made(name, whole).fit(whole, seed=3, jobs=2)
    assert same_draws(known.twin, model.sample(seed=1))
    assert same_draws(known.twin, again.sample(seed=1, jobs=2))
    assert not np.array_equal(known.twin.dense(), model.sample(seed=2).dense())
    singles = {model.sample(n=1, seed=seed).dense().tobytes() for seed in range(6)}
    assert len(singles) > 2


@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_samples(name, whole, fits):
    model = fits(name, whole).model
    assert model.sample(n=1).n_samples == 1
    many = model.sample(n=560, seed=1)
    assert many.obs["condition"].value_counts().to_dict() == {"case": 240, "control": 320}
    assert many.adata.obs_names.is_unique
    means, real = many.dense().mean(axis=0), whole.dense().mean(axis=0)
    assert np.corrcoef(np.log1p(means), np.log1p(real))[0, 1] > 0.98


@pytest.mark.parametrize("name", NAMES)
def test_a_design_says_how_many_of_each_class(name, whole, fits):
    model = fits(name, whole).model
    twin = model.sample(design={"control": 3, "case": 2}, seed=1)
    assert twin.obs["condition"].tolist() == ["control"] * 3 + ["case"] * 2
    table = pd.DataFrame({"condition": ["case", "control", "case"], "other": 1})
    assert model.sample(design=table, seed=1).obs["condition"].tolist() == ["case", "control", "case"]
    assert model.sample(design={"case": 2, "control": 0}).n_samples == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 0}, "n must be a whole number of at least 1, not 0"),
        ({"n": -3}, "at least 1, not -3"),
        ({"n": 2.5}, "whole number"),
        ({"n": True}, "whole number"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"n": 3, "design": {"case": 3}}, "not both"),
        ({"design": {"cases": 3}}, "did you mean 'case'"),
        ({"design": {7: 3}}, "class '7', unknown"),
        ({"design": {"case": -1}}, "class 'case' must be a whole number of at least 0, not -1"),
        ({"design": {"case": 1.5}}, "whole number"),
        ({"design": {}}, "no sample at all"),
        ({"design": {"case": 0}}, "no sample at all"),
        ({"design": pd.DataFrame({"group": ["case"]})}, "no column 'condition'"),
        ({"design": pd.DataFrame({"condition": []})}, "no sample at all"),
    ],
)
def test_wrong_requests(arguments, words, bulk):
    model = generators.create("bootstrap").fit(bulk)
    with pytest.raises(ConfigError, match=words):
        model.sample(**arguments)


@pytest.mark.parametrize("name", NAMES)
def test_without_label(name):
    cohort = cohort_of({"batch": ["a", "b"] * 10}, covariates=("batch",))
    model = fitted(name, cohort)
    assert model.sample(n=7).n_samples == 7
    assert model.sample().obs["batch"].isin(["a", "b"]).all()
    with pytest.raises(ConfigError, match="no classes for a design"):
        model.sample(design={"all": 3})


@pytest.mark.parametrize("name", NAMES)
def test_five_classes_some_of_them_small(name):
    sizes = {"basal": 20, "her2": 9, "luma": 30, "lumb": 3, "normal-like": 2}
    label = np.repeat(list(sizes), list(sizes.values()))
    cohort = cohort_of(
        {"subtype": label, "age": np.arange(64.0), "sex": ["f", "m"] * 32}, label="subtype", covariates=("age", "sex")
    )
    model = fitted(name, cohort)
    twin = model.sample(seed=1)
    assert twin.obs["subtype"].value_counts().to_dict() == sizes
    assert twin.obs[["age", "sex"]].notna().all().all()
    assert model.sample(design={"lumb": 40}).n_samples == 40


@pytest.mark.parametrize("name", [name for name in NAMES if generators.info(name).modality == "both"])
def test_label_and_cell_type_together(name):
    cells = simulate_cells(3, 3, 150, cells_per_donor=60, n_cell_types=3, seed=0)
    model = fitted(name, cells)
    twin = model.sample(seed=1)
    assert twin.cell_type == "cell_type"
    columns = ["condition", "cell_type"]
    assert twin.obs[columns].value_counts().to_dict() == cells.obs[columns].value_counts().to_dict()
    some = model.sample(design={("case", str(cells.obs["cell_type"].iloc[0])): 4})
    assert (some.obs["condition"] == "case").all()
    assert some.n_samples == 4
    assert twin.obs["donor"].dropna().astype(str).str.startswith("twin_donor_").all()
    assert type(twin.adata.X) is type(cells.adata.X)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_genes", [1, 5])
def test_fewer_genes_than_factors(name, n_genes):
    cohort = cohort_of({"group": ["a", "b"] * 20}, n_genes=n_genes, label="group")
    assert fitted(name, cohort).sample(seed=1).dense().shape == (40, n_genes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [2, 3])
def test_the_smallest_classes(name, n):
    columns = {"group": np.repeat(["a", "b"], n), "age": np.arange(2.0 * n), "sex": ["f", "m"] * n}
    cohort = cohort_of(columns, label="group", covariates=("age", "sex"))
    twin = fitted(name, cohort).sample(seed=1)
    assert twin.n_samples == 2 * n
    assert twin.dense().sum() > 0


@pytest.mark.parametrize("name", NAMES)
def test_refusals(name, bulk):
    with pytest.raises(NotFittedError, match="Call fit"):
        generators.create(name).sample()
    with pytest.raises(NotFittedError, match="Call fit"):
        generators.create(name).save("never.npz")
    lonely = cohort_of({"group": ["a"] * 5 + ["b"]}, label="group")
    model = generators.create(name)
    with pytest.raises(CohortError, match="class 'b' has 1 sample"):
        model.fit(lonely)
    with pytest.raises(NotFittedError):
        model.sample()
    with pytest.raises(ConfigError, match="seed"):
        model.fit(bulk, seed=-1)


def test_wrong_kind(monkeypatch):
    cohort = cohort_of({"group": ["a", "b"] * 4}, kind="continuous", label="group")
    counts_only = dataclasses.replace(generators.info("mvn"), kinds=("counts",))
    monkeypatch.setattr(generators.get("mvn"), "info", counts_only)
    with pytest.raises(CohortError, match="'mvn' takes counts profiles, and cohort holds continuous"):
        generators.create("mvn").fit(cohort)


@pytest.mark.parametrize("name", [name for name in NAMES if "continuous" in generators.info(name).kinds])
def test_whole_numbers_as_continuous_values_are_rounded_not_cut(name):
    x = np.random.default_rng(0).poisson(5, (60, 300)).astype(np.int32)
    cohort = cohort_of({"group": ["a", "b"] * 30}, x=x, label="group", kind="continuous")
    twin = fitted(name, cohort).sample(seed=1)
    assert twin.adata.X.dtype == np.int32
    assert twin.dense().mean() == pytest.approx(x.mean(), abs=0.12)


def test_counts_beyond_32_bits():
    x = (np.random.default_rng(0).random((40, 8)) * 3e9 + 2e9).astype(np.int64)
    cohort = cohort_of({"group": ["a", "b"] * 20}, x=x, label="group")
    for name in NAMES:
        if generators.info(name).modality == "single-cell":
            with pytest.raises(CohortError, match="UMI counts of cells are expected"):
                fitted(name, cohort)
            continue
        drawn = fitted(name, cohort).sample(seed=1).dense()
        assert drawn.mean() == pytest.approx(x.mean(), rel=0.1), name
    small = cohort_of({"group": ["a", "b"] * 20}, x=np.full((40, 6), 250, dtype=np.uint8), label="group")
    assert generators.create("copula").fit(small).sample().dense().mean() == pytest.approx(250, rel=0.01)


SCRIPT = """
import sys, hashlib
from twinseq import generators, io
from twinseq.datasets import simulate_cohort
cohort = simulate_cohort(20, 24, 1500, seed=0)
twin = generators.create("copula").fit(cohort, seed=3, jobs=int(sys.argv[2])).sample(seed=1, jobs=int(sys.argv[2]))
io.write(twin, sys.argv[1])
"""


def test_same_bytes_in_the_file_whatever_the_threads(tmp_path: Path):
    files = []
    for threads, jobs in ((1, 1), (2, 2)):
        path = tmp_path / f"twin{threads}.h5ad"
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        subprocess.run([sys.executable, "-c", SCRIPT, str(path), str(jobs)], env=environment, check=True)
        files.append(path.read_bytes())
    assert files[0] == files[1]
