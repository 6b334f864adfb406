"""The words and the cells of a plan, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import shorten

if TYPE_CHECKING:
    from ..plan import Forecast, Plan

DASH = "–"
CONTRAST_WORDS = {
    "tissues": "tumour against normal tissue",
    "subtypes": "the subtypes of one tumour",
    "disease": "blood of the ill and the well",
}
EXPLANATION = (
    "Noise follows from the design and the budget. What a twin keeps is found by rehearsal: the generator itself, on "
    "made-up cohorts of this design whose classes differ as those of public ones. Nothing of the profiles is looked at."
)
MOST_CLASSES = 6


def donors_in_words(plan: Plan) -> str:
    """Return the donors of each class, ``case 56, control 80``."""
    parts = [f"{shorten(name, 30)} {number:,.0f}" for name, number in plan.donors.items()]
    more = f" and {len(parts) - MOST_CLASSES} more classes" if len(parts) > MOST_CLASSES else ""
    return f"{', '.join(parts[:MOST_CLASSES])}{more} donors"


def route_rows(plan: Plan, what: Callable[[Forecast], float | None], digits: int) -> list[list[str]]:
    """Return a row for each ε: ε, and a figure for each setting."""
    rows = []
    for epsilon in plan.ceilings:
        values = [what(one) for one in plan.forecasts if one.epsilon == epsilon]
        rows.append([f"{epsilon:g}", *(DASH if value is None else f"{value:,.{digits}f}" for value in values)])
    return rows


def pair_rows(plan: Plan) -> list[list[str]]:
    """Return a row for each ε: ε, and the rates of true and false calls at each setting."""
    rows = []
    for epsilon in plan.ceilings:
        found = [one for one in plan.forecasts if one.epsilon == epsilon]
        cells = [DASH if one.tpr is None or one.fpr is None else f"{one.tpr:.2f}/{one.fpr:.2f}" for one in found]
        rows.append([f"{epsilon:g}", *cells])
    return rows


def ceiling_rows(plan: Plan) -> list[list[str]]:
    """Return a row for each ε: what attackers reach at most."""
    return [
        [f"{epsilon:g}", *(f"{value:.3f}" for value in (one.auc, one.tpr, one.auc_any, one.tpr_any))]
        for epsilon, one in plan.ceilings.items()
    ]


def tracing_rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Return for each number of genes: it, how many independent ones it is worth, and the areas of the classes."""
    rows = []
    for one in plan.tracing:
        parts = [f"{shorten(name, 30)} {auc:.2f}" for name, auc in one.auc.items()]
        more = f" and {len(parts) - MOST_CLASSES} more" if len(parts) > MOST_CLASSES else ""
        rows.append((f"{one.genes:,}", f"{one.effective:,.0f}", f"AUC {', '.join(parts[:MOST_CLASSES])}{more}"))
    return rows
