r"""`copula_llr`: is a cell likelier under the copula of the twin's cells of its type, or under that of other people's.

Genes are put on a common normal scale, :math:`z = \Phi^{-1}(u(x))` with :math:`u` the mid-distribution transform of
twin and reference together. A monotone change of scale cancels out of a likelihood ratio, so that on this scale a
normal for each side says all that their margins and Gaussian copulas say:

.. math:: \log N(z; m_S, \Sigma_S) - \log N(z; m_R, \Sigma_R).

Covariances are shrunk, :math:`\Sigma = (1 - s) C + s \operatorname{diag} C`. With one covariance for both sides what
is left is where the means have moved: it forgets what single cells look like and keeps what the *person* does, which
tells people by cells that the generator has never seen, and by twins whose correlations were blurred. With the
dependence alone, each side's scores from its own margins and the target's from other people's, it does not matter what
was done to the twin's means.
"""

from __future__ import annotations

import numpy as np

from ._base import Floats, View
from ._cells import need_cells
from ._copula import Normal, scored
from ._registry import register

ZEROS = 0.8
"""Share of zeros from which on scDesign2 takes a gene out of its copula."""


@register(
    name="copula_llr",
    levels=("T1", "T3"),
    threat="Fits to the twin's cells of each type how genes are distributed and how they go together, does the same "
    "with cells of other people, and asks which of the two explains the target's cells better.",
    formula="log N(z; m_S, Σ_S) − log N(z; m_R, Σ_R), z = Φ⁻¹(mid-distribution), Σ shrunk by 0.1 to 0.6; per type",
    reference="twinseq; after Golob et al. 2026 (scMAMA-MIA), with a likelihood in place of a distance",
    settings={
        **{f"shrunk {share:g}": {"shrinkage": share} for share in (0.1, 0.3, 0.6)},
        "dependence alone, shrunk 0.3": {"shrinkage": 0.3, "margins": False},
        **{f"one covariance, shrunk {share:g}": {"shrinkage": share, "common": True} for share in (0.3, 0.6)},
        "rarer genes, one covariance, shrunk 0.3": {"shrinkage": 0.3, "common": True, "zeros": 0.95},
    },
    cells=True,
)
def copula_llr(
    view: View, shrinkage: float, common: bool = False, margins: bool = True, zeros: float = ZEROS
) -> Floats:
    """Return the log-likelihood ratio of each cell, under the copulas of its type.

    Covariances are ``common`` to both sides or each side's own; without ``margins`` only dependence is compared.

    Raises
    ------
    NotApplicableError
        The profiles are no counts of cells, twin or reference lack a type, or all its genes are rare.
    """
    need_cells(view)
    scores = np.empty(len(view.targets))
    for name in np.unique(view.targets.labels):
        held = scored(view, str(name), zeros, margins)
        within = np.concatenate([held.twin, held.people]).var(axis=0)
        twin, people = (Normal.of(side, shrinkage, within) for side in (held.twin, held.people))
        if common:
            both = np.concatenate([held.twin - twin.mean, held.people - people.mean])
            root = Normal.of(both, shrinkage, within).root
            twin, people = Normal(twin.mean, root), Normal(people.mean, root)
        scores[view.targets.labels == name] = twin.log_density(held.targets) - people.log_density(held.targets)
    return scores
