"""The challenge's files, written once."""

import pytest

from challenge import Files, write_files


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Read them, and write elsewhere."""
    return write_files(tmp_path_factory.mktemp("camda"))
