"""The page of the community benchmark, from the outcomes of its tasks."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from community_models import GENE_SETS, MANY_FITS, MEASURES, MODELS, WORST, Model, Task, done
from twinseq.generators._extras import missing

from _common import machine, table

HEADER = ("model", "folds", *MEASURES, "T0: attack", "AUC", "fit, s", "draw, s", "peak, MiB")
LEVELS = ("T0", "T1")
SHORT = {"all": "all genes", "landmarks": "landmark genes"}
ABOUT = (
    "Written by `benchmarks/community.py`: the protocol of Öztürk et al. 2026 (bioRxiv",
    "10.64898/2026.03.02.707794) on 1,040 breast tumours with PAM50 subtypes, log2 CPM. A model learns from four",
    "fifths (832) and is held against the rest (208), over stratified folds, as many as stated; its measures are",
    "computed as the benchmark computes them (`paper_*` in `twinseq list metrics`). Mean ± half the 95 % interval",
    "(Student's t over folds, which share training data: somewhat too narrow); fewer than three folds have none.",
    "**In brackets: what the benchmark's authors publish. Theirs is another gene set (978 genes, 1,089 samples of",
    "TCGA-BRCA), so brackets are for orientation, not for differences of a few hundredths.** Titles with *paper*",
    "have the benchmark's settings, the others ours; δ is each generator's default.",
    "",
    "Read with care: MMD has a bandwidth that ignores the scale of the data and is near 0 for most twins; the F1",
    "of telling twins from real data is .56 for a coin; TPR and FPR rest on tests that are not adjusted. *Real",
    "data in the twin's place* are the hold-out: a quarter of the twin in size, so that tests find fewer genes in",
    "it.",
    "",
    "*T0: attack* is the strongest of our attacks on the twin alone, by its mean over folds: the hold-out against",
    "as many members (another fold). In brackets the worst attack that the authors report. Nothing is corrected",
    "for the choice of the strongest. Seconds are CPU time on one thread; peak is the memory of the whole process",
    "after fitting and drawing, libraries and cohort included.",
    "",
)


def mean_with_interval(values: Sequence[float], digits: int = 3) -> str:
    """Return the mean and, from three values on, half the width of its 95 % interval by Student's t."""
    shown = f"{np.mean(values):.{digits}f}"
    if len(values) < 3:
        return shown
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{shown} ± {half:.{digits}f}"


def beside(figure: str, model: Model, name: str) -> str:
    return f"{figure} ({model.published[name]:g})" if name in model.published else figure


def strongest(attacks: list[list[Any]], level: str) -> list[str]:
    """Return name, AUC and TPR at 1 % of the strongest attack of a level."""
    name, _, area, rate = max((found for found in attacks if found[1] == level), key=lambda found: found[2])
    return [name, f"{area:.3f}", f"{rate:.2f}"]


def fold_row(model: Model, outcomes: list[dict[str, Any]]) -> list[str]:
    """Return the model's row: measures, strongest T0 attack by its mean over folds, CPU time and memory."""
    cells = [model.title, str(len(outcomes))]
    for title, name in MEASURES.items():
        values = [outcome["metrics"][name] for outcome in outcomes if outcome["metrics"].get(name) is not None]
        cells.append(beside(mean_with_interval(values) if values else "–", model, title))
    by_attack: dict[str, list[float]] = {}
    for outcome in outcomes:
        for name, _, area, _ in outcome["attacks"]:
            by_attack.setdefault(name, []).append(area)
    name = max(by_attack, key=lambda attack: np.mean(by_attack[attack]))
    cells += [name, beside(mean_with_interval(by_attack[name]), model, WORST)]
    costs = (np.mean([outcome[key] for outcome in outcomes]) for key in ("fit", "sample", "peak"))
    fit, sample, peak = costs
    return [*cells, f"{fit:.1f}", f"{sample:.1f}", f"{peak:,.0f}"]


def real_row(outcomes: list[dict[str, Any]]) -> list[str]:
    """Return the row of real data in the twin's place."""
    cells = []
    for name in MEASURES.values():
        values = [outcome["real"][name] for outcome in outcomes if outcome["real"].get(name) is not None]
        cells.append(mean_with_interval(values) if values else "–")
    return ["real data in the twin's place", str(len(outcomes)), *cells, *["–"] * 5]


def folds_of(model: Model) -> list[str]:
    return [f"fold {number}" for number in range(model.folds)]


def outcomes_of(model: Model, genes: str, parts: Iterable[str], cache: Path) -> list[dict[str, Any]]:
    """Return the outcomes of these parts that are in the cache and no failures."""
    found = (done(Task(model, genes, part), cache, None) for part in parts)
    return [outcome for outcome in found if outcome is not None and "failed" not in outcome]


