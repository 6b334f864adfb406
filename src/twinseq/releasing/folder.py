"""The folder of a release: whether it may be written, what lands in it, and the sums of its files."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import ConfigError, shorten
from ..files import check_folder
from ..provenance import file_digest
from .kept import FOLDER

SUMS = "SHA256SUMS"
MODEL = "model-not-for-release.npz"
SCRATCH = ".twinseq-"
"""Start of the names of folders that interrupted writing can leave."""


def check_free(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier release, before any work is done.

    Raises
    ------
    ConfigError
        It holds files that no release wrote; none of them is touched.
    OutputError
        It is a file, or cannot be written to.
    """
    check_folder(folder)
    if not folder.is_dir():
        return
    ours = {*listed(folder), SUMS, FOLDER}
    foreign = sorted(
        path.name for path in folder.iterdir() if path.name not in ours and not path.name.startswith(SCRATCH)
    )
    if foreign:
        names = ", ".join(f"'{shorten(name, 40)}'" for name in foreign[:3])
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise ConfigError(
            f"{folder}: holds files that no release wrote ({names}{more}). Give a folder of the release's own; "
            "nothing was touched."
        )


def listed(folder: Path) -> list[str]:
    """Return the names in the sums of an earlier release; none where there is no such file."""
    sums = folder / SUMS
    if not sums.is_file():
        return []
    lines = sums.read_text(encoding="utf-8", errors="replace").splitlines()
    names = [line.partition("  ")[2].split("/")[0] for line in lines]
    return [name for name in names if name not in ("", ".", "..")]


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder, by its name inside."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def write_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """Write the sums as ``sha256sum --check`` reads them."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    (folder / SUMS).write_text(lines, encoding="utf-8", newline="")


def remove_stale(folder: Path, before: Iterable[str], now: Iterable[str]) -> None:
    """Remove files of an earlier release that this one has not written again."""
    for name in set(before).difference(name.split("/")[0] for name in now):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
