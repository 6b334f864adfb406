"""The site: whole, strict, and nothing in it from elsewhere."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import twinseq as ts
from docs.stage import ROOT

API = sorted((ROOT / "docs" / "api").glob("*.md"))
ENTRY = re.compile(r"^::: twinseq\.([\w.]+)$", re.MULTILINE)
LISTED = [path for page in API for path in ENTRY.findall(page.read_text(encoding="utf-8"))]
FETCHED = re.compile(r"""<(?:script|img|iframe|link(?! rel="canonical"))\s[^>]*(?:src|href)=["']?(?:https?:)?//""")


def listed(path: str) -> object:
    """Return the object that an entry of the API pages names."""
    home, _, name = path.rpartition(".")
    try:
        return importlib.import_module(f"twinseq.{path}")
    except ModuleNotFoundError:
        return getattr(importlib.import_module(f"twinseq.{home}"), name)


def test_the_api_pages_list_what_is_public():
    shown = [listed(path) for path in LISTED]
    assert len(set(LISTED)) == len(LISTED)
    for name in ts.__all__:
        public = getattr(ts, name)
        if callable(public):
            assert public in shown, f"docs/api lacks ts.{name}"
    for name in ts.generators.names():
        assert ts.generators.get(name) in shown, f"docs/api/generators.md lacks {name}"


@pytest.mark.slow
def test_the_site_is_built_strictly_and_fetches_nothing(tmp_path: Path):
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path / "site"]
    known = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, env=known)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    pages = {page.relative_to(tmp_path / "site").as_posix(): page.read_text() for page in tmp_path.rglob("*.html")}
    wanted = {page.relative_to(ROOT).with_suffix(".html").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert wanted <= set(pages)
    for name, text in pages.items():
        assert not FETCHED.findall(text), name
    assert "<math" in pages["docs/privacy.html"]
    assert "min_per_class" in pages["docs/api/index.html"], "parameters come from the docstrings"
    assert not re.search(r":math:|\.\. math::", "".join(pages.values()))