def failures(model: Model, cache: Path) -> str:
    """Return the message of a failure, and how many tasks of the model failed; empty: none."""
    parts = [*folds_of(model), "thirds", "shadow"]
    found = [done(Task(model, genes, part), cache, None) for genes in GENE_SETS for part in parts]
    messages = [outcome["failed"] for outcome in found if outcome is not None and "failed" in outcome]
    return f"{len(messages)} task(s) failed: {messages[0]}" if messages else ""


def page(cache: Path, absent: dict[str, str]) -> list[str]:
    """Return the lines of the page, from all that is in the cache."""
    here = [model for model in MODELS if model.title not in absent]
    lines = ["# The community benchmark", "", machine(*packages()), *ABOUT]
    notes = list(absent.items())
    for genes, title in GENE_SETS.items():
        found = [(model, outcomes_of(model, genes, folds_of(model), cache)) for model in here]
        measured = [(model, outcomes) for model, outcomes in found if outcomes]
        if measured:
            rows = [fold_row(model, outcomes) for model, outcomes in measured]
            rows.append(real_row(max((outcomes for _, outcomes in measured), key=len)))
            lines += [f"## {title}", "", *table(HEADER, rows, "lr" + "r" * len(MEASURES) + "lrrrr"), ""]
        notes += [(model.title, f"not run on {SHORT[genes]}") for model, outcomes in found if not outcomes]
    lines += with_reference(here, cache) + many_fits(here, cache)
    notes += [(model.title, why) for model in here if (why := failures(model, cache))]
    if notes:
        lines += ["## Not measured", ""]
        for why in dict.fromkeys(why for _, why in notes):
            lines.append(f"- {why}: {'; '.join(title for title, reason in notes if reason == why)}")
    return lines


def packages() -> list[str]:
    """Return the packages whose versions matter and that are there."""
    return ["twinseq", "numpy", "scipy", "scikit-learn", *([] if missing("deep") else ["torch"])]


def with_reference(models: list[Model], cache: Path) -> list[str]:
    """Return the section of attackers who hold a reference cohort too."""
    rows = []
    for model in models:
        found = [outcomes_of(model, genes, ["thirds"], cache) for genes in GENE_SETS]
        if not any(found):
            continue
        triples = [strongest(one[0]["attacks"], level) if one else ["–"] * 3 for one in found for level in LEVELS]
        rows.append([model.title, *(cell for triple in triples for cell in triple)])
    if not rows:
        return []
    heads = [f"{genes}, {level}: attack|AUC|TPR" for genes in SHORT.values() for level in LEVELS]
    return [
        "## With a reference cohort",
        "",
        "One split into thirds (members, others, reference). Strongest attack on the twin alone (T0) and with the",
        "reference (T1), and the share of members that it names at 1 false alarm in 100. An AUC near .5 has a 95 %",
        "interval of about ± .043 (347 members, 347 others).",
        "",
        *table(["model", *"|".join(heads).split("|")], rows, "l" + "lrr" * len(heads)),
        "",
    ]


def many_fits(models: list[Model], cache: Path) -> list[str]:
    """Return the section of attacks that know the generator and fit it many times."""
    rows = []
    for model in models:
        for outcome in outcomes_of(model, "all", ["shadow"], cache):
            attacks = outcome["attacks"]
            for level in sorted({found[1] for found in attacks if found[0] in MANY_FITS}):
                quick = [found for found in attacks if found[0] not in MANY_FITS and found[1] <= level and found[2]]
                best = max(quick, key=lambda found: found[2], default=None)
                slow = [f"{best[0]} {best[2]:.3f}" if best else "–"]
                for name in MANY_FITS:
                    one = next((found for found in attacks if found[:2] == [name, level]), None)
                    slow += ["–", "–"] if one is None else [f"{one[2]:.3f}" if one[2] else one[4], f"{one[3]:,.0f}"]
                rows.append([model.title, level, *slow])
    if not rows:
        return []
    heads = [cell for name in MANY_FITS for cell in (f"`{name}`", "CPU, s")]
    return [
        "## Attacks that fit many models",
        "",
        "All genes, the same thirds: AUC of the attacks that fit models of their own, beside the strongest of the",
        "others that need no more (T1: a reference; T2: also the generator and its settings). CPU seconds are those",
        "of the attack, fits included.",
        "",
        *table(["model", "level", "strongest other attack", *heads], rows, "lllrrrr"),
        "",
    ]
