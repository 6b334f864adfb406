"""Shared fixtures: where the real cohorts and the trusted outputs lie, and noise that is the same in every run."""

import os
from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from noise import SeededNoise

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
NOISE = SeededNoise()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Give all tests but those of the noise itself seeded noise."""
    with nullcontext() if TESTS / "dp" in item.path.parents else NOISE.installed():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: pytest.FixtureRequest) -> Generator[None, Any, Any]:
    """Have a fixture draw the same noise whichever test asks for it first."""
    NOISE.reseed(f"{fixturedef.baseid}::{fixturedef.argname}::{getattr(request, 'param_index', 0)}")
    return (yield)


def pytest_runtest_call(item: pytest.Item) -> None:
    """Have a test draw the same noise whichever ran before it."""
    NOISE.reseed(item.nodeid)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real cohorts; the test is skipped, visibly, where it is absent."""
    folder = Path(os.environ.get("TWINSEQ_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real cohorts not found at {folder} (set TWINSEQ_DATA)")
    return folder


@pytest.fixture(scope="session")
def reference_dir(data_dir: Path) -> Path:
    """Folder of the trusted programs' outputs, beside the real cohorts."""
    folder = data_dir.parent / "reference"
    if not folder.is_dir():
        pytest.skip(f"reference outputs not found at {folder}")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files of fast tests first: what is broken shows early. Files stay whole: what they share is made once."""
    slow = {item.path for item in items if any(item.get_closest_marker(name) for name in ("slow", "web"))}
    items.sort(key=lambda item: item.path in slow)
