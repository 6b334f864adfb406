r"""Tables of gene × class on four bins: what is asked of them, their estimate by Private-PGM, and values within bins.

The bins of a gene are those of a normal distribution around its noisy location, a quarter in each. A donor in bin b is
counted by three answers of a Hadamard code: above or below the location, in an inner or an outer bin, and their
product. With weights whose squares add up to 1 the code of every bin has length 1, so that all genes together have
sensitivity :math:`\sqrt G`, and most of the precision goes to the first answer, which tells class means.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

from ..dp.ledger import Ledger
from ..dp.mechanisms import gaussian
from ._extras import require

Floats = NDArray[np.float64]
N_BINS = 4
EDGE = float(ndtri(0.75))
EDGES = np.array([-np.inf, -EDGE, 0.0, EDGE, np.inf])
CODE = np.array([[-1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, 1.0, -1.0], [1.0, -1.0, 1.0, -1.0]])
"""Answers of each bin, ``3 × 4``; with a row of ones, orthogonal."""
CODE_WEIGHTS = np.sqrt([0.8, 0.15, 0.05])
GENES_AT_ONCE = 8
"""Attributes beside the class in one graphical model: a star falls apart given the class, so blocks of genes that
share the class marginal give the same estimate as one model of all, whose compilation would take hours."""
STEPS = 100
LEAST_SHARE = 1e-3


def require_mbi(name: str) -> None:
    """Check that mbi is there for generator ``name``.

    Raises
    ------
    MissingExtraError
        It is not; the message says how to install it.
    """
    with warnings.catch_warnings():
        # It warns of 32-bit numbers and of JAX's cache. Both would be set for the whole process, and are good enough.
        warnings.filterwarnings("ignore", category=UserWarning, module="mbi")
        require(name, "pgm")


def bins_of(standard: Floats) -> NDArray[np.intp]:
    """Return the bin of values in units of spread from the location."""
    return np.searchsorted(EDGES[1:-1], standard, side="right").astype(np.intp)


def measure_tables(
    bins: NDArray[np.intp],
    codes: NDArray[np.intp],
    n_classes: int,
    weights: Floats,
    multiplier: float,
    ledger: Ledger,
) -> tuple[Floats, Floats]:
    """Ask for the coded tables of all genes in one answer.

    Parameters
    ----------
    bins
        Bin of each value, ``n_samples × n_genes``.
    codes, n_classes
        Class of each sample, and number of classes.
    weights
        Of the samples, those of each donor adding up to 1.
    multiplier
        Noise in units of the sensitivity.
    ledger
        Account that is charged.

    Returns
    -------
    Noisy sums of the code, ``3 × n_classes × n_genes``, and the standard deviation of the noise on each part, ``3``.
    """
    n_genes = bins.shape[1]
    members = np.zeros((n_classes, len(codes)))
    members[codes, np.arange(len(codes))] = weights
    sums = np.stack(
        [weight * (members @ code[bins]) for code, weight in zip(CODE, CODE_WEIGHTS, strict=True)]
    )  # fmt: skip
    length = np.sqrt(n_genes)
    noisy = gaussian(sums, length, multiplier, ledger, "tables of gene × class on four bins")
    return noisy / CODE_WEIGHTS[:, None, None], multiplier * length / CODE_WEIGHTS


def normal_shares(means: Floats, spreads: Floats) -> Floats:
    """Return the share of each bin for normal values.

    Parameters
    ----------
    means, spreads
        In units of the spread that the bins were made with, ``n_classes × n_genes`` and ``n_genes``.

    Returns
    -------
    ``n_classes × n_genes × 4``.
    """
    below = ndtr((EDGES[1:-1] - means[..., None]) / spreads[:, None])
    edges = np.concatenate([np.zeros((*means.shape, 1)), below, np.ones((*means.shape, 1))], axis=-1)
    shares: Floats = np.diff(edges, axis=-1)
    return shares


def blend(measured: Floats, noise: Floats, counts: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Return counts in each bin between what was measured and what normal values would give.

    Real tables differ from normal ones by more than noise where a gene is not normal; how much is read off all genes,
    for each answer of the code and each class.

    Parameters
    ----------
    measured, noise
        As `measure_tables` returns them.
    counts
        Noisy numbers of donors, ``n_classes``.
    shares
        Of normal values, ``n_classes × n_genes × 4``.

    Returns
    -------
    ``n_classes × n_genes × 4``, cells possibly below zero, and the standard deviation of cells, ``n_classes``.
    """
    model = counts[:, None, None] * shares
    coded = np.einsum("ab,cgb->acg", CODE, model)
    rest = measured - coded
    misfit = np.maximum((rest**2).mean(axis=2) - noise[:, None] ** 2, 0.0)
    trust = misfit / (misfit + noise[:, None] ** 2)
    change = np.einsum("ab,acg->cgb", CODE, trust[:, :, None] * rest) / N_BINS
    left = (trust * noise[:, None] ** 2).sum(axis=0) / N_BINS**2
    return model + change, np.sqrt(left)


