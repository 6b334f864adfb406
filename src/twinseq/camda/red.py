"""The red team: who of the cohort was in the training data of a twin."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..attacks import Definition, Samples
from ..cohort import Cohort
from ..errors import CohortError
from ..generators import Generator
from ..knowledge import KnownGenerator, samples_of
from . import stand_ins
from .classes import told_classes
from .membership import Guess, Step, guess

FEWEST = 3
"""Targets of a class from which on worlds can be dealt."""


def red(
    cohort: Cohort,
    profiles: pd.DataFrame,
    classes: NDArray[np.str_] | None = None,
    reference: Cohort | None = None,
    generator: Generator | None = None,
    *,
    seed: int = 0,
    jobs: int = 1,
    step: Step | None = None,
) -> Guess:
    """Guess which samples of the cohort a twin was made of.

    Parameters
    ----------
    cohort
        From `read_cohort`: the samples whose membership is guessed.
    profiles
        From `read_profiles`: the twin, all genes of the cohort or some.
    classes
        From `read_labels`; without them, the twin's classes are told by a classifier trained on the cohort.
    reference
        From `read_reference`: samples of other people, if there are any.
    generator
        What the twin was made with, unfitted, where that is known.
    seed, jobs, step
        As for `guess`.

    Returns
    -------
    Figures in the order of the cohort; 0.5 for samples of classes that cannot be attacked, which the notes name.

    Raises
    ------
    CohortError
        No class can be attacked, or no attack could be mounted.
    """
    places = cohort.genes.get_indexer(profiles.columns)
    values = cohort.dense()[:, places]
    notes = []
    if classes is None:
        classes = told_classes(values, cohort.labels(), profiles.to_numpy())
        notes.append("the twin's classes were told by a classifier trained on the cohort")
    labels = cohort.labels()
    kept = [
        name for name in np.unique(labels) if (labels == name).sum() >= FEWEST and (classes == name).sum() >= FEWEST
    ]
    left = sorted(set(labels.tolist()) - set(kept))
    if not kept:
        raise CohortError(f"No class has {FEWEST} samples in the cohort and in the twin: nothing can be attacked.")
    if left:
        notes.append(f"class(es) {', '.join(left)}: too few samples, all get 0.5")
    rows = np.flatnonzero(np.isin(labels, kept))
    inside = np.isin(classes, kept)
    twin = Samples(profiles.to_numpy()[inside], classes[inside], "continuous")
    others = None
    if reference is not None:
        others = samples_of(reference.take_genes(places).subset(np.isin(reference.labels(), kept)))
    if generator is None:
        makers: dict[str, Definition] = stand_ins.stand_ins()
    else:
        genes = profiles.columns.astype(str)
        makers = {generator.info.name: KnownGenerator(generator.info.name, None, generator.params(), genes)}
    names = np.asarray(cohort.adata.obs_names, dtype=str)
    targets = Samples(values[rows], labels[rows], "continuous")
    found = guess(twin, targets, names[rows], others, makers, seed=seed, jobs=jobs, step=step)
    figures = np.full(cohort.n_samples, 0.5)
    by_name = dict(zip(found.people.tolist(), found.values.tolist(), strict=True))
    figures[rows] = [by_name[name] for name in names[rows].tolist()]
    return dataclasses.replace(found, people=names, values=figures, notes=(*notes, *found.notes))


def decided(values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return 1 for the ``share`` of samples that look most like members, and 0 for the others; ties by order."""
    n_members = round(share * len(values))
    out = np.zeros(len(values))
    out[np.argsort(-values, kind="stable")[:n_members]] = 1.0
    return out
