"""The folder of one sitting: what came in, what is made of it, and how all of it goes again."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .intake import Arrived, Upload, arrived, keep, suffix_of
from .job import Job, Order, State


@dataclass(frozen=True)
class Given:
    """A file of the finished release.

    Parameters
    ----------
    name
        In the folder of the release.
    size
        Bytes.
    outgoing
        Whether it may leave the institution, where those who decide say so.
    """

    name: str
    size: int
    outgoing: bool

    @property
    def readable_size(self) -> str:
        """Size for people."""
        size = float(self.size)
        for unit in ("bytes", "kB", "MB"):
            if size < 1000:
                return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
            size /= 1000
        return f"{size:.1f} GB"


class Workplace:
    """One cohort at a time, in a folder that is deleted at the end.

    Parameters
    ----------
    folder
        An empty folder that nobody else can read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arrived: Arrived | None = None
        self.job: Job | None = None

    async def take(self, cohort: Upload, samples: Upload | None, basis: Upload | None) -> None:
        """Keep what was sent in place of what was there, and look at its columns.

        Raises
        ------
        ConfigError
            A job is running, or a file has a format that is not read here.
        CohortError
            A file cannot be read.
        """
        if self.running:
            raise ConfigError("A release is being made. Stop it before another cohort is taken.")
        title = cohort.filename or ""
        suffixes = suffix_of(title), samples and suffix_of(samples.filename or "")
        self.forget()
        incoming = self.folder / "incoming"
        incoming.mkdir()
        try:
            path = await keep(cohort, incoming / f"cohort{suffixes[0]}")
            table = await keep(samples, incoming / f"samples{suffixes[1]}") if samples else None
            public = await keep(basis, incoming / "public.basis") if basis else None
            self.arrived = arrived(path, table, public, title)
        except BaseException:
            self.forget()
            raise

    def start(self, roles: dict[str, Any], settings: dict[str, Any]) -> None:
        """Begin a release.

        Raises
        ------
        ConfigError
            There is no cohort, or a release is being made.
        """
        if self.arrived is None:
            raise ConfigError("There is no cohort yet. Choose a file first.")
        if self.running:
            raise ConfigError("A release is being made already.")
        shutil.rmtree(self.outgoing, ignore_errors=True)
        came = self.arrived
        self.job = Job(Order(came.cohort, came.samples, came.basis, roles, settings, self.outgoing), self.folder)

    @property
    def outgoing(self) -> Path:
        """Folder of the release."""
        return self.folder / "release"

    @property
    def running(self) -> bool:
        """Whether a release is being made."""
        return self.job is not None and self.job.state().phase == "running"

    def state(self) -> State | None:
        """Return how far the job is, in words that name the user's file and not ours."""
        if self.job is None or self.arrived is None:
            return None
        state = self.job.state()
        text = state.text
        for path, name in ((self.arrived.cohort, self.arrived.title), (self.arrived.samples, "the sample table")):
            text = text.replace(str(path), name) if path is not None else text
        return replace(state, text=text.replace(f"{self.folder}{os.sep}", ""))

    def verdict(self) -> dict[str, Any]:
        """Return the verdict of the finished release."""
        content: dict[str, Any] = json.loads((self.outgoing / "metrics.json").read_text(encoding="utf-8"))
        verdict: dict[str, Any] = content["verdict"]
        return verdict

    def files(self) -> list[Given]:
        """Return the files of the finished release, those that may leave first."""
        state = self.state()
        outgoing = () if state is None else state.outgoing
        found = sorted(path for path in self.outgoing.iterdir() if path.is_file() and not path.name.startswith("."))
        given = [Given(path.name, path.stat().st_size, path.name in outgoing) for path in found]
        return sorted(given, key=lambda file: not file.outgoing)

    def forget(self) -> None:
        """Stop what is running and delete all files."""
        if self.job is not None:
            self.job.stop()
        self.job = self.arrived = None
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
