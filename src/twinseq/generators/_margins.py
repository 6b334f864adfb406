r"""Margins: the distribution of every gene in every stratum, as smoothed quantile functions.

A stratum's sorted latent values :math:`x_{(1)} \le \dots \le x_{(n)}` are smoothed over neighbouring ranks, so that
no training value is replayed, and kept at up to `MAX_KNOTS` ranks. Values at the gene's atom (a count of zero, the
floor of a VST) keep their exact share and stay out of the smoothing. Spread (on the latent scale) and mean (on the
scale of normalised counts) are then set to those of the training values: fold changes are ratios of means, so it is
the mean of the raw scale that has to be right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..cohort import Cohort
from ..parallel import run
from ..transforms import log_normalised, size_factors

Floats = NDArray[np.floating[Any]]
MAX_KNOTS = 64
BLOCK = 1024


def gene_blocks(n_genes: int) -> list[slice]:
    """Cut the genes into runs of `BLOCK`, the unit of work and of randomness."""
    return [slice(start, min(start + BLOCK, n_genes)) for start in range(0, n_genes, BLOCK)]


@dataclass(frozen=True)
class LatentProfiles:
    """A cohort's profiles on the latent scale, given out by blocks of genes.

    Counts become ``log2(count / size factor + 1)``; continuous values stay as they are.
    """

    x: Any
    factors: NDArray[np.float64] | None

    @classmethod
    def of(cls, cohort: Cohort) -> LatentProfiles:
        """Prepare the profiles of ``cohort``; size factors are estimated here."""
        x = cohort.adata.X
        factors = None
        if cohort.kind == "counts":
            factors = size_factors(cohort.dense(dtype=x.dtype))
        return cls(x.tocsc() if sp.issparse(x) else np.asarray(x), factors)

    def block(self, genes: slice) -> NDArray[np.float64]:
        """Return ``n_samples × len(genes)`` latent values, a copy that may be written to."""
        part = self.x[:, genes]
        values = np.array(part.toarray() if sp.issparse(part) else part, dtype=np.float64)
        return values if self.factors is None else log_normalised(values, self.factors)


def smoothing_matrix(n: int, bandwidth: float) -> NDArray[np.float64]:
    """Return the ``n_knots × n`` weights that turn sorted values into smoothed knots.

    Local-linear regression of value on rank with a Gaussian kernel of ``bandwidth`` ranks: unlike a plain average it
    does not pull the extremes inwards.
    """
    knots = np.linspace(0, n - 1, min(n, MAX_KNOTS))
    distance = np.arange(n)[None, :] - knots[:, None]
    # Beyond 64 samples a knot stands for several ranks, and looks at all of them.
    width = max(bandwidth, 0.5 * n / MAX_KNOTS)
    kernel = np.exp(-0.5 * (distance / width) ** 2)
    s0, s1, s2 = ((kernel * distance**power).sum(axis=1, keepdims=True) for power in (0, 1, 2))
    determinant = s0 * s2 - s1**2
    weights: NDArray[np.float64] = kernel / s0 if n < 3 else kernel * (s2 - s1 * distance) / determinant
    return weights


def interpolation_matrix(levels: Floats, n_knots: int, n: int) -> NDArray[np.float64]:
    """Return the ``n_levels × n_knots`` weights that read a quantile function at probabilities ``levels``.

    Probability ``(i − ½) / n`` belongs to the ``i``-th of ``n`` sorted values; outside the outermost ones the
    function is flat.
    """
    lower, share = between_knots(levels, n_knots, n)
    weights = np.zeros((len(levels), n_knots))
    rows = np.arange(len(levels))
    weights[rows, lower] = 1.0 - share
    if n_knots > 1:
        weights[rows, lower + 1] = share
    return weights


def between_knots(levels: Floats, n_knots: int, n: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the knot below each probability, and the share of the way from there to the next one."""
    position = np.clip(levels * n - 0.5, 0, n - 1) * ((n_knots - 1) / max(n - 1, 1))
    lower = np.minimum(position.astype(np.intp), max(n_knots - 2, 0))
    return lower, position - lower


