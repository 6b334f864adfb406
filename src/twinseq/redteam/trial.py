"""One trial: members, others and a reference, each donor in one part only, and how every attack scores them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .. import attacks
from ..attacks import Definition, FailedAttackError, Level, Model, NotApplicableError, Samples, View
from ..attacks.roc import tie_fraction
from ..cohort import Cohort
from ..errors import TwinseqError, shorten
from ..knowledge import samples_of
from ..parallel import run

Floats = NDArray[np.float64]
QUICK = (
    "nearest_distance",
    "mahalanobis",
    "marginal_peaks",
    "mean_tracing",
    "contrast_tracing",
    "gaussian_lrt",
    "marginal_llr",
)
"""Attacks that take no time and, between them, were strongest against every generator."""
MOST_TIES = 0.2
"""Share of tied scores above which an attack is void."""
Key = tuple[str, Level, str]
"""Attack, threat level, setting."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What an attacker holds, and what only the auditor knows of the targets.

    Parameters
    ----------
    view
        The attacker's view, targets included.
    donors
        Donor of each target sample.
    member
        Whether each target sample was in the training data.
    covariates
        Stated covariates of the targets, for subgroups: name to value as text.
    """

    view: View
    donors: NDArray[np.str_]
    member: NDArray[np.bool_]
    covariates: dict[str, NDArray[np.str_]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        twin: Cohort,
        members: Cohort,
        others: Cohort,
        reference: Cohort | None = None,
        generator: Definition | None = None,
        model: Model | None = None,
        seed: int = 0,
    ) -> Trial:
        """Set up the trial of cohorts with the same genes in the same order, no donor in two of them."""
        level: Level = "T0" if reference is None else "T1"
        if reference is not None and generator is not None:
            level = "T2" if model is None else "T3"
        both = samples_of(members).joined(samples_of(others))
        people = None if reference is None else samples_of(reference)
        view = View(level, samples_of(twin), both, people, generator, model, seed)
        donors = np.concatenate([members.donors(), others.donors()])
        member = np.repeat([True, False], [members.n_samples, others.n_samples])
        columns = [name for name in members.covariates if name in others.obs.columns]
        covariates = {
            name: np.concatenate([side.obs[name].astype(str).to_numpy(dtype=str) for side in (members, others)])
            for name in columns
        }
        return cls(view, donors, member, covariates)

    @property
    def people(self) -> tuple[NDArray[np.str_], NDArray[np.intp]]:
        """The distinct donors, and the place of each target sample's donor among them."""
        names, places = np.unique(self.donors, return_inverse=True)
        return names, places

    @property
    def is_member(self) -> NDArray[np.bool_]:
        """Whether each distinct donor was in the training data."""
        names, places = self.people
        found = np.zeros(len(names), dtype=bool)
        found[places] = self.member
        return found

    def by_donor(self, scores: Floats) -> Floats:
        """Return the mean score of each distinct donor's samples."""
        names, places = self.people
        mean: Floats = np.bincount(places, scores, len(names)) / np.bincount(places, minlength=len(names))
        return mean

    def groups(self, values: NDArray[np.str_]) -> NDArray[np.str_]:
        """Return the values of each distinct donor's samples, joined where there are several."""
        names, places = self.people
        joined = [sorted(set(values[places == place].tolist())) for place in range(len(names))]
        return np.array([" + ".join(found) for found in joined])

    @property
    def strata(self) -> NDArray[np.str_]:
        """Class or classes of each distinct donor."""
        return self.groups(self.view.targets.labels)

    def with_twin(self, twin: Cohort, reference: Cohort | None = None) -> Trial:
        """Return the trial of the same targets with another twin, and another reference where one is given."""
        held = self.view
        people = samples_of(reference) if reference is not None else held.reference if held.has_reference else None
        level: Level = "T0" if people is None else held.level
        known = held.generator if level >= "T2" else None
        # Scales are taken against the twin: the targets go back to what they were before.
        targets = Samples(held.targets.values, held.targets.labels, held.targets.kind)
        view = View(level, samples_of(twin), targets, people, known, seed=held.seed)
        return Trial(view, self.donors, self.member, self.covariates)

    def on_genes(self, chosen: NDArray[np.intp]) -> Trial:
        """Return the trial of an attacker who knows some genes of each target only."""
        view = self.view
        reference = view.reference.genes(chosen) if view.has_reference else None
        level: Level = "T1" if view.has_reference else "T0"
        part = View(level, view.twin.genes(chosen), view.targets.genes(chosen), reference, seed=view.seed)
        return Trial(part, self.donors, self.member, self.covariates)


