"""Leakage-budgeted tuning on real cohorts: the frontier, what the chosen setting reaches, and what theory allows.

    python benchmarks/share.py [--quick] [--only NAME [--rungs N …]]

Needs the real cohorts (``TWINSEQ_DATA``). Every part is kept as a table under ``benchmarks/results/share`` when it is
done, and ``benchmarks/results/share_frontier.md`` is written from all that are there.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from twinseq.basis import build_basis
from twinseq.cohort import Cohort
from twinseq.sharing import Setting, candidates, tune

from _common import RESULTS, machine, publish, table
from red_team import continuous, transcriptome, tumours

PARTS = RESULTS / "share"
SHOWN = ("setting", "auc", "attack", "tpr_at_1", "lfc_replication", "de_recall", "f1_ratio")


@dataclass(frozen=True)
class Case:
    """A cohort, what is asked for, and how its donors are dealt."""

    title: str
    cohort: Callable[[], Cohort]
    public: bool
    target: float
    fractions: tuple[float, float, float]
    beside: tuple[Setting, ...]
    also: tuple[Setting, ...] = ()
    """Settings that are measured on the deals of the report, whatever the search says of them."""
    deals: tuple[int, int] = (4, 6)
    """Deals of the search, and of the report."""


def reaching(factors: int, within: int) -> Setting:
    """Return a setting whose covariance within classes reaches one step from the directions."""
    return Setting(
        "share-copula", {"factors": factors, "within": within, "reach": 1, "mean_noise": 6.0, "scale_noise": 2.0}
    )


def based(factors: int, noise: float) -> Setting:
    """Return a setting on the public basis, which is not there yet."""
    return Setting("basis-copula", {"basis": None, "factors": factors, "offset_noise": noise})


def placed(setting: Setting, basis: Path) -> Setting:
    """Return the setting on a basis that is there."""
    return Setting(setting.generator, {**setting.settings, "basis": str(basis)})


BESIDE = (Setting("copula"), Setting("mvn"))
CASES = {
    "pam50": Case(
        "PAM50 tumours, no public basis",
        lambda: continuous(tumours()),
        False,
        0.60,
        (0.6, 0.2, 0.2),
        BESIDE,
        (reaching(5, 7), reaching(6, 8)),
    ),
    "pam50-basis": Case(
        "PAM50 tumours, a third of the donors public",
        lambda: continuous(tumours()),
        True,
        0.55,
        (0.6, 0.2, 0.2),
        (),
        (based(6, 0.0), based(8, 0.5), based(8, 0.0), based(10, 0.5)),
        (8, 16),
    ),
    "breast": Case(
        "Tumour and normal breast, counts, no public basis", transcriptome, False, 0.80, (0.5, 0.25, 0.25), BESIDE
    ),
}


def measure(case: Case, quick: bool, rungs: list[int] | None) -> tuple[pd.DataFrame, dict[str, object]]:
    """Tune on a case; return the frontier and what was said of it."""
    cohort = case.cohort()
    started, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        basis = None
        if case.public:
            public, cohort = cohort.split((1 / 3, 2 / 3), seed=11)
            basis = build_basis(public).save(Path(folder) / "public.basis")
        shared: dict[str, Any] = {
            "basis": basis,
            "target_auc": case.target,
            "fractions": case.fractions,
            "outer": 1 if quick else case.deals[1],
            "jobs": 2,
            "step": lambda words: print(
                f"{time.perf_counter() - started:6.0f} s  {words}", file=sys.stderr, flush=True
            ),
        }
        searched = None if rungs is None else [candidates(basis)[rung] for rung in rungs]
        found = tune(cohort, beside=case.beside, candidates=searched, inner=1 if quick else case.deals[0], **shared)
        tables = [found.table]
        for setting in [one if basis is None else placed(one, basis) for one in case.also]:
            rows = tune(cohort, beside=(), candidates=[setting], inner=1, **shared).table
            tables.append(rows[rows["stage"] == "reported"].assign(chosen=False))
    about = {
        "title": case.title,
        "target": case.target,
        "members": int(np.floor(case.fractions[0] * cohort.n_samples)),
        "samples": cohort.n_samples,
        "genes": cohort.n_genes,
        "reasons": list(found.reasons),
        "searched": "all rungs" if rungs is None else f"{len(rungs)} of {len(candidates(basis))} rungs",
        "deals": case.deals,
        "cpu": round(time.process_time() - cpu),
    }
    return pd.concat(tables, ignore_index=True).drop_duplicates(["stage", "setting"]), about


def page(name: str) -> list[str]:
    """Return the section of a case that has been measured."""
    frame = pd.read_csv(PARTS / f"{name}.tsv", sep="\t")
    about = json.loads((PARTS / f"{name}.json").read_text())
    rows = []
    for stage in ("reported", "beside", "searched"):
        for row in frame[frame.stage == stage].sort_values("auc").to_dict("records"):
            figures = [f"{row[key]:.3f}" if pd.notna(row[key]) else "" for key in SHOWN[3:]]
            mark = " **chosen**" if row["chosen"] else ""
            area = f"{row['auc']:.3f} ({row['auc_low']:.3f}–{row['auc_high']:.3f})"
            rows.append([stage, f"{row['setting']}{mark}", area, str(row["attack"]), *figures])
    head = ["stage", "setting", "AUC (95 %)", "attack", "TPR at 1 %", "LFC replication", "DE recall", "F1 ratio"]
    return [
        f"## {about['title']}",
        f"{about['samples']:,} samples × {about['genes']:,} genes, about {about['members']:,} members; target AUC "
        f"{about['target']:g}; {about['searched']} of the search. {about['deals'][0]} deals of the search, "
        f"{about['deals'][1]} of the report. CPU time of it all: {about['cpu']:,} s.",
        "",
        *[f"- {reason}" for reason in about["reasons"]],
        "",
        *table(head, rows, "llllrrrr"),
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one deal of each kind")
    parser.add_argument("--only", choices=list(CASES), help="one case; the page is written from all that were measured")
    parser.add_argument("--rungs", type=int, nargs="+", metavar="N", help="search these of the usual settings alone")
    options = parser.parse_args()
    PARTS.mkdir(exist_ok=True)
    for name in [options.only] if options.only else CASES:
        frame, about = measure(CASES[name], options.quick, options.rungs)
        frame.to_csv(PARTS / f"{name}.tsv", sep="\t", index=False, float_format="%.4f")
        (PARTS / f"{name}.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    done = [name for name in CASES if (PARTS / f"{name}.tsv").exists()]
    publish(
        "share_frontier",
        [
            "# What a twin can keep at a given exposure",
            "",
            machine("twinseq", "numpy", "scipy", "scikit-learn"),
            "Written by `benchmarks/share.py`. Settings are searched on deals of the donors into members, others and a",
            "reference, with the attacks that were strongest; those near the choice are measured anew on other deals",
            "with all attacks (`reported`). AUC: mean over deals of each setting of each attack, then the largest; it",
            "is biased upwards by the choice among attacks. Attackers know generator, settings and basis (T2). LFC",
            "replication: correlation of the twin's fold changes with unseen donors' over that of the members' own.",
            "F1 ratio: the community benchmark's classifier, trained on the twin over trained on members. Other",
            "generators stand beside, on one deal, against the attacks of the search.",
            "",
            *[line for name in done for line in page(name)],
        ],
    )


if __name__ == "__main__":
    main()
