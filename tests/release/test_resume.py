"""A release that was interrupted goes on where it stopped, and ends as if it had not been."""

import dataclasses
import json
import stat
from pathlib import Path

import pytest

import twinseq as ts
from twinseq.cohort import Cohort
from twinseq.release import Release

from .conftest import FIGURES, texts


class Stopped(KeyboardInterrupt):
    """Ctrl-C."""


def run(cohort: Cohort, folder: Path, stop_at: str = "", **settings: object) -> tuple[Release, list[str]]:
    said: list[str] = []
    steps: list[int] = []

    def progress(done: int, total: int, text: str) -> None:
        assert not steps or not total or steps[-1] <= done <= total, text
        steps.extend([done] if total else [])
        said.append(text)
        if stop_at and text.startswith(stop_at):
            raise Stopped

    asked = {"generator": "independent", "splits": 2, "metrics": FIGURES, **settings}
    return ts.release(cohort, folder, progress=progress, **asked), said


def timeless(folder: Path) -> dict[str, str]:
    """Return the files of a release but for what tells of times."""
    found = texts(folder)
    for name in ("report.html", "SHA256SUMS"):
        del found[name]
    content = json.loads(found["metrics.json"])
    minute = content["provenance"]["created"]
    assert minute in found["README.txt"]
    found["README.txt"] = found["README.txt"].replace(minute, "")
    sheet = json.loads(found["twin.croissant.json"])
    assert minute.startswith(sheet.pop("datePublished"))
    found["twin.croissant.json"] = json.dumps(sheet)
    for key in ("created", "seconds"):
        del content["provenance"][key]
    del content["provenance"]["release"]["seconds"]
    found["metrics.json"] = json.dumps(content)
    return found


def test_a_stopped_release_is_taken_up(cohort: Cohort, tmp_path: Path):
    whole, said = run(cohort, tmp_path / "whole")
    assert sum(text.startswith("split 1 of 2") for text in said) > 20
    work = tmp_path / "r" / ".work"
    with pytest.raises(Stopped):
        run(cohort, tmp_path / "r", stop_at="split 2 of 3: mc", splits=3)
    assert [path.name for path in (tmp_path / "r").iterdir()] == [".work"]
    assert stat.S_IMODE(work.stat().st_mode) == 0o700
    kept = texts(work)
    assert kept
    assert not any("Mrn0x" in text or "Smp0x" in text for text in kept.values())
    again, said = run(cohort, tmp_path / "r")
    # Of the first split the twin is made again, since more is asked of it. Other numbers of splits have the same ones.
    assert [text for text in said if text.startswith("split 1")] == ["split 1 of 2: fit"]
    assert sum(text.startswith("split 2 of 2") for text in said) > 20
    assert timeless(again.folder) == timeless(whole.folder)
    assert not work.exists()


@pytest.fixture(scope="module")
def stopped(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a release that was stopped in its second split."""
    folder = tmp_path_factory.mktemp("stopped") / "r"
    with pytest.raises(Stopped):
        run(cohort, folder, stop_at="split 2")
    return folder


@pytest.mark.parametrize("changed", [{"seed": 1}, {"generator": "smote"}, {"metrics": ["exact_copies"]}])
def test_what_was_kept_of_something_else_is_not_taken_up(cohort: Cohort, stopped: Path, changed: dict[str, object]):
    with pytest.raises(Stopped):
        run(cohort, stopped, stop_at="split 1 of 2: confidence", **changed)


def test_other_roles_of_the_same_file_are_another_cohort(cohort: Cohort, tmp_path: Path):
    ts.write(cohort, tmp_path / "real.h5ad")
    with pytest.raises(Stopped):
        run(ts.read(tmp_path / "real.h5ad"), tmp_path / "r", stop_at="split 2", metrics=["exact_copies"])
    other = ts.read(tmp_path / "real.h5ad", label="sex", covariates=())
    with pytest.raises(Stopped):
        run(other, tmp_path / "r", stop_at="split 1 of 2: confidence", metrics=["exact_copies"])


def test_a_private_release_adds_to_its_ledger_once_and_at_the_end(cohort: Cohort, tmp_path: Path):
    bare = dataclasses.replace(cohort, covariates=())
    ledger = tmp_path / "ledger.json"
    asked = {
        "generator": None, "preset": "dp", "epsilon": 30.0, "delta": 1e-3, "metrics": ["exact_copies"],
        "ledger": ledger, "policy": "internal",
    }  # fmt: skip
    with pytest.raises(Stopped):
        run(bare, tmp_path / "r", stop_at="summary", **asked)
    assert not ledger.exists()
    made, said = run(bare, tmp_path / "r", **asked)
    assert sum(text.startswith("split 1") for text in said) > 20  # its noise hangs on no seed
    assert not any(text.startswith("split 2") for text in said)
    assert len(json.loads(ledger.read_text())["releases"]) == 1
    assert json.loads((made.folder / "twin.h5ad.ledger.json").read_text())["epsilon"] == 30
    assert made.folder / "twin.h5ad.ledger.json" in made.outgoing
    assert [one["epsilon"] for one in made.report.ledger] == [30]
    readme = (made.folder / "README.txt").read_text().replace("\n  ", " ")
    assert "ledger counts the released twin only" in readme
    assert "computed from the real donors without noise" in readme
