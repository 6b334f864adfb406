"""What lies behind a standing on a cohort: metrics, attacks and splits of the generator, with links to its reports."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from ..report.questions import readable, spoken
from ..report.text import is_number, shown
from .evidence import Evidence
from .ranking import Floats, discriminates, interval, positions, split_means
from .store import Store

NO_DIFFERENCE = "real data do no better than the known-bad twin here"


def catalogue(evidence: Evidence) -> list[list[str]]:
    """Return title, group, and what is better, of every metric of a cohort."""
    return [[readable(name), *map(shown, row)] for name, row in zip(evidence.names, _words(evidence), strict=True)]


def _words(evidence: Evidence) -> list[tuple[str, str]]:
    rows = []
    for _, (group, direction, ideal) in evidence.metrics.iterrows():
        near = "like real data" if np.isnan(ideal) else f"near {ideal:g}"
        rows.append((str(group), {"higher": "higher", "lower": "lower"}.get(str(direction), near)))
    return rows


def drilldown(evidence: Evidence, taken: Floats, store: Store, page: Path) -> dict[str, dict[str, Any]]:
    """Return the figures behind each generator.

    Parameters
    ----------
    evidence
        Outcomes of one cohort.
    taken
        Resamples of its splits.
    store
        Where the reports are.
    page
        Folder of the page, which links are relative to.

    Returns
    -------
    By generator: ``metrics`` (rows of number in the catalogue, mean, interval, real data, known-bad twin, position,
    reason), ``attacks`` (name, level, mean AUC, interval, reason), ``splits``, and ``verdicts`` (split, policy,
    outcome, reasons).
    """
    every = np.ones((1, len(evidence.splits)))
    means = split_means(evidence.values, every)[0]
    drawn = split_means(evidence.values, taken)
    ends = [split_means(table, every)[0] for table in (evidence.ceilings, evidence.floors)]
    places = _positions(evidence, every)
    found = {}
    for g, generator in enumerate(evidence.generators):
        figures, tasks = (table[table["generator"] == generator] for table in (evidence.figures, evidence.tasks))
        rows: list[list[Any]] = []
        for m, name in enumerate(evidence.names):
            if not np.isfinite(means[g, m]):
                rows.append([m, *[None] * 6, _reason(evidence, generator, name)])
                continue
            place = places[m]
            numbers = (
                means[g, m], *(interval(drawn[:, g, m]) or (None, None)), *(end[g, m] for end in ends),
                None if place is None else place[g],
            )  # fmt: skip
            rows.append([m, *map(_digits, numbers), "" if place is not None else NO_DIFFERENCE])
        found[generator] = {
            "metrics": rows,
            "verdicts": [
                [int(row["split"]) + 1, shown(row["name"], 40), shown(row["status"], 20), shown(row["reason"], 1200)]
                for _, row in figures[figures["part"] == "verdict"].sort_values(["split", "name"]).iterrows()
            ],
            "attacks": _attacks(figures[figures["part"] == "attack"], evidence.splits, taken),
            "splits": [
                _split(figures[figures["split"] == split], tasks[tasks["split"] == split], split, store, page)
                for split in evidence.splits
            ],
        }
    return found


def _positions(evidence: Evidence, every: Floats) -> list[Floats | None]:
    """Return where generators lie between known-bad twin and real data, for each metric that tells the two apart."""
    found: list[Floats | None] = []
    for name in evidence.names:
        value, ceiling, floor = evidence.merits(name)
        told = discriminates(ceiling, floor)
        found.append(positions(value[:, None, :], ceiling[None], floor[None], every)[0, :, 0] if told else None)
    return found


def _reason(evidence: Evidence, generator: str, name: str) -> str:
    reason = evidence.without(generator) or evidence.reasons.get((generator, name), "not asked for")
    return shown(reason, 200)


def _attacks(rows: pd.DataFrame, splits: Sequence[int], taken: Floats) -> list[list[Any]]:
    """Return the attacks on one generator, by level, the strongest first."""
    found: list[list[Any]] = []
    for (level, name), part in rows.groupby(["group", "name"]):
        aucs = part.set_index("split")["value"].reindex(list(splits)).to_numpy(dtype=float)
        title = [spoken(str(name)), shown(level, 20)]
        if not np.isfinite(aucs).any():
            found.append([*title, None, None, None, shown(part["status"].iloc[0], 200)])
            continue
        ends = interval(split_means(aucs[None], taken)[:, 0]) or (None, None)
        found.append([*title, *map(_digits, (np.nanmean(aucs), *ends)), ""])
    return sorted(found, key=lambda row: (row[1], -(row[2] or 0.0), row[0]))


def _split(figures: pd.DataFrame, tasks: pd.DataFrame, split: int, store: Store, page: Path) -> dict[str, Any]:
    """Return what became of one twin: its strongest attacks, what it cost, its report, or why there is none."""
    audits, fits, verdicts = (tasks[tasks["stage"] == stage] for stage in ("audit", "fit", "verdict"))
    failed = tasks[tasks["status"] == "failed"]
    strongest = figures[figures["part"] == "headline"]
    reason = "not run" if not len(audits) else ""
    if len(failed):
        reason = f"{failed['stage'].iloc[0]} failed: {failed['error'].iloc[0]}"
    return {
        "split": split + 1,
        "attacks": {
            shown(row["group"], 20): [*map(_digits, (row["value"], row["low"], row["high"])), spoken(str(row["name"]))]
            for _, row in strongest.iterrows()
        },
        "fit": _seconds(fits),
        "audit": _seconds(audits),
        "report": _link(verdicts, store, page) or _link(audits, store, page),
        "reason": shown(reason, 400),
    }


def _seconds(tasks: pd.DataFrame) -> float | None:
    return _digits(tasks["seconds"].iloc[0]) if len(tasks) else None


def _link(tasks: pd.DataFrame, store: Store, page: Path) -> str | None:
    """Return where the report of an audit or a verdict is, relative to the page; ``None`` where there is none."""
    if not len(tasks):
        return None
    report = store.report(str(tasks["task"].iloc[0])) / "report.html"
    if not report.is_file():
        return None
    # Quoted, so that neither a key nor a folder can be taken for a scheme or a query.
    return "./" + quote(Path(os.path.relpath(report.resolve(), page.resolve())).as_posix())


def _digits(value: Any) -> float | None:
    """Return a number with the digits that a page shows."""
    return float(f"{value:.4g}") if is_number(value) else None
