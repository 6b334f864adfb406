r"""A panel of genes chosen under differential privacy, for cohorts of the whole transcriptome.

Noise on the mean of a gene grows with the square root of the number of genes asked for at once: 20,000 genes drown
where 1,000 swim. Every donor votes for the genes in which it lies furthest from a noisy mean; the genes with most
votes, after noise, are the panel. One donor's m votes have length :math:`\sqrt m`, whatever the number of genes, so
that this costs far less than a noisy variance of each.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..dp.ledger import Ledger
from ..dp.mechanisms import clipped, gaussian
from ._private_moments import FIRST_REACH, MIDDLE
from ._private_scale import LOG_CPM_BOUNDS

Floats = NDArray[np.float64]
VOTES = 4
"""Genes of the panel for each vote of a donor."""


def voted_panel(
    x: Floats, weights: Floats, n_donors: float, size: int, multipliers: tuple[float, float],
    ledger: Ledger,
) -> NDArray[np.intp]:  # fmt: skip
    """Return the places of about the ``size`` genes that vary most, ascending.

    Parameters
    ----------
    x
        Values on a scale from 0 to 20, ``n × n_genes``.
    weights
        Of the samples; those of each donor add up to 1.
    n_donors
        Noisy number of donors.
    size
        Genes to choose, below ``n_genes``.
    multipliers
        Noise of the means and of the votes.
    ledger
        Account.
    """
    n_genes, centre = x.shape[1], MIDDLE * LOG_CPM_BOUNDS[1]
    reach = FIRST_REACH * math.sqrt(n_genes)
    asked = "means of all genes, for the panel"
    sums = gaussian(weights @ clipped(x - centre, reach), reach, multipliers[0], ledger, asked)
    noise = reach * multipliers[0] / n_donors
    step = sums / n_donors
    real = max(float(step.var()) - noise**2, 0.01)
    location = centre + step.mean() + real / (real + noise**2) * (step - step.mean())
    votes = min(max(size // VOTES, 1), n_genes)
    furthest = np.argpartition(-np.abs(x - location), votes - 1, axis=1)[:, :votes]
    counts = np.bincount(furthest.ravel(), np.repeat(weights, votes), minlength=n_genes).astype(np.float64)
    noisy = gaussian(counts, math.sqrt(votes), multipliers[1], ledger, "votes of donors for genes")
    return np.sort(np.argsort(-noisy, kind="stable")[:size])
