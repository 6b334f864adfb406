"""A release end to end: what is in its folder, what is not, and what it says."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import twinseq as ts
from twinseq.cohort import Cohort
from twinseq.errors import CohortError, ConfigError, OutputError
from twinseq.metrics._inputs import in_order
from twinseq.provenance import content_digest
from twinseq.release import Release
from twinseq.releasing.folder import listed, remove_stale
from twinseq.releasing.merged import merged
from twinseq.results import AuditReport, MetricResult

from .conftest import FIGURES, cohort_of, texts


def test_the_twin_is_that_of_all_donors(cohort: Cohort, released: Release):
    twin = ts.read(released.twin, covariates=(), min_per_class=1)
    again = ts.generators.create("copula", preset="faithful").fit(cohort, seed=0).sample(seed=1)
    assert (twin.n_samples, twin.n_genes) == (24, 60)
    assert np.array_equal(twin.dense(), again.dense())


def test_the_verdict_is_that_of_the_policy(released: Release):
    verdict = released.report.verdict
    written = json.loads((released.folder / "metrics.json").read_text())
    assert verdict["policy"] == "partner"
    assert verdict["outcome"] == written["verdict"]["outcome"] == "fail"
    assert {check["key"] for check in verdict["checks"]} >= {"auc", "tpr_at_1", "exact_copies", "donors"}
    assert next(check for check in verdict["checks"] if check["key"] == "donors")["value"] == 24
    readme = (released.folder / "README.txt").read_text()
    assert "24 donors in simulated cohort" in readme
    assert "FAILED" in readme
    assert "STAY INSIDE: THE POLICY IS NOT MET" in readme
    assert "MAY LEAVE" not in readme


def test_no_name_of_a_donor_is_in_any_file(released: Release):
    found = texts(released.folder)
    model = found.pop("model-not-for-release.npz")
    assert len(found) > 5
    for name, text in found.items():
        assert "Mrn0x" not in text, name
        assert "Smp0x" not in text, name
    assert "Mrn0x" not in model


def test_sums_are_right_and_name_every_file(released: Release):
    lines = (released.folder / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert set(sums) == {path.name for path in released.folder.iterdir()} - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((released.folder / name).read_bytes()).hexdigest() == digest
    recorded = released.report.provenance["files"]
    assert recorded["out: twin.h5ad"]["sha256"] == sums["twin.h5ad"]


def test_a_model_is_named_for_what_it_is(released: Release):
    assert (released.folder / "model-not-for-release.npz").is_file()
    assert "NEVER RELEASE" in (released.folder / "README.txt").read_text()
    assert released.folder / "model-not-for-release.npz" not in released.outgoing


def test_figures_are_those_of_donors_that_the_twin_has_not_seen(cohort: Cohort, released: Release):
    values = []
    for number in range(2):
        members, others, _ = in_order(cohort, cohort).split((1 / 3, 1 / 3, 1 / 3), seed=number)
        twin = ts.generators.create("copula", preset="faithful").fit(members, seed=number).sample(seed=number)
        one = ts.audit(members, twin, holdout=others, metrics=["library_size_ks"], seed=number)
        values.append(one["library_size_ks"].value)
    assert released.report["library_size_ks"].value == pytest.approx(np.mean(values))


def test_an_earlier_release_is_written_over_and_notes_beside_it_are_not(cohort: Cohort, tmp_path: Path):
    ts.write(cohort, tmp_path / "real.h5ad")
    real = ts.read(tmp_path / "real.h5ad")
    asked = {"generator": "independent", "splits": 1, "metrics": ["exact_copies"]}
    first = set(texts(ts.release(real, tmp_path / "r", keep_model=True, **asked).folder))
    made = ts.release(real, tmp_path / "r", **asked)
    second = texts(made.folder)
    assert first - set(second) == {"model-not-for-release.npz"}
    assert not [name for name in second if name.endswith(".npz") or name.startswith(".")]
    assert "NEVER RELEASE" not in second["README.txt"]
    sum_ = hashlib.sha256((tmp_path / "real.h5ad").read_bytes()).hexdigest()
    assert made.report.provenance["files"]["in: cohort"] == {"file": "real.h5ad", "sha256": sum_}
    # What is read hangs on the roles of columns too, and not on the file alone.
    read = made.report.provenance["files"]["in: the cohort as it was read"]["sha256"]
    assert read not in (sum_, content_digest(dataclasses.replace(real, label=None)))
    assert read == content_digest(in_order(real, real))
    # The sheet goes along with the twin: it holds neither name nor sum of the real file. Nothing tells where that lies.
    assert sum_ not in second["twin.croissant.json"]
    assert "real.h5ad" not in second["twin.croissant.json"]
    assert made.report.provenance["cohorts"]["cohort"]["file"] == "real.h5ad"
    assert "twin.h5ad, a twin of real.h5ad" in second["report.html"]
    assert not any(str(tmp_path) in text for text in second.values())
    (tmp_path / "r" / "decision.txt").write_text("signed")
    with pytest.raises(ConfigError, match="decision"):
        ts.release(real, tmp_path / "r", **asked)
    assert texts(tmp_path / "r") == {**second, "decision.txt": "signed"}


def test_sums_of_a_folder_cannot_lead_out_of_it(tmp_path: Path):
    (tmp_path / "r").mkdir()
    (tmp_path / "precious").write_text("x")
    (tmp_path / "r" / "SHA256SUMS").write_text("0  ../precious\n0  ..\n0  ./.\n0  twin.h5ad\n0  a/b\n")
    assert listed(tmp_path / "r") == ["twin.h5ad", "a"]
    remove_stale(tmp_path / "r", listed(tmp_path / "r"), [])
    assert (tmp_path / "precious").read_text() == "x"


def test_copies_in_the_released_twin_count_not_those_in_the_audit(cohort: Cohort, tmp_path: Path):
    made = ts.release(cohort, tmp_path / "r", generator="bootstrap", splits=1, metrics=["exact_copies"])
    assert made.report["exact_copies"].value == 24
    assert made.report.verdict["outcome"] == "fail"
    assert pd.read_csv(made.folder / "released_twin.tsv", sep="\t").set_index("figure").loc[
        "exact_copies"
    ].tolist() == [24, 8]


def test_without_classes_it_works_too(cohort: Cohort, tmp_path: Path):
    made = ts.release(
        dataclasses.replace(cohort, label=None), tmp_path / "r", preset="faithful", splits=1,
        metrics=["exact_copies", "correlation_r"],
    )  # fmt: skip
    assert made.report["correlation_r"].value > 0
    assert made.report.red_team is not None


def test_of_single_cells_donors_are_the_unit(tmp_path: Path):
    cells = ts.datasets.simulate_cells(n_cases=6, n_controls=6, cells_per_donor=40, n_cell_types=2, n_genes=40, seed=0)
    made = ts.release(cells, tmp_path / "r", generator="independent", splits=1, metrics=["copied_cells"])
    assert made.report.red_team is not None
    assert made.report.red_team.power["n_members"] == 4
    assert made.report.provenance["cohorts"]["cohort"]["donors"] == 12
    assert made.report["copied_cells"].n == made.report.provenance["cohorts"]["twin"]["cells"]


def test_a_folder_of_something_else_is_left_alone(cohort: Cohort, tmp_path: Path):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter1.txt").write_text("years of work")
    with pytest.raises(ConfigError, match=r"chapter1\.txt.*nothing was touched"):
        ts.release(cohort, folder, generator="independent")
    assert [path.name for path in folder.iterdir()] == ["chapter1.txt"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        ts.release(cohort, tmp_path / "file", generator="independent")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"splits": 0}, ConfigError, "At least 1 split"),
        ({"twin": "patients.h5ad"}, ConfigError, "named twin"),
        ({"twin": "twin.docx"}, ConfigError, "docx"),
        ({"policy": "opne"}, ConfigError, "open"),
        ({"generator": "copla"}, ConfigError, "did you mean 'copula'"),
        ({"ledger": "l.json"}, ConfigError, "no guarantee"),
        ({"metrics": ["lisy"]}, ConfigError, "lisi"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_written(cohort, tmp_path, settings, error, message):
    with pytest.raises(error, match=message):
        ts.release(cohort, tmp_path / "r", **{"generator": "independent", **settings})
    assert not (tmp_path / "r").exists()


def test_a_column_that_the_format_cannot_store_is_told_at_once(cohort: Cohort, tmp_path: Path):
    adata = cohort.adata.copy()
    adata.obs["a/b"] = "x"
    with pytest.raises(ConfigError, match=r"twin\.csv\.gz"):
        ts.release(dataclasses.replace(cohort, adata=adata), tmp_path / "r", generator="independent")
    assert not (tmp_path / "r").exists()


def test_too_few_donors_for_three_parts(tmp_path: Path):
    few = cohort_of(n=2)
    with pytest.raises(CohortError, match="too few for part"):
        ts.release(few, tmp_path / "r", generator="independent")
    assert not (tmp_path / "r").exists()


def test_means_of_splits_are_as_wide_as_one():
    def one(value: float, ci: tuple[float, float] | None, ceiling: float | None) -> AuditReport:
        metric = MetricResult("lisi", "cells", value, "higher", 1.0, ci=ci, ci_note="bootstrap", ceiling=ceiling)
        return AuditReport({}, {}, (metric,))

    found = merged([one(0.2, (0.1, 0.3), 0.5), one(0.4, (0.3, 0.5), None)])["lisi"]
    assert found.value == pytest.approx(0.3)
    assert found.ci == pytest.approx((0.2, 0.4))
    assert found.ceiling == 0.5
    assert "mean of 2 splits" in found.ci_note
    assert merged([one(0.2, (0.1, 0.3), 0.5), one(0.4, None, 0.7)])["lisi"].ci is None


def test_figures_that_were_not_asked_for_are_told_as_unknown(released: Release):
    assert {metric.name for metric in released.report.metrics} == set(FIGURES)
