"""The version: that of the last tag, and one that stays where there is none."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FALLBACK = PROJECT["tool"]["hatch"]["version"]["fallback-version"]
WHO = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with as much of the project as its version hangs on."""
    folder = tmp_path / "project"
    (folder / "src" / "twinseq").mkdir(parents=True)
    (folder / "src" / "twinseq" / "__init__.py").touch()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def git(folder: Path, *words: str) -> None:
    known = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **WHO}
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, env=known)


def commit(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "--allow-empty", "-m", "something")


def version(folder: Path, **known: str) -> str:
    words = [sys.executable, "-m", "hatchling", "version"]
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True, env=os.environ | known)
    return ended.stdout.strip()


@pytest.mark.slow
def test_a_tag_gives_the_version_until_the_next_one(folder: Path):
    git(folder, "init")
    commit(folder)
    assert version(folder) == FALLBACK, "a clone without tags"
    git(folder, "tag", "v0.7.2")
    assert version(folder) == "0.7.2"
    commit(folder)
    (folder / "README.md").write_text("changed")
    assert version(folder) == "0.7.2", "no count of commits, no hash, whatever was changed since"


@pytest.mark.slow
def test_an_archive_without_history_can_be_built(folder: Path):
    assert version(folder) == FALLBACK


@pytest.mark.slow
@pytest.mark.parametrize("path", ["Dockerfile", "conda/recipe/recipe.yaml"])
def test_image_and_recipe_can_say_the_version(folder: Path, path: str):
    name = re.search(r"\b\w+_PRETEND_VERSION\w*", (ROOT / "packaging" / path).read_text(encoding="utf-8"))
    assert name is not None
    assert version(folder, **{name[0]: "0.9.1"}) == "0.9.1"
    assert version(folder, **{name[0]: ""}) == FALLBACK


def test_all_places_that_name_the_version_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    recipe = yaml.safe_load((ROOT / "packaging" / "conda" / "recipe" / "recipe.yaml").read_text(encoding="utf-8"))
    assert citation["version"] == recipe["context"]["version"] == FALLBACK
