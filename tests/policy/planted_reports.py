"""Audits written down by hand, each about one boundary: what attackers reach, what the twin keeps, what is promised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twinseq.dp.claims import Claim
from twinseq.dp.ledger import GAUSSIAN, Ledger, Query
from twinseq.redteam.summary import power
from twinseq.results import AttackResult, AuditReport, Control, Headline, MetricResult, Omitted, RedTeam

Interval = tuple[float, float]


def metric(
    name: str, value: float, ci: Interval | None = None, ceiling: float | None = 1.0, n: int = 500
) -> MetricResult:
    return MetricResult(name, "group", value, "higher", 1.0, ci=ci, ceiling=ceiling, n=n)


USEFUL = (
    metric("lfc_replication", 0.95, (0.9, 1.0)),
    metric("tstr_ratio_auc", 0.98, (0.95, 1.0)),
    metric("exact_copies", 0.0, ceiling=0.0),
)


def controls(**passed: bool | None) -> tuple[Control, ...]:
    return tuple(
        Control(
            name, f"expected of {name}", passed.get(name, True), "" if passed.get(name, True) else f"note of {name}"
        )
        for name in ("null", "positive", "negative")
    )


def headline(
    auc: float, ci: Interval, *, leaks: bool, level: str = "T1", tpr: float = 0.02, tpr_ci: Interval = (0.0, 0.06),
    epsilon: float = 0.0,
) -> Headline:  # fmt: skip
    rates = {"0.1": 0.2, "0.01": tpr}
    return Headline(
        level, "mean_tracing", "", auc, ci, 0.0005 if leaks else 0.4, rates, {"0.1": (0.1, 0.3), "0.01": tpr_ci},
        epsilon, 40, leaks,
    )  # fmt: skip


def red_team(
    *found: Headline, n: int = 500, made: Sequence[Control] | None = None, attacks: Sequence[AttackResult] = (),
    subgroups: Sequence[dict[str, Any]] = (), mode: str = "artefact",
) -> RedTeam:  # fmt: skip
    return RedTeam(
        mode, "no leak found", ("as the attacks say",), attacks=tuple(attacks), headlines=found,
        controls=controls() if made is None else tuple(made), power=power(n, n), subgroups=tuple(subgroups),
    )  # fmt: skip


SAFE = headline(0.53, (0.49, 0.57), leaks=False)


def claim(epsilon: float, delta: float = 1e-5) -> dict[str, Any]:
    """Return a claim by a single Gaussian query that uses up its budget."""
    from twinseq.dp.budget import Budget

    ledger = Ledger()
    ledger.charge(Query("means", GAUSSIAN, 1.0, 1.0001 / Budget(epsilon, delta).mu))
    return Claim("dp-copula", {}, epsilon, delta, ledger).to_dict()


def report(
    attacked: RedTeam | None = None, *, metrics: Sequence[MetricResult] = USEFUL, omitted: Sequence[Omitted] = (),
    donors: int = 500, ledger: Sequence[dict[str, Any]] = (), cells: bool = False,
) -> AuditReport:  # fmt: skip
    """Return the audit of a useful twin of 500 donors that gives nothing away, but for what is said."""
    return AuditReport(
        provenance={
            "cohorts": {"train": {"samples": 2 * donors, "donors": donors}},
            "roles": {"cell_type": "type" if cells else None},
        },
        verdict={"policy": None, "outcome": "no leak found", "reasons": []},
        metrics=tuple(metrics),
        omitted=tuple(omitted),
        red_team=red_team(SAFE) if attacked is None else attacked,
        ledger=tuple(ledger),
    )
