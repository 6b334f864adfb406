"""How far the shares of cell types in the twin are from real ones, over all cells and donor by donor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import distances
from .._registry import NotComputableError, register
from ..fidelity.mmd import energy

Floats = NDArray[np.float64]
FEWEST_DONORS = 5


@register(
    name="composition_distance",
    group="cells",
    question="Does the twin hold the cell types (of each class) in the shares of the training data?",
    reading="0: the same shares; 0.1: a tenth of the cells would have to change their type.",
    formula="½ Σ |p_T − p_S| over cell types, within classes of the label where there is one",
    direction="lower",
    ideal=0.0,
    bounds=(0.0, 1.0),
    reference="Levin & Peres 2017, Markov Chains and Mixing Times, ch. 4",
    fields=("train.classes", "twin.classes"),
    against="train",
    floor="equal types",
    needs=("cells",),
    unit="cells",
)
def composition_distance(real: NDArray[np.str_], twin: NDArray[np.str_]) -> float:
    """Return the total variation distance between the shares of cell types.

    Parameters
    ----------
    real, twin
        Type of each cell.
    """
    names = np.union1d(real, twin)
    return float(np.abs(shares(real, names) - shares(twin, names)).sum() / 2)


@register(
    name="donor_composition_distance",
    group="cells",
    question="Do the cell types' shares vary from donor to donor of the twin as they do between real donors?",
    reading="0: donors of the twin spread like real ones. 1: no donor of the twin is like any real donor.",
    formula="energy distance between the shares of cell types of real and of synthetic donors, as for `energy`",
    direction="lower",
    ideal=0.0,
    bounds=(-1.0, 1.0),
    reference="Székely & Rizzo 2013, Journal of Statistical Planning and Inference 143:1249",
    fields=("real.donor_shares", "twin.donor_shares"),
    floor="equal types",
    needs=("cells",),
    unit="donors",
)
def donor_composition_distance(real: Floats, twin: Floats) -> float:
    """Return the energy distance between donors' compositions.

    Parameters
    ----------
    real, twin
        Share of each cell type, ``n_donors × n_types``.

    Raises
    ------
    NotComputableError
        A side has fewer than five donors, or all of them have the same shares.
    """
    if min(len(real), len(twin)) < FEWEST_DONORS:
        raise NotComputableError(f"needs at least {FEWEST_DONORS} donors on each side")
    return energy(distances(real, real), distances(twin, twin), distances(real, twin))


def shares(types: NDArray[np.str_], names: NDArray[np.str_]) -> Floats:
    """Return the share of each of ``names`` among ``types``."""
    found: Floats = np.array([(types == name).mean() for name in names])
    return found


def donor_shares(types: NDArray[np.str_], donors: NDArray[np.str_], names: NDArray[np.str_]) -> Floats:
    """Return the share of each of the types ``names`` in each donor, ``n_donors × n_types``."""
    people, person = np.unique(donors, return_inverse=True)
    place = np.searchsorted(names, types)
    known = (place < len(names)) & (names[np.minimum(place, len(names) - 1)] == types)
    table = np.zeros((len(people), len(names)))
    np.add.at(table, (person[known], place[known]), 1.0)
    found: Floats = table / np.bincount(person)[:, None]
    return found
