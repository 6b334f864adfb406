"""`twinseq audit --policy`: the verdict in words, in JSON and as an exit code; `twinseq list policies`."""

import json
from pathlib import Path

import pytest
import typer

from twinseq.audit_command import stop_unless_passed
from twinseq.policy import profiles, read_policy
from twinseq.results import AuditReport

from .conftest import Call

GENERATOR = ("--label", "condition", "--generator", "mvn", "--splits", 1)


@pytest.fixture
def lenient(tmp_path: Path) -> Path:
    path = tmp_path / "lenient.yaml"
    path.write_text("title: Anything goes\ndonors: {at_least: 2, why: one is no cohort}\n", encoding="utf-8")
    return path


def test_what_fails_is_said_and_ends_with_1(twinseq: Call, files: Path, tmp_path: Path):
    words = ("audit", files / "c.h5ad", *GENERATOR, "-o", tmp_path / "report")
    ended = twinseq(*words, "--policy", "internal", "--strict")
    assert ended.code == 1
    assert "fail: An attacker with the twin and a reference cohort" in ended.out
    assert "Verdict under policy internal: fail" in ended.out
    verdict = json.loads((tmp_path / "report" / "metrics.json").read_text(encoding="utf-8"))["verdict"]
    assert (verdict["policy"], verdict["outcome"]) == ("internal", "fail")
    assert {check["key"] for check in verdict["checks"]} >= {"auc", "tpr_at_1", "exact_copies", "donors", "controls"}
    assert (tmp_path / "report" / "report.html").stat().st_size > 0


def test_what_passes_ends_with_0(twinseq: Call, files: Path, tmp_path: Path, lenient: Path):
    words = ("audit", files / "c.h5ad", *GENERATOR, "-o", tmp_path / "report")
    ended = twinseq(*words, "--policy", lenient, "--strict", "--json")
    assert ended.code == 0
    verdict = ended.json["verdict"]
    assert (verdict["policy"], verdict["title"], verdict["outcome"]) == ("lenient.yaml", "Anything goes", "pass")


def test_without_strict_a_failure_is_no_error():
    report = AuditReport({}, {"outcome": "fail"}, ())
    stop_unless_passed(report, strict=False)
    with pytest.raises(typer.Exit):
        stop_unless_passed(report, strict=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--strict",), "--strict goes with --policy"),
        (("--policy", "partnr"), "did you mean 'partner'?"),
        (("--policy", "none.yaml"), "none.yaml: cannot be read"),
    ],
)
def test_a_policy_that_cannot_be_used_is_told_before_anything_is_read(twinseq: Call, tmp_path: Path, options, said):
    ended = twinseq("audit", tmp_path / "nothing.h5ad", *GENERATOR, "-o", tmp_path / "report", *options)
    assert ended.code == 2
    assert said in ended.err


def test_policies_are_listed_with_reasons(twinseq: Call):
    listed = twinseq("list", "policies")
    for name in profiles():
        assert read_policy(name).auc.why in listed.out
    found = twinseq("list", "policies", "--json").json
    assert [row["name"] for row in found] == list(profiles())
    assert found[1]["auc"]["value"] == 0.7
