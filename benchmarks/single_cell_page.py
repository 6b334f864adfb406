"""The page of the attacks on single-cell twins, from the donors' scores that each task has kept."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from twinseq.attacks.roc import auc, tpr_at_fpr
from twinseq.redteam.procedure import normal_scores

from _common import machine, table

Outcomes = Sequence[Mapping[str, Any]]
Found = Mapping[tuple[str, str, int], Outcomes]
CHOSEN: dict[str, tuple[str, str, str]] = {
    "nearest distance": ("nearest_distance", "T0", ""),
    "copula Mahalanobis, no reference": ("copula_mahalanobis", "T0", "copula; by type"),
    "copula Mahalanobis, published (class B)": ("copula_mahalanobis", "T1", "class B"),
    "copula Mahalanobis, by type": ("copula_mahalanobis", "T1", "copula; by type"),
    "copula LLR": ("copula_llr", "T1", "shrunk 0.3; by type"),
    "copula LLR, dependence alone": ("copula_llr", "T1", "dependence alone, shrunk 0.3; by type"),
    "copula LLR, one covariance": ("copula_llr", "T1", "one covariance, shrunk 0.3"),
    "marginal LLR, sparse counts": ("marginal_llr", "T1", "sparse counts"),
    "pseudobulk tracing": ("pseudobulk_tracing", "T1", "ridge 1"),
    "pseudobulk tracing, contrasts": ("pseudobulk_tracing", "T1", "contrasts, ridge 1"),
    "composition": ("composition", "T1", ""),
}
"""Attack, level and setting of each row: one for all numbers of donors, chosen beforehand on other splits."""
WHITE = {
    "copula Mahalanobis, published": ("copula_mahalanobis", "T3", "copula"),
    "copula Mahalanobis, by type": ("copula_mahalanobis", "T3", "copula; by type"),
    "copula LLR": ("copula_llr", "T3", "shrunk 0.3; by type"),
    "copula LLR, one covariance": ("copula_llr", "T3", "one covariance, shrunk 0.3"),
}
KNOWING = {"denoised tracing (knows the noise)": ("denoised_tracing", "T2", "ridge 1")}
DRAWS = 400


def rows_of(outcomes: Outcomes, key: tuple[str, str, str], **where: Any) -> list[Mapping[str, Any]]:
    """Return the scores of one attack and setting, one entry a split."""
    return [
        row
        for outcome in outcomes
        for row in outcome.get("rows", ())
        if tuple(row["key"]) == key and all(row.get(name) == value for name, value in where.items())
    ]


def figure(outcomes: Outcomes, key: tuple[str, str, str], **where: Any) -> str:
    """Return the mean AUC over splits, and half of its 95 % interval from resampled donors."""
    rows = rows_of(outcomes, key, **where)
    if not rows:
        return "–"
    areas = [auc(np.array(row["members"]), np.array(row["others"])) for row in rows]
    return f"{np.mean(areas):.2f}" + ("" if len(rows) < 2 else f" ± {half_width(rows):.2f}")


def half_width(rows: Sequence[Mapping[str, Any]]) -> float:
    """Return half the 95 % interval of the mean AUC, donors drawn anew for all splits at once: they recur in them."""
    people = sorted({donor for row in rows for side in row["who"] for donor in side})
    place = {donor: index for index, donor in enumerate(people)}
    weights = np.random.default_rng(0).multinomial(len(people), np.full(len(people), 1 / len(people)), DRAWS)
    totals, counted = np.zeros(DRAWS), np.zeros(DRAWS)
    for row in rows:
        inside, outside = (weights[:, [place[donor] for donor in side]].astype(float) for side in row["who"])
        higher = 0.5 + 0.5 * np.sign(np.subtract.outer(row["members"], row["others"]))
        pairs = inside.sum(axis=1) * outside.sum(axis=1)
        seen = pairs > 0
        totals[seen] += ((inside @ higher) * outside).sum(axis=1)[seen] / pairs[seen]
        counted += seen
    low, high = np.quantile(totals[counted > 0] / counted[counted > 0], [0.025, 0.975])
    return float(high - low) / 2


def named(outcomes: Outcomes, key: tuple[str, str, str]) -> str:
    """Return the shares of members named at 1 false alarm in 10 and in 100, scores of all splits put together."""
    rows = rows_of(outcomes, key)
    if not rows:
        return "–"
    members, others = [], []
    for row in rows:
        scores = normal_scores(np.array(row["members"] + row["others"])[:, None])[:, 0]
        members.append(scores[: len(row["members"])])
        others.append(scores[len(row["members"]) :])
    sides = np.concatenate(members), np.concatenate(others)
    return " / ".join(f"{tpr_at_fpr(*sides, rate):.2f}" for rate in (0.1, 0.01))


def strongest(outcomes: Outcomes) -> str:
    """Return the attack and setting with the largest mean AUC; nothing is corrected for the choice."""
    keys = {tuple(row["key"]) for outcome in outcomes for row in outcome.get("rows", ())}
    areas = {
        key: np.mean([auc(np.array(row["members"]), np.array(row["others"])) for row in rows_of(outcomes, key)])
        for key in keys
    }
    if not areas:
        return "–"
    best = max(sorted(areas), key=lambda key: areas[key])
    return f"{areas[best]:.2f} ({best[0]}, {best[2]})"


def counts(found: Found, titles: Iterable[str], part: str, donors: Sequence[int]) -> str:
    numbers = {len([o for o in found.get((title, part, n), ()) if "rows" in o]) for title in titles for n in donors}
    numbers.discard(0)
    return "no" if not numbers else str(min(numbers)) if len(numbers) == 1 else f"{min(numbers)} to {max(numbers)}"


def curve(found: Found, title: str, part: str, donors: Sequence[int], keys: Mapping[str, Any]) -> list[str]:
    head = ["attack", *(f"{n} donors" for n in donors)]
    rows = [[name, *(figure(found.get((title, part, n), ()), key) for n in donors)] for name, key in keys.items()]
    return table(head, [row for row in rows if any(cell != "–" for cell in row[1:])], "l" + "r" * len(donors))


def page(found: Found, donors: Sequence[int], budgets: Sequence[int], noise: Sequence[str]) -> list[str]:
    """Return the lines of the page."""
    first = "scdesign2"
    titles = list(dict.fromkeys(title for title, _, _ in found))
    with_reference = {name: key for name, key in CHOSEN.items() if key[1] == "T1"}
    return [
        "# Attacks on single-cell twins, by number of training donors",
        "",
        machine("twinseq", "numpy", "scipy"),
        "Written by `benchmarks/single_cell_attacks.py`. OneK1K: 40 donors, 7,811 cells, 1,000 genes, four types. The",
        "attacker holds the twin, cells of 13 reference donors, and all cells of the targets: the training donors and",
        "14 others; nobody is in two of the parts. AUC by donor, mean of the splits ± half of its 95 % interval, for",
        "which donors are resampled for all splits at once, since they recur in them. Each row is one setting, the",
        "same everywhere; settings were chosen beforehand, on other splits of the same donors.",
        "",
        "## scdesign2, the cells that it was fitted to",
        f"{counts(found, [first], 'exact', donors)} split(s). A reference implementation had .97 / .97 / .92 / .94 for",
        "the published statistic and 1.00 / .99 / .99 / .99 for a likelihood ratio.",
        "",
        *curve(found, first, "exact", donors, CHOSEN),
        "",
        "Members named at 1 false alarm in 10 / in 100, scores of all splits put together as normal scores:",
        "",
        *table(
            ["attack", *(f"{n} donors" for n in donors)],
            [[name, *(named(found.get((first, "exact", n), ()), key) for n in donors)] for name, key in CHOSEN.items()],
            "l" + "r" * len(donors),
        ),
        "",
        "## Cells that the generator has never seen",
        "It is fitted to a random half of each member's cells; the attacker holds the other half, and as much of the",
        f"non-members. {counts(found, [first], 'unseen', donors)} split(s). A reference implementation's likelihood",
        "ratio had .86 at 5 donors and .69 at 10.",
        "",
        *curve(found, first, "unseen", (5, 10), with_reference),
        "",
        "## The fitted model in the attacker's hands (T3)",
        f"{counts(found, [first], 'white box', donors)} split(s).",
        "",
        *curve(found, first, "white box", donors, WHITE),
        "",
        "## Few cells of each target",
        f"{counts(found, [first], 'few cells', donors)} split(s).",
        "",
        *few(found, first, budgets, with_reference),
        "",
        "## Noise on what the generator has learnt",
        "13 training donors. *Means*: noise with a deviation of 0.5 on the log of every gene's mean in every type.",
        "*Correlations*: of 0.2 on every correlation. The attacker knows the noise: means are of no use to one who",
        "compares dependence alone, correlations of no use to one who takes the same for both sides, and",
        "`denoised_tracing` learns from refits which genes are blurred.",
        f"{counts(found, [first], noise[0], (13,))} split(s).",
        "",
        *noisy(found, first, noise, {**with_reference, **KNOWING}),
        "",
        "## Other generators",
        "AUC of the strongest attack with a reference or without and its setting, by its mean over splits; nothing is",
        "corrected for the choice among about a hundred, which by itself lifts a harmless twin's figure well above .5.",
        "",
        *others(found, titles, donors),
    ]


def few(found: Found, title: str, budgets: Sequence[int], keys: Mapping[str, Any]) -> list[str]:
    places = [(n, budget) for n in (5, 13) for budget in budgets]
    head = ["attack", *(f"{n} donors, {budget} cell{'s' if budget > 1 else ''}" for n, budget in places)]
    rows = [
        [
            name,
            *(
                figure(found.get((title, "few cells", n), ()), of_few(key, budget), cells=budget)
                for n, budget in places
            ),
        ]
        for name, key in keys.items()
    ]
    return table(head, rows, "l" + "r" * len(places))


def of_few(key: tuple[str, str, str], budget: int) -> tuple[str, str, str]:
    """Return the key of a setting; with a single cell there is one way from cells to donors only, without a name."""
    return (*key[:2], key[2].partition("; ")[0]) if budget == 1 else key


def noisy(found: Found, title: str, noise: Sequence[str], keys: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            name,
            figure(found.get((title, "exact", 13), ()), key),
            *(figure(found.get((title, part, 13), ()), key) for part in noise),
        ]
        for name, key in keys.items()
    ]
    return table(["attack", "no noise", *noise], rows, "l" + "r" * (1 + len(noise)))


def others(found: Found, titles: Sequence[str], donors: Sequence[int]) -> list[str]:
    rows = []
    for title in titles:
        for part, words in (("exact", "seen"), ("unseen", "unseen"), ("knowing", "seen, generator known")):
            outcomes = [found.get((title, part, n), ()) for n in donors]
            if any(outcomes):
                failed = {outcome["failed"] for every in outcomes for outcome in every if "failed" in outcome}
                cells = [strongest(every) for every in outcomes]
                splits = counts(found, [title], part, donors)
                rows.append([title, words, splits, *cells, "; ".join(sorted(failed)) or ""])
    return table(["twin", "cells", "splits", *(f"{n} donors" for n in donors), "failed"], rows, "llr")
