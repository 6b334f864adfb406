"""``twinseq release`` on the command line."""

import json

import pytest

ASKED = ("--generator", "independent", "--splits", 1, "--seed", 3)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Folder with a small cohort as a table."""
    import twinseq as ts

    folder = tmp_path_factory.mktemp("small")
    cohort = ts.datasets.simulate_cohort(n_cases=9, n_controls=9, n_genes=40, seed=1)
    ts.write(cohort, folder / "counts.csv.gz")
    return folder


def test_a_table_gives_a_table_and_strict_says_that_the_policy_was_not_reached(twinseq, small, tmp_path):
    ended = twinseq(
        "release", small / "counts.csv.gz", "--label", "condition", "-o", tmp_path / "r", *ASKED, "--strict"
    )
    assert ended.code == 1, ended.err
    assert "Verdict under policy partner" in ended.out
    assert "stay inside" in ended.out
    assert "May leave" not in ended.out
    assert str(tmp_path / "r" / "twin.csv.gz") in ended.out
    assert {path.name for path in (tmp_path / "r").iterdir()} >= {
        "twin.csv.gz", "twin.samples.csv", "twin.croissant.json", "README.txt", "report.html", "metrics.json",
    }  # fmt: skip
    written = json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert written["verdict"]["outcome"] != "pass"
    assert set(written["provenance"]["files"]) >= {"in: cohort", "in: samples", "out: twin.csv.gz"}


def test_the_cohort_itself_is_never_written_over(twinseq, small):
    ended = twinseq("release", small / "counts.csv.gz", "--label", "condition", "-o", small, *ASKED)
    assert ended.code == 2
    assert "counts.csv.gz" in ended.err
    assert {path.name for path in small.iterdir()} == {"counts.csv.gz", "counts.samples.csv"}


def test_a_missing_column_ends_before_anything_is_written(twinseq, small, tmp_path):
    ended = twinseq("release", small / "counts.csv.gz", "--label", "diagnosis", "-o", tmp_path / "r")
    assert ended.code == 2
    assert "diagnosis" in ended.err
    assert not (tmp_path / "r").exists()