def estimate_tables(cells: Floats, errors: Floats, counts: Floats, count_error: float, name: str) -> Floats:
    """Return the share of each bin in each class by Private-PGM: tables without negative cells that agree on classes.

    Parameters
    ----------
    cells
        Estimated counts, ``n_classes × n_genes × 4``.
    errors
        Standard deviation of cells, ``n_classes``.
    counts, count_error
        Noisy numbers of donors, and the noise on them.
    name
        Generator, for the message.

    Returns
    -------
    ``n_classes × n_genes × 4``.

    Raises
    ------
    MissingExtraError
        mbi is not installed.

    References
    ----------
    McKenna, Sheldon & Miklau 2019, ICML (Private-PGM; mirror descent on the marginals).
    """
    require_mbi(name)
    from mbi import CliqueVector, Domain, Factor, LinearMeasurement
    from mbi.estimation import MirrorDescent

    n_classes, n_genes, _ = cells.shape
    names = [f"gene {number}" for number in range(min(GENES_AT_ONCE, n_genes))]
    cliques = [("class", gene) for gene in names]
    domain = Domain(["class", *names], [n_classes, *[N_BINS] * len(names)])
    error = max(float(np.sqrt((errors**2).mean())), 1e-3 * float(counts.mean()))
    classes = LinearMeasurement(counts.astype(np.float32), ("class",), count_error)
    floor = LEAST_SHARE * counts[:, None, None]
    start = np.log(np.maximum(cells, floor) / np.maximum(cells, floor).sum(axis=-1, keepdims=True))
    shares = np.empty_like(cells)
    for place in range(0, n_genes, len(names)):
        # The last block takes in genes of the one before, so that all are of one size and compiled once.
        first = min(place, n_genes - len(names))
        block = range(first, first + len(names))
        asked = [
            LinearMeasurement(cells[:, gene].ravel().astype(np.float32), clique, error)
            for gene, clique in zip(block, cliques, strict=True)
        ]
        potentials = {
            clique: Factor(domain.project(clique), _potential(start[:, gene], counts, gene == first))
            for gene, clique in zip(block, cliques, strict=True)
        }
        model: Any = MirrorDescent().estimate(
            domain, [classes, *asked], known_total=float(counts.sum()), iters=STEPS,
            warm_start=CliqueVector(domain, cliques, potentials),
        )  # fmt: skip
        for gene, clique in zip(block, cliques, strict=True):
            shares[:, gene] = np.asarray(model.project(clique).values, dtype=np.float64)
    shares = np.maximum(shares, 1e-12)
    found: Floats = shares / shares.sum(axis=-1, keepdims=True)
    return found


def _potential(log_shares: Floats, counts: Floats, with_classes: bool) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(log_shares + (np.log(counts / counts.sum())[:, None] if with_classes else 0.0), dtype=np.float32)


def values_at(levels: Floats, codes: NDArray[np.intp], shares: Floats, means: Floats, spreads: Floats) -> Floats:
    """Return the values, in units of spread from the location, below which a share ``levels`` of the class lies.

    Within a bin, values follow the normal distribution of gene and class.

    Parameters
    ----------
    levels
        Between 0 and 1, ``n × n_genes``.
    codes
        Class of each row.
    shares, means, spreads
        Of the bins (``n_classes × n_genes × 4``), and of the normal distributions.
    """
    out = np.empty_like(levels)
    limits = ndtr((EDGES - means[..., None]) / spreads[:, None])
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        ends = np.cumsum(shares[code], axis=-1)
        ends[:, -1] = 1.0
        place = (levels[rows][:, :, None] >= ends[None, :, :-1]).sum(axis=-1)
        genes = np.arange(levels.shape[1])
        size = shares[code][genes, place]
        within = np.clip((levels[rows] - (ends[genes, place] - size)) / np.maximum(size, 1e-12), 0.0, 1.0)
        low, high = limits[code][genes, place], limits[code][genes, place + 1]
        level = np.clip(low + within * (high - low), 1e-9, 1.0 - 1e-9)
        value = means[code] + spreads * ndtri(level)
        out[rows] = np.clip(value, EDGES[place], EDGES[place + 1])
    return out


def log_densities(standard: Floats, codes: NDArray[np.intp], shares: Floats, means: Floats, spreads: Floats) -> Floats:
    """Return the log-density of each value, ``n × n_genes``; arguments as for `values_at`."""
    bins = bins_of(standard)
    genes = np.arange(standard.shape[1])
    z = (standard - means[codes]) / spreads
    low = (EDGES[bins] - means[codes]) / spreads
    high = (EDGES[bins + 1] - means[codes]) / spreads
    # On the side on which both tails are small, so that far bins keep their digits.
    swap = low > 0
    low, high = np.where(swap, -high, low), np.where(swap, -low, high)
    upper, lower = log_ndtr(high), log_ndtr(low)
    mass = upper + np.log1p(-np.exp(np.minimum(lower - upper, -1e-12)))
    normal = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - np.log(spreads)
    density: Floats = np.log(shares[codes[:, None], genes[None, :], bins]) + normal - mass
    return density