def balanced_levels(n: int) -> NDArray[np.float64]:
    """Return ``n`` evenly spread probabilities ``(i − ½) / n``."""
    return (np.arange(n) + 0.5) / n


@dataclass(frozen=True)
class Margins:
    """Quantile functions of all genes in all strata.

    Parameters
    ----------
    knots
        Per stratum ``n_knots × n_genes`` latent values, ascending.
    atom_share
        ``n_strata × n_genes`` share of the samples at the atom.
    atom
        ``n_genes`` latent value of the atom.
    sizes
        ``n_strata`` training samples behind the knots.
    """

    knots: tuple[NDArray[np.float32], ...]
    atom_share: NDArray[np.float32]
    atom: NDArray[np.float32]
    sizes: NDArray[np.intp]

    @classmethod
    def fit(
        cls, profiles: LatentProfiles, strata: NDArray[np.intp], n_strata: int, bandwidth: float, jobs: int = 1
    ) -> Margins:
        """Learn the margins of every stratum.

        Parameters
        ----------
        profiles
            Training profiles.
        strata
            Stratum of each sample, ``0 … n_strata − 1``, each with at least one sample.
        n_strata
            Number of strata.
        bandwidth
            Ranks over which quantiles are smoothed.
        jobs
            Threads; they change no result.
        """
        members = [np.flatnonzero(strata == stratum) for stratum in range(n_strata)]
        weights = [smoothing_matrix(len(rows), bandwidth) for rows in members]
        is_counts = profiles.factors is not None

        def one(genes: slice) -> tuple[list[Floats], Floats, Floats]:
            y = profiles.block(genes)
            atom = np.zeros(y.shape[1]) if is_counts else y.min(axis=0)
            at_atom = y <= atom
            lowest = atom
            if not is_counts:
                at_atom &= at_atom.sum(axis=0) > 1
                lowest = np.where(at_atom.any(axis=0), atom, np.where(atom >= 0, 0.0, -np.inf))
            parts = [
                _stratum_knots(y[rows], at_atom[rows], smooth, None if is_counts else lowest)
                for rows, smooth in zip(members, weights, strict=True)
            ]
            return parts, np.stack([at_atom[rows].mean(axis=0) for rows in members]), atom

        blocks = run(one, gene_blocks(profiles.x.shape[1]), jobs)
        return cls(
            tuple(
                np.concatenate([block[0][stratum] for block in blocks], axis=1).astype(np.float32)
                for stratum in range(n_strata)
            ),
            np.concatenate([block[1] for block in blocks], axis=1).astype(np.float32),
            np.concatenate([block[2] for block in blocks]).astype(np.float32),
            np.array([len(rows) for rows in members], dtype=np.intp),
        )

    def balanced(self, stratum: int, n: int, genes: slice) -> NDArray[np.float64]:
        """Return the quantiles at ``n`` evenly spread probabilities, ``n × len(genes)``, ascending."""
        levels = balanced_levels(n)
        knots = self.knots[stratum][:, genes].astype(np.float64)
        values = interpolation_matrix(levels, len(knots), int(self.sizes[stratum])) @ knots
        return np.where(levels[:, None] < self.atom_share[stratum, genes], self.atom[genes], values)

    def quantiles(self, stratum: int, levels: Floats, genes: slice) -> NDArray[np.float64]:
        """Return the quantiles at ``levels``, ``n × len(genes)`` probabilities."""
        knots = self.knots[stratum][:, genes].astype(np.float64)
        lower, share = between_knots(levels, len(knots), int(self.sizes[stratum]))
        upper = np.minimum(lower + 1, len(knots) - 1)
        values = np.take_along_axis(knots, lower, 0) * (1 - share) + np.take_along_axis(knots, upper, 0) * share
        return np.where(levels < self.atom_share[stratum, genes], self.atom[genes], values)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the margins as plain arrays."""
        knots = {f"knots.{stratum}": values for stratum, values in enumerate(self.knots)}
        return {**knots, "atom_share": self.atom_share, "atom": self.atom, "sizes": self.sizes}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> Margins:
        """Invert `state`."""
        knots = tuple(state[f"knots.{stratum}"] for stratum in range(len(state["sizes"])))
        return cls(knots, state["atom_share"], state["atom"], state["sizes"])


def _stratum_knots(y: Floats, at_atom: NDArray[np.bool_], smooth: Floats, lowest: Floats | None) -> Floats:
    """Return the smoothed knots of one stratum, ``n_knots × n_genes``.

    ``lowest`` bounds continuous values from below, gene by gene; ``None`` stands for counts.
    """
    n = len(y)
    n_atom = at_atom.sum(axis=0)
    ordered = np.sort(y, axis=0)
    # Atoms come first when sorted; the smallest other value stands in for them, so that smoothing sees no step.
    first = np.take_along_axis(ordered, np.minimum(n_atom, n - 1)[None, :], 0)
    live = np.arange(n)[:, None] >= n_atom
    knots = np.maximum.accumulate(smooth @ np.where(live, ordered, first), axis=0)
    back = interpolation_matrix(balanced_levels(n), len(knots), n)
    count = np.maximum(n - n_atom, 1)

    def moments(values: Floats) -> tuple[Floats, Floats]:
        mean = np.where(live, values, 0).sum(axis=0) / count
        return mean, np.sqrt(np.where(live, (values - mean) ** 2, 0).sum(axis=0) / count)

    mean, spread = moments(ordered)
    smooth_mean, smooth_spread = moments(back @ knots)
    ratio = np.where(smooth_spread > 1e-9, spread / np.maximum(smooth_spread, 1e-9), 1.0)
    if lowest is not None:
        # Two values of the same mean and spread would be the training values, and so would a lone one be.
        ratio = np.where(count < 3, 1.0, ratio)
        mean = np.where((count == 1) & (n_atom == n - 1) & (n > 1), (mean + lowest) / 2, mean)
    knots = np.asarray(mean + (knots - smooth_mean) * np.clip(ratio, 0.5, 2.0))
    if lowest is not None:
        return np.asarray(np.maximum(knots, (lowest + first[0]) / 2))
    target = np.where(live, np.exp2(ordered) - 1.0, 0).sum(axis=0)
    linear = np.maximum(np.exp2(knots) - 1.0, 0.0)
    reached = np.where(live, np.maximum(np.exp2(back @ knots) - 1.0, 0.0), 0).sum(axis=0)
    matched: Floats = np.log2(linear * np.where(reached > 0, target / np.maximum(reached, 1e-12), 1.0) + 1.0)
    return matched


def round_keeping_totals(values: Floats) -> NDArray[np.int64]:
    """Round non-negative ``n × n_genes`` values so that each gene's total stays right to within half a count.

    The largest fractional parts are rounded up. Independent rounding would add noise to the means of genes with few
    counts, and with it to their fold changes.
    """
    whole = np.floor(values)
    part = values - whole
    ups = np.rint(part.sum(axis=0)).astype(np.intp)
    place = np.argsort(np.argsort(-part, axis=0, kind="stable"), axis=0, kind="stable")
    result: NDArray[np.int64] = (whole + (place < ups)).astype(np.int64)
    return result


def whole_counts(values: Floats) -> NDArray[np.int64]:
    """Round ``n × n_genes`` values such that totals are kept and whatever is above zero stays so.

    Rounding alone would turn single counts, drawn for a shallow sample, into zeros. They become 1, and what
    that adds is taken from the gene's larger counts in proportion to what these have above 1.
    """
    seen = values > 0
    above = np.where(seen, np.maximum(values - 1.0, 0.0), 0.0)
    room = values.sum(axis=0) - seen.sum(axis=0)
    scale = np.clip(room / np.maximum(above.sum(axis=0), 1e-12), 0.0, 1.0)
    return round_keeping_totals(seen + above * scale)


def stratum_rows(strata: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each stratum that occurs, with its rows."""
    for stratum in np.unique(strata):
        yield int(stratum), np.flatnonzero(strata == stratum)


def under(prefix: str, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the entries of ``state`` whose names start with ``prefix``, without it."""
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
