"""Shared fixtures: where the real cohorts and the trusted outputs lie."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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
    """Run fast tests first: what is broken shows early."""
    items.sort(key=lambda item: any(item.get_closest_marker(name) for name in ("slow", "web")))
