"""``twinseq plan`` on the command line."""

import json

import pytest

STATED = ("--donors", "case=120,control=150", "--genes", 200, "--epsilon", 2, "--epsilon", 8)


def test_a_plan_needs_no_data(twinseq):
    ended = twinseq("plan", *STATED, "--rehearsals", 0)
    assert ended.code == 0, ended.err
    assert "class 'case'" in ended.out
    assert "What any attack reaches at most" in ended.out
    assert "F1" not in ended.out


def test_a_plan_of_a_cohort_is_written(twinseq, files, tmp_path):
    ended = twinseq(
        "plan", files / "c.h5ad", "-o", tmp_path / "plan", "--genes", 100, "-k", 4, "--epsilon", 40, "--rehearsals", 1
    )
    assert ended.code == 0, ended.err
    assert "treated as public" in ended.out
    assert str(tmp_path / "plan" / "plan.html") in ended.out
    written = json.loads((tmp_path / "plan" / "plan.json").read_text())
    assert written["donors"] == {"case": 20.0, "control": 20.0}
    assert [(one["genes"], one["axes"]) for one in written["forecasts"]] == [(100, None), (300, 4)]
    assert all(0 <= one["f1"] < 2 for one in written["forecasts"])
    assert "<html" in (tmp_path / "plan" / "plan.html").read_text()


def test_json_is_json_and_nothing_else(twinseq):
    found = twinseq("plan", *STATED, "--rehearsals", 0, "--json").json
    assert found["delta"] == 1e-5
    assert [one["epsilon"] for one in found["ceilings"]] == [2, 8]


def test_a_basis_says_how_many_axes_there_are(twinseq, files, tmp_path):
    assert twinseq("basis", "build", files / "c.h5ad", "-o", tmp_path / "p.basis", "--factors", 6, "-q").code == 0
    found = twinseq("plan", *STATED, "--basis", tmp_path / "p.basis", "--rehearsals", 0, "--json").json
    assert {one["axes"] for one in found["forecasts"]} == {None, 6}


def test_tables_fit_a_terminal(twinseq, monkeypatch):
    from twinseq import terminal

    monkeypatch.setattr(terminal.out, "width", 80)
    ended = twinseq("plan", "--donors", "case=1200,control=1500", "--genes", 500, "--genes", 20000, "--rehearsals", 0)
    tables = [line for line in ended.out.splitlines() if line[:1].isdigit() or line.startswith("epsilon")]
    assert tables
    assert max(map(len, tables)) <= 80


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--donors", "case"), "write CLASS=N"),
        (("--donors", "case=1,case=2"), "write CLASS=N"),
        (("--donors", "case=100,control=100"), "number of genes"),
        (("--donors", "case=100,control=100", "--genes", 100, "--delta", 0.1), "above 1/200"),
        (("--donors", "case=100,control=4", "--genes", 100, "--epsilon", 1), "Merge it with"),
        ((), "State the donors"),
    ],
)
def test_bad_input_ends_with_2(twinseq, words, message):
    ended = twinseq("plan", *words)
    assert ended.code == 2
    assert message in ended.err
    assert ended.out == ""


def test_an_unknown_column_ends_with_2_and_writes_nothing(twinseq, files, tmp_path):
    ended = twinseq("plan", files / "c.h5ad", "--label", "diagnosis", "-o", tmp_path / "plan")
    assert ended.code == 2
    assert "diagnosis" in ended.err
    assert not (tmp_path / "plan").exists()
