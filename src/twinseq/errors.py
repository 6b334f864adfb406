"""The errors twinseq raises on purpose.

Each message says what is wrong, where (file, row, column), and what to do about it. The command line
prints the message alone and ends with exit code 2; anything else that is raised is a bug.
"""

import difflib
from collections.abc import Iterable

MAX_SHOWN = 15


class TwinseqError(Exception):
    """Base of every error that a user can mend."""


class CohortError(TwinseqError):
    """The data do not describe a cohort: a wrong table, label, donor or value."""


class ConfigError(TwinseqError):
    """A setting does not exist or does not fit: a generator, preset, parameter or fraction."""


class OutputError(TwinseqError):
    """A result could not be written; nothing half-written is left behind."""


class NotFittedError(TwinseqError):
    """A generator was asked for samples before it had been fitted."""


def shorten(name: object, width: int = 80) -> str:
    """Return ``name`` as text of at most ``width`` characters, for messages."""
    text = str(name)
    return text if len(text) <= width else text[: width - 1] + "…"


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'? Known: x, y."`` for an unknown name.

    Parameters
    ----------
    word
        What the user wrote.
    known
        The names that exist.
    """
    names = sorted(shorten(name) for name in known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else "."
    shown = names if len(names) <= MAX_SHOWN else [*names[:MAX_SHOWN], f"and {len(names) - MAX_SHOWN} more"]
    return f"{hint} Known: {', '.join(shown)}."
