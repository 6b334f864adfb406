"""What every generator with differential privacy promises; what it cannot (exact sizes, fits by seed) is not asked."""

import numpy as np
import pandas as pd
import pytest

from twinseq import generators, io
from twinseq.cohort import Cohort
from twinseq.dp import PrivacyWarning
from twinseq.errors import CohortError, ConfigError, NotFittedError

from .planted import cohort_of, dressed, is_private, made, same_draws, settings_of, takes

NAMES = [name for name in generators.names() if is_private(name)]
UNDECLARED = ("note", "site", "visits", "weight", "consent", "donor")


def fitted(name: str, cohort: Cohort, **params: object) -> generators.Generator:
    if not takes(name, cohort):
        pytest.skip(f"{name} takes no {cohort.kind} profiles")
    return made(name, cohort, **params).fit(cohort, seed=3)


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_has_the_form_of_the_cohort(name, shaped):
    before = shaped.with_adata(shaped.adata.copy())
    twin = fitted(name, shaped).sample(seed=1)
    assert shaped.dense().tobytes() == before.dense().tobytes()
    pd.testing.assert_frame_equal(shaped.obs, before.obs)
    assert twin.genes.equals(shaped.genes)
    # Figures of the gene table may have been computed from the donors.
    assert list(twin.adata.var.columns) == []
    assert list(twin.obs.columns) == list(shaped.obs.columns)
    assert (twin.label, twin.covariates, twin.kind, twin.donor) == ("condition", shaped.covariates, shaped.kind, None)
    for column in ("condition", *shaped.covariates):
        assert twin.obs[column].dtype == shaped.obs[column].dtype, column
    for column in UNDECLARED:
        assert twin.obs[column].isna().all(), column
    assert twin.adata.X.dtype == shaped.adata.X.dtype
    assert isinstance(twin.adata.X, type(shaped.adata.X))
    assert np.isfinite(twin.dense()).all()
    assert twin.dense().min() >= 0
    assert abs(twin.n_samples - shaped.n_samples) < 20


@pytest.mark.parametrize("name", NAMES)
def test_no_name_of_a_donor_or_sample_reaches_the_twin(name, bulk, tmp_path):
    (path,) = io.write(fitted(name, dressed(bulk)).sample(seed=1), tmp_path / "twin.h5ad")
    content = path.read_bytes()
    for word in (b"sample-0-", b"donor-0-", b"site of", b"seen by"):
        assert word not in content, word


@pytest.mark.parametrize("name", NAMES)
def test_draws_hang_on_their_seed_alone(name, bulk):
    model = fitted(name, bulk)
    assert same_draws(model.sample(seed=1), model.sample(seed=1, jobs=2))
    assert not np.array_equal(model.sample(seed=1).dense(), model.sample(seed=2).dense())
    assert not np.array_equal(model.counts_, fitted(name, bulk).counts_)


@pytest.mark.parametrize("name", NAMES)
def test_any_number_and_design(name, bulk):
    model = fitted(name, bulk)
    assert model.sample(n=1).n_samples == 1
    many = model.sample(n=560, seed=1)
    means, real = many.dense().mean(axis=0), bulk.dense().mean(axis=0)
    assert np.corrcoef(np.log1p(means), np.log1p(real))[0, 1] > 0.9
    twin = model.sample(design={"control": 3, "case": 2}, seed=1)
    assert twin.obs["condition"].tolist() == ["control"] * 3 + ["case"] * 2


@pytest.mark.parametrize("name", NAMES)
def test_without_label(name):
    cohort = cohort_of({"batch": ["a", "b"] * 10}, covariates=("batch",))
    twin = fitted(name, cohort).sample(n=7)
    assert twin.n_samples == 7
    assert twin.obs["batch"].isin(["a", "b"]).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_genes", [1, 5])
def test_fewer_genes_than_factors(name, n_genes):
    cohort = cohort_of({"group": ["a", "b"] * 20}, n_genes=n_genes, label="group")
    assert fitted(name, cohort).sample(n=40, seed=1).dense().shape == (40, n_genes)


@pytest.mark.filterwarnings("ignore::twinseq.dp.PrivacyWarning")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_smallest_classes(name, n):
    """A class of one is learnt from like any other: to refuse it would tell that it is one."""
    columns = {"group": np.repeat(["a", "b"], n), "age": np.arange(2.0 * n), "sex": ["f", "m"] * n}
    cohort = cohort_of(columns, label="group", covariates=("age", "sex"))
    twin = fitted(name, cohort).sample(n=12, seed=1)
    assert twin.n_samples == 12
    assert np.isfinite(twin.dense()).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_class_lost_in_the_noise_is_said(name):
    # Of four small classes, noise does not hide all.
    cohort = cohort_of({"group": ["a"] * 60 + list("bcde") * 2}, label="group")
    with pytest.warns(PrivacyWarning, match="number of donors of a class has a noise of"):
        fitted(name, cohort, epsilon=0.5)


@pytest.mark.parametrize("name", NAMES)
def test_refusals(name, bulk):
    with pytest.raises(NotFittedError, match="Call fit"):
        made(name).sample()
    with pytest.raises(NotFittedError, match="Call fit"):
        made(name).save("never.npz")
    settings = settings_of(name)
    for lacking in ("epsilon", "delta"):
        with pytest.raises(ConfigError, match=f"State {lacking}: a guarantee has both"):
            generators.create(name, **{key: value for key, value in settings.items() if key != lacking})
    with pytest.raises(ConfigError, match="seed"):
        made(name, bulk).fit(bulk, seed=-1)
    with pytest.raises(ConfigError, match="'age' is a quantity"):
        made(name).fit(bulk)
    with pytest.raises(ConfigError, match=r"delta = 0\.5 is above 1/56"):
        made(name, bulk, delta=0.5).fit(bulk)
    paired = cohort_of({"group": ["a", "b"] * 20}, label="group", paired=True)
    with pytest.raises(CohortError, match="no donor column is stated"):
        made(name).fit(paired)
