"""Every program on every page runs, in order, on small simulated cohorts under the names that the page uses."""

from pathlib import Path

import pytest

from docs.blocks import blocks
from docs.reader import hurried
from docs.runner import run
from docs.stage import ROOT, Stage

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
READ = {page.relative_to(ROOT).as_posix(): blocks(page) for page in PAGES}


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("stage"))


def runs(name: str) -> bool:
    """Return whether a page is to be run here: one that brings a package is run where the package is tested."""
    return any(block.runs for block in READ[name]) and not any(
        block.file is not None and block.file[0] == "pyproject.toml" for block in READ[name]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in READ if runs(name)])
def test_the_page_runs(name: str, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for variable, value in (("NO_COLOR", "1"), ("COLUMNS", "160"), ("TERM", "dumb")):
        monkeypatch.setenv(variable, value)
    hurried(monkeypatch)
    folder, talk = tmp_path / "page", tmp_path / "talk"
    folder.mkdir()
    talk.mkdir()
    stage.set_up(READ[name], folder)
    run(READ[name], folder, talk, name)


@pytest.mark.parametrize("name", READ)
def test_no_block_escapes(name: str):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert sum(line.lstrip().startswith("```") for line in text.splitlines()) == 2 * len(READ[name]), "a fence is askew"
    nameless = [block.line for block in READ[name] if not block.language]
    assert not nameless, f"{name}: blocks without a language at lines {nameless} (what is printed is `text`)"
