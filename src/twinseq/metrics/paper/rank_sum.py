"""Differential expression as the community benchmark tests it: one-sided rank-sum tests of every ordered class pair."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ...kernels import kernel, over_genes
from .._registry import NotComputableError, register
from ._entry import SHARED

Floats = NDArray[np.floating[Any]]
Calls = NDArray[np.int8]
SHIFTS = {"shift0": 0.0, "shift02": 0.2, "shift05": 0.5, "shift1": 1.0}
HEADLINE = "shift05"
ALPHA = 0.05

_WEAKNESS = (
    "Weakness: p-values are not adjusted, so that genes called by chance count as truth, and a twin with less noise "
    "than real data reaches a rate of 1 by calling everything; read both rates together."
)


def rank_sum_calls(x: Floats, labels: NDArray[np.str_], classes: list[str], n_threads: int) -> dict[str, Calls]:
    """Test for every ordered pair of classes whether the first exceeds the second by more than a shift.

    The Mann–Whitney test of ``first − shift`` against ``second`` in its normal approximation, with the correction
    for ties and for continuity.

    Parameters
    ----------
    x
        Log-scale profiles, ``n_samples × n_genes``.
    labels
        Class of each sample.
    classes
        Classes to pair.
    n_threads
        Number of threads; it does not change the result.

    Returns
    -------
    For each of `SHIFTS` an array ``n_pairs × n_genes``: 1 called, 0 not called, −1 a class has no sample.
    """
    groups = [np.sort(np.ascontiguousarray(x[labels == name].T), axis=1) for name in classes]
    pairs = list(permutations(range(len(classes)), 2))
    n_genes = x.shape[1]
    critical = norm.isf(ALPHA)
    z = np.empty(n_genes)
    out = {key: np.full((len(pairs), n_genes), -1, dtype=np.int8) for key in SHIFTS}
    for row, (first, second) in enumerate(pairs):
        if not (groups[first].shape[1] and groups[second].shape[1]):
            continue
        for key, shift in SHIFTS.items():
            over_genes(_statistics, n_genes, n_threads, groups[first], groups[second], shift, z)
            out[key][row] = z > critical
    return out


@kernel
def _statistics(start: int, stop: int, first: Floats, second: Floats, shift: float, out: Floats) -> None:
    """Write the standardised rank-sum statistic of genes ``start … stop - 1``; rows of both tables are sorted."""
    n, m = first.shape[1], second.shape[1]
    total = n + m
    for gene in range(start, stop):
        i, j = 0, 0
        wins, ties = 0.0, 0.0
        while i < n or j < m:
            if j == m or (i < n and first[gene, i] - shift <= second[gene, j]):
                value = first[gene, i] - shift
            else:
                value = second[gene, j]
            a, b = 0, 0
            while i + a < n and first[gene, i + a] - shift == value:
                a += 1
            while j + b < m and second[gene, j + b] == value:
                b += 1
            wins += a * (j + 0.5 * b)
            tied = float(a + b)
            ties += tied * tied * tied - tied
            i += a
            j += b
        variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)))
        out[gene] = (wins - n * m / 2.0 - 0.5) / np.sqrt(variance) if variance > 0 else -np.inf


def true_positive_rate(train: Calls, twin: Calls) -> float:
    """Return the share of genes called in the training data that the twin calls, averaged over ordered pairs.

    Parameters
    ----------
    train, twin
        ``n_pairs × n_genes``: 1 called, 0 not called, −1 not tested.

    Raises
    ------
    NotComputableError
        No pair of classes with such genes was tested on both sides.
    """
    return _rate(train, twin, 1, "no gene is called in the training data")


def false_positive_rate(train: Calls, twin: Calls) -> float:
    """Return the share of genes not called in the training data that the twin calls; see `true_positive_rate`.

    Raises
    ------
    NotComputableError
        No pair of classes with such genes was tested on both sides.
    """
    return _rate(train, twin, 0, "every gene is called in the training data")


def _rate(train: Calls, twin: Calls, truth: int, why: str) -> float:
    rates = [
        float((found[real == truth] == 1).mean())
        for real, found in zip(train, twin, strict=True)
        if (real == truth).any() and (found >= 0).all()
    ]
    if not rates:
        raise NotComputableError(why)
    return float(np.mean(rates))


def _register_all() -> None:
    kinds: tuple[tuple[str, Callable[..., float], str, str, str, float], ...] = (
        (
            "paper_de_tpr",
            true_positive_rate,
            "Of the genes higher in one class of the training data, how many does the twin find",
            "P(called in S | called in T)",
            "higher",
            1.0,
        ),
        (
            "paper_de_fpr",
            false_positive_rate,
            "Of the genes not higher in one class of the training data, how many does the twin call",
            "P(called in S | not called in T)",
            "lower",
            0.0,
        ),
    )
    for name, function, question, formula, direction, ideal in kinds:
        for key, shift in SHIFTS.items():
            register(
                name=name if key == HEADLINE else f"{name}_{shift:g}",
                question=f"{question} (rank-sum test, difference above {shift:g})?",
                reading=f"Share of genes; {ideal:g}: best. {_WEAKNESS}",
                formula=f"{formula}; one-sided rank-sum p < .05, unadjusted, shift {shift:g} on log2(CPM + 1); "
                "mean over ordered class pairs",
                direction=direction,
                ideal=ideal,
                bounds=(0.0, 1.0),
                fields=(f"train.rank_sum.{key}", f"twin.rank_sum.{key}"),
                against="train",
                floor="shuffled labels",
                needs=("label",),
                **SHARED,
            )(function)


_register_all()
