"""What `docs/extending.md` shows works as it stands, and what fails of other packages is told of."""

from pathlib import Path

import pytest

from docs.blocks import blocks
from docs.runner import install, run
from docs.shell import fresh
from twinseq.benchmark.grid import read_grid
from twinseq.benchmark.store import Store

ROOT = Path(__file__).resolve().parents[2]
PAGE = blocks(ROOT / "docs" / "extending.md")


def test_the_page_has_the_files_that_it_speaks_of():
    named = {block.file[0] for block in PAGE if block.file is not None}
    assert named == {"twin_tools.py", "pyproject.toml", "shuffle_genes.py", "grid.yaml"}


@pytest.mark.slow
def test_the_grid_of_the_page_measures_all_that_the_package_brings(tmp_path):
    folder, talk = tmp_path / "page", tmp_path / "talk"
    folder.mkdir()
    talk.mkdir()
    run(PAGE, folder, talk, "docs/extending.md")
    figures = Store(folder / "results").figures()
    assert set(figures["generator"]) == {"mvn", "class-means noise=0.5", "shuffled genes"}
    measured = figures[figures["status"] == "measured"]
    assert (measured[measured["name"] == "mean_error"].groupby("generator").size() == 1).all()
    attacked = measured[(measured["name"] == "mean_side") & (measured["part"] == "attack")]
    assert len(attacked) == 3
    assert attacked["value"].between(0, 1).all()


@pytest.mark.slow
def test_a_plugin_that_fails_is_left_out(tmp_path):
    for name, text in (block.file for block in PAGE if block.file is not None):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "twin_tools.py").write_text("raise RuntimeError('out of order')")
    ended = fresh("twinseq list generators", tmp_path, install(tmp_path))
    assert ended.returncode == 0
    assert "copula" in ended.stdout
    assert "Plugin 'twin-tools' (twin_tools) could not be loaded: RuntimeError: out of order" in ended.stderr
    assert "class-means" not in ended.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "grids").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_grids_that_come_with_the_project_can_be_read(path):
    assert read_grid(path).generators
