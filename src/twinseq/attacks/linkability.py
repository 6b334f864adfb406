"""`linkability`: two halves of a profile are found to be one person's, through the twin.

The attacker holds some genes of a person from one source and other genes from another, without names (a panel test and
a microarray, say), and calls them one person's if the twin has samples that are near to both. Non-members are linked
too, since profiles of a kind are alike; only the advantage on members is a leak.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import distances, row_digests
from ._advantage import advantage
from ._base import Floats, NotApplicableError, Samples, View
from ._standard import standard

NEIGHBOURS = (1, 5, 10)
SPLITS = 10
BLOCK = 1024
TIE = 1e-9


def linkability(
    twin: Samples,
    targets: Samples,
    members: NDArray[np.bool_],
    donors: NDArray[np.str_],
    *,
    seed: int,
    neighbours: Sequence[int] = NEIGHBOURS,
    n_splits: int = SPLITS,
) -> list[dict[str, Any]]:
    """Return how often the halves of a target's profile are linked, for members and for non-members.

    Genes, standardised on the twin, are dealt at random into halves A and B. A target is linked where one of its ``k``
    nearest twin samples by A is among the ``k`` nearest by B. The rate is the mean over the splits.

    Parameters
    ----------
    twin, targets
        What the attacker holds; ``n_twin × G`` and ``n × G``.
    members
        Which targets were in the training data.
    donors
        Donor of each target.
    seed
        Seed of the splits.
    neighbours
        Numbers ``k`` of nearest samples; those that would take in the whole twin are left out.
    n_splits
        Number of random splits of the genes.

    Returns
    -------
    For each ``k``: ``neighbours``, ``rate_members``, ``rate_nonmembers``, ``advantage`` (their difference),
    ``advantage_ci`` (95 %), ``n_members`` and ``n_nonmembers`` (donors).

    Raises
    ------
    NotApplicableError
        Fewer than two genes vary, the twin is too small, or a side has no targets.

    References
    ----------
    Giomi et al. 2023, PoPETs 2023(2):312 (anonymeter), with real non-members for its control.
    """
    space = standard(View("T0", twin, targets, seed=seed))
    if space.n_genes < 2:
        raise NotApplicableError("fewer than two genes vary in the twin")
    usable = [k for k in neighbours if k < len(twin)]
    if not usable:
        raise NotApplicableError(f"the twin has {len(twin)} sample(s), too few for nearest ones")
    linked = np.zeros((len(usable), len(targets)))
    for half, other in _halves(space.twin, n_splits, np.random.default_rng(seed)):
        for start in range(0, len(targets), BLOCK):
            rows = slice(start, start + BLOCK)
            by_half = distances(space.targets[rows, half], space.twin[:, half])
            by_other = distances(space.targets[rows, other], space.twin[:, other])
            for index, k in enumerate(usable):
                linked[index, rows] += (_nearest(by_half, k) & _nearest(by_other, k)).any(axis=1)
    results = []
    for k, success in zip(usable, linked / n_splits, strict=True):
        rates = advantage(success, members, donors)
        results.append(
            {
                "neighbours": k,
                "rate_members": rates.members,
                "rate_nonmembers": rates.nonmembers,
                "advantage": rates.difference,
                "advantage_ci": rates.interval,
                "n_members": rates.n_members,
                "n_nonmembers": rates.n_nonmembers,
            }
        )
    return results


def _halves(
    values: Floats, n_splits: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield random halves of the genes, the same ones whatever the order of genes and samples."""
    # Adding zero turns -0.0 into 0.0, whose bytes differ.
    content = np.round(np.sort(values, axis=0), 6) + 0.0
    order = np.argsort(row_digests(content.T), kind="stable")
    for _ in range(n_splits):
        dealt = order[rng.permutation(len(order))]
        yield dealt[: len(dealt) // 2], dealt[len(dealt) // 2 :]


def _nearest(apart: Floats, k: int) -> NDArray[np.bool_]:
    """Return which twin samples are among the ``k`` nearest of each target; equally near ones all are."""
    limit = np.partition(apart, k - 1, axis=1)[:, k - 1 : k]
    near: NDArray[np.bool_] = apart <= limit * (1 + TIE)
    return near
