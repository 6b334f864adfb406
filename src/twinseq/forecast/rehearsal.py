"""A dress rehearsal: the generator itself, on a made-up cohort of the same design.

Nothing of the real profiles is looked at, so that a rehearsal costs no budget. How well a twin of the stand-in does is
what to expect of the real one as far as the stand-in is like it: its classes differ as much as those of a public cohort
of the kind that is stated.
"""

from __future__ import annotations

import dataclasses
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..basis import build_basis
from ..cohort import Cohort
from ..dp.budget import PrivacyWarning
from ..generators.dp_copula import DpCopula
from ..metrics.paper.classifiers import OneVsRest, scaled, weighted_f1
from ..metrics.paper.rank_sum import HEADLINE, false_positive_rate, rank_sum_calls, true_positive_rate
from .noise import Design
from .stand_in import Contrast, make_up

PUBLIC = 200
"""Samples of the made-up public cohort behind a basis."""
UNSEEN = 0.5
"""Samples that the classifier is tested on, for each one of the cohort; at least `LEAST_UNSEEN` in all."""
LEAST_UNSEEN = 400


@dataclass(frozen=True)
class Outcome:
    """How well a twin did.

    Parameters
    ----------
    f1
        Weighted F1, on unseen samples, of a classifier trained on the twin, over that of one trained on the cohort.
    tpr, fpr
        Share of the genes that are higher in one class by more than 0.5 (log2) that the twin calls, and of the others.
    """

    f1: float
    tpr: float
    fpr: float


def rehearse(
    design: Design, epsilons: Sequence[float], delta: float, axes: int | None, contrast: Contrast,
    rng: np.random.Generator, step: Callable[[], None], n_public: int = PUBLIC, *, labelled: bool = True,
) -> list[Outcome]:  # fmt: skip
    """Fit twins of one made-up cohort, one for each ε, and judge them.

    Parameters
    ----------
    design
        Classes and genes.
    epsilons, delta
        Budgets.
    axes
        Axes of a basis from a made-up public cohort; ``None``: no basis.
    contrast
        How much classes differ.
    rng
        For the stand-in; the noise of privacy hangs on no seed.
    step
        Called after each twin.
    n_public
        Samples of the made-up public cohort.
    labelled
        Whether their classes are known.
    """
    sizes = np.maximum(np.rint(list(design.donors.values())), 2).astype(np.intp)
    people = make_up(sizes, design.n_genes, contrast, design.level, rng)
    cohort = people.draw(sizes, rng)
    more = max(UNSEEN, LEAST_UNSEEN / sizes.sum())
    unseen = people.draw(np.maximum(np.rint(sizes * more), 2).astype(np.intp), rng)
    x, labels, test, truth = cohort.dense(), cohort.labels(), unseen.dense(), unseen.labels()
    classes = sorted(set(labels))
    calls = rank_sum_calls(x, labels, classes, 1)[HEADLINE]
    real = weighted_f1(OneVsRest.fit(scaled(x, x), labels), scaled(x, test), truth)
    found = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)
        basis = None
        if axes is not None:
            public = people.draw(np.maximum(np.rint(sizes * n_public / sizes.sum()), 1).astype(np.intp), rng)
            public = public if labelled else dataclasses.replace(public, label=None)
            basis = str(build_basis(public).save(Path(folder) / "public.basis"))
        for epsilon in epsilons:
            twin = _twin(cohort, epsilon, delta, basis, axes, rng)
            xs, ys = twin.dense(), twin.labels()
            f1 = weighted_f1(OneVsRest.fit(scaled(x, xs), ys), scaled(x, test), truth)
            twins = rank_sum_calls(xs, ys, classes, 1)[HEADLINE]
            found.append(Outcome(f1 / real, true_positive_rate(calls, twins), false_positive_rate(calls, twins)))
            step()
    return found


def _twin(
    cohort: Cohort, epsilon: float, delta: float, basis: str | None, axes: int | None, rng: np.random.Generator
) -> Cohort:
    model = DpCopula(epsilon=epsilon, delta=delta, basis=basis, factors=axes)
    return model.fit(cohort, seed=int(rng.integers(2**31))).sample(seed=int(rng.integers(2**31)))
