"""Whether the main axes of variation point the same way and carry the same variance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.floating[Any]]
COMPONENTS = 10

_SHARED: dict[str, Any] = {"group": "fidelity", "floor": "independent", "unit": "samples"}


@register(
    name="pca_subspace",
    question="Do the ten main axes of variation span the same space of genes?",
    reading="1: the same space; 0: orthogonal. Few samples fix axes badly, so compare with the ceiling.",
    formula="‖U_realᵀ U_twin‖²_F / k, k = 10 or what the smaller side allows",
    direction="higher",
    ideal=1.0,
    bounds=(0.0, 1.0),
    reference="Krzanowski 1979, JASA 74:703",
    fields=("real.axes", "twin.axes"),
    **_SHARED,
)
def pca_subspace(real: tuple[Floats, Floats], twin: tuple[Floats, Floats]) -> float:
    """Return the overlap of two principal subspaces.

    Parameters
    ----------
    real, twin
        Eigenvalues and orthonormal loadings (``n_genes × at least k``) of each side.

    Raises
    ------
    NotComputableError
        One side does not vary.
    """
    k = min(COMPONENTS, real[1].shape[1], twin[1].shape[1])
    if k == 0:
        raise NotComputableError("the profiles of one side do not vary")
    return float(np.linalg.norm(real[1][:, :k].T @ twin[1][:, :k]) ** 2 / k)


@register(
    name="total_variance_ratio",
    question="Do the twin's samples vary as much as real ones do?",
    reading="1: as much; below 1: too alike; above 1: too noisy.",
    formula="Σ λ_twin / Σ λ_real over all axes (log scale)",
    direction="target",
    ideal=1.0,
    bounds=(0.0, np.inf),
    reference="Jolliffe 2002, Principal Component Analysis",
    fields=("real.eigenvalues", "twin.eigenvalues"),
    **{**_SHARED, "floor": "mean profile"},
)
def total_variance_ratio(real: Floats, twin: Floats) -> float:
    """Return the ratio of total variances.

    Parameters
    ----------
    real, twin
        Eigenvalues of the covariance of genes.

    Raises
    ------
    NotComputableError
        The real side does not vary.
    """
    if not len(real):
        raise NotComputableError("the real profiles do not vary")
    return float(twin.sum() / real.sum())


@register(
    name="eigenvalue_ratio",
    question="Do the ten main axes carry as much variance in the twin as in real data?",
    reading="1: as much; below 1: main axes flattened; above 1: exaggerated.",
    formula="geometric mean of λ_twin,j / λ_real,j, j = 1 … 10 or what the smaller side allows",
    direction="target",
    ideal=1.0,
    bounds=(0.0, np.inf),
    reference="Jolliffe 2002, Principal Component Analysis",
    fields=("real.eigenvalues", "twin.eigenvalues"),
    **_SHARED,
)
def eigenvalue_ratio(real: Floats, twin: Floats) -> float:
    """Return the geometric mean of the ratios of the leading eigenvalues.

    Raises
    ------
    NotComputableError
        One side does not vary.
    """
    k = min(COMPONENTS, len(real), len(twin))
    if k == 0:
        raise NotComputableError("the profiles of one side do not vary")
    return float(np.exp(np.mean(np.log(twin[:k] / real[:k]))))
