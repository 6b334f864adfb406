"""Atomic writing: a result appears whole under its name, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ConfigError, OutputError


@contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; move it into place when the block ends well.

    The temporary path keeps the suffixes of ``target``, since writers choose their format by them. It may
    become a file or a folder.

    Raises
    ------
    OutputError
        The folder cannot be written to, or the disk is full. Nothing is left behind.
    """
    target = Path(target)
    with _scratch_in(target.parent, target) as scratch, _reported(target):
        temporary = scratch / "new" / target.name
        temporary.parent.mkdir()
        yield temporary
        if target.is_dir() and temporary.is_dir():
            _swap_folders(temporary, target, scratch / "old")
        else:
            os.replace(temporary, target)


@contextmanager
def atomic_folder(target: Path | str) -> Iterator[Path]:
    """Yield a scratch folder whose files are moved into the folder ``target`` when the block ends well.

    Files of the same name in ``target`` are replaced; its other files stay.

    Raises
    ------
    OutputError
        As for `atomic_path`, or ``target`` is a file.
    """
    target = Path(target)
    check_folder(target)
    with _scratch_in(target, target) as scratch, _reported(target):
        yield scratch
        for path in sorted(scratch.iterdir()):
            if path.is_dir() and (target / path.name).is_dir():
                _swap_folders(path, target / path.name, scratch / f".old-{path.name}")
            else:
                os.replace(path, target / path.name)


@contextmanager
def _scratch_in(folder: Path, target: Path) -> Iterator[Path]:
    """Yield a scratch folder inside ``folder``; folders made for it go again if the block fails."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".twinseq-", dir=folder))
    except OSError as error:
        _remove_empty(missing)
        raise OutputError(
            f"{target}: cannot write there ({error.strerror or error}). "
            "Check the rights of the folder, or choose another."
        ) from error
    done = False
    try:
        yield scratch
        done = True
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if not done:
            _remove_empty(missing)


@contextmanager
def _reported(target: Path) -> Iterator[None]:
    """Turn failures of the system while ``target`` is written into an `OutputError`."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{target}: writing failed ({error.strerror or error}); nothing was left behind. "
            "Check the free space and the rights of the folder."
        ) from error


def _swap_folders(new: Path, target: Path, old: Path) -> None:
    """Put the folder ``new`` where ``target`` is; ``target`` comes back if that fails."""
    os.replace(target, old)
    try:
        os.replace(new, target)
    except OSError:
        os.replace(old, target)
        raise


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders, innermost first, as far as they are empty."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def check_writable(target: Path | str) -> None:
    """Refuse a place that cannot be written to, before any work is done; nothing is made there.

    Raises
    ------
    OutputError
        The nearest existing folder above ``target`` is no folder, or does not let itself be written to.
    """
    target = Path(target).absolute()
    nearest = target if target.is_dir() else target.parent
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise OutputError(f"{target}: {nearest} is not a folder.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"{target}: the folder {nearest} is not writable. Choose another, or change its rights.")


def check_folder(target: Path | str) -> None:
    """Refuse a folder that files cannot be put into, before any work is done; nothing is made there.

    Raises
    ------
    OutputError
        ``target`` is a file, or as for `check_writable`.
    """
    target = Path(target)
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target}: is a file; give the name of a folder.")
    check_writable(target)


def check_apart(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse to write over what is read.

    Raises
    ------
    ConfigError
        An output is one of the inputs, under whatever name.
    """
    sources = [source for source in inputs if source.exists()]
    for path in outputs:
        if path.exists() and any(path.samefile(source) for source in sources):
            raise ConfigError(f"{path}: is an input, and would be written over. Give another name for the output.")
