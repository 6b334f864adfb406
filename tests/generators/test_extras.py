"""Optional packages: what is missing is known without importing anything, and said where it is needed."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from twinseq import generators
from twinseq.generators._extras import EXTRAS, MissingExtraError, install, missing, require

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def test_every_extra_is_one_that_can_be_installed():
    offered = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    for extra, packages in EXTRAS.items():
        named = {re.split(r"[^\w-]", requirement)[0] for requirement in offered[extra]}
        assert set(packages) <= named
        assert install(extra) == f"pip install 'twinseq[{extra}]'"


def test_every_generator_needs_a_known_extra():
    for name in generators.names():
        assert generators.info(name).extra in {None, *EXTRAS}


def test_what_is_missing(monkeypatch):
    monkeypatch.setitem(EXTRAS, "deep", ("math", "no_such_package"))
    assert missing("deep") == ["no_such_package"]
    assert missing(None) == []
    monkeypatch.setitem(EXTRAS, "deep", ("math", "json"))
    assert missing("deep") == []


def test_looking_for_a_package_does_not_import_it(tmp_path, monkeypatch):
    (tmp_path / "explosive.py").write_text("raise SystemError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(EXTRAS, "deep", ("explosive",))
    assert missing("deep") == []
    assert "explosive" not in sys.modules


def test_the_message_names_the_package_and_the_remedy(monkeypatch):
    monkeypatch.setitem(EXTRAS, "pgm", ("no_such_package",))
    with pytest.raises(MissingExtraError, match=r"'dp-x' needs no_such_package, which is not installed\. .*\[pgm\]'"):
        require("dp-x", "pgm")


def test_a_broken_package_is_not_called_absent(tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("raise ImportError('libc is too old')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(EXTRAS, "deep", ("broken",))
    with pytest.raises(MissingExtraError, match=r"needs broken, which cannot be loaded \(libc is too old\)"):
        require("cvae", "deep")


def test_what_is_there_passes(monkeypatch):
    monkeypatch.setitem(EXTRAS, "deep", ("math",))
    require("cvae", "deep")
