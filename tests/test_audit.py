"""The audit from end to end: what it reports, what it refuses, and what must not change its figures."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import twinseq.io
from twinseq import generators, metrics
from twinseq.audit import audit
from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cohort
from twinseq.errors import CohortError, ConfigError
from twinseq.metrics import _registry
from twinseq.results import AuditReport

SIZE = {"n_cases": 16, "n_controls": 20, "n_genes": 700}
QUICK = ["library_size_ks", "de_recall", "lfc_pearson", "dcr_median", "covariate_tv_mean", "exact_copies"]


@pytest.fixture(scope="module")
def train() -> Cohort:
    return simulate_cohort(**SIZE, seed=0)


@pytest.fixture(scope="module")
def holdout() -> Cohort:
    """Other donors of the same population."""
    return simulate_cohort(**SIZE, seed=1)


@pytest.fixture(scope="module")
def twin(train: Cohort) -> Cohort:
    return generators.create("copula").fit(train, seed=0).sample(seed=1)


@pytest.fixture(scope="module")
def report(train: Cohort, twin: Cohort, holdout: Cohort) -> AuditReport:
    return audit(train, twin, holdout=holdout)


def figures(report: AuditReport) -> dict[str, tuple]:
    return {metric.name: (metric.value, metric.ci, metric.ceiling, metric.floor) for metric in report.metrics}


def test_every_figure_is_given(report: AuditReport):
    asked = {"survival", "gene sets", "cells"}
    expected = [name for name in metrics.names() if not asked & set(metrics.get(name).needs)]
    assert [metric.name for metric in report.metrics] == expected
    assert report.omitted == ()
    for metric in report.metrics:
        assert metric.ceiling is not None or "copied" in metric.floor_source, metric
        assert metric.ceiling_source
        assert metric.floor_source
        assert metric.n > 0
        if metric.ci is not None:
            assert metric.ci[0] <= metric.ci[1]
            assert metric.ci_note.startswith(("bootstrap over ", "jackknife over donors"))


def test_a_faithful_twin_lies_between_floor_and_ideal(report: AuditReport):
    for name in ("de_recall", "lfc_pearson", "padj_pearson", "tstr_auc_top500_logistic", "correlation_r"):
        metric = report[name]
        assert metric.value > metric.floor, name
    assert report["lfc_pearson"].value > 0.9
    assert report["lfc_pearson"].ceiling < report["lfc_pearson"].value
    assert report["exact_copies"].value == 0
    assert report["exact_copies"].floor == 36


def test_ceilings_tell_who_plays_the_twin(report: AuditReport):
    assert "training data in the twin's place" in report["library_size_ks"].ceiling_source
    assert "hold-out in the twin's place" in report["de_recall"].ceiling_source
    assert "half of the hold-out" in report["dcr_p5_ratio"].ceiling_source
    assert report["lfc_replication"].ceiling == pytest.approx(1.0)
    assert report["dcr_median"].ideal == report["dcr_median"].ceiling


def test_the_twin_is_judged_and_nobody_is_named(report: AuditReport, train: Cohort, holdout: Cohort):
    assert report.verdict["outcome"] == "leak"
    assert report.verdict["policy"] is None
    text = report.to_json() + "".join(table.to_csv() for table in report.tables.values())
    for cohort in (train, holdout):
        for name in (*cohort.adata.obs_names, *cohort.donors()):
            assert not re.search(rf"\b{re.escape(name)}\b", text)
    parsed = json.loads(report.to_json())
    assert parsed["provenance"]["differential_expression"]["left_out"] == {"crp": "has missing values"}
    assert set(parsed["provenance"]["seconds"]) >= {"differential expression", "fidelity", "tables", "attacks"}
    assert set(report.tables) == {*metrics.tables.TABLES, "de_genes", "attack_roc"} - {"survival", "pathways"}


def test_without_a_holdout_the_missing_figures_are_said(train: Cohort, twin: Cohort):
    report = audit(train, twin)
    reasons = {omitted.name: omitted.reason for omitted in report.omitted}
    for name in ("tstr_f1", "lfc_replication", "dcr_p5_ratio", "c2st_auc_logistic"):
        assert "hold-out" in reasons[name]
        assert "twinseq split" in reasons[name]
    assert "roc" not in report.tables
    assert any("twinseq split" in reason for reason in report.verdict["reasons"])
    assert "two halves of the training data" in report["de_recall"].ceiling_source
    assert report["de_recall"].ceiling is not None
    with pytest.raises(KeyError, match="needs a hold-out"):
        report["tstr_f1"]


def test_the_order_of_samples_and_genes_changes_nothing(train: Cohort, twin: Cohort, holdout: Cohort):
    rng = np.random.default_rng(5)

    def mixed(cohort: Cohort) -> Cohort:
        rows, columns = rng.permutation(cohort.n_samples), rng.permutation(cohort.n_genes)
        return cohort.with_adata(cohort.adata[rows][:, columns].copy())

    asked = {"survival", "gene sets", "cells"}
    left = ("tstr", "c2st_auc_trees", *(name for name in metrics.names() if asked & set(metrics.get(name).needs)))
    chosen = [name for name in metrics.names() if not name.startswith(left)]
    straight = audit(train, twin, holdout=holdout, metrics=chosen)
    turned = audit(mixed(train), mixed(twin), holdout=mixed(holdout), metrics=chosen)
    assert len(straight.metrics) == len(chosen)
    assert figures(straight) == figures(turned)


def test_seed_and_threads(train: Cohort, twin: Cohort):
    first = audit(train, twin, metrics=QUICK)
    assert figures(first) == figures(audit(train, twin, metrics=QUICK, jobs=2))
    other = audit(train, twin, metrics=QUICK, seed=1)
    assert first["lfc_pearson"].value == other["lfc_pearson"].value
    assert first["lfc_pearson"].ci != other["lfc_pearson"].ci


def test_a_reference_set_gives_the_ceiling_that_needs_a_third(train: Cohort, twin: Cohort, holdout: Cohort):
    third = simulate_cohort(**SIZE, seed=3)
    report = audit(train, twin, holdout=holdout, reference=third, metrics=["closer_to_train_share"])
    assert "reference" in report["closer_to_train_share"].ceiling_source
    assert report["closer_to_train_share"].ceiling == pytest.approx(0.5, abs=0.2)


def test_progress_is_told(train: Cohort, twin: Cohort):
    steps = []
    audit(train, twin, metrics=QUICK, progress=lambda *step: steps.append(step))
    done, totals, descriptions = zip(*steps, strict=True)
    assert list(done) == sorted(done)
    assert done[-1] == totals[-1]
    assert len(set(totals)) == 1
    assert "de_recall" in descriptions
    assert descriptions[-1] == "done"


def test_one_metric_that_fails_does_not_sink_the_audit(monkeypatch, train: Cohort, twin: Cohort):
    broken = metrics.get("library_size_ks")

    def fail(*_: object) -> float:
        raise ZeroDivisionError("a defect")

    monkeypatch.setitem(_registry._REGISTRY, broken.name, type(broken)(**{**broken.__dict__, "function": fail}))
    report = audit(train, twin, metrics=QUICK)
    assert len(report.metrics) == len(QUICK) - 1
    assert report.omitted[0].reason == "failed unexpectedly (ZeroDivisionError: a defect)"


def test_twin_and_training_data_must_match(train: Cohort, twin: Cohort):
    def changed(**obs: object) -> Cohort:
        adata = twin.adata.copy()
        adata.obs = adata.obs.assign(**obs)
        return twin.with_adata(adata)

    shorter = twin.with_adata(twin.adata[:, 3:].copy())
    with pytest.raises(CohortError, match=rf"3 gene\(s\) missing: .*'{twin.genes[0]}'"):
        audit(train, shorter)
    with pytest.raises(CohortError, match="that the training data lack"):
        audit(train.with_adata(train.adata[:, 3:].copy()), twin)
    with pytest.raises(CohortError, match="continuous profiles"):
        audit(train, twin.with_adata(twin.adata, kind="continuous"))
    with pytest.raises(CohortError, match="no column 'condition'"):
        audit(train, Cohort(AnnData(twin.adata.X, obs=twin.obs.drop(columns="condition"), var=twin.adata.var)))
    with pytest.raises(CohortError, match=r"class 'odd'.*does not occur in the training data"):
        audit(train, changed(condition=["odd"] * 3 + ["case"] * 15 + ["control"] * 18))
    with pytest.raises(CohortError, match="must have every class"):
        audit(train, changed(condition=["case"] * 36))
    with pytest.raises(CohortError, match="missing values"):
        audit(train, changed(condition=[None] + ["case"] * 17 + ["control"] * 18))
    with pytest.raises(ConfigError, match="did you mean 'de_recall'"):
        audit(train, twin, metrics=["de_recal"])


def test_real_sets_must_be_disjoint(train: Cohort, twin: Cohort, holdout: Cohort):
    related = holdout.adata.copy()
    related.obs["donor"] = train.obs["donor"].to_numpy()
    with pytest.raises(CohortError, match=r"donor\(s\) of the holdout set are in the train set"):
        audit(train, twin, holdout=holdout.with_adata(related))
    nameless = Cohort(train.adata[:20].copy(), label="condition")
    del nameless.adata.obs["donor"]
    with pytest.raises(CohortError, match=r"20 sample\(s\) of the holdout set have the same profile"):
        audit(train, twin, holdout=nameless)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a,b\t\"c\"\n'd'", "é中🧬", "x" * 10_000, "~ label + 1"])
def test_hostile_names_just_work(train: Cohort, name: str):
    adata = AnnData(train.adata.X[:, :150], obs=pd.DataFrame(index=train.adata.obs_names))
    adata.var_names = [f"{name} {number}" for number in range(150)]
    adata.obs[name] = np.where(train.obs["condition"] == "case", f"{name} 1", f"{name} 2")
    adata.obs[f"{name} sex"] = train.obs["sex"].to_numpy()
    cohort = Cohort(adata, label=name, covariates=(f"{name} sex",))
    report = audit(cohort, generators.create("independent").fit(cohort).sample(), metrics=QUICK)
    assert {metric.name for metric in report.metrics} == set(QUICK)
    report.to_json()


def test_continuous_profiles(train: Cohort, holdout: Cohort):
    def logged(cohort: Cohort) -> Cohort:
        adata = cohort.adata.copy()
        adata.X = np.log2(adata.X.astype(float) + 1)
        return cohort.with_adata(adata, kind="continuous")

    report = audit(logged(train), logged(holdout))
    reasons = {omitted.name: omitted.reason for omitted in report.omitted}
    assert "needs raw counts" in reasons["library_size_ks"]
    assert report["lfc_pearson"].value > 0.3
    assert report["gene_mean_ks"].floor is not None
    assert report.provenance["differential_expression"]["method"].startswith("linear model")
    assert "library_size" not in report.tables
    assert not [reason for reason in reasons.values() if "unexpectedly" in reason]


def test_a_cohort_without_label_donor_or_covariates(train: Cohort):
    bare = Cohort(AnnData(train.adata.X, obs=pd.DataFrame(index=train.adata.obs_names), var=train.adata.var))
    report = audit(bare, generators.create("independent").fit(bare).sample())
    reasons = {omitted.name: omitted.reason for omitted in report.omitted}
    assert "state the column" in reasons["de_recall"]
    assert reasons["covariate_tv_mean"] == "no covariate was stated"
    assert not [reason for reason in reasons.values() if "unexpectedly" in reason]
    assert "de_genes" not in report.tables
    assert report["correlation_r"].value < report["correlation_r"].ceiling


def test_sparse_profiles_and_a_tiny_twin(train: Cohort):
    import scipy.sparse as sp

    sparse = train.with_adata(AnnData(sp.csr_matrix(train.adata.X), obs=train.obs, var=train.adata.var))
    tiny = generators.create("copula").fit(train).sample(n=4)
    report = audit(sparse, tiny)
    reasons = [omitted.reason for omitted in report.omitted]
    assert any("more than 5 samples" in reason for reason in reasons)
    assert not [reason for reason in reasons if "unexpectedly" in reason]


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "roles", "recall"),
    [
        ("tb-blood-44", {"label": "group"}, 0.93),
        ("brca-tumour-normal-100", {"label": "sample_type", "donor": "patient", "paired": True}, 0.97),
    ],
)
def test_real_cohorts_and_their_faithful_twins(data_dir: Path, folder: str, roles: dict, recall: float):
    place = data_dir / folder
    cohort = twinseq.io.read(place / "counts.csv.gz", obs=place / "samples.csv", **roles)
    twin = generators.create("copula", preset="faithful").fit(cohort, seed=0).sample(seed=1)
    chosen = [name for name in metrics.names() if metrics.get(name).group == "biology"]
    report = audit(cohort, twin, metrics=chosen, jobs=2)
    assert report["de_recall"].value > recall
    assert report["de_precision"].value > recall
    assert report["de_sign_agreement"].value == 1.0
    assert report["lfc_pearson"].value > 0.98
    assert report["lfc_pearson"].ceiling < 0.9
    assert abs(report["lfc_pearson"].floor) < 0.4


def test_intervals_of_differential_expression_go_over_donors_unless_told_otherwise(
    train: Cohort, twin: Cohort, holdout: Cohort
):
    over_donors = audit(train, twin, holdout=holdout, metrics=["lfc_pearson", "lfc_replication"])
    over_genes = audit(train, twin, holdout=holdout, metrics=["lfc_pearson", "lfc_replication"], jackknife=0)
    for name in ("lfc_pearson", "lfc_replication"):
        assert over_donors[name].ci_note == "jackknife over donors, 20 groups"
        assert over_genes[name].ci_note == "bootstrap over genes"
        assert over_donors[name].value == over_genes[name].value


def one_class_in_a_batch(train: Cohort) -> Cohort:
    """Return the cohort with covariates that no design can hold: constant, and the label again."""
    adata = train.adata.copy()
    adata.obs["plate"] = "one"
    adata.obs["centre"] = np.where(train.labels() == train.labels()[0], "north", "south")
    return Cohort(adata, label=train.label, donor=train.donor, covariates=("plate", "centre"))


def test_covariates_that_cannot_be_adjusted_for_are_said_and_the_rest_completes(train: Cohort, twin: Cohort):
    report = audit(one_class_in_a_batch(train), twin, metrics=["de_recall", "library_size_ks"])
    assert {metric.name for metric in report.metrics} == {"de_recall", "library_size_ks"}
    left_out = report.provenance["differential_expression"]["left_out"]
    assert left_out["plate"] == "is constant"
    assert "collinear" in left_out["centre"]


def test_a_class_too_small_to_test_is_said_and_the_rest_completes(train: Cohort, twin: Cohort):
    lone = np.r_[np.flatnonzero(train.labels() == "case")[:1], np.flatnonzero(train.labels() == "control")]
    names = ["de_recall", "null_fpr", "lfc_slope", "library_size_ks", "paper_mmd"]
    report = audit(train.subset(np.sort(lone)), twin, metrics=names)
    reasons = {omitted.name: omitted.reason for omitted in report.omitted}
    assert set(reasons) == {"de_recall", "lfc_slope"}
    assert all("at least two samples" in reason for reason in reasons.values())
