"""The store: whole outcomes or none, tables that others read, and two stores made one."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from twinseq.benchmark.store import FIGURES, Outcome, Store
from twinseq.errors import ConfigError


def outcome(task, status="done", split=0, value=0.5, **more):
    row = {
        "part": "metric",
        "name": "mmd",
        "group": "fidelity",
        "value": value,
        "direction": "lower",
        "status": "measured",
    }
    figures = (row,) if status == "done" else ()
    return Outcome(task, "audit", "cohort", "maker", split, status, figures=figures, **more)


def test_what_is_written_is_read(tmp_path):
    store = Store(tmp_path)
    assert store.read("a") is None
    store.write(outcome("a", seconds=1.5))
    assert store.read("a") == outcome("a", seconds=1.5)
    assert [path.name for path in (tmp_path / "tasks").iterdir()] == ["a.json"]


def test_tables_are_sorted_and_read_by_others(tmp_path):
    store = Store(tmp_path)
    for task, split, value in (("z", 0, 0.1), ("a", 1, None)):
        store.write(outcome(task, split=split, value=value))
    store.write(outcome("m", status="failed", split=2, error="no"))
    folder = store.publish()
    figures = pd.read_parquet(folder / "figures.parquet")
    assert tuple(figures.columns) == FIGURES
    assert figures["split"].tolist() == [0, 1]
    assert figures["value"].isna().tolist() == [False, True]
    tasks = pd.read_parquet(folder / "tasks.parquet")
    assert tasks["status"].tolist() == ["done", "done", "failed"]
    assert pq.read_table(folder / "figures.parquet").schema.field("value").type == "double"


def test_an_empty_store_has_empty_tables(tmp_path):
    store = Store(tmp_path / "new")
    assert store.figures().empty
    assert store.tasks().empty


def test_stores_are_merged(tmp_path):
    ours, theirs = Store(tmp_path / "ours"), Store(tmp_path / "theirs")
    ours.write(outcome("both", value=1.0))
    theirs.write(outcome("both", value=2.0))
    ours.write(outcome("failed here", status="failed"))
    theirs.write(outcome("failed here"))
    ours.write(outcome("failed there"))
    theirs.write(outcome("failed there", status="failed"))
    theirs.write(outcome("theirs"))
    theirs.twin("theirs").parent.mkdir(parents=True)
    theirs.twin("theirs").write_bytes(b"twin")
    theirs.report("theirs").mkdir(parents=True)
    (theirs.report("theirs") / "report.html").write_text("page")
    assert ours.merge(theirs) == 2
    assert {one.task: one.status for one in ours.outcomes()} == dict.fromkeys(
        ("both", "failed here", "failed there", "theirs"), "done"
    )
    assert ours.read("both").figures[0]["value"] == 1.0
    assert ours.twin("theirs").read_bytes() == b"twin"
    assert (ours.report("theirs") / "report.html").read_text() == "page"
    assert ours.merge(theirs) == 0


def test_title_and_claims_go_along_when_stores_are_merged(tmp_path):
    ours, theirs = Store(tmp_path / "ours"), Store(tmp_path / "theirs")
    assert theirs.title is None
    theirs.keep_title("Ünser <b>")
    theirs.write(outcome("one"))
    theirs.twin("one").parent.mkdir(parents=True)
    theirs.claim("one").write_text("{}")
    ours.merge(theirs)
    assert (ours.title, ours.claim("one").read_text()) == ("Ünser <b>", "{}")
    other = Store(tmp_path / "other")
    other.keep_title("Other")
    ours.merge(other)
    assert ours.title == "Ünser <b>"


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "no outcome of a benchmark"), ("{}", "no outcome"), (json.dumps({"schema": 99}), "written in version 99")],
)
def test_files_that_are_no_outcomes(tmp_path, text, words):
    store = Store(tmp_path)
    store.file("a").parent.mkdir()
    store.file("a").write_text(text)
    with pytest.raises(ConfigError, match=words):
        list(store.outcomes())
