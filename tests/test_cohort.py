import dataclasses

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from twinseq.cohort import Cohort, from_anndata, shorten, validate
from twinseq.errors import CohortError, ConfigError


@pytest.fixture
def adata() -> ad.AnnData:
    obs = pd.DataFrame(
        {
            "condition": pd.Categorical(["case", "case", "control", "control"]),
            "patient": [1, 1, 2, 3],
            "age": [50.0, 50.0, np.nan, 61.0],
            "sex": ["f", "f", "m", "m"],
        },
        index=["a", "b", "c", "d"],
    )
    counts = np.arange(1, 13, dtype=np.int32).reshape(4, 3)
    return ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=["g1", "g2", "g3"]))


def test_a_cohort_knows_its_roles(adata):
    cohort = from_anndata(adata, label="condition", donor="patient", covariates=["age", "sex"])
    assert (cohort.n_samples, cohort.n_genes) == (4, 3)
    assert cohort.labels().tolist() == ["case", "case", "control", "control"]
    assert cohort.donors().tolist() == ["1", "1", "2", "3"]
    assert cohort.roles() == {
        "kind": "counts",
        "paired": False,
        "label": "condition",
        "donor": "patient",
        "covariates": ["age", "sex"],
    }


def test_without_roles_a_sample_is_a_donor_and_all_are_one_class(adata):
    cohort = from_anndata(adata)
    assert set(cohort.labels()) == {"all"}
    assert cohort.donors().tolist() == ["a", "b", "c", "d"]
    assert cohort.roles() == {"kind": "counts", "paired": False}


def test_kept_roles_are_used_unless_others_are_stated(adata):
    adata.uns["twinseq"] = {"label": "condition", "covariates": np.array(["sex"], dtype=object), "paired": np.True_}
    assert from_anndata(adata).covariates == ("sex",)
    assert from_anndata(adata).paired is True
    assert from_anndata(adata, label="sex", covariates=["age"]).roles()["label"] == "sex"


def test_one_covariate_may_be_stated_as_a_word(adata):
    assert Cohort(adata, covariates="age").covariates == ("age",)
    assert from_anndata(adata, covariates="age").covariates == ("age",)


def test_a_cohort_cannot_be_changed(adata):
    with pytest.raises(dataclasses.FrozenInstanceError):
        Cohort(adata).label = "sex"


def test_a_subset_is_a_cohort_of_its_own(adata):
    cohort = from_anndata(adata, label="condition", donor="patient")
    for rows in (np.array([0, 3]), np.array([True, False, False, True])):
        part = cohort.subset(rows)
        assert part.adata.obs_names.tolist() == ["a", "d"]
        assert part.roles() == cohort.roles()
        part.adata.X[:] = 0
    assert cohort.dense().sum() == 78


@pytest.mark.parametrize("make", [np.asarray, sp.csr_matrix, sp.csc_matrix, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.float32, np.float64])
def test_whole_numbers_of_any_type_are_counts(adata, make, dtype):
    adata.X = make(adata.X.astype(dtype))
    cohort = from_anndata(adata, label="condition")
    assert cohort.dense().tolist() == np.arange(1, 13).reshape(4, 3).tolist()
    assert cohort.dense(np.float32).dtype == np.float32


def test_unknown_kind(adata):
    with pytest.raises(ConfigError, match="Unknown kind 'count'; did you mean 'counts'"):
        Cohort(adata, kind="count")


def test_profiles_have_to_be_numbers(adata):
    words = ad.AnnData(adata.X.astype(str).astype(object), obs=adata.obs, var=adata.var)
    with pytest.raises(CohortError, match="numbers are needed"):
        from_anndata(words)
    with pytest.raises(CohortError, match="numbers are needed"):
        from_anndata(ad.AnnData(obs=adata.obs, var=adata.var))


def test_an_all_zero_sample_is_fine_where_values_are_continuous(adata):
    adata.X[1] = 0
    validate(Cohort(adata, kind="continuous"))
    with pytest.raises(CohortError, match="without a single count: 'b'"):
        validate(Cohort(adata))


def test_many_wrong_values_are_counted(adata):
    adata.X = adata.X - 5
    with pytest.raises(CohortError, match=r"negative value \(-4\) at sample 'a', gene 'g1'; 4 such value\(s\)"):
        validate(Cohort(adata))


def test_missing_values_of_covariates_are_welcome(adata):
    validate(Cohort(adata, covariates=("age", "sex")))


def test_donors_of_several_classes_are_welcome_where_stated(adata):
    adata.obs["patient"] = [1, 2, 1, 2]
    with pytest.raises(CohortError, match=r"2 donor\(s\) have samples in more than one class"):
        from_anndata(adata, label="condition", donor="patient")
    assert from_anndata(adata, label="condition", donor="patient", paired=True).paired


def test_cell_types_may_not_be_missing(adata):
    adata.obs["type"] = ["T", "B", None, "T"]
    with pytest.raises(CohortError, match=r"'type' \(cell_type\) is missing for 1 sample\(s\), first 'c'"):
        from_anndata(adata, cell_type="type")


def test_names_are_shortened_for_messages():
    assert shorten("gene") == "gene"
    assert shorten("x" * 100, 10) == "x" * 9 + "…"


def test_a_part_keeps_all_levels_of_its_classes_but_no_donor():
    obs = pd.DataFrame(
        {
            "group": pd.Categorical(["a", "a", "b", "b"]),
            "site": pd.Categorical(["x", "y", "x", "z"]),
            "person": pd.Categorical(["p1", "p2", "p3", "p4"]),
        },
        index=["s1", "s2", "s3", "s4"],
    )
    cohort = Cohort(ad.AnnData(np.ones((4, 2)), obs=obs), label="group", donor="person", covariates=("site",))
    part = cohort.subset(np.array([0, 1]))
    assert list(part.obs["group"].cat.categories) == ["a", "b"]
    assert list(part.obs["site"].cat.categories) == ["x", "y", "z"]
    assert list(part.obs["person"].cat.categories) == ["p1", "p2"]


@pytest.mark.parametrize("make", [np.asarray, sp.csr_matrix])
def test_profiles_come_in_parts(adata, make):
    whole = np.asarray(adata.X)
    cohort = Cohort(ad.AnnData(make(whole), obs=adata.obs, var=adata.var))
    parts = list(cohort.chunks(3))
    assert [(rows.start, rows.stop) for rows, _ in parts] == [(0, 3), (3, 4)]
    assert all(sp.issparse(part) == (make is sp.csr_matrix) for _, part in parts)
    np.testing.assert_array_equal(
        np.concatenate([part.toarray() if sp.issparse(part) else part for _, part in parts]), whole
    )


def test_a_class_is_label_and_cell_type(adata):
    adata.obs["type"] = ["B", "T", "B", "T"]
    assert Cohort(adata).classes().tolist() == ["all"] * 4
    assert Cohort(adata, label="condition").classes().tolist() == ["case", "case", "control", "control"]
    assert Cohort(adata, cell_type="type").classes().tolist() == ["B", "T", "B", "T"]
    both = Cohort(adata, label="condition", cell_type="type").classes()
    assert both.tolist() == ["case / B", "case / T", "control / B", "control / T"]
