"""Code blocks of a page, and what is to be done with each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(?P<language>[\w-]*)(?P<rest>[^\n]*)\n(?P<text>.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
REFUSED = re.compile(r'title="not run by the tests: (?P<reason>[^"]+)"')
NAMED = re.compile(r"# (?P<name>[\w-]+\.\w+)\n(?P<text>.*)", re.DOTALL)
SHELL = ("bash", "sh", "console")


@dataclass(frozen=True)
class Block:
    """One fenced block: a program, a file, or what a program printed."""

    language: str
    text: str
    line: int
    reason: str | None  # why it is not run, as its title tells readers

    @property
    def file(self) -> tuple[str, str] | None:
        """Name and text of the file that the block is, if its first line names one."""
        named = NAMED.fullmatch(self.text)
        return (named["name"], named["text"]) if named else None

    @property
    def runs(self) -> bool:
        """Whether it is a program that is to be run."""
        return self.language in ("python", *SHELL) and self.file is None and self.reason is None


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, from top to bottom."""
    return list(_read(page.read_text(encoding="utf-8")))


def _read(text: str) -> Iterator[Block]:
    for found in FENCE.finditer(text):
        refused = REFUSED.search(found["rest"])
        line = text.count("\n", 0, found.start()) + 1
        yield Block(found["language"], found["text"], line, refused["reason"] if refused else None)
