"""Benchmarks whose outcomes are made up, so that what a leaderboard must say of them is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from twinseq.benchmark.store import Outcome, Store

# Name: group, direction, what real data reach, what a known-bad twin reaches.
METRICS = {
    "correlation_r": ("fidelity", "higher", 0.8, 0.0),
    "gene_mean_ks": ("fidelity", "lower", 0.1, 0.6),
    "c2st_auc_trees": ("fidelity", "target", 0.5, 1.0),
    "de_recall": ("biology", "higher", 0.9, 0.1),
    "lfc_pearson": ("biology", "higher", 0.9, 0.0),
    "tstr_auc_top500_logistic": ("utility", "higher", 0.95, 0.5),
    "tstr_ratio_auc": ("utility", "higher", 1.0, 0.5),
}


def metric(name: str, position: float | None, reason: str = "") -> dict[str, Any]:
    """Return the row of a metric that lies so far on the way from the known-bad twin to real data."""
    group, direction, ceiling, floor = METRICS[name]
    row: dict[str, Any] = {"part": "metric", "name": name, "group": group, "status": reason or "measured"}
    if position is not None:
        value = floor + position * (ceiling - floor)
        row |= {"value": value, "low": value - 0.02, "high": value + 0.02, "ceiling": ceiling, "floor": floor,
                "direction": direction}  # fmt: skip
    return row


def attacks(aucs: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the rows of the strongest attacks, and of one that could not be made."""
    rows = []
    for part in ("attack", "headline"):
        rows += [
            {"part": part, "name": "mean_tracing", "group": level, "value": auc, "low": auc - 0.05,
             "high": min(1.0, auc + 0.05), "direction": "target", "status": "measured"}
            for level, auc in aucs.items()
        ]  # fmt: skip
    rows.append({"part": "attack", "name": "basis_tracing", "group": "T2", "direction": "target", "status": "no basis"})
    return rows


def judgement(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return what two policies make of a twin, by the AUC of the strongest attack alone."""
    auc = max((row["value"] for row in rows if row["part"] == "headline"), default=0.5)
    found = []
    for policy, limit in (("internal", 0.85), ("board.yaml", 0.6)):
        outcome = "pass" if auc <= limit else "fail"
        reason = f"An AUC of {auc:.2f}; the policy allows {limit}."
        found += [
            {"part": "verdict", "name": policy, "group": "verdict", "status": outcome, "reason": reason},
            {"part": "check", "name": "auc", "group": policy, "value": auc, "status": outcome, "reason": reason},
        ]
    return tuple(found)


def plant(
    folder: Path, cell: str, cohort: str, generator: str, split: int, rows: list[dict[str, Any]], report: bool = True
) -> None:
    """Keep a twin's outcomes under keys made from ``cell``."""
    store = Store(folder)
    store.write(Outcome(f"{cell}f", "fit", cohort, generator, split, "done", seconds=2.0 + split, cpu=1.0))
    store.write(
        Outcome(f"{cell}a", "audit", cohort, generator, split, "done", figures=tuple(rows), seconds=9.0, cpu=8.0)
    )
    verdict = judgement(rows)
    store.write(Outcome(f"{cell}v", "verdict", cohort, generator, split, "done", figures=verdict, rests_on=f"{cell}a"))
    if report:
        place = store.report(f"{cell}a")
        place.mkdir(parents=True, exist_ok=True)
        (place / "report.html").write_text("<!DOCTYPE html><title>audit</title>", encoding="utf-8")


def fail(folder: Path, cell: str, cohort: str, generator: str, split: int, reason: str) -> None:
    """Keep a twin that could not be made."""
    Store(folder).write(Outcome(f"{cell}f", "fit", cohort, generator, split, "failed", reason))


QUALITY = {"copula": (0.95, 0.9), "mvn": (0.85, 0.97), "noisy": (0.3, 0.55), "worse": (0.25, 0.8)}
"""Position of every metric, and AUC of the attack, of generators of `benchmark`."""


def benchmark(
    folder: Path,
    cohorts: tuple[str, ...] = ("blood", "tumour"),
    splits: int = 4,
    quality: Mapping[str, tuple[float, float]] = QUALITY,
    name: Callable[[str], str] = str,
) -> Store:
    """Make up a benchmark in which some generators are better, some are safer, and one never works.

    ``worse`` is dominated by ``noisy``: on no axis better, and easier to attack.
    """
    rng = np.random.default_rng(8)
    for c, cohort in enumerate(cohorts):
        for g, (generator, (position, auc)) in enumerate(quality.items()):
            for split in range(splits):
                far = np.clip(position + 0.03 * rng.standard_normal(len(METRICS)), 0, 1.1)
                rows = [metric(which, float(at)) for which, at in zip(METRICS, far, strict=True)]
                if generator == "noisy":
                    rows[4] = metric("lfc_pearson", None, "the twin calls no gene")
                seen = float(np.clip(auc + 0.02 * rng.standard_normal(), 0.5, 1))
                rows += attacks({"T0": max(0.5, seen - 0.1), "T1": seen})
                plant(folder, f"{c}{g}{split}", name(cohort), name(generator), split, rows, report=split != 1)
        for split in range(splits):
            fail(folder, f"{c}x{split}", name(cohort), name("broken"), split, name("broken: ended with 1; it said: no"))
    return Store(folder)
