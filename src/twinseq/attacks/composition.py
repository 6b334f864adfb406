r"""`composition`: are the target's shares of cell types likelier around the twin's shares than around other people's.

A donor's counts of cells of each type vary more than a multinomial's, by a concentration :math:`A` that the reference
donors tell. With :math:`\pi` the shares in the twin and among the reference donors, the score is

.. math:: \log \mathrm{DM}(k; A \pi_S) - \log \mathrm{DM}(k; A \pi_R), \qquad
          \mathrm{DM}(k; \alpha) \propto \frac{\Gamma(\sum \alpha)}{\Gamma(\sum \alpha + \sum k)}
          \prod_t \frac{\Gamma(\alpha_t + k_t)}{\Gamma(\alpha_t)}.

A twin that keeps the design of its training data keeps its donors' mean composition, however private its profiles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse.csgraph import connected_components
from scipy.special import gammaln

from ._base import Floats, NotApplicableError, Samples, View
from ._cells import people_of
from ._registry import register

LOG_CONCENTRATION = (-2.0, 10.0)
PSEUDO = 0.5


def dirichlet_multinomial(counts: Floats, alpha: Floats) -> Floats:
    """Return the log probability of each row of counts, without the multinomial coefficient.

    Parameters
    ----------
    counts
        ``n × n_types``.
    alpha
        ``n_types``, positive.
    """
    total = alpha.sum()
    found: Floats = (gammaln(counts + alpha) - gammaln(alpha)).sum(axis=1)
    found += gammaln(total) - gammaln(counts.sum(axis=1) + total)
    return found


@register(
    name="composition",
    levels=("T1",),
    threat="Counts the target's cells of each type, and asks whether such shares are likelier around those of the twin "
    "than around those of other people.",
    formula="log DM(k; A π_S) − log DM(k; A π_R), Dirichlet-multinomial, A by maximum likelihood on reference donors",
    reference="twinseq; Mosimann 1962, Biometrika 49:65 (the distribution)",
    unit="donor",
    cells=True,
)
def composition(view: View) -> Floats:
    """Return the log-likelihood ratio of the person of each cell, the same for all of a person's cells.

    Raises
    ------
    NotApplicableError
        Whose the cells are is not known, or no two types occur in one person.
    """
    names = np.unique(np.concatenate([view.targets.labels, view.reference.labels, view.twin.labels]))
    targets, rows = _table(view.targets, names, "targets")
    reference, _ = _table(view.reference, names, "reference")
    twin = (view.twin.labels[:, None] == names[None, :]).sum(axis=0).astype(np.float64)
    scores, compared = np.zeros(len(targets)), False
    for types in _groups(reference):
        people, donors = reference[:, types], targets[:, types]
        people = people[people.sum(axis=1) > 0]
        if types.sum() < 2 or len(people) < 2 or not twin[types].any():
            continue
        compared = True
        shares = _shares((people / people.sum(axis=1, keepdims=True)).sum(axis=0))
        alpha = _concentration(people, shares)
        own = alpha * _shares(twin[types])
        scores += dirichlet_multinomial(donors, own) - dirichlet_multinomial(donors, alpha * shares)
    if not compared:
        raise NotApplicableError("needs reference donors with cells of two types or more")
    return scores[rows]


def _table(samples: Samples, names: NDArray[np.str_], whose: str) -> tuple[Floats, NDArray[np.intp]]:
    """Return each person's counts of cells of each class, ``n_people × n_classes``, and the person of each cell."""
    people, rows = np.unique(people_of(samples, whose), return_inverse=True)
    counts = np.zeros((len(people), len(names)))
    np.add.at(counts, (rows, np.searchsorted(names, samples.labels)), 1.0)
    return counts, rows


def _groups(counts: Floats) -> list[NDArray[np.bool_]]:
    """Return the classes that occur together in people: cell types of cases and of controls do not."""
    together = (counts > 0).astype(np.float64)
    number, group = connected_components(together.T @ together, directed=False)
    return [group == place for place in range(number)]


def _shares(weights: Floats) -> Floats:
    found: Floats = (weights + PSEUDO) / (weights + PSEUDO).sum()
    return found


def _concentration(counts: Floats, shares: Floats) -> float:
    """Return the likeliest concentration of donors' compositions around ``shares``."""
    best = minimize_scalar(
        lambda log: -dirichlet_multinomial(counts, np.exp(log) * shares).sum(),
        bounds=LOG_CONCENTRATION,
        method="bounded",
    )
    return float(np.exp(best.x))
