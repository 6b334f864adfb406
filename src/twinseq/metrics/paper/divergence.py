"""Mean Kullback–Leibler divergence of single genes, from histograms, as the community benchmark takes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from .._registry import NotComputableError, register
from ._entry import SHARED

Floats = NDArray[np.floating[Any]]
EDGES = 50
EPSILON = 1e-10
BLOCK = 2048

_READING = (
    "0: equal histograms. Weakness: a real sample in a bin that the twin leaves empty counts by log(1e10), so that the "
    "figure follows the number of samples more than the twin, and co-expression does not enter at all."
)


@register(
    name="paper_kl",
    question="How far are single genes' distributions in the twin from the training data (the benchmark's divergence)?",
    reading=_READING,
    formula="mean over genes of KL(T‖S), densities in 49 bins over the joint range, plus 1e-10",
    direction="lower",
    ideal=0.0,
    bounds=(0.0, np.inf),
    fields=("train.log", "twin.log"),
    against="train",
    floor="mean profile",
    **SHARED,
)
@register(
    name="paper_kl_holdout",
    question="How far are single genes' distributions in the twin from unseen samples (the benchmark's divergence)?",
    reading=_READING,
    formula="mean over genes of KL(H‖S), densities in 49 bins over the joint range, plus 1e-10",
    direction="lower",
    ideal=0.0,
    bounds=(0.0, np.inf),
    fields=("holdout.log", "twin.log"),
    against="holdout",
    floor="mean profile",
    **SHARED,
)
def paper_kl(real: Floats, twin: Floats) -> float:
    """Return the mean over genes of KL(real ‖ twin), in nats.

    A gene that has one value in all samples of both sides, for which histograms are undefined, counts 0.

    Parameters
    ----------
    real, twin
        Profiles, ``n_samples × n_genes``.

    Raises
    ------
    NotComputableError
        A side has no sample.
    """
    if not min(len(real), len(twin)):
        raise NotComputableError("needs samples on each side")
    n_genes = int(real.shape[1])
    total: float = 0.0
    for start in range(0, n_genes, BLOCK):
        genes = slice(start, start + BLOCK)
        low = np.minimum(real[:, genes].min(axis=0), twin[:, genes].min(axis=0))
        high = np.maximum(real[:, genes].max(axis=0), twin[:, genes].max(axis=0))
        varies = np.flatnonzero(high > low) + start
        if len(varies):
            edges = np.linspace(low[varies - start], high[varies - start], EDGES)
            total += float(np.sum(rel_entr(_shares(real[:, varies], edges), _shares(twin[:, varies], edges))))
    return total / n_genes


def _shares(values: Floats, edges: Floats) -> Floats:
    """Return the share of each bin, ``49 × n_genes``, with the benchmark's pseudo-density in every bin."""
    n_bins, n_genes = len(edges) - 1, edges.shape[1]
    columns = np.arange(n_genes)
    width = (edges[-1] - edges[0]) / n_bins
    place = np.clip((values - edges[0]) / width, 0, n_bins - 1).astype(np.intp)
    # Division may put a value that sits on an edge on the wrong side of it.
    place -= values < edges[place, columns]
    place += (values >= edges[place + 1, columns]) & (place < n_bins - 1)
    counts = np.bincount((place * n_genes + columns).ravel(), minlength=n_bins * n_genes).reshape(n_bins, n_genes)
    density = counts / (len(values) * np.diff(edges, axis=0)) + EPSILON
    shares: Floats = density / density.sum(axis=0)
    return shares