@dataclass(frozen=True, eq=False)
class Scores:
    """How the donors of a trial score.

    Parameters
    ----------
    keys
        Attack, level and setting of each column.
    values
        ``n_donors × n_keys``; higher = likelier member.
    troubles
        Why an attack at a level has no figure: status and reason.
    """

    keys: tuple[Key, ...]
    values: Floats
    troubles: dict[tuple[str, Level], tuple[str, str]]


def score(
    trial: Trial,
    keys: Iterable[Key],
    jobs: int = 1,
    step: Callable[[str], None] | None = None,
) -> Scores:
    """Mount attacks on a trial; one that fails costs only itself.

    Settings of one attack at one level that give the same order of targets count once.
    """
    wanted: dict[tuple[str, Level], list[str]] = {}
    for name, level, setting in keys:
        wanted.setdefault((name, level), []).append(setting)

    def one(item: tuple[tuple[str, Level], list[str]]) -> tuple[list[tuple[str, Floats]], tuple[str, str] | None]:
        (name, level), settings = item
        if step is not None:
            step(f"{name} ({level})")
        return _mount(trial, name, level, settings)

    outcomes = run(one, list(wanted.items()), jobs)
    found: list[Key] = []
    columns: list[Floats] = []
    troubles = {}
    for (name, level), (scored, trouble) in zip(wanted, outcomes, strict=True):
        found += [(name, level, setting) for setting, _ in scored]
        columns += [column for _, column in scored]
        if trouble is not None:
            troubles[name, level] = trouble
    values = np.column_stack(columns) if columns else np.empty((len(trial.is_member), 0))
    return Scores(tuple(found), values, troubles)


def _mount(
    trial: Trial, name: str, level: Level, settings: list[str]
) -> tuple[list[tuple[str, Floats]], tuple[str, str] | None]:
    """Return the donors' scores of each setting that works, or the worst trouble where none does."""
    scored: list[tuple[str, Floats]] = []
    trouble = None
    view = trial.view.at(level)
    for setting in settings:
        try:
            by_sample = attacks.get(name).score(view, setting)
        except NotApplicableError as error:
            trouble = trouble or ("not applicable", str(error))
            continue
        except (FailedAttackError, TwinseqError) as error:
            trouble = ("failed", shorten(error, 300))
            continue
        except Exception as error:  # noqa: BLE001 - one attack that fails must not cost the others
            trouble = ("failed", f"{type(error).__name__}: {shorten(error, 200)}")
            continue
        column = trial.by_donor(by_sample)
        ties = tie_fraction(column)
        if ties > MOST_TIES:
            trouble = trouble or ("void", f"{ties:.0%} of the scores tie")
            continue
        scored.append((setting, column))
    return scored, None if scored else trouble


def available(trial: Trial, slow: bool = False) -> list[Key]:
    """Return every attack, level and setting that the trial's attacker can mount, below T4."""
    return [
        (name, level, setting)
        for name in attacks.names()
        for level in attacks.get(name).levels
        if level <= trial.view.level and (slow or not attacks.get(name).slow)
        for setting in attacks.get(name).settings
    ]


def quick_keys(trial: Trial) -> list[Key]:
    """Return the settings of the `QUICK` attacks that the trial's attacker can mount."""
    return [key for key in available(trial) if key[0] in QUICK]
