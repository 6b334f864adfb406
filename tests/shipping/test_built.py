"""The wheel and the source archive: whole, and usable where nothing of the project lies."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "twinseq"


def python(*words: object, cwd: Path, **known: str) -> subprocess.CompletedProcess[str]:
    """Run Python without the environment of this process, in which twinseq is found anyway."""
    known = {"PATH": "/usr/bin:/bin", **known}
    words = tuple(map(str, words))
    return subprocess.run((sys.executable, *words), cwd=cwd, capture_output=True, text=True, check=False, env=known)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what an archive of the project holds: no ``.git``, no caches."""
    folder = tmp_path_factory.mktemp("project")
    for path in ROOT.glob("*.*"):
        if path.is_file():
            shutil.copy(path, folder)
    for name in ("LICENSE", "Makefile", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    for name in ("src", "docs", "packaging", "grids"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return folder


@pytest.fixture(scope="module")
def built(project: Path) -> Path:
    """Build a source archive and, from it, a wheel, as a release does."""
    ended = python("-m", "build", "--no-isolation", "--outdir", "dist", cwd=project)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return project / "dist"


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package(built: Path):
    held = set(zipfile.ZipFile(next(built.glob("*.whl"))).namelist())
    wanted = {
        path.relative_to(SOURCES.parent).as_posix()
        for path in SOURCES.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {Path(name).suffix for name in wanted} >= {".py", ".j2", ".css", ".js", ".yaml", ".typed"}
    assert not wanted - held
    assert not {name for name in held if name.startswith(("tests/", "docs/", "benchmarks/"))}


@pytest.mark.slow
def test_the_source_archive_can_be_built_documented_and_described(built: Path):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in ("Makefile", "mkdocs.yml", "constraints.txt", "CITATION.cff", "CHANGELOG.md", "packaging/Dockerfile"):
        assert name in names
    assert "docs/limits.md" in names


@pytest.mark.slow
def test_the_wheel_runs_where_nothing_of_the_project_lies(built: Path, tmp_path: Path):
    target, home = tmp_path / "target", tmp_path / "home"
    home.mkdir()
    wheel = next(built.glob("*.whl"))
    version = wheel.name.split("-")[1]
    offline = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    ended = python("-m", "pip", "install", *offline, "--target", target, wheel, cwd=home)
    assert ended.returncode == 0, ended.stderr
    known = {"PYTHONPATH": str(target), "HOME": str(home)}
    where = python("-c", "import twinseq; print(twinseq.__file__)", cwd=home, **known)
    assert Path(where.stdout.strip()).is_relative_to(target), where.stderr
    command = target / "bin" / "twinseq"
    assert python(command, "--version", cwd=home, **known).stdout == f"twinseq {version}\n"
    helped = python(command, "demo", "--help", cwd=home, **known)
    assert helped.returncode == 0, helped.stderr
    assert "simulated cohort" in helped.stdout
    policies = python(command, "list", "policies", cwd=home, **known)
    assert "partner" in policies.stdout, policies.stderr
