"""What is kept of a release while it is made, so that one that was interrupted goes on where it stopped.

Each piece has a folder named by a digest of all that it hangs on: data, settings, seed and the program's own code. The
pieces hold scores of single donors, by number and not by name; they are readable by their owner only, and are removed
when the release is done.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..files import atomic_path
from ..redteam.dealing import Found
from ..redteam.summary import Sides
from ..redteam.trial import Scores
from ..results import AuditReport, MetricResult, Omitted

FOLDER = ".work"
SCHEMA = 1


def key_of(content: Any) -> str:
    """Return the name of a piece from plain values that say all that it hangs on."""
    text = json.dumps([SCHEMA, content], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class Kept:
    """The pieces of one release.

    Parameters
    ----------
    folder
        That of the release; the pieces lie in a hidden folder inside.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER

    def has(self, key: str) -> bool:
        """Whether a piece is there; pieces appear whole."""
        return (self.folder / key).is_dir()

    def write(self, key: str, found: Found | None = None, report: AuditReport | None = None, **plain: Any) -> None:
        """Keep a piece: scores of donors, figures, plain values, as far as given."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with atomic_path(self.folder / key) as scratch:
            scratch.mkdir()
            (scratch / "plain.json").write_text(json.dumps(plain), encoding="utf-8")
            if found is not None:
                _write_found(found, scratch)
            if report is not None:
                _write_report(report, scratch)

    def plain(self, key: str) -> dict[str, Any]:
        """Return the plain values of a piece."""
        content: dict[str, Any] = json.loads((self.folder / key / "plain.json").read_text(encoding="utf-8"))
        return content

    def found(self, key: str) -> Found:
        """Return the scores of a piece."""
        return _read_found(self.folder / key)

    def report(self, key: str) -> AuditReport:
        """Return the figures of a piece."""
        return _read_report(self.folder / key)

    def remove(self) -> None:
        """Remove all pieces."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _write_found(found: Found, folder: Path) -> None:
    scores = found.sides.scores
    groups = {f"group.{index}": values for index, values in enumerate(found.groups.values())}
    np.savez(
        folder / "scores.npz", allow_pickle=False, values=scores.values, member=found.sides.member,
        strata=found.sides.strata, people=found.people, **groups,
    )  # fmt: skip
    words = {
        "keys": scores.keys,
        "troubles": [[*key, *trouble] for key, trouble in scores.troubles.items()],
        "groups": list(found.groups),
        "notes": found.notes,
    }
    (folder / "words.json").write_text(json.dumps(words), encoding="utf-8")


def _read_found(folder: Path) -> Found:
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    with np.load(folder / "scores.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    troubles = {(name, level): (status, reason) for name, level, status, reason in words["troubles"]}
    keys = tuple((name, level, setting) for name, level, setting in words["keys"])
    sides = Sides(Scores(keys, arrays["values"], troubles), arrays["member"], arrays["strata"])
    groups = {name: arrays[f"group.{index}"] for index, name in enumerate(words["groups"])}
    return Found(sides, arrays["people"], groups, tuple(words["notes"]))


def _write_report(report: AuditReport, folder: Path) -> None:
    content = {
        "provenance": report.provenance,
        "verdict": report.verdict,
        "metrics": [asdict(metric) for metric in report.metrics],
        "omitted": [asdict(omitted) for omitted in report.omitted],
        "tables": list(report.tables),
    }
    (folder / "report.json").write_text(json.dumps(content), encoding="utf-8")
    for index, table in enumerate(report.tables.values()):
        table.to_parquet(folder / f"table{index}.parquet", index=False)


def _read_report(folder: Path) -> AuditReport:
    content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    metrics = [{**one, "ci": None if one["ci"] is None else tuple(one["ci"])} for one in content["metrics"]]
    names = enumerate(content["tables"])
    return AuditReport(
        provenance=content["provenance"],
        verdict=content["verdict"],
        metrics=tuple(MetricResult(**one) for one in metrics),
        omitted=tuple(Omitted(**one) for one in content["omitted"]),
        tables={name: pd.read_parquet(folder / f"table{index}.parquet") for index, name in names},
    )
