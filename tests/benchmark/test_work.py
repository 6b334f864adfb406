"""One unit: a twin made once, judged as often as asked, and failures that are outcomes."""

import dataclasses
import shutil

import anndata
import pytest

from twinseq.benchmark.grid import read_grid
from twinseq.benchmark.store import Store
from twinseq.benchmark.tasks import parts_of, units
from twinseq.benchmark.work import do, is_done
from twinseq.reading import read_report


def test_a_twin_is_made_once_and_judged_as_often_as_asked(small, tmp_path):
    store, unit = Store(tmp_path / "out"), units(small)[0]
    assert not is_done(unit, store)
    fit, audit = do(unit, store.folder)
    assert is_done(unit, store)
    assert (fit.stage, audit.stage, audit.status) == ("fit", "audit", "done")
    assert {row["name"] for row in audit.figures} == {"mmd", "gene_mean_ks"}
    assert (store.report(audit.task) / "report.html").exists()
    made = store.twin(fit.task).stat().st_mtime_ns
    (other,) = [one for one in units(dataclasses.replace(small, metrics=("energy",))) if one.fit_key == unit.fit_key]
    again, judged = do(other, store.folder)
    assert again == fit
    assert [row["name"] for row in judged.figures] == ["energy"]
    assert store.twin(fit.task).stat().st_mtime_ns == made
    twin = anndata.read_h5ad(store.twin(fit.task))
    assert not set(twin.obs_names) & set(parts_of(unit)["train"].adata.obs_names)


def test_splits_deal_donors_anew(small):
    first, other = (parts_of(unit) for unit in units(small)[::2])
    assert set(first) == {"train", "holdout", "reference"}
    donors = [set(part.donors()) for part in first.values()]
    assert len(set.union(*donors)) == sum(map(len, donors))
    assert donors[0] != set(other["train"].donors())


@pytest.mark.parametrize(
    ("generator", "words"),
    [("scdesign2", "UMI counts"), ('{command: "false {train} {twin}"}', "false: ended with 1")],
)
def test_a_failure_is_an_outcome_and_is_tried_again(tmp_path, generator, words):
    path = tmp_path / "grid.yaml"
    path.write_text(
        "cohorts:\n  - simulate: {n_cases: 12, n_controls: 12, n_genes: 30, library_size: 1e9}\n"
        f"generators:\n  - {generator}\nmetrics: [mmd]\nattacks: none\n"
    )
    (unit,) = units(read_grid(path))
    store = Store(tmp_path / "out")
    for _ in range(2):
        (fit,) = do(unit, store.folder)
        assert (fit.stage, fit.status) == ("fit", "failed")
        assert words in fit.error
        assert not is_done(unit, store)
        assert not store.twin(unit.fit_key).exists()


def test_a_copy_of_the_donors_is_judged_like_any_twin(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(
        "cohorts:\n  - simulate: {n_cases: 30, n_controls: 30, n_genes: 60}\n"
        'generators:\n  - {name: copy, command: "cp {train} {twin}"}\nmetrics: none\n'
    )
    (unit,) = units(read_grid(path))
    store = Store(tmp_path / "out")
    _, audit = do(unit, store.folder)
    strongest = [row for row in audit.figures if row["part"] == "headline" and row["group"] == "T1"]
    assert strongest[0]["value"] > 0.95
    # A policy that is added later looks at the audit that is there, and comes to what it would have come to at once.
    path.write_text(path.read_text() + "policies: [internal, open]\n")
    (judged,) = units(read_grid(path))
    assert not is_done(judged, store)
    before = store.file(audit.task).stat().st_mtime_ns
    _, again, verdict = do(judged, store.folder)
    assert is_done(judged, store)
    assert (again, store.file(audit.task).stat().st_mtime_ns) == (audit, before)
    assert (verdict.stage, verdict.status, verdict.rests_on) == ("verdict", "done", audit.task)
    outcomes = {row["name"]: (row["status"], row["reason"]) for row in verdict.figures if row["part"] == "verdict"}
    assert {name: status for name, (status, _) in outcomes.items()} == {"internal": "fail", "open": "fail"}
    assert "tells members from outsiders" in outcomes["internal"][1]
    checks = {(row["group"], row["name"]): row for row in verdict.figures if row["part"] == "check"}
    assert checks["internal", "auc"]["value"] == strongest[0]["value"]
    assert checks["open", "lfc_replication"]["status"] == "inconclusive"
    assert "not among the figures" in checks["open", "lfc_replication"]["reason"]
    # The report that is opened from a leaderboard carries the verdict; that of the audit stays as it is.
    plain, told = (read_report(store.report(one.task)) for one in (audit, verdict))
    assert (plain.verdict["policy"], told.verdict["policy"], told.verdict["outcome"]) == (None, "internal", "fail")
    assert told.verdict["reasons"][-1] == "Under the policy 'open' of the same grid: fail."
    assert {check["key"] for check in told.verdict["checks"]} == {
        name for policy, name in checks if policy == "internal"
    }
    assert list(told.tables) == list(plain.tables) == ["attack_roc"]
    page = (store.report(verdict.task) / "report.html").read_text()
    assert "The policy does not allow this twin to be released." in page
    assert "How many members each attacker names" in page
    shutil.rmtree(store.report(verdict.task))
    assert do(judged, store.folder)[1] == audit
    assert (store.report(verdict.task) / "report.html").read_text() == page
    stricter = path.read_text().replace("internal, open", "partner")
    path.write_text(stricter)
    (other,) = units(read_grid(path))
    assert (other.audit_key, other.verdict_key) != (judged.audit_key, judged.verdict_key)
    assert other.audit_key == judged.audit_key


def test_attacks_are_held_to_what_was_named_and_a_private_twin_keeps_its_promise(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(
        "cohorts:\n  - {simulate: {n_cases: 30, n_controls: 30, n_genes: 40}, covariates: [sex]}\n"
        "generators:\n  - {generator: dp-copula, set: {epsilon: 8, delta: 1e-3}}\nmetrics: none\n"
        "attacks: [mean_tracing, gan_leaks_calibrated, T1]\npolicies: [internal]\n"
    )
    (unit,) = units(read_grid(path))
    store = Store(tmp_path / "out")
    fit, audit, verdict = do(unit, store.folder)
    assert store.claim(fit.task).exists()
    tried = {(row["name"], row["group"]) for row in audit.figures if row["part"] == "attack"}
    assert tried == {("mean_tracing", "T1"), ("gan_leaks_calibrated", "T1")}
    report = read_report(store.report(audit.task))
    assert report.ledger[0]["epsilon"] == 8
    assert report.provenance["attacks"] == ["mean_tracing", "gan_leaks_calibrated", "T1"]
    checks = {row["name"]: row for row in verdict.figures if row["part"] == "check"}
    # A policy asks for all attacks, and is not passed by a choice of them.
    assert checks["auc"]["status"] != "pass" or "guarantee" in checks["auc"]["reason"]
