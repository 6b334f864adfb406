"""Which covariates enter the design, and which are left out with what reason."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from twinseq.cohort import Cohort
from twinseq.metrics import NotComputableError, Profiles, Space
from twinseq.metrics.biology.design import Design, estimable


def cohort(rng, n=20, **covariates) -> Cohort:
    obs = pd.DataFrame({"group": np.repeat(["a", "b"], n // 2), **covariates}, index=[f"s{i}" for i in range(n)])
    counts = rng.poisson(50, (n, 30))
    return Cohort(AnnData(counts, obs=obs), label="group", covariates=tuple(covariates))


def test_covariates_are_chosen_and_refused_with_reasons(rng):
    n = 20
    missing = rng.standard_normal(n)
    missing[3] = np.nan
    batch = np.tile(["x", "y"], n // 2)
    design = Space(
        cohort(
            rng,
            age=rng.standard_normal(n),
            batch=batch,
            constant=np.full(n, "z"),
            crp=missing,
            site=np.where(batch == "x", "north", "south"),
            same=np.repeat([0, 1], n // 2),
        )
    ).design
    assert design.numeric == ("age",)
    assert design.categorical == ("batch",)
    assert design.pairs == (("b", "a"),)
    assert design.left_out["constant"] == "is constant"
    assert design.left_out["crp"] == "has missing values"
    assert "collinear" in design.left_out["site"]
    assert "collinear" in design.left_out["same"]


def test_another_side_lacks_what_it_cannot_give(rng):
    n = 20
    space = Space(cohort(rng, age=rng.standard_normal(n), batch=np.tile(["x", "y"], n // 2)))
    odd = pd.DataFrame({"age": ["forty"] + ["41"] * (n - 1)})
    table, lacking = space.design.table(Profiles(space.train.values, space.train.labels, odd, space))
    assert lacking == ["age", "batch"]
    assert list(table.columns) == ["label"]


def test_rank_is_checked():
    table = pd.DataFrame({"covariate0": ["x", "x", "y", "y"], "label": ["a", "a", "b", "b"]})
    assert not estimable(table, ("b", "a"))
    assert estimable(table[["label"]], ("b", "a"))


def test_one_class_has_no_contrast(rng):
    values = cohort(rng)
    space = Space(Cohort(values.adata))
    with pytest.raises(NotComputableError, match="two or more classes"):
        Design.of(space.train)
