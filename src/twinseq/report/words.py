"""The page in words: what was compared, the summary, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..results import AuditReport, MetricResult
from .attackers import safety
from .questions import readable
from .text import number, percent, shown


def omitted_rows(report: AuditReport) -> list[tuple[str, str, str]]:
    """Return what could not be computed: title, group, reason."""
    return [(shown(readable(item.name)), shown(item.group), shown(item.reason, 400)) for item in report.omitted]


@dataclass(frozen=True)
class Header:
    """What was compared: title, one line of facts, and of each part what it is, its file and its size."""

    title: str
    facts: tuple[str, ...]
    parts: tuple[tuple[str, str, str], ...]


PARTS = (
    ("cohort", "Cohort, dealt into members, non-members and reference"),
    ("train", "Training data, which the twin was made from"),
    ("holdout", "Hold-out, real donors the generator never saw"),
    ("reference", "Reference data"),
    ("twin", "Twin"),
)
# Where a cohort was dealt several times, the parts have no donors of their own: these are of each deal.
DEALT = {"holdout": "Non-members of each split, whom its twin never saw", "reference": "Reference of each split"}


def header(report: AuditReport) -> Header:
    """Return the head of the page, as far as the provenance tells."""
    provenance = report.provenance
    cohorts = provenance.get("cohorts") or {}
    titles = dict(PARTS) | (DEALT if "cohort" in cohorts else {})
    parts = [(name, _name(cohorts[key]), _size(cohorts[key])) for key, name in titles.items() if key in cohorts]
    twin, real = (_name(cohorts.get(key, {})) for key in ("twin", "train"))
    title = f"{twin} compared with {real}" if twin and real else "A synthetic twin compared with its real cohort"
    if "release" in provenance:
        source = _name(cohorts.get("cohort", {}))
        title = f"{twin or 'A twin'}, a twin of {source}" if source else f"{twin or 'A synthetic twin'}, to be released"
    elif "splits" in provenance:
        generator = shown(provenance.get("generator", {}).get("name", "a generator"), 40)
        title = f"What {generator} gives away of {_name(cohorts.get('cohort', {})) or 'a cohort'}"
    facts = []
    if provenance.get("created"):
        facts.append(shown(provenance["created"], 40))
    version = provenance.get("versions", {}).get("twinseq")
    if version:
        facts.append(f"twinseq {shown(version, 40)}")
    label = provenance.get("roles", {}).get("label")
    cell_type = provenance.get("roles", {}).get("cell_type")
    if cell_type:
        facts.append(f"cell types by “{shown(cell_type, 40)}”")
    if label:
        facts.append(f"classes by “{shown(label, 40)}”")
    return Header(title, tuple(facts), tuple(parts))


def _name(described: Mapping[str, Any]) -> str:
    """Return the file that a cohort was read from, or what else is known of where it is from."""
    return shown(described.get("file") or described.get("name") or "", 60)


def _size(described: Mapping[str, Any]) -> str:
    units = ("samples", "cells", "donors", "genes")
    sizes = [f"{described[unit]:,} {unit}" for unit in units if isinstance(described.get(unit), int)]
    return ", ".join(sizes)


def summary(report: AuditReport, memorised: int) -> tuple[str, ...]:
    """Return three to five sentences for a reader in a hurry, each number beside its ceiling.

    Parameters
    ----------
    report
        What the audit found.
    memorised
        Number of figures above what real donors reach, where memory may be the cause.
    """
    figures = {metric.name: metric for metric in report.metrics}
    holdout = "holdout" in report.provenance.get("cohorts", {})
    rivals = "real donors in the twin's place reach" if holdout else "two halves of the real data reach"
    writers = (_mixing, _cell_types, _markers, _genes, _changes, _classifier, _samples)
    sentences = [sentence for write in writers if (sentence := write(figures, rivals))]
    if report.omitted and len(sentences) < 4:
        count = len(report.omitted)
        what = "figure" if count == 1 else "figures"
        sentences.append(f"{count} {what} could not be computed; the reasons are listed further down.")
    return (*sentences, _safety(report, memorised))


Figures = Mapping[str, MetricResult]


def _mixing(figures: Figures, rivals: str) -> str:
    lisi = figures.get("lisi")
    if lisi is None:
        return ""
    text = f"Twin and real cells mix to {number(lisi.value)} on a scale from 0 (apart) to 1 (half and half; LISI)"
    return text + _reach(lisi, f"{rivals} {number(lisi.ceiling)}") + "."


def _cell_types(figures: Figures, _: str) -> str:
    metric = figures.get("cell_type_tstr")
    if metric is None:
        return ""
    text = (
        f"A classifier trained on the twin names {percent(metric.value)} of each type's cells of unseen donors rightly"
    )
    return text + _reach(metric, f"trained on the real cells, {percent(metric.ceiling or 0.0)}") + "."


def _markers(figures: Figures, rivals: str) -> str:
    metric = figures.get("marker_overlap")
    if metric is None:
        return ""
    text = f"Of each cell type's marker genes, {percent(metric.value)} are markers in the twin too"
    return text + _reach(metric, f"{rivals} {percent(metric.ceiling or 0.0)}") + "."


def _genes(figures: Figures, rivals: str) -> str:
    recall, precision = figures.get("de_recall"), figures.get("de_precision")
    if recall is None:
        return ""
    text = f"The twin recovers {percent(recall.value)} of the differential genes of the real data"
    if precision is not None:
        text += f", and {percent(precision.value)} of what it reports is differential there too"
    return text + _reach(recall, f"{rivals} {percent(recall.ceiling or 0.0)}") + "."


def _changes(figures: Figures, rivals: str) -> str:
    r = figures.get("lfc_pearson")
    if r is None:
        return ""
    text = f"Fold changes agree with r\xa0=\xa0{number(r.value)}"
    if "lfc_slope" in figures:
        text += f" and slope {number(figures['lfc_slope'].value)}"
    return text + _reach(r, f"{rivals} r\xa0=\xa0{number(r.ceiling)}") + "."


def _classifier(figures: Figures, _: str) -> str:
    named = [metric for name, metric in figures.items() if name.startswith("tstr_auc")]
    if not named:
        return ""
    metric = figures.get("tstr_auc_top500_logistic", named[0])
    text = f"A classifier trained on the twin reaches an AUC of {number(metric.value)} on real donors it has never met"
    if metric.ceiling is not None:
        text += f"; trained on the real data, it reaches {number(metric.ceiling)}"
    return text + "."


def _samples(figures: Figures, _: str) -> str:
    judges = [metric for name, metric in figures.items() if name.startswith("c2st_auc")]
    if not judges:
        return ""
    metric = max(judges, key=lambda judge: abs(judge.value - 0.5))
    things = "cells" if "lisi" in figures else "samples"
    text = (
        f"A model asked to tell twin {things} from real ones has an AUC of {number(metric.value)}, "
        "where 0.5 is a coin flip"
    )
    if metric.ceiling is not None:
        text += f" and real data in the twin's place give {number(metric.ceiling)}"
    return text + "."


def _reach(metric: MetricResult, ceiling: str) -> str:
    return "" if metric.ceiling is None else f"; {ceiling}"


def _safety(report: AuditReport, memorised: int) -> str:
    if report.red_team is None:
        text = "No attacks were run, so this page says what the twin is worth and not whether it is safe to release"
    else:
        text = safety(report.red_team)
    if memorised:
        what = "one figure agrees" if memorised == 1 else f"{memorised} figures agree"
        text += (
            f"; {what} with the training data better than other real donors do, as when a twin has learnt them by heart"
        )
    return f"{text}."
