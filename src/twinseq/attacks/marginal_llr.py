r"""`marginal_llr`: gene by gene, is the target's value likelier in the twin than among people.

A generator that keeps every gene's distribution keeps the values around which it was built. One gene says next to
nothing; ten thousand add up. The twin is held against twin and reference together, so that a gene counts only as far
as the two differ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nbinom

from ._base import Floats, NotApplicableError, View
from ._cells import of_type
from ._count_ratio import log_ratio
from ._kernels import kernel_ratios, of_class, per_gene
from ._registry import register

Counts = NDArray[np.integer]
LEAST_DISPERSION, MOST_DISPERSION = 1e-3, 10.0


@register(
    name="marginal_llr",
    levels=("T1",),
    threat="Asks of every gene whether the target's value is likelier in the twin than among people at large, and adds "
    "up the answers.",
    formula="mean over genes of log p_S(x_g) − log p_S∪R(x_g) per class; kernels of 0.1 to 1 deviations, or NB counts",
    reference="Homer et al. 2008; Sankararaman et al. 2009, Nature Genetics; kernel margins by twinseq",
    settings={
        **{f"kernel {width:g}": {"width": width} for width in (0.1, 0.3, 1.0)},
        "negative binomial": {"width": None},
        "sparse counts": {"sparse": True},
        "sparse counts, depth included": {"sparse": True, "depth": True},
    },
)
def marginal_llr(view: View, width: float | None = None, sparse: bool = False, depth: bool = False) -> Floats:
    """Return the mean log density ratio over genes; no ``width`` stands for negative binomial counts.

    ``sparse`` holds twin against other people alone, with rates that allow for genes seen in few cells of a side, and
    gives a gene as much weight as its counts have; with ``depth``, a cell's total count has a say.

    Raises
    ------
    NotApplicableError
        Twin or reference lack a class, or the profiles are no counts where negative binomials are asked for.
    """
    twin, people, targets = view.twin, view.reference, view.targets
    if width is None and targets.kind != "counts":
        raise NotApplicableError("needs raw counts")
    if sparse:
        return _sparse_ratio(view, depth)
    scores = np.empty(len(targets))
    for name in np.unique(targets.labels):
        rows = targets.labels == name
        if width is not None:
            own, other = of_class(twin, name, "twin"), of_class(people, name, "reference")
            scores[rows] = _kernel_ratio(own, other, targets.on_log[rows], width)
        else:
            counts, others = (side.values[side.labels == name] for side in (twin, people))
            if min(len(counts), len(others)) < 2:
                raise NotApplicableError(f"needs two twin and two reference samples of class '{name}'")
            scores[rows] = _count_ratio(counts, others, targets.values[rows])
    return scores


def _sparse_ratio(view: View, depth: bool) -> Floats:
    scores = np.empty(len(view.targets))
    for name in np.unique(view.targets.labels):
        rows = view.targets.labels == name
        sides = of_type(view.twin, str(name), "twin"), of_type(view.reference, str(name), "reference")
        scores[rows] = log_ratio(*sides, view.targets.values[rows], depth=depth)
    return scores


def _kernel_ratio(twin: Floats, people: Floats, targets: Floats, width: float) -> Floats:
    """Return mean log ratios of kernel densities from log-scale profiles."""
    both = np.concatenate([twin - twin.mean(axis=0), people - people.mean(axis=0)])
    deviation = np.sqrt((both**2).sum(axis=0) / max(len(both) - 2, 1))
    varying = deviation > 1e-9 * np.maximum(np.abs(twin.mean(axis=0)), np.finfo(float).tiny)
    if not varying.any():
        raise NotApplicableError("no gene varies")
    widths = width * np.array([len(twin), len(people)], dtype=float) ** -0.2
    twin, people, targets = (per_gene(values, deviation, varying) for values in (twin, people, targets))
    return kernel_ratios(twin, people, targets, widths, twin.shape[1] / (twin.shape[1] + people.shape[1]))


def _count_ratio(twin: Counts, people: Counts, targets: Counts) -> Floats:
    """Return mean log ratios of negative binomials, means in proportion to each sample's total count."""
    n, m = len(twin), len(people)
    own, other = _shares(twin), _shares(people)
    joint = (n * own + m * other) / (n + m)
    expressed = joint > 0
    size = 1.0 / _dispersion(np.concatenate([twin, people]), joint, expressed)
    totals = targets.sum(axis=1, dtype=np.float64)[:, None]

    def log_likelihood(share: Floats) -> Floats:
        mean = totals * np.maximum(share[expressed], 1e-3 * joint[expressed])
        found: Floats = nbinom.logpmf(targets[:, expressed], size, size / (size + mean))
        return found

    ratio: Floats = (log_likelihood(own) - log_likelihood(joint)).mean(axis=1)
    return ratio


def _shares(counts: Counts) -> Floats:
    """Return each gene's mean share of a sample's total; a sample without counts has shares of 0."""
    totals = np.maximum(counts.sum(axis=1, dtype=np.float64), 1.0)
    found: Floats = (counts / totals[:, None]).mean(axis=0)
    return found


def _dispersion(counts: Counts, share: Floats, expressed: NDArray[np.bool_]) -> Floats:
    """Return moment estimates of the dispersion of expressed genes, half way to their median on the log scale."""
    mean = counts.sum(axis=1, dtype=np.float64)[:, None] * share[expressed]
    raw = ((counts[:, expressed] - mean) ** 2 - mean).sum(axis=0) / (mean**2).sum(axis=0)
    bounded = np.log(np.clip(raw, LEAST_DISPERSION, MOST_DISPERSION))
    shrunk: Floats = np.exp(0.5 * bounded + 0.5 * np.median(bounded))
    return shrunk
