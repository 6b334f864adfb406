"""Small populations dealt into members, non-members, a reference and strangers, and twins whose leak is planted."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from twinseq import attacks
from twinseq.attacks import Level, NotApplicableError, Samples, View
from twinseq.attacks.roc import auc

SLOW = {name for name in attacks.names() if attacks.get(name).slow}
CASES = [
    (name, level, setting)
    for name in attacks.names()
    for level in attacks.get(name).levels
    for setting in attacks.get(name).settings
    if level <= "T1" and name not in SLOW and not attacks.get(name).cells
]
"""Every bulk attack of an attacker without the generator: name, level, setting."""
FEW_TREES = 25
"""Trees of a forest where all that is asked is whether two of them agree."""


def label(case) -> str:
    return "-".join(part for part in case if part)


@dataclass(frozen=True, eq=False)
class World:
    """Donors of one population, in four parts that share nobody."""

    members: Samples
    nonmembers: Samples
    reference: Samples
    strangers: Samples

    @property
    def targets(self) -> Samples:
        """Members first."""
        return together(self.members, self.nonmembers)

    def view(self, twin: Samples, level: Level = "T1", seed: int = 5) -> View:
        return View(level, twin, self.targets, self.reference, seed=seed)

    def auc(self, twin: Samples, name: str, setting: str = "", level: Level = "T1") -> float:
        scores = attacks.get(name).score(self.view(twin, level), setting)
        return auc(scores[: len(self.members)], scores[len(self.members) :])


def continuous(values, labels=None) -> Samples:
    values = np.asarray(values, dtype=np.float64)
    return Samples(values, np.full(len(values), "all") if labels is None else np.asarray(labels), "continuous")


def together(*parts: Samples) -> Samples:
    values = np.concatenate([part.values for part in parts])
    return Samples(values, np.concatenate([part.labels for part in parts]), parts[0].kind)


def rows(samples: Samples, chosen) -> Samples:
    """Some donors, as they came."""
    return Samples(samples.values[chosen], samples.labels[chosen], samples.kind)


def like(samples: Samples, values) -> Samples:
    """The same donors with other values."""
    return Samples(np.asarray(values), samples.labels, samples.kind)


@cache
def world(kind: str = "continuous", per_class: int = 50, n_genes: int = 160, seed: int = 0) -> World:
    """Deal a population of correlated genes, on scales of their own, whose classes differ in a quarter of the genes."""
    rng = np.random.default_rng(seed)
    means = 6 + rng.normal(size=(2, n_genes)) * (rng.random(n_genes) < 0.25)
    loadings = 0.5 * rng.normal(size=(5, n_genes))
    scale = np.exp(0.5 * rng.normal(size=n_genes))

    def part() -> Samples:
        labels = np.repeat(["a", "b"], per_class)
        rows = np.repeat(means, per_class, axis=0)
        rows = rows + scale * (rng.normal(size=(len(labels), 5)) @ loadings + rng.normal(size=rows.shape)) / 1.5
        if kind == "counts":
            depth = 0.3 * rng.normal(size=(len(labels), 1))
            return Samples(rng.poisson(np.exp2(np.minimum(rows, 12) + depth)), labels, kind)
        return Samples(rows, labels, kind)

    return World(part(), part(), part(), part())


def replayed(donors: Samples, seed: int = 1) -> Samples:
    """A twin whose every gene holds the values of donors of the class, each gene in an order of its own."""
    rng = np.random.default_rng(seed)
    values = donors.values.copy()
    for name in np.unique(donors.labels):
        rows = donors.labels == name
        values[rows] = rng.permuted(values[rows], axis=0)
    return like(donors, values)


def leaky(donors: Samples, seed: int = 1) -> Samples:
    """A twin between its donors and noise: every attack has something to see, and none sees everything."""
    rng = np.random.default_rng(seed)
    twin = replayed(donors, seed)
    if donors.kind == "counts":
        noise = rng.poisson(np.maximum(twin.values, 1))
    else:
        noise = twin.values + 0.5 * rng.normal(size=twin.values.shape)
    return like(donors, np.where(rng.random(twin.values.shape) < 0.5, noise, twin.values))


def outcome(case, view: View):
    """Scores, or None where the attack has nothing to work on."""
    name, level, setting = case
    try:
        return attacks.get(name).score(view.at(level), setting)
    except NotApplicableError:
        return None


def naive_standard(view: View, level: Level = "T1"):
    """Twin, targets and reference in units of each gene's pooled deviation within classes, gene by gene."""
    sides = [view.twin, view.reference] if level == "T1" else [view.twin]
    out = [[], [], []]
    for gene in range(view.twin.values.shape[1]):
        squares, freedom = 0.0, 0
        for side in sides:
            for name in sorted(set(side.labels)):
                values = [side.on_log[row, gene] for row in range(len(side)) if side.labels[row] == name]
                squares += sum((value - np.mean(values)) ** 2 for value in values)
                freedom += len(values) - 1
        centre, deviation = np.mean(view.twin.on_log[:, gene]), np.sqrt(squares / freedom)
        if deviation < 1e-9:
            continue
        for kept, side in zip(out, (view.twin, view.targets, view.reference), strict=True):
            kept.append([min(max((value - centre) / deviation, -10.0), 10.0) for value in side.on_log[:, gene]])
    return [np.array(kept).T for kept in out]


def calibrate(scores, view: View, of_reference):
    """Scores minus the mean score of reference donors of the class, target by target."""
    people = view.reference.labels
    expected = [of_reference[people == name].mean() for name in view.targets.labels]
    return np.array(scores) - np.array(expected)
