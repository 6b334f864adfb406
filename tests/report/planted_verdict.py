"""Reports under a policy: each outcome, and one of a release whose settings were searched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from planted import METRICS, make_report, make_tables
from planted_attacks import attacked, controls_failed, inconclusive, leak, no_leak

from twinseq.policy import judged, read_policy
from twinseq.results import AuditReport, MetricResult, RedTeam

REPLICATION = MetricResult(
    "lfc_replication", "biology", 0.985, "target", 1, (0.96, 1.01), "donors", 1.0,
    "training data in the twin's place (120)", -0.03, "shuffled labels", 2000, "genes",
)  # fmt: skip
RATIO = MetricResult(
    "tstr_ratio_auc", "utility", 0.99, "higher", 1, (0.95, 1.02), "", 1.0, "training data", 0.5, "shuffled"
)
COPIES = MetricResult(
    "exact_copies", "privacy", 0.0, "lower", 0, None, "", 0.0, "hold-out", 0.63, "bootstrap", 120, "samples"
)
SETTINGS = '{"rank": 10}'


def settings_table(chosen: str = "10 factors") -> pd.DataFrame:
    """Return settings that were searched on inner splits, and what some reached on outer ones."""
    rng = np.random.default_rng(0)
    rows = []
    for factors in (2, 5, 10, 20, 30, 50):
        auc, kept = 0.5 + 0.45 * (factors / 50) ** 0.6, 0.93 + 0.06 * (factors / 50) ** 0.3
        for stage in ("searched", "reported")[: 1 + (factors in (5, 10, 30))]:
            shift = rng.normal(0, 0.01)
            rows.append((f"{factors} factors", stage, auc + shift, kept, "basis-copula"))
    rows.append(("mvn", "beside", 1.0, 0.992, "mvn"))
    rows.append(("copula faithful", "beside", 0.99, 0.996, "copula"))
    table = pd.DataFrame(rows, columns=["setting", "stage", "auc", "lfc_replication", "generator"])
    return table.assign(
        auc_low=table["auc"] - 0.05,
        auc_high=(table["auc"] + 0.05).clip(upper=1),
        attack="contrast_tracing",
        tpr_at_1=0.02,
        lfc_replication_low=table["lfc_replication"] - 0.01,
        lfc_replication_high=table["lfc_replication"] + 0.01,
        de_recall=0.9,
        f1_ratio=1.0,
        chosen=table["setting"] == chosen,
        settings=SETTINGS,
    )


def under_policy(red_team: RedTeam | None, policy: str = "partner", **changes: object) -> AuditReport:
    """Return the verdict of a policy on what these attacks found of a useful twin."""
    tables = make_tables(n_genes=200)
    if red_team is not None and red_team.headlines:
        tables["attack_roc"] = attacked(red_team).tables["attack_roc"]
    found = {"metrics": (*METRICS, REPLICATION, RATIO, COPIES), "tables": tables, "red_team": red_team, **changes}
    return judged(make_report(**found), read_policy(policy))


def quiet(n: int = 400) -> RedTeam:
    """Return attacks on so many donors that they show how little there is to find."""
    found = no_leak()
    tight = [
        replace(one, auc=0.51, auc_ci=(0.47, 0.55), tpr_at_fpr={"0.1": 0.11, "0.01": 0.011},
                tpr_ci={"0.1": (0.08, 0.14), "0.01": (0.004, 0.03)})
        for one in found.headlines
    ]  # fmt: skip
    power = {"n_members": n, "n_nonmembers": n, "largest_epsilon": 4.5, "auc_half_width": 0.04}
    return replace(found, headlines=tuple(tight), power=power)


def outcomes() -> dict[str, AuditReport]:
    """Return a report of each outcome."""
    seen = replace(quiet(), headlines=tuple(
        replace(one, auc=0.66, auc_ci=(0.6, 0.72), leaks=True, p_value=0.001) for one in quiet().headlines
    ))  # fmt: skip
    return {
        "pass": under_policy(quiet()),
        "review": under_policy(seen),
        "fail": under_policy(leak()),
        "inconclusive": under_policy(inconclusive()),
    }


def released(**changes: object) -> AuditReport:
    """Return the report of a release: its settings were searched, its files have checksums."""
    report = under_policy(quiet())
    provenance = {
        **report.provenance,
        "cohorts": {
            "cohort": {"file": "cohort.h5ad", "samples": 240, "donors": 240, "genes": 27000},
            "holdout": {"samples": 80, "donors": 80, "genes": 27000},
            "twin": {"file": "twin.h5ad", "samples": 240, "genes": 27000},
        },
        "release": {
            "settings": {"preset": "share", "policy": "partner", "splits": 5},
            "chosen": ["The donors are the same ones.", "The target AUC of 0.55 was met."],
            "notes": ["The donors are the same ones.", "The released twin is of all donors."],
            "seconds": 12.5,
        },
        "files": {
            "in: cohort": {"file": "cohort.h5ad", "sha256": "9f86d081884c7d65" * 4},
            "out: twin.h5ad": {"sha256": "60303ae22b998861" * 4},
        },
    }
    itself = pd.DataFrame({"figure": ["exact_copies"], "released_twin": [0.0], "cross_fitted": [float("nan")]})
    tables = {**report.tables, "frontier": settings_table(), "released_twin": itself}
    return replace(report, **{"provenance": provenance, "tables": tables, **changes})


def unreliable() -> AuditReport:
    """Return a report whose null control failed."""
    return under_policy(controls_failed())
