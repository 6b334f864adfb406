"""The leaderboard as tables: one for programs (CSV), and one for print (LaTeX, and the page without JavaScript)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..metrics import get
from ..report.questions import readable
from ..report.text import DASH, number, shown
from ..verdict.check import SEVERITY
from .board import Board, Key, Place, View

AXES = {
    "fidelity": ("Fidelity", "do single genes, pairs of genes and samples look like real ones?"),
    "biology": ("Biology", "does an analysis of the twin find what one of the real data finds?"),
    "utility": ("Utility", "does a classifier trained on the twin work on unseen real samples?"),
    "covariates": ("Covariates", "do the columns that come with the profiles keep their distribution?"),
    "cells": ("Single cells", "do cells, cell types and their markers look like real ones?"),
    "paper": ("Community benchmark", "the figures of the community benchmark"),
}
ALL = "All cohorts"
FORMULAS = "=+-@\t\r"
# Letters with which TeX has other plans.
TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "–": "--", "−": "$-$", "×": r"$\times$", "\xa0": "~",
}  # fmt: skip


def title_of(key: Key) -> str:
    """Return the heading of a question."""
    kind, name = key
    if kind == "axis":
        return AXES.get(name, (readable(name), ""))[0]
    if kind == "metric":
        return readable(name)
    return f"Strongest attack, {shown(name, 20)}" if kind == "level" else f"Weighted, {shown(name, 20)}"


def weights_in_words(board: Board) -> str:
    """Return the weights that the reader stated."""
    names = {axis: title_of(("axis", axis)).lower() for axis in board.weights}
    return ", ".join(f"{names[axis]} {weight:g}" for axis, weight in board.weights.items())


def wide(board: Board) -> pd.DataFrame:
    """Return everything in figures, one row a cohort (``*``: all together) and generator."""
    rows = []
    for view in board.views:
        for one in view.standings:
            row: dict[str, Any] = {
                "cohort": "*" if view.cohort is None else _inert(view.cohort),
                "generator": _inert(one.generator),
                "twins_audited": one.audited,
                "twins": one.splits,
            }
            for key, place in one.places.items():
                row |= _cells(column_of(key), place)
            for (yardstick, level), (now, share) in one.fronts.items():
                name = f"{column_of(yardstick)}_vs_{column_of(('level', level))}"
                missing = one.places[yardstick].rank is None or one.places["level", level].rank is None
                row[f"{name}_on_front"] = None if missing else now
                row[f"{name}_front_share"] = share if view.resampled and not missing else None
            for policy in board.policies:
                outcomes = one.verdicts.get(policy, {})
                row |= {f"verdict_{_inert(policy)}_{outcome}": outcomes.get(outcome, 0) for outcome in SEVERITY}
            row["fit_seconds"] = one.fit_seconds
            row["missing"] = _inert("; ".join(dict.fromkeys(p.reason for p in one.places.values() if p.reason)))
            rows.append(row)
    return pd.DataFrame(rows)


def column_of(key: Key) -> str:
    """Return the name of the column of a question."""
    kind, name = key
    metric = f"{name}_distance" if kind == "metric" and get(name).direction == "target" else name
    return {"axis": name, "level": f"auc_{name}", "metric": metric, "weighted": f"weighted_{name}"}[kind]


def _cells(name: str, place: Place) -> dict[str, Any]:
    low, high = place.interval or (None, None)
    first, last = place.ranks or (None, None)
    return {
        name: place.value, f"{name}_low": low, f"{name}_high": high,
        f"{name}_rank": place.rank, f"{name}_rank_low": first, f"{name}_rank_high": last,
    }  # fmt: skip


def _inert(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    text = shown(text, 400)
    return f"'{text}" if text.startswith(tuple(FORMULAS)) else text


def table(board: Board, view: View) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a view as text, at the threat level that is shown first."""
    keys: list[Key] = [("axis", axis) for axis in board.axes]
    if board.level is not None:
        keys.append(("level", board.level))
    pair = None if board.level is None or board.yardstick is None else (board.yardstick, board.level)
    header = ["Generator", *map(title_of, keys)]
    header += [f"On the front with {title_of(pair[0]).lower()}"] if pair else []
    weighted: Key | None = ("weighted", board.level) if board.weights and board.level else None
    header += [f"Your weights: {weights_in_words(board)}"] if weighted else []
    header += [f"Policy {shown(policy, 40)}" for policy in board.policies]
    rows = []
    for one in view.standings:
        row = [shown(one.generator), *(_text(one.places[key]) for key in keys)]
        if pair:
            now, share = one.fronts.get(pair, (False, 0.0))
            missing = one.places[pair[0]].rank is None or one.places["level", pair[1]].rank is None
            row.append(DASH if missing else f"{share:.0%}" if view.resampled else "yes" if now else "no")
        row += [_text(one.places[weighted])] if weighted else []
        rows.append(row + [in_words(one.verdicts.get(policy, {})) for policy in board.policies])
    return header, rows


def in_words(outcomes: Mapping[str, int]) -> str:
    """Return how twins were judged: one outcome where they agree, else how many ended with which, the gravest first."""
    found = {outcome: outcomes[outcome] for outcome in SEVERITY if outcomes.get(outcome)}
    return ", ".join(found if len(found) == 1 else (f"{outcome} {n}" for outcome, n in found.items())) or DASH


def _text(place: Place) -> str:
    if place.value is None:
        return DASH
    low, high = place.interval or (None, None)
    return (
        number(place.value, 2) if low is None else f"{number(place.value, 2)} ({number(low, 2)} to {number(high, 2)})"
    )


def latex(board: Board) -> str:
    """Return a table for each view, for the package ``booktabs``."""
    parts = []
    for view in board.views:
        header, rows = table(board, view)
        named = ALL if view.cohort is None else shown(view.cohort)
        spread = "in brackets the middle 95 % of resampled splits" if view.resampled else "too few splits for intervals"
        caption = (
            f"{named}: places between a known-bad twin (0) and real data (1), "
            f"and AUC of the strongest attack; {spread}."
        )
        lines = [
            r"\begin{table}", r"\centering", rf"\caption{{{escaped(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}", r"\toprule",
            " & ".join(map(escaped, header)) + r" \\", r"\midrule",
            *(" & ".join(map(escaped, row)) + r" \\" for row in rows),
            r"\bottomrule", r"\end{tabular}", r"\end{table}",
        ]  # fmt: skip
        parts.append("\n".join(lines))
    return "\n\n".join(["% Needs \\usepackage{booktabs}.", *parts]) + "\n"


def escaped(text: str) -> str:
    """Return text as TeX sets it; Greek letters become those of mathematics."""
    return "".join(_in_tex(letter) for letter in text)


def _in_tex(letter: str) -> str:
    if letter in TEX:
        return TEX[letter]
    words = unicodedata.name(letter, "").split()
    if words[:3] == ["GREEK", "SMALL", "LETTER"] and len(words) == 4 and words[3] != "OMICRON":
        return f"$\\{words[3].lower().replace('lamda', 'lambda')}$"
    return letter
