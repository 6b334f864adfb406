"""What `docs/extending.md` shows works as it stands, and what fails of other packages is told of."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from twinseq.benchmark.grid import read_grid
from twinseq.benchmark.store import Store

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```\w+\n# (\S+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def package(tmp_path):
    """Return a folder with the files of the page, announced as an installed package is."""
    files = dict(BLOCK.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8")))
    assert set(files) == {"twin_tools.py", "pyproject.toml", "shuffle_genes.py", "grid.yaml"}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    announced = tmp_path / f"twin_tools-{project['version']}.dist-info"
    announced.mkdir()
    (announced / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [
        line
        for group, entries in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
    ]
    (announced / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def twinseq(folder, *words):
    known = {
        "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),  # for the page's "python"
    }
    return subprocess.run(
        [sys.executable, "-m", "twinseq", *words],
        cwd=folder, capture_output=True, text=True, check=False, env=os.environ | known,
    )  # fmt: skip


@pytest.mark.slow
def test_the_page_runs(package):
    ended = twinseq(package, "benchmark", "run", "grid.yaml", "-o", "results", "--jobs", "2")
    assert ended.returncode == 0, ended.stderr
    figures = Store(package / "results").figures()
    assert set(figures["generator"]) == {"mvn", "class-means noise=0.5", "shuffled genes"}
    measured = figures[figures["status"] == "measured"]
    assert (measured[measured["name"] == "mean_error"].groupby("generator").size() == 1).all()
    attacked = measured[(measured["name"] == "mean_side") & (measured["part"] == "attack")]
    assert len(attacked) == 3
    assert attacked["value"].between(0, 1).all()


@pytest.mark.slow
def test_a_plugin_that_fails_is_left_out(package):
    (package / "twin_tools.py").write_text("raise RuntimeError('out of order')")
    ended = twinseq(package, "list", "generators")
    assert ended.returncode == 0
    assert "copula" in ended.stdout
    assert "Plugin 'twin-tools' (twin_tools) could not be loaded: RuntimeError: out of order" in ended.stderr
    assert "class-means" not in ended.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "grids").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_grids_that_come_with_the_project_can_be_read(path):
    assert read_grid(path).generators
