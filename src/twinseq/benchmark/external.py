"""Any program as a generator: it reads a file with the training data and writes one with the twin."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from pathlib import Path

from ..cohort import Cohort
from ..errors import CohortError, TwinseqError, shorten
from ..io import write
from .inputs import read_twin

LAST_LINES = 5


class CommandError(TwinseqError):
    """A program that stands in for a generator gave no twin; the message says what it said last."""


def twin_by_command(command: str, train: Cohort, seed: int, timeout: float, home: Path) -> Cohort:
    """Have a program make a twin.

    Parameters
    ----------
    command
        Program and arguments; no shell reads it. ``{train}`` and ``{twin}`` become names of ``.h5ad`` files (the roles
        of the columns are in ``uns["twinseq"]``), ``{seed}`` a number.
    train
        Training data.
    seed
        Handed to the program.
    timeout
        Seconds after which it is stopped.
    home
        Folder in which it is run.

    Raises
    ------
    CommandError
        The program is not there, ends with an error, takes too long or writes no twin that can be read.
    """
    with tempfile.TemporaryDirectory(prefix="twinseq-") as folder:
        given, made = Path(folder) / "train.h5ad", Path(folder) / "twin.h5ad"
        write(train, given)
        places = {"train": str(given), "twin": str(made), "seed": str(seed)}
        words = [_filled(word, places) for word in shlex.split(command)]
        try:
            ended = subprocess.run(
                words, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=timeout, check=False,
            )  # fmt: skip
        except OSError as error:
            raise CommandError(f"{shorten(words[0])}: cannot be run ({error.strerror}).") from error
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"{shorten(words[0])}: stopped after {timeout:g} seconds.") from error
        if ended.returncode:
            said = " | ".join(ended.stderr.strip().splitlines()[-LAST_LINES:])
            raise CommandError(f"{shorten(words[0])}: ended with {ended.returncode}; it said: {shorten(said, 300)}")
        if not made.exists():
            raise CommandError(f"{shorten(words[0])}: wrote no twin ({{twin}} is not there).")
        try:
            return read_twin(made, train)
        except CohortError as error:
            raise CommandError(f"{shorten(words[0])}: its twin cannot be used. {error}") from error


def files_of(command: str, home: Path) -> list[Path]:
    """Return the files that a command names: the program, where it is one of the user's own."""
    paths = [home / word for word in shlex.split(command) if "{" not in word]
    return [path for path in paths if path.is_file()]


def _filled(word: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        word = word.replace("{" + name + "}", value)
    return word
