"""Whether the twin's biology holds in patients that neither it nor its training data have seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register
from .de_calls import jaccard
from .fold_changes import lfc_pearson

Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]

_SHARED: dict[str, Any] = {
    "group": "biology",
    "ideal": 1.0,
    "reference": "Spec of the project; replication as in Errington et al. 2021, eLife 10:e71601",
    "against": "holdout",
    "floor": "shuffled labels",
    "needs": ("label",),
    "resampling": "donors",
    "unit": "genes",
}


@register(
    name="lfc_pearson_holdout",
    question="Do the twin's fold changes agree with those of unseen real samples?",
    reading="1: proportional. The ceiling is how well the training data themselves agree with the hold-out.",
    formula="Pearson r of log2 fold changes of S and H, all genes; mean over pairs of classes",
    direction="higher",
    bounds=(-1.0, 1.0),
    fields=("replication.holdout.lfc", "replication.twin.lfc"),
    **_SHARED,
)
def lfc_pearson_holdout(holdout: Floats, twin: Floats) -> float:
    """Return the Pearson correlation of fold changes (``n_genes × n_pairs``) of hold-out and twin."""
    return lfc_pearson(holdout, twin)


@register(
    name="lfc_replication",
    question="Does the twin carry as much transferable biology (fold changes) as the real training data?",
    reading="1: as much. Far below lfc_pearson: the twin reproduces training noise.",
    formula="r(LFC_S, LFC_H) / r(LFC_T, LFC_H)",
    direction="target",
    bounds=(-np.inf, np.inf),
    fields=("replication.holdout.lfc", "replication.twin.lfc", "replication.train.lfc"),
    **_SHARED,
)
def lfc_replication(holdout: Floats, twin: Floats, train: Floats) -> float:
    """Return the correlation of the twin's fold changes with the hold-out's over that of the training data's.

    Parameters
    ----------
    holdout, twin, train
        log2 fold changes, ``n_genes × n_pairs``.

    Raises
    ------
    NotComputableError
        Training data and hold-out do not agree themselves (r below 0.05), so that there is nothing to replicate.
    """
    real = lfc_pearson(holdout, train)
    if real < 0.05:
        raise NotComputableError(f"fold changes of training data and hold-out hardly agree themselves (r = {real:.2f})")
    return lfc_pearson(holdout, twin) / real


@register(
    name="de_replication",
    question="Does the twin's list of differential genes replicate as well as that of the real training data?",
    reading="1: as well; below: worse.",
    formula="Jaccard(calls of S, calls of H) / Jaccard(calls of T, calls of H), moderate",
    direction="target",
    bounds=(0.0, np.inf),
    fields=("replication.holdout.moderate", "replication.twin.moderate", "replication.train.moderate"),
    **_SHARED,
)
def de_replication(holdout: Flags, twin: Flags, train: Flags) -> float:
    """Return the overlap of the twin's calls with the hold-out's over that of the training data's.

    Parameters
    ----------
    holdout, twin, train
        Whether a gene is called, ``n_genes × n_pairs``.

    Raises
    ------
    NotComputableError
        Training data and hold-out share no call.
    """
    real = jaccard(holdout, train)
    if real == 0:
        raise NotComputableError("training data and hold-out share no differential gene")
    return jaccard(holdout, twin) / real
