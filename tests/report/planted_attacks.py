"""What attacks may have found, as an audit would say it: a leak, none, too few donors, failed controls, no hold-out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from planted import HOSTILE, make_report, make_tables, roc_curve
from scipy.stats import norm

from twinseq.results import AttackResult, AuditReport, Control, Headline, RedTeam

POWER = {"n_members": 118, "n_nonmembers": 120, "largest_epsilon": 3.4, "auc_half_width": 0.074}
ATTACKS = (
    ("nearest_distance", "T0", 0.58),
    ("mc", "T0", 0.55),
    ("confidence", "T0", 0.57),
    ("mahalanobis", "T0", 0.6),
    ("span_residual", "T0", 0.52),
    ("mean_tracing", "T0", 0.71),
    ("quantile_replay", "T0", 0.5),
    ("contrast_tracing", "T1", 0.97),
    ("mean_tracing", "T1", 0.93),
    ("gan_leaks_calibrated", "T1", 0.62),
    ("subspace_tracing", "T2", 0.98),
)


def attack(name: str, level: str, auc: float, n: tuple[int, int] = (118, 120)) -> AttackResult:
    shift = np.sqrt(2) * norm.ppf(auc)
    tpr = {rate: float(norm.sf(norm.isf(float(rate)) - shift)) for rate in ("0.1", "0.01")}
    return AttackResult(
        name=name,
        level=level,
        status="measured",
        setting="ridge 0.01" if "tracing" in name else "",
        n_settings=5 if "tracing" in name else 1,
        auc=auc,
        auc_ci=(auc - 0.04, min(1.0, auc + 0.02)),
        tpr_at_fpr=tpr,
        tpr_ci={rate: (max(0.0, share - 0.08), min(1.0, share + 0.06)) for rate, share in tpr.items()},
        epsilon_lower=max(0.0, 4 * (auc - 0.5)),
        mu_lower=max(0.0, 3 * (auc - 0.55)),
        tie_fraction=0.0,
        n_members=n[0],
        n_nonmembers=n[1],
    )


NOT_MEASURED = (
    AttackResult("shadow_loss", "T2", "not applicable", "needs to know the generator"),
    AttackResult("shadow_loss", "T1", "not applicable", "needs to know the generator"),
    AttackResult("marginal_llr", "T1", "failed", "3 of 238 scores are not finite numbers"),
    AttackResult("copies", "T0", "void", "98 % of the scores tie"),
)
CONTROLS = (
    Control("null", "an interval that holds 0.5", True, "", "T1", "contrast_tracing", 0.51, (0.4, 0.62)),
    Control("positive", "an AUC near 1", True, "", "T0", "nearest_distance", 1.0, (0.97, 1.0)),
    Control("negative", "an interval that holds 0.5", None, "needs a reference cohort of at least 20 donors"),
)


def headline(measured: AttackResult, *, leaks: bool, p_value: float, n_tried: int = 17) -> Headline:
    return Headline(
        level=measured.level,
        attack=measured.name,
        setting=measured.setting,
        auc=measured.auc,
        auc_ci=measured.auc_ci,
        p_value=p_value,
        tpr_at_fpr=measured.tpr_at_fpr,
        tpr_ci=measured.tpr_ci,
        epsilon_lower=measured.epsilon_lower,
        n_tried=n_tried,
        leaks=leaks,
    )


def leak(n: tuple[int, int] = (118, 120)) -> RedTeam:
    """Return a leak at T1 and T2, and none that is clear at T0, with every part that a red team can have."""
    attacks = tuple(attack(*one, n) for one in ATTACKS)
    best = {
        level: max((one for one in attacks if one.level == level), key=lambda one: one.auc)
        for level in ("T0", "T1", "T2")
    }
    return RedTeam(
        mode="artefact",
        outcome="leak",
        reasons=("at level T1, contrast_tracing tells members from others (AUC 0.97, p = 0.0005)",),
        attacks=(*attacks, *NOT_MEASURED),
        headlines=(
            headline(best["T2"], leaks=True, p_value=0.0005, n_tried=3),
            headline(best["T0"], leaks=False, p_value=0.071),
            headline(best["T1"], leaks=True, p_value=0.0005, n_tried=31),
        ),
        controls=CONTROLS,
        power={**POWER, "n_members": n[0], "n_nonmembers": n[1]},
        subgroups=tuple(
            {
                "level": "T1", "attack": "contrast_tracing", "column": column, "group": group, "n_members": 40,
                "n_nonmembers": 41, "auc": auc, "auc_ci": (auc - 0.1, min(1.0, auc + 0.02)),
            }
            for column, group, auc in (
                ("condition", "normal", 0.93), ("condition", "tumour", 0.99), ("sex", "male", 0.95),
            )
        ),
        partial=tuple(
            {
                "genes": genes, "share": genes / 27000, "level": "T1", "attack": "contrast_tracing",
                "setting": "ridge 0.01", "auc": auc, "auc_ci": (auc - 0.05, auc + 0.03),
            }
            for genes, auc in ((2700, 0.9), (270, 0.71))
        ),
        attributes=(
            {
                "column": "sex", "accuracy_members": 0.97, "accuracy_nonmembers": 0.96, "advantage": 0.01,
                "advantage_ci": (-0.04, 0.06), "chance": 0.52, "n_members": 118, "n_nonmembers": 120,
            },
            {
                "column": "stage", "accuracy_members": 0.61, "accuracy_nonmembers": 0.47, "advantage": 0.14,
                "advantage_ci": (0.02, 0.26), "chance": 0.4, "n_members": 118, "n_nonmembers": 120,
            },
        ),
        linkability=tuple(
            {
                "neighbours": neighbours, "rate_members": rate, "rate_nonmembers": rate / 2, "advantage": rate / 2,
                "advantage_ci": (rate / 2 - 0.07, rate / 2 + 0.07), "n_members": 118, "n_nonmembers": 120,
            }
            for neighbours, rate in ((1, 0.08), (5, 0.21), (10, 0.33))
        ),
        exposure={
            "n_donors": 118, "n_refits": 64,
            "quantiles": {"0.1": 0.52, "0.5": 0.62, "0.9": 0.81, "0.99": 0.97, "1.0": 1.0},
            "share_above": {"0.5": 0.96, "0.7": 0.31, "0.9": 0.05}, "note": "",
        },
    )  # fmt: skip


def no_leak() -> RedTeam:
    attacks = (attack("nearest_distance", "T0", 0.51), attack("contrast_tracing", "T1", 0.53))
    return RedTeam(
        mode="procedure",
        outcome="no leak found",
        reasons=("no attack did better than chance",),
        attacks=attacks,
        headlines=tuple(headline(one, leaks=False, p_value=0.4) for one in attacks),
        controls=tuple(replace(control, passed=True) for control in CONTROLS),
        power=POWER,
    )


def inconclusive() -> RedTeam:
    attacks = (attack("nearest_distance", "T0", 0.51, (12, 9)),)
    return RedTeam(
        mode="artefact",
        outcome="inconclusive",
        reasons=("with 12 members and 9 others only a near-perfect attack would be seen",),
        attacks=attacks,
        headlines=tuple(headline(one, leaks=False, p_value=0.4, n_tried=1) for one in attacks),
        controls=CONTROLS,
        power={"n_members": 12, "n_nonmembers": 9, "largest_epsilon": 0.9, "auc_half_width": 0.25},
    )


def controls_failed() -> RedTeam:
    null = replace(CONTROLS[0], passed=False, auc=0.7, auc_ci=(0.6, 0.8))
    return replace(
        no_leak(),
        outcome="not judged",
        reasons=("the null control failed",),
        controls=(null, *CONTROLS[1:]),
    )


def no_holdout() -> RedTeam:
    reason = "no hold-out: set real samples aside with `twinseq split` before the twin is made"
    return RedTeam(mode="artefact", outcome="not judged", reasons=(reason,))


def hostile_red_team() -> RedTeam:
    """Return a leak with hostile text wherever text from outside can come."""
    found = leak()
    text = HOSTILE[0]

    def spoilt(row: dict) -> dict:
        return {key: text if isinstance(value, str) else value for key, value in row.items()}

    return replace(
        found,
        mode=text,
        outcome=text,
        reasons=HOSTILE,
        attacks=tuple(
            replace(one, name=HOSTILE[index % 12], setting=HOSTILE[index % 12], reason=HOSTILE[index % 12], level=text)
            for index, one in enumerate(found.attacks)
        ),
        headlines=tuple(replace(one, attack=HOSTILE[2], level=text) for one in found.headlines),
        controls=tuple(Control(name, name, False, name, name, name, 0.5, (0.4, 0.6)) for name in HOSTILE[:12]),
        **{
            name: tuple(spoilt(row) for row in getattr(found, name))
            for name in ("subgroups", "partial", "attributes", "linkability")
        },
        exposure={**found.exposure, "note": text},
    )


def curves(red_team: RedTeam, seed: int = 0) -> pd.DataFrame:
    """Return the ROC curves of the headlines, from simulated scores."""
    rng = np.random.default_rng(seed)
    truth = np.arange(238) < 118
    return pd.concat(
        roc_curve(
            rng.normal(size=238) + truth * np.sqrt(2) * norm.ppf(one.auc), truth, level=one.level, attack=one.attack
        )
        for one in red_team.headlines
    )


def attacked(red_team: RedTeam | None, **changes: object) -> AuditReport:
    """Return a report with these findings of attacks, and few others."""
    tables = {name: table for name, table in make_tables(n_genes=20).items() if name in ("covariates", "roc")}
    verdict = {"policy": None, "outcome": "not judged", "reasons": ["no attacks run"]}
    if red_team is not None:
        verdict.update(outcome=red_team.outcome, reasons=red_team.reasons)
        if red_team.headlines:
            tables["attack_roc"] = curves(red_team)
    return make_report(**{"red_team": red_team, "tables": tables, "verdict": verdict, **changes})
