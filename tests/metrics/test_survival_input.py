"""Times and events that are not sound: said, and nothing else lost."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from patients import SURVIVAL, followed

from twinseq import generators
from twinseq.audit import audit
from twinseq.cohort import Cohort
from twinseq.errors import CohortError, ConfigError
from twinseq.metrics import Comparison, NotComputableError, Profiles, Space, get

ASKED = ["cox_log_hr_pearson", "km_distance", "survival_concordance", "library_size_ks"]


@pytest.fixture(scope="module")
def patients(train: Cohort) -> Cohort:
    return followed(train, 0)


@pytest.fixture(scope="module")
def twin(patients: Cohort) -> Cohort:
    return generators.create("copula").fit(patients, seed=0).sample(seed=1)


def changed(cohort: Cohort, column: str, change: Callable[[pd.Series], object]) -> Cohort:
    adata = cohort.adata.copy()
    adata.obs[column] = change(adata.obs[column])
    return cohort.with_adata(adata)


def first(value: float) -> Callable[[pd.Series], pd.Series]:
    return lambda column: column.astype(float).where(np.arange(len(column)) > 0, value)


def test_a_twin_made_with_both_columns_is_measured(patients: Cohort, twin: Cohort, holdout: Cohort):
    report = audit(patients, twin, holdout=followed(holdout, 2), metrics=ASKED, survival=SURVIVAL)
    assert [metric.name for metric in report.metrics] == ASKED
    assert report["cox_log_hr_pearson"].value > report["cox_log_hr_pearson"].floor
    assert report.provenance["survival"] == {"time": "months", "event": "died"}
    assert all(metric.ceiling is not None and metric.ci is not None for metric in report.metrics[:3])


def test_the_columns_need_not_be_covariates_of_the_training_data(patients: Cohort, twin: Cohort):
    bare = dataclasses.replace(patients, covariates=("sex", "age"))
    with_them = audit(patients, twin, metrics=["km_distance"], survival=SURVIVAL)
    without = audit(bare, twin, metrics=["km_distance"], survival=SURVIVAL)
    assert without["km_distance"].value == with_them["km_distance"].value


def test_the_outcome_is_no_confounder(patients: Cohort, twin: Cohort):
    report = audit(patients, twin, metrics=["lfc_pearson"], survival=SURVIVAL)
    described = report.provenance["differential_expression"]
    assert "months" not in described["design"]
    assert described["left_out"]["died"] == "is the outcome of the survival analysis"


@pytest.mark.parametrize(
    ("column", "change", "message"),
    [
        ("months", first(-3.0), r"training data: column 'months' \(time\) is negative in 1 of 40 samples"),
        ("months", first(np.nan), r"column 'months' \(time\) has no number in 1 of 40"),
        ("died", lambda column: column + 1, r"column 'died' \(event\) is neither 0 nor 1"),
        ("died", first(np.nan), r"column 'died' \(event\) is neither 0 nor 1 in 1 of 40"),
        ("died", lambda column: np.where(column == 1, "yes", "no"), r"\(event\) is neither 0 nor 1 in 40 of 40"),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_measured(patients, twin, column, change, message):
    report = audit(changed(patients, column, change), twin, metrics=ASKED, survival=SURVIVAL)
    assert [metric.name for metric in report.metrics] == ["library_size_ks"]
    with pytest.raises(KeyError, match=message):
        _ = report["km_distance"]


def test_an_infinite_time_is_said(patients: Cohort):
    endless = changed(patients, "months", first(np.inf))
    space = Space(endless, survival=SURVIVAL)
    with pytest.raises(NotComputableError, match=r"\(time\) is infinite in 1 of 40"):
        _ = Comparison(space, space.train, Profiles.of(patients, space)).survival.real


def test_truth_values_and_categories_are_events_too(patients: Cohort, follow_up: Comparison):
    expected = follow_up.survival.real_table
    for kind in (bool, float, "category"):
        cohort = changed(patients, "died", lambda column, kind=kind: column.astype(kind))
        space = Space(cohort, survival=SURVIVAL)
        table = Comparison(space, space.train, Profiles.of(cohort, space)).survival.real_table
        assert table == pytest.approx(expected)


def test_a_twin_without_the_columns_is_told_how_to_get_them(patients: Cohort, twin: Cohort):
    without = dataclasses.replace(twin, covariates=("sex",))
    for change in (
        lambda obs: obs.drop(columns="months"),
        lambda obs: obs.assign(months=np.nan, died=pd.Series(pd.NA, index=obs.index, dtype="Int64")),
    ):
        adata = without.adata.copy()
        adata.obs = change(adata.obs)
        report = audit(patients, without.with_adata(adata), metrics=ASKED, survival=SURVIVAL)
        with pytest.raises(KeyError, match=r"twin: no value in column '.*covariates when the twin is made"):
            _ = report["cox_log_hr_pearson"]
        assert report["library_size_ks"].value < 0.5


def test_too_few_events_give_no_hazard_ratio(patients: Cohort, twin: Cohort):
    lucky = changed(patients, "died", lambda column: np.arange(len(column)) < 4)
    report = audit(lucky, twin, metrics=ASKED, survival=SURVIVAL)
    with pytest.raises(KeyError, match="4 event"):
        _ = report["cox_log_hr_pearson"]
    assert report["km_distance"].value >= 0


def test_columns_that_cannot_be_meant_are_refused(patients: Cohort, twin: Cohort):
    with pytest.raises(CohortError, match=r"no column 'month' \(time\); did you mean 'months'"):
        audit(patients, twin, metrics=ASKED, survival=("month", "died"))
    with pytest.raises(ConfigError, match="same column"):
        audit(patients, twin, metrics=ASKED, survival=("died", "died"))
    with pytest.raises(ConfigError, match="another role"):
        audit(patients, twin, metrics=ASKED, survival=("months", "condition"))


def test_without_columns_survival_is_asked_for_in_vain(comparison: Comparison):
    with pytest.raises(NotComputableError, match="--time and --event"):
        comparison.arguments(get("km_distance"))
