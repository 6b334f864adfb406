"""What an audit hands over: small frozen values, one JSON file, a few TSV tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from .files import atomic_folder, atomic_path

SCHEMA = 1
UNLISTED = ("de_genes", "attack_roc")
"""Tables of an audit besides those of the metrics."""


@dataclass(frozen=True)
class MetricResult:
    """One figure, beside what real data reach and what a known-bad twin gets.

    Parameters
    ----------
    name, group
        Registry key and group (``fidelity``, ``biology``, ``utility``, ``covariates``, ``privacy``).
    value
        The twin's figure.
    ci
        95 % interval of ``value``, or ``None`` where none is defined; ``ci_note`` says over what it was resampled.
    ceiling
        The figure of real data in the twin's place; ``ceiling_source`` says which.
    floor
        The figure of a known-bad twin; ``floor_source`` says which.
    direction
        ``"higher"``, ``"lower"`` or ``"target"`` (nearest to ``ideal``).
    ideal
        Perfect value.
    n
        How many things (samples, genes) the figure rests on; ``n_unit`` names them.
    """

    name: str
    group: str
    value: float
    direction: str
    ideal: float
    ci: tuple[float, float] | None = None
    ci_note: str = ""
    ceiling: float | None = None
    ceiling_source: str = ""
    floor: float | None = None
    floor_source: str = ""
    n: int = 0
    n_unit: str = ""


@dataclass(frozen=True)
class Omitted:
    """A figure that could not be given, and why."""

    name: str
    group: str
    reason: str


@dataclass(frozen=True)
class AttackResult:
    """How well one attack told members from non-members at one threat level.

    Parameters
    ----------
    name, level
        Registry key and threat level (``T0`` … ``T4``).
    status
        ``"measured"``, ``"void"`` (more than a fifth of the scores tie), ``"failed"`` or ``"not applicable"``; only a
        measured attack has figures that count.
    reason
        Why it was not measured.
    setting
        The strongest of the ``n_settings`` settings that were tried; the figures are its own. Only the headline
        corrects for the choice.
    auc, auc_ci
        Chance that a random member scores above a random non-member, with its 95 % interval.
    tpr_at_fpr, tpr_ci
        Share of members named at a false-alarm rate of ``"0.1"``, ``"0.01"`` and, with at least 1,000 non-members,
        ``"0.001"``, with intervals.
    epsilon_lower, mu_lower
        Lower 95 % bounds of the ε (at δ = 0) and of the Gaussian-DP μ that the release can have had.
    tie_fraction
        Share of scores that equal another one.
    n_members, n_nonmembers
        Donors that were scored.
    """

    name: str
    level: str
    status: str
    reason: str = ""
    setting: str = ""
    n_settings: int = 1
    auc: float | None = None
    auc_ci: tuple[float, float] | None = None
    tpr_at_fpr: Mapping[str, float] = field(default_factory=dict)
    tpr_ci: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    epsilon_lower: float | None = None
    mu_lower: float | None = None
    tie_fraction: float | None = None
    n_members: int = 0
    n_nonmembers: int = 0


@dataclass(frozen=True)
class Headline:
    """The strongest attack of one threat level, corrected for how many were tried.

    Parameters
    ----------
    level, attack, setting
        Which it was.
    auc, auc_ci
        Its AUC, and an interval that holds for all attacks of the level at once.
    p_value
        How often the strongest of all these attacks would do as well were nothing given away (permutation test).
    tpr_at_fpr, tpr_ci, epsilon_lower
        As in `AttackResult`.
    n_tried
        Attacks and settings that were tried at the level.
    leaks
        Whether ``p_value`` is at most 0.025, at this level and at all higher ones.
    """

    level: str
    attack: str
    setting: str
    auc: float
    auc_ci: tuple[float, float]
    p_value: float
    tpr_at_fpr: Mapping[str, float]
    tpr_ci: Mapping[str, tuple[float, float]]
    epsilon_lower: float
    n_tried: int
    leaks: bool


@dataclass(frozen=True)
class Control:
    """A case whose outcome is known, to see whether the audit sees it.

    Parameters
    ----------
    name
        ``"null"`` (members against members), ``"positive"`` (a twin that copies its training samples) or
        ``"negative"`` (a twin made from other donors).
    expected
        What must come out, in words.
    passed
        ``None`` where it could not be made; ``note`` says why.
    level, attack, auc, auc_ci
        The attack it was tried on, and what came out.
    """

    name: str
    expected: str
    passed: bool | None
    note: str = ""
    level: str = ""
    attack: str = ""
    auc: float | None = None
    auc_ci: tuple[float, float] | None = None


@dataclass(frozen=True)
class RedTeam:
    """What the attacks found, all together.

    Parameters
    ----------
    mode
        ``"artefact"`` (one given twin) or ``"procedure"`` (a generator, refitted on several partitions).
    outcome
        ``"leak"``, ``"no leak found"``, ``"inconclusive"`` (too few donors to tell) or ``"not judged"`` (no hold-out,
        or controls failed).
    reasons
        Sentences that justify it.
    attacks, headlines, controls
        All attacks, the strongest of each level, and the controls.
    power
        ``n_members``, ``n_nonmembers``, ``largest_epsilon`` (what a perfect attack could certify),
        ``auc_half_width`` (of a 95 % interval).
    subgroups
        Headline attacks by class and covariate: ``level``, ``attack``, ``column``, ``group``, ``n_members``,
        ``n_nonmembers``, ``auc``, ``auc_ci``; groups with fewer than 5 of either are left out.
    partial
        Strongest attacks by an attacker who knows few genes or cells: ``genes`` (number), ``share``, ``level``,
        ``attack``, ``setting``, ``auc``, ``auc_ci`` and ``p_value`` (for all ``n_tried`` at once); of single cells also
        ``cells`` (of each target), or ``unseen`` where the generator was fitted to other cells of the members.
    attributes
        Attribute inference: ``column``, ``accuracy_members``, ``accuracy_nonmembers``, ``advantage``,
        ``advantage_ci``, ``chance``, ``n_members``, ``n_nonmembers``.
    linkability
        ``rate_members``, ``rate_nonmembers``, ``advantage``, ``advantage_ci``, ``n_members``, ``n_nonmembers``, by
        ``neighbours``.
    exposure
        How exposure is spread over donors, no donor named: ``n_donors``, ``n_refits``, ``quantiles`` (of the donors'
        AUC between refits with and without them), ``share_above`` (share of donors above 0.5, 0.7, 0.9), ``note``.
        Empty without refits.
    """

    mode: str
    outcome: str
    reasons: tuple[str, ...]
    attacks: tuple[AttackResult, ...] = ()
    headlines: tuple[Headline, ...] = ()
    controls: tuple[Control, ...] = ()
    power: Mapping[str, Any] = field(default_factory=dict)
    subgroups: tuple[Mapping[str, Any], ...] = ()
    partial: tuple[Mapping[str, Any], ...] = ()
    attributes: tuple[Mapping[str, Any], ...] = ()
    linkability: tuple[Mapping[str, Any], ...] = ()
    exposure: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditReport:
    """Everything an audit found. The HTML report is drawn from this and from nothing else.

    Parameters
    ----------
    provenance
        Versions, shapes, roles, seeds, settings and times; no path outside the names given.
    verdict
        ``policy`` (name or ``None``), ``title``, ``outcome``, ``reasons``, and ``checks``, what the policy asks
        (`twinseq.verdict.Check` as plain values); none without a policy.
    metrics, omitted
        Figures, and those that could not be computed with the reason.
    tables
        Aggregates behind the plots, by name; each becomes ``NAME.tsv``. See `docs/report.md` for their columns.
    red_team
        What the attacks found; ``None`` where none were run. Its attacks and controls stand at the top level of
        ``metrics.json``, the rest under ``red_team``. The ROC curves of the headlines are the table
        ``attack_roc`` (``level``, ``attack``, ``fpr``, ``tpr``); ``attack_roc`` holds those of the classifiers.
    ledger
        What was promised of the twin (`twinseq.dp.claims.Claim` as plain values), where anything was.
    """

    provenance: Mapping[str, Any]
    verdict: Mapping[str, Any]
    metrics: tuple[MetricResult, ...]
    omitted: tuple[Omitted, ...] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    red_team: RedTeam | None = None
    ledger: tuple[Mapping[str, Any], ...] = ()

    @property
    def attacks(self) -> tuple[AttackResult, ...]:
        """All attacks, measured or not."""
        return () if self.red_team is None else self.red_team.attacks

    @property
    def controls(self) -> tuple[Control, ...]:
        """The controls of the attacks."""
        return () if self.red_team is None else self.red_team.controls

    def __getitem__(self, name: str) -> MetricResult:
        """Return the figure of one metric.

        Raises
        ------
        KeyError
            It was not computed; the message gives the reason where there is one.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        for omitted in self.omitted:
            if omitted.name == name:
                raise KeyError(f"{name} was not computed: {omitted.reason}")
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``metrics.json``."""
        rest = {} if self.red_team is None else asdict(self.red_team)
        attacks, controls = rest.pop("attacks", ()), rest.pop("controls", ())
        content: dict[str, Any] = _plain(
            {
                "schema": SCHEMA,
                "provenance": self.provenance,
                "verdict": self.verdict,
                "metrics": [asdict(metric) for metric in self.metrics],
                "omitted": [asdict(omitted) for omitted in self.omitted],
                "attacks": attacks,
                "controls": controls,
                "red_team": rest or None,
                "ledger": self.ledger,
            }
        )
        return content

    def to_json(self) -> str:
        """Return ``metrics.json`` as text; what is not a number is ``null``."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False)

    def to_html(self, path: str | Path) -> Path:
        """Write the report as one offline HTML file, whole or not at all."""
        from .report import render

        path = Path(path)
        with atomic_path(path) as temporary:
            temporary.write_text(render(self), encoding="utf-8")
        return path

    def save(self, folder: str | Path) -> Path:
        """Write ``metrics.json``, the TSV tables and ``report.html`` into ``folder``, all or nothing.

        Tables that an earlier audit left there, and that this one has not, are removed.
        """
        from .metrics.cells import TABLES as OF_CELLS
        from .metrics.tables import TABLES
        from .report import render

        folder = Path(folder)
        page = render(self)
        held_a_report = (folder / "metrics.json").is_file() and (folder / "report.html").is_file()
        with atomic_folder(folder) as scratch:
            _write_text(scratch / "metrics.json", self.to_json() + "\n")
            for name, table in self.tables.items():
                _write_text(scratch / f"{name}.tsv", table.to_csv(sep="\t", index=False, float_format="%.6g"))
            _write_text(scratch / "report.html", page)
        if held_a_report:
            for name in {*TABLES, *OF_CELLS, *UNLISTED}.difference(self.tables):
                (folder / f"{name}.tsv").unlink(missing_ok=True)
        return folder


def without_policy(outcome: str, reasons: Iterable[str]) -> dict[str, Any]:
    """Return the verdict of an audit that was held against no policy: what the attacks found."""
    return {"policy": None, "title": "", "outcome": outcome, "reasons": list(reasons), "checks": []}


def _write_text(path: Path, text: str) -> None:
    # A lone surrogate, from a name that was decoded wrongly, cannot be written as UTF-8.
    path.write_text(text, encoding="utf-8", errors="replace", newline="")


def _plain(value: Any) -> Any:
    """Turn what JSON has no word for (NaN, tuples) into what it has."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
