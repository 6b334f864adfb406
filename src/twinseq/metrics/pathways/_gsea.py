"""Pre-ranked gene set enrichment analysis, for thousands of sets in a second.

Scores, normalisation and false discovery rates are those of GSEA (and of gseapy's ``prerank``). The one
difference is where the null comes from: the score of a random set depends on its size alone, so that sets of one
size share their random sets.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...kernels import kernel

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Draws = NDArray[np.int32]
BLOCK = 50
WIDTH = 4000
"""How many ranks are drawn at a time, for sets of several sizes to share."""


@dataclass(frozen=True)
class RandomSets:
    """Random sets of genes for the null, the same for every ranking of as many genes.

    Parameters
    ----------
    places
        ``n_permutations × width``: any ``k`` entries of a row are a random set of ``k`` ranks.
    """

    places: Draws

    @classmethod
    def draw(cls, n_genes: int, largest: int, n_permutations: int, rng: np.random.Generator) -> RandomSets:
        """Draw without replacement from ``n_genes`` ranks, enough for sets of up to ``largest``."""
        width = min(n_genes, max(2 * largest, WIDTH))
        return cls(np.array([rng.permutation(n_genes)[:width] for _ in range(n_permutations)], dtype=np.int32))


@dataclass(frozen=True)
class Enriched:
    """Normalised enrichment score and false discovery rate of each set; NaN where the null gives no scale."""

    es: Floats
    nes: Floats
    fdr: Floats


def prerank(
    statistic: Floats, members: tuple[NDArray[np.intp], ...], random_sets: RandomSets, n_threads: int = 1
) -> Enriched:
    r"""Score gene sets against a ranking of genes.

    Walking down the genes by statistic :math:`r`, the running sum grows by :math:`|r_g| / \sum_{h \in S} |r_h|` at a
    gene of the set and falls by :math:`1 / (N - |S|)` at any other; the score ES is its largest deviation from
    zero. NES is ES over the mean of the random sets' scores of the same sign. The false discovery rate of a score
    is the share of random NES of its sign that are as extreme, over the same share among the real ones.

    Parameters
    ----------
    statistic
        Of each gene, positive for genes up; no NaN.
    members
        Places of each set's genes, at least one and fewer than there are genes.
    random_sets
        At least as large as the largest set.
    n_threads
        Number of threads; changes no result.

    References
    ----------
    Subramanian et al. 2005, PNAS 102:15545; Fang et al. 2023, Bioinformatics 39:btac757 (gseapy).

    Examples
    --------
    >>> statistic = np.linspace(3, -3, 200)
    >>> draws = RandomSets.draw(200, 20, 200, np.random.default_rng(0))
    >>> result = prerank(statistic, (np.arange(20), np.arange(0, 200, 10)), draws)
    >>> bool(result.nes[0] > 2), bool(result.fdr[1] > 0.2)
    (True, True)
    """
    if not statistic.any():
        return Enriched(*np.full((3, len(members)), np.nan))
    order = np.argsort(-statistic, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    weights = np.abs(statistic[order])
    es = np.array([enrichment_score(np.sort(rank[one]), weights, len(one)) for one in members])

    sizes, which = np.unique([len(one) for one in members], return_inverse=True)
    null = _null(weights, sizes.astype(np.int64), random_sets.places, n_threads)
    up, down = _mean_of(null, null >= 0), _mean_of(null, null < 0)
    nes = es / np.where(es >= 0, up[which], -down[which])
    null_nes = null / np.where(null >= 0, up[:, None], -down[:, None])
    return Enriched(es, nes, _false_discovery(nes, null_nes, np.bincount(which, minlength=len(sizes))))


@kernel
def enrichment_score(places: Places, weights: Floats, size: int) -> float:
    """Return ES of the first ``size`` of some ranks in ascending order; ``weights`` are those of all ranks."""
    total = 0.0
    for index in range(size):
        total += weights[places[index]]
    step = 1.0 / (len(weights) - size)
    highest, lowest, hits = 0.0, 0.0, 0.0
    for index in range(size):
        # The sum is lowest just ahead of a gene of the set, and highest at it.
        missed = (places[index] - index) * step
        lowest = min(lowest, hits - missed)
        # In a set whose statistics are all zero every gene counts alike.
        hits += weights[places[index]] / total if total > 0 else 1.0 / size
        highest = max(highest, hits - missed)
    return highest if highest >= -lowest else lowest


@kernel
def _null_block(start: int, stop: int, weights: Floats, sizes: Places, places: Draws, null: Floats) -> None:
    """Write the scores of random sets ``start … stop - 1`` at every size into ``null`` (``n_sizes × n``)."""
    width = places.shape[1]
    for permutation in range(start, stop):
        at = 0
        for number in range(len(sizes)):
            size = sizes[number]
            drawn = np.empty(size, dtype=np.int64)
            for index in range(size):
                drawn[index] = places[permutation, (at + index) % width]
            # The next size starts where this one ends, so that the scores of different sizes owe little to each other.
            at = (at + size) % width
            null[number, permutation] = enrichment_score(np.sort(drawn), weights, size)


def _null(weights: Floats, sizes: Places, places: Draws, n_threads: int) -> Floats:
    n_permutations = len(places)
    null = np.empty((len(sizes), n_permutations))
    starts = range(0, n_permutations, BLOCK)
    with ThreadPoolExecutor(max_workers=max(1, n_threads)) as pool:
        calls = [
            pool.submit(_null_block, at, min(at + BLOCK, n_permutations), weights, sizes, places, null) for at in starts
        ]
        for call in calls:
            call.result()
    return null


def _mean_of(null: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """Return the mean of the chosen scores of each size; NaN where there is none."""
    number = chosen.sum(axis=1)
    mean: Floats = np.where(number > 0, np.where(chosen, null, 0.0).sum(axis=1) / np.maximum(number, 1), np.nan)
    return mean


def _false_discovery(nes: Floats, null: Floats, n_sets: NDArray[Any]) -> Floats:
    """Return GSEA's q-values; the null of each size counts for as many sets as have it."""
    fdr = np.full(len(nes), np.nan)
    weight = np.repeat(n_sets, null.shape[1]).astype(np.float64)
    pooled = null.ravel()
    for sign in (1.0, -1.0):
        chosen = np.flatnonzero((nes >= 0) if sign > 0 else (nes < 0))
        random = (pooled >= 0) if sign > 0 else (pooled < 0)
        if not len(chosen) or not random.any():
            continue
        expected = _share_at_least(sign * pooled[random], weight[random], sign * nes[chosen])
        found = _share_at_least(sign * nes[chosen], np.ones(len(chosen)), sign * nes[chosen])
        fdr[chosen] = np.minimum(expected / found, 1.0)
    return fdr


def _share_at_least(values: Floats, weight: Floats, thresholds: Floats) -> Floats:
    order = np.argsort(values)
    above = np.concatenate([np.cumsum(weight[order][::-1])[::-1], [0.0]])
    share: Floats = above[np.searchsorted(values[order], thresholds)] / weight.sum()
    return share
