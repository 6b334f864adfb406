"""Co-expression edges as the community benchmark draws them: signed Pearson correlation above a cut."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register
from ._entry import SHARED

Floats = NDArray[np.floating[Any]]
CUTS = (0.0, 0.3, 0.5)
BLOCK = 512

_WEAKNESS = (
    "Weakness: a twin whose genes all rise and fall together has every edge, and so a recall of 1; "
    "read recall and precision together."
)


def edge_counts(train: Floats, twin: Floats) -> NDArray[np.float64]:
    """Count edges r > cut among pairs of genes, in blocks of rows.

    Parameters
    ----------
    train, twin
        Profiles, ``n_samples × n_genes``.

    Returns
    -------
    Edges of both, of the training data and of the twin (columns) at each of `CUTS` (rows).
    A gene that does not vary has no edge.
    """
    sides = [_standardised(side) for side in (train, twin)]
    n_genes = train.shape[1]
    counts = np.zeros((len(CUTS), 3))
    for start in range(0, n_genes, BLOCK):
        a, b = (side[:, start : start + BLOCK].T @ side[:, start:] for side in sides)
        upper = np.triu(np.ones(a.shape, dtype=bool), k=1)
        for row, cut in enumerate(CUTS):
            in_train, in_twin = (a > cut) & upper, (b > cut) & upper
            counts[row] += ((in_train & in_twin).sum(), in_train.sum(), in_twin.sum())
    return counts


def _standardised(x: Floats) -> Floats:
    """Return columns of mean 0 and length 1, those that do not vary as zeros."""
    centred = x - x.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    # Values that are all alike leave rounding errors, which must not pass for variation.
    flat = norms <= 1e-10 * np.sqrt(len(x)) * np.maximum(np.abs(x).max(axis=0), 1.0)
    out: Floats = np.where(flat, 0.0, centred / np.where(flat, 1.0, norms))
    return out


def _register_all() -> None:
    for row, cut in enumerate(CUTS):
        for column, name, question, formula, missing in (
            (
                1,
                "recall",
                f"How many co-expression edges of the training data (r > {cut:g}) has the twin?",
                "|T ∩ S| / |T|",
                "the training data have no",
            ),
            (
                2,
                "precision",
                f"How many co-expression edges of the twin (r > {cut:g}) have the training data?",
                "|T ∩ S| / |S|",
                "the twin has no",
            ),
        ):
            register(
                name=f"paper_coexpression_{name}_{cut:g}",
                question=question,
                reading=f"1: all. {_WEAKNESS}",
                formula=f"{formula} over gene pairs with signed Pearson r > {cut:g}, 2,000 genes most variable in T",
                direction="higher",
                ideal=1.0,
                bounds=(0.0, 1.0),
                fields=("paper_edges",),
                against="train",
                floor="independent",
                **SHARED,
            )(_share(row, column, f"{missing} edge above {cut:g}"))


class _share:
    """One share of the edge counts: which cut, and shared edges over whose."""

    def __init__(self, row: int, column: int, missing: str) -> None:
        self._row, self._column, self._missing = row, column, missing

    def __call__(self, counts: Floats) -> float:
        if counts[self._row, self._column] == 0:
            raise NotComputableError(self._missing)
        return float(counts[self._row, 0] / counts[self._row, self._column])


_register_all()
