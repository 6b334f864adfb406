"""An attacker who knows the generator, and what it was or was not fitted to."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from twinseq.attacks import Level, Samples, View
from twinseq.attacks.roc import auc, auc_interval
from twinseq.datasets import simulate_cohort
from twinseq.knowledge import KnownGenerator, samples_of


@cache
def quarters(n_genes: int = 300, per_class: int = 80, seed: int = 0) -> tuple[Samples, ...]:
    """Members, non-members, reference and others of one simulated population."""
    cohort = simulate_cohort(per_class, per_class, n_genes, seed=seed)
    return tuple(samples_of(part) for part in cohort.split((0.25,) * 4, seed=seed))


def together(*parts: Samples) -> Samples:
    return Samples(
        np.concatenate([part.values for part in parts]), np.concatenate([part.labels for part in parts]), parts[0].kind
    )


@dataclass(frozen=True)
class Case:
    """A view with targets of whom the first half are members."""

    view: View
    n_members: int

    def auc(self, scores):
        return auc(scores[: self.n_members], scores[self.n_members :])

    def interval(self, scores):
        return auc_interval(scores[: self.n_members], scores[self.n_members :])


@cache
def case(generator: str, level: Level, *, trained_on_others: bool = False, n_genes: int = 300) -> Case:
    """Return an attacker's view of a twin of the members, or of donors who are not among the targets at all."""
    members, nonmembers, reference, others = quarters(n_genes)
    definition = KnownGenerator(generator)
    model = definition.fit(others if trained_on_others else members, 3)
    targets = together(members, nonmembers)
    return Case(View(level, model.draw(members.labels, 4), targets, reference, definition, model, 5), len(members))
