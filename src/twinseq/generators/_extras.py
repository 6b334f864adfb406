"""Optional packages of generators: which extra brings them, and whether they are here."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from ..errors import TwinseqError

EXTRAS: dict[str, tuple[str, ...]] = {
    "deep": ("torch",),
    "pgm": ("mbi",),
}
"""Packages, by the name they are imported under, without which no generator of an extra works."""
TITLES = {"torch": "PyTorch", "mbi": "Private-PGM (mbi)"}


class MissingExtraError(TwinseqError):
    """A generator needs an optional package that is not installed."""


def missing(extra: str | None) -> list[str]:
    """Return the packages of an extra that are not installed; nothing is imported to find out.

    Raises
    ------
    KeyError
        There is no such extra.
    """
    return [] if extra is None else [package for package in EXTRAS[extra] if find_spec(package) is None]


def install(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'twinseq[{extra}]'"


def require(name: str, extra: str) -> None:
    """Import what generator ``name`` needs of an extra.

    Raises
    ------
    MissingExtraError
        A package is not there or cannot be loaded; the message says which, and how to install it.
    """
    for package in EXTRAS[extra]:
        try:
            importlib.import_module(package)
        except ImportError as error:
            title = TITLES.get(package, package)
            why = "is not installed" if find_spec(package) is None else f"cannot be loaded ({error})"
            raise MissingExtraError(
                f"Generator '{name}' needs {title}, which {why}. Install it with: {install(extra)}"
            ) from error
