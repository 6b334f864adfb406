"""Samples of two real sets that are one person's: a technical replicate, a rounded, rescaled or retouched copy.

Exact copies are found by their digests. What is nearly a copy is found by its distance: far below that at which
samples of different donors have their nearest neighbours in these data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import distances

Floats = NDArray[np.float64]
FEWEST_GENES = 20
"""With fewer genes that vary, samples of different donors come arbitrarily close by chance."""
PROFILE_GENES = 30
"""From this many genes on, a continuous profile has a location and a scale of its own to be freed of."""
CUT = 2.0
"""Standard deviations at which a value is cut, so that a few altered genes do not hide a copy."""
CLOSEST = 0.55
"""Largest ratio to a neighbour's distance that can pass for a copy. Disjoint donors of real cohorts stay above 0.6;
a profile with 1 % of its genes altered stays below 0.5, the same bulk RNA sequenced again below 0.6 at worst."""
CHANCE = 1e-3
"""Chance, over all samples of two sets, that neighbours by chance come closer than the limit."""
NEIGHBOURS = (0.6, 1.25)
"""Neighbours' distances are kept within these multiples of the median one: replicates within a set must not make its
distances small, nor outliers make them large."""
FEWEST_NEIGHBOURS = 10
STRICT = 0.02
"""The limit where too few samples have neighbours to tell what is usual."""
MOST_VALUES = 50_000_000
BLOCK = 1024
SEEN = 1000


@dataclass(frozen=True, eq=False)
class Points:
    """Samples of one set as points whose distances can be compared.

    Parameters
    ----------
    values
        ``n × G'``, on a scale common to all sets.
    donors
        Donor of each sample, ``n``.
    """

    values: Floats
    donors: NDArray[np.str_]

    def nearest(self, rows: NDArray[np.intp]) -> Floats:
        """Return the distances of some samples to their two nearest ones of other donors, ``len(rows) × 2``.

        They are infinite where there are not as many.
        """
        found = np.full((len(rows), 2), np.inf)
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            apart = distances(self.values[block], self.values)
            apart[self.donors[block][:, None] == self.donors[None, :]] = np.inf
            if apart.shape[1] > 1:
                found[start : start + BLOCK] = np.sort(np.partition(apart, 1, axis=1)[:, :2], axis=1)
        return found


def as_points(sets: list[NDArray[Any]], donors: list[NDArray[np.str_]], kind: str) -> list[Points] | None:
    """Put real sets on one scale on which a copy stays close to its original.

    Counts are taken per library, so that depth does not matter, and continuous profiles are freed of a location and a
    scale of their own. Genes are standardised over all sets together and cut at two deviations.

    Parameters
    ----------
    sets
        Counts or continuous values, ``n × G`` each, genes in one order.
    donors
        Donor of each sample.
    kind
        ``"counts"`` or ``"continuous"``.

    Returns
    -------
    One for each set; ``None`` where too few genes vary for distances to say anything.
    """
    values = np.concatenate(sets)
    chosen: Any = slice(None)
    most = max(FEWEST_GENES, MOST_VALUES // max(len(values), 1))
    if kind == "counts":
        totals = values.sum(axis=1, dtype=np.float64)
        # One count of a shallow library says little; per million it would weigh as much as a hundred.
        unit = min(1e6, float(np.median(totals)))
        if values.shape[1] > most:
            chosen = np.sort(np.argsort(-values.sum(axis=0), kind="stable")[:most])
        points = np.log2(values[:, chosen] * (unit / totals)[:, None] + 1.0)
    else:
        points = np.asarray(values, dtype=np.float64)
        if points.shape[1] >= PROFILE_GENES:
            spread = points.std(axis=1, keepdims=True)
            points = (points - points.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
        if points.shape[1] > most:
            points = points[:, np.sort(np.argsort(-points.var(axis=0), kind="stable")[:most])]
    centre, deviation = points.mean(axis=0), points.std(axis=0)
    varying = deviation > 1e-9 * np.maximum(np.abs(centre), 1.0)
    if varying.sum() < FEWEST_GENES:
        return None
    points = np.clip((points[:, varying] - centre[varying]) / deviation[varying], -CUT, CUT)
    ends = np.cumsum([len(part) for part in sets])[:-1]
    return [Points(part, donor) for part, donor in zip(np.split(points, ends), donors, strict=True)]


def near_duplicates(first: Points, second: Points) -> dict[int, int]:
    r"""Return the samples of ``second`` that nearly repeat one of ``first``, each with the nearest such one.

    Two samples at distance :math:`d` are held for one person's where :math:`d < t\,r`. Here :math:`r` is the larger
    of their distances to the nearest other donor in their own sets. Where samples lie evenly in :math:`D` dimensions,
    the ratio of the first to the second neighbour's distance is below :math:`t` with probability :math:`t^D`; so
    :math:`D` is read off the median of this ratio, and :math:`t = (10^{-3} / n)^{1/D}`, at most 0.55.

    Parameters
    ----------
    first, second
        Sets of disjoint donors.

    References
    ----------
    Facco et al. 2017, Scientific Reports 7:12140, for the dimension.
    """
    rng = np.random.default_rng(0)
    seen = [
        side.nearest(rng.choice(len(side.donors), min(SEEN, len(side.donors)), replace=False))
        for side in (first, second)
    ]
    neighbours = np.concatenate(seen)
    neighbours = neighbours[np.isfinite(neighbours[:, 0]) & (neighbours[:, 0] > 0)]
    if not len(neighbours):
        return {}
    usual = float(np.median(neighbours[:, 0]))
    limit = _limit(neighbours, len(first.donors) + len(second.donors))
    low, high = (share * usual for share in NEIGHBOURS)

    close: list[tuple[int, int, float]] = []
    for start in range(0, len(second.donors), BLOCK):
        apart = distances(second.values[start : start + BLOCK], first.values)
        rows, columns = np.nonzero(apart < limit * high)
        found = zip(rows, columns, apart[rows, columns], strict=True)
        close += [(start + int(row), int(column), float(value)) for row, column, value in found]
    if not close:
        return {}
    repeats = np.array([pair[:2] for pair in close], dtype=np.intp)
    values = np.array([pair[2] for pair in close])
    reach = np.maximum(_own(second, repeats[:, 0]), _own(first, repeats[:, 1]))
    copies = values < limit * np.clip(reach, low, high)
    nearest: dict[int, int] = {}
    for (row, column), _ in sorted(zip(repeats[copies].tolist(), values[copies].tolist(), strict=True), key=_distance):
        nearest.setdefault(row, column)
    return nearest


def _distance(pair: tuple[list[int], float]) -> tuple[float, list[int]]:
    return pair[1], pair[0]


def _own(points: Points, rows: NDArray[np.intp]) -> Floats:
    """Return the distances of samples to the nearest other donor of their own set, each computed once."""
    needed, place = np.unique(rows, return_inverse=True)
    own: Floats = points.nearest(needed)[place, 0]
    return own


def _limit(neighbours: Floats, n: int) -> float:
    """Return the ratio to a neighbour's distance below which two samples are held for one person's."""
    both = neighbours[np.isfinite(neighbours[:, 1])]
    if len(both) < FEWEST_NEIGHBOURS:
        return STRICT
    ratio = float(np.median(both[:, 0] / both[:, 1]))
    if ratio >= 1:
        return CLOSEST
    dimension = np.log(2) / -np.log(ratio)
    return float(min(CLOSEST, (CHANCE / n) ** (1 / dimension)))
