"""Atomic writing: a result appears whole under its name, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError


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
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".twinseq-", dir=target.parent))
    except OSError as error:
        raise OutputError(f"{target}: cannot write there ({error.strerror or error}).") from error
    try:
        temporary = scratch / target.name
        yield temporary
        if target.is_dir() and temporary.is_dir():
            shutil.rmtree(target)
        os.replace(temporary, target)
    except OSError as error:
        raise OutputError(
            f"{target}: writing failed ({error.strerror or error}); nothing was left behind. "
            "Check the free space and the rights of the folder."
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target}: is a file; give the name of a folder.")
    try:
        existed = target.is_dir()
        target.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".twinseq-", dir=target))
    except OSError as error:
        raise OutputError(f"{target}: cannot write there ({error.strerror or error}).") from error
    done = False
    try:
        yield scratch
        for path in sorted(scratch.iterdir()):
            os.replace(path, target / path.name)
        done = True
    except OSError as error:
        raise OutputError(
            f"{target}: writing failed ({error.strerror or error}); nothing was left behind. "
            "Check the free space and the rights of the folder."
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if not done and not existed:
            shutil.rmtree(target, ignore_errors=True)
