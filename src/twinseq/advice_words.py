"""What the adviser asks of a twin for each task, and what it says of a cohort's size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .attacks.epsilon import auc_half_width
from .cohort import Cohort
from .forecast.design import donors_of
from .forecast.tracing import traced
from .policy import Policy

FIGURES = {
    "de_net": "differential genes called, less others called falsely (DE TPR − FPR)",
    "lfc_replication": "fold changes replicate",
    "f1_ratio": "classifier F1 over that of real data",
    "tstr_auc": "classifier AUC",
    "coexpression_recall": "co-expressed pairs found",
    "coexpression_precision": "co-expressed pairs that are right",
    "correlation_r": "gene–gene correlations, r",
    "profile_r": "profiles of cell types, r",
    "markers": "marker genes found again",
    "tstr": "cell types learnt on the twin, accuracy",
    "lisi_training": "twin and real cells mix, LISI",
    "cell_correlations": "gene–gene correlations by type, r",
    "t1_auc": "strongest attack with a reference, AUC",
}
"""Figures in words, as they stand within a sentence."""
LARGEST_SEARCHED = 2_000_000
STEP = 1.05


@dataclass(frozen=True)
class Task:
    """What a twin is to be good for.

    Parameters
    ----------
    title
        In words.
    bulk, single_cell
        Figures that tell, higher is better, the most telling first.
    """

    title: str
    bulk: tuple[str, ...]
    single_cell: tuple[str, ...]

    def figures(self, cells: bool) -> tuple[str, ...]:
        """Return the names of the figures for bulk or for single cells."""
        return self.single_cell if cells else self.bulk

    def score(self, values: Mapping[str, float], cells: bool) -> float:
        """Return the mean of the figures that are known, each at most 1; 0 where none is."""
        known = [min(values[name], 1.0) for name in self.figures(cells) if name in values]
        return sum(known) / max(len(known), 1)


TASKS = {
    "de": Task("differential expression", ("de_net", "lfc_replication"), ("markers", "profile_r")),
    "classify": Task("classification", ("f1_ratio", "tstr_auc"), ("tstr",)),
    "network": Task(
        "co-expression", ("coexpression_recall", "coexpression_precision", "correlation_r"), ("cell_correlations",)
    ),
    "share": Task(
        "sharing", ("f1_ratio", "de_net", "lfc_replication", "coexpression_recall"),
        ("lisi_training", "markers", "tstr"),
    ),
}  # fmt: skip


def design_notes(cohort: Cohort, policy: Policy, donors: int, genes: int, cells: bool) -> list[str]:
    """Return what follows from the size of a cohort alone: what an audit can show, what tracing would reach."""
    notes = []
    if policy.donors is not None and donors < policy.donors.value:
        notes.append(
            f"The policy '{policy.name}' asks for {policy.donors.value:,.0f} donors, and you have {donors:,}: nothing "
            "passes it, whatever the generator."
        )
    third = donors // 3
    if policy.auc is not None and third >= 2:
        width = auc_half_width(third, third)
        notes.append(
            f"An audit of {donors:,} donors deals {third:,} to each side and knows an AUC to ±{width:.2f}: to pass at "
            f"{policy.auc.value:.2f}, about {max(policy.auc.value - width, 0.5):.2f} has to be measured."
        )
    if not cells and policy.auc is not None:
        notes.append(_tracing(cohort, policy.auc.value, genes))
    return notes


def _tracing(cohort: Cohort, limit: float, genes: int) -> str:
    """Say what tracing reaches of a twin with the very class means, and what numbers would bring it to the limit."""
    sizes = donors_of(cohort)
    worst = max(traced(genes, sizes).auc.values())
    text = (
        f"A twin that keeps the class means as they are is traced with an AUC of about {worst:.2f} in the smallest "
        f"class (theory, {genes:,} genes)"
    )
    if worst <= limit:
        return f"{text}, which is within {limit:.2f}: size alone protects the means."
    panel = genes
    while panel > 2 and max(traced(panel, sizes).auc.values()) > limit:
        panel = int(panel / STEP)
    more = 1.0
    while max(traced(genes, {name: number * more for name, number in sizes.items()}).auc.values()) > limit:
        more *= STEP
        if more > LARGEST_SEARCHED:
            break
    smallest = min(sizes.values())
    least = f"about {round(smallest * more, -1):,.0f} donors in the smallest class"
    of_panel = f", or a panel of {panel:,} genes chosen without a look at the data" if panel > 2 else ""
    return (
        f"{text}. Below {limit:.2f} it falls with {least}{of_panel}; else the means have to be blurred (--preset "
        "share, --preset dp) or public (--basis)."
    )
