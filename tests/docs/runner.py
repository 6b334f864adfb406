"""Runs the blocks of a page in order, in one folder, and holds what they print against what the page shows."""

import os
import re
import sys
import tomllib
from pathlib import Path

from docs.blocks import SHELL, Block
from docs.shell import captured, fresh, in_process

NUMBER = re.compile(r"\d+([.,]\d+)*(e[-+]?\d+)?")
CUT = re.compile(r"\s*(…|\.\.\.)\s*$")


def run(page: list[Block], folder: Path, talk: Path, source: str) -> list[str]:
    """Run a page; return what each block that runs printed.

    Files are written, programs run, and where a ``text`` block follows a program, each of its lines has to be among
    those that the program printed: the words exactly, numbers only in kind, since these hang on the machine's linear
    algebra. A line that ends in ``…`` is a beginning; left-out lines need no mark.
    """
    names: dict[str, object] = {"__name__": "__main__"}
    printed: list[str] = []
    known: dict[str, str] | None = None
    last: Block | None = None
    for number, block in enumerate(page):
        where = f"{source}:{block.line}"
        if block.file is not None:
            name, text = block.file
            (folder / name).write_text(text, encoding="utf-8")
            if name == "pyproject.toml":
                known = install(folder)
        elif block.runs and block.language in SHELL:
            script = block.text
            ended = (
                fresh(script, folder, known) if known is not None else in_process(script, folder, talk / str(number))
            )
            assert ended.returncode == 0, f"{where} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
            printed.append(ended.stdout + ended.stderr)
        elif block.runs:
            printed.append(captured(block.text, names, folder, where))
        elif block.language == "text" and last is not None and last.runs:
            lacking = [line for line in block.text.splitlines() if not shown(line, printed[-1])]
            assert not lacking, f"{where} shows what was not printed: {lacking}\nprinted:\n{printed[-1]}"
        if block.language != "text":
            last = block
    return printed


def shown(line: str, printed: str) -> bool:
    """Return whether a line of a page is among the printed ones, numbers aside."""
    wanted = masked(CUT.sub("", line))
    lines = [masked(other) for other in printed.splitlines()]
    return any(other.startswith(wanted) if CUT.search(line) else other == wanted for other in lines)


def masked(line: str) -> str:
    """Return a line with single spaces and every number as ``0``."""
    return " ".join(NUMBER.sub("0", line).split())


def install(folder: Path) -> dict[str, str]:
    """Announce the package in ``folder`` as an installed one is; return the environment in which it is found."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    announced = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
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
    return {
        "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
