"""`twinseq benchmark run`: what is shown before, what is said after, and bad grids."""

import pytest

from twinseq.benchmark.store import Store

GRID = """
cohorts:
  - {name: small, simulate: {n_cases: 16, n_controls: 16, n_genes: 40}}
generators:
  - mvn
  - {name: broken, command: "false {train} {twin}"}
metrics: [mmd]
attacks: none
"""


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(GRID)
    return path


def test_before_during_and_after(twinseq, grid, tmp_path):
    out = tmp_path / "out"
    before = twinseq("benchmark", "run", grid, "-o", out, "--dry-run")
    assert before.code == 0
    assert "2 of 2 twins to make" in before.out
    assert "no task of the like was done yet" in before.out
    assert not out.exists()
    ended = twinseq("benchmark", "run", grid, "-o", out, "--jobs", 1)
    assert ended.code == 1
    assert "small, broken, split 1: fit failed. false: ended with 1" in ended.err
    assert "1 twin made and judged (0 before)" in ended.out
    assert Store(out).figures()["name"].tolist() == ["mmd"]
    after = twinseq("benchmark", "run", grid, "-o", out, "--dry-run", "--json").json
    assert (after["twins"], after["left"]) == (2, 1)
    assert after["seconds"] > 0
    again = twinseq("benchmark", "run", grid, "-o", out, "--jobs", 1, "--json")
    assert again.code == 1
    assert (again.json["done"], again.json["before"]) == (1, 1)
    assert [one["generator"] for one in again.json["failed"]] == ["broken"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cohorts: []\ngenerators: [copula]\n", "line 1: cohorts: the list is empty"),
        (GRID.replace("mvn", "mvm"), "line 5: generators[0]: 'mvm' is not known; did you mean 'mvn'?"),
        (GRID + "jobs: 2\n", "line 9: unknown key 'jobs'"),
    ],
)
def test_a_bad_grid_writes_nothing(twinseq, tmp_path, text, words):
    (tmp_path / "grid.yaml").write_text(text)
    ended = twinseq("benchmark", "run", tmp_path / "grid.yaml", "-o", tmp_path / "out")
    assert ended.code == 2
    assert words in ended.err.replace("\n", " ")
    assert not (tmp_path / "out").exists()


def test_no_scheduler(twinseq, grid, tmp_path):
    ended = twinseq("benchmark", "run", grid, "-o", tmp_path / "out", "--scheduler", "nowhere")
    assert ended.code == 2
    assert "There is no Dask scheduler at nowhere" in ended.err
