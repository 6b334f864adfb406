r"""`marginal_llr`: gene by gene, is the target's value likelier in the twin than among people.

A generator that keeps every gene's distribution keeps the values around which it was built. One gene says next to
nothing; ten thousand add up. The twin is held against twin and reference together, so that a gene counts only as far
as the two differ.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nbinom

from ..kernels import kernel
from ._base import Floats, NotApplicableError, Samples, View
from ._registry import register

MOST_SAMPLES = 400
"""Twin and reference samples of a class whose values are used, drawn evenly over them where there are more."""
FLOOR = 0.01
REACH = 4.0
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
        "negative binomial": {"width": 0.0},
    },
)
def marginal_llr(view: View, width: float) -> Floats:
    """Return the mean log density ratio over genes; ``width`` 0 stands for negative binomial counts.

    Raises
    ------
    NotApplicableError
        Twin or reference lack a class, or the profiles are no counts where negative binomials are asked for.
    """
    twin, people, targets = view.twin, view.reference, view.targets
    if width == 0.0 and targets.kind != "counts":
        raise NotApplicableError("needs raw counts")
    scores = np.empty(len(targets))
    for name in np.unique(targets.labels):
        rows = targets.labels == name
        sides = [_of_class(side, name, whose) for side, whose in ((twin, "twin"), (people, "reference"))]
        judge = _kernel_ratio if width > 0.0 else _count_ratio
        scores[rows] = judge(sides[0], sides[1], targets.subset(rows), width)
    return scores


def _of_class(side: Samples, name: str, whose: str) -> Samples:
    rows = np.flatnonzero(side.labels == name)
    if len(rows) < 2:
        raise NotApplicableError(f"the {whose} has {len(rows)} sample(s) of class '{name}'; two are needed")
    if len(rows) > MOST_SAMPLES:
        # Evenly over the samples ordered by content, so that their order in the file does not matter.
        rows = rows[np.argsort(side.on_log[rows].mean(axis=1), kind="stable")]
        rows = rows[np.linspace(0, len(rows) - 1, MOST_SAMPLES).round().astype(int)]
    return side.subset(rows)


def _kernel_ratio(twin: Samples, people: Samples, targets: Samples, width: float) -> Floats:
    both = np.concatenate([twin.on_log - twin.on_log.mean(axis=0), people.on_log - people.on_log.mean(axis=0)])
    deviation = np.sqrt((both**2).sum(axis=0) / max(len(both) - 2, 1))
    varying = deviation > 1e-9 * np.maximum(np.abs(twin.on_log.mean(axis=0)), 1e-300)
    if not varying.any():
        raise NotApplicableError("no gene varies")
    scaled = [
        np.ascontiguousarray((side.on_log[:, varying] / deviation[varying]).T) for side in (twin, people, targets)
    ]
    narrow = width * np.array([len(twin), len(people)], dtype=float) ** -0.2
    return _kernel_ratios(scaled[0], scaled[1], scaled[2], narrow)


@kernel
def _kernel_ratios(twin: Floats, people: Floats, targets: Floats, widths: Floats) -> Floats:
    """Return mean log ratios from ``G × n`` values of twin, people and targets."""
    n_genes, n_targets = targets.shape
    n, m = twin.shape[1], people.shape[1]
    scores = np.zeros(n_targets)
    for gene in range(n_genes):
        for target in range(n_targets):
            x = targets[gene, target]
            in_twin, in_people = 0.0, 0.0
            for sample in range(n):
                away = (x - twin[gene, sample]) / widths[0]
                if abs(away) < REACH:
                    in_twin += math.exp(-0.5 * away * away)
            for sample in range(m):
                away = (x - people[gene, sample]) / widths[1]
                if abs(away) < REACH:
                    in_people += math.exp(-0.5 * away * away)
            in_twin /= widths[0]
            in_people /= widths[1]
            scores[target] += math.log(in_twin / n + FLOOR) - math.log((in_twin + in_people) / (n + m) + FLOOR)
    mean: Floats = scores / n_genes
    return mean


def _count_ratio(twin: Samples, people: Samples, targets: Samples, _: float) -> Floats:
    """Return mean log ratios of negative binomials, means in proportion to each sample's total count."""
    n, m = len(twin), len(people)
    shares = [_shares(side.values) for side in (twin, people)]
    joint = (n * shares[0] + m * shares[1]) / (n + m)
    expressed = joint > 0
    size = 1.0 / _dispersion(np.concatenate([twin.values, people.values]), joint)[expressed]
    totals = targets.values.sum(axis=1, dtype=np.float64)[:, None]
    counts = targets.values[:, expressed]

    def log_likelihood(share: Floats) -> Floats:
        mean = totals * np.maximum(share[expressed], 1e-3 * joint[expressed])
        found: Floats = nbinom.logpmf(counts, size, size / (size + mean))
        return found

    ratio: Floats = (log_likelihood(shares[0]) - log_likelihood(joint)).mean(axis=1)
    return ratio


def _shares(counts: NDArray[np.integer]) -> Floats:
    """Return each gene's mean share of a sample's total."""
    found: Floats = (counts / counts.sum(axis=1, dtype=np.float64)[:, None]).mean(axis=0)
    return found


def _dispersion(counts: NDArray[np.integer], share: Floats) -> Floats:
    """Return moment estimates of the dispersion, half way towards their median on the log scale."""
    mean = counts.sum(axis=1, dtype=np.float64)[:, None] * share
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = ((counts - mean) ** 2 - mean).sum(axis=0) / (mean**2).sum(axis=0)
    bounded = np.log(np.clip(np.nan_to_num(raw, nan=LEAST_DISPERSION), LEAST_DISPERSION, MOST_DISPERSION))
    shrunk: Floats = np.exp(0.5 * bounded + 0.5 * np.median(bounded))
    return shrunk
