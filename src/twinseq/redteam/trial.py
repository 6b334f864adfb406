"""One trial: members, others and a reference, each donor in one part only, and how every attack scores them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .. import attacks
from ..attacks import Definition, FailedAttackError, Level, Model, NotApplicableError, Samples, View
from ..attacks.roc import tie_fraction
from ..cohort import Cohort
from ..errors import TwinseqError, shorten
from ..knowledge import samples_of
from ..parallel import run
from .aggregation import AGGREGATES
from .holding import at_most, held

Floats = NDArray[np.float64]
QUICK = (
    "nearest_distance",
    "mahalanobis",
    "marginal_peaks",
    "mean_tracing",
    "contrast_tracing",
    "gaussian_lrt",
    "marginal_llr",
    "copula_llr",
    "pseudobulk_tracing",
)
"""Attacks that take no time and, between them, were strongest against every generator."""
MOST_TIES = 0.2
"""Share of tied scores above which an attack is void."""
Key = tuple[str, Level, str]
"""Attack, threat level, setting."""
BETWEEN = "; "


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
    labels
        Class of each target sample by which donors are compared; cell types are none of it.
    covariates
        Stated covariates of the targets, for subgroups: name to value as text.
    notes
        What the attackers hold of cohorts too large to be held whole.
    """

    view: View
    donors: NDArray[np.str_]
    member: NDArray[np.bool_]
    labels: NDArray[np.str_]
    covariates: dict[str, NDArray[np.str_]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

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
        parts = {"twin": twin, "members": members, "non-members": others}
        parts |= {} if reference is None else {"reference": reference}
        notes = []
        for name, part in parts.items():
            parts[name], drawn = held(part, seed)
            if drawn:
                notes.append(f"attackers hold {drawn} cells ({name}), drawn at random, as many of each donor as can be")
        members, others = parts["members"], parts["non-members"]
        both = samples_of(members).joined(samples_of(others))
        people = None if reference is None else samples_of(parts["reference"])
        view = View(level, samples_of(parts["twin"]), both, people, generator, model, seed)
        donors = np.concatenate([members.donors(), others.donors()])
        member = np.repeat([True, False], [members.n_samples, others.n_samples])
        columns = [name for name in members.covariates if name in others.obs.columns]
        covariates = {
            name: np.concatenate([side.obs[name].astype(str).to_numpy(dtype=str) for side in (members, others)])
            for name in columns
        }
        labels = np.concatenate([members.labels(), others.labels()])
        return cls(view, donors, member, labels, covariates, tuple(notes))

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

    @property
    def repeated(self) -> bool:
        """Whether any donor has several samples."""
        return len(self.people[0]) < len(self.donors)

    def by_donor(self, scores: Floats, how: str = "") -> Floats:
        """Return one score for each distinct donor, by default the mean of its samples' (`AGGREGATES`)."""
        return AGGREGATES[how](scores, self.people[1], self.view.targets.labels)

    def groups(self, values: NDArray[np.str_]) -> NDArray[np.str_]:
        """Return the values of each distinct donor's samples, joined where there are several."""
        names, places = self.people
        joined = [sorted(set(values[places == place].tolist())) for place in range(len(names))]
        return np.array([" + ".join(found) for found in joined])

    @property
    def strata(self) -> NDArray[np.str_]:
        """Class or classes of each distinct donor, cell types apart."""
        return self.groups(self.labels)

    def with_twin(self, twin: Cohort, reference: Cohort | None = None) -> Trial:
        """Return the trial of the same targets with another twin, and another reference where one is given."""
        own = self.view
        if reference is not None:
            people: Samples | None = samples_of(held(reference, own.seed)[0])
        else:
            people = own.reference if own.has_reference else None
        level: Level = "T0" if people is None else own.level
        known = own.generator if level >= "T2" else None
        # Scales are taken against the twin: the targets go back to what they were before.
        targets = replace(own.targets, log=None, reference=None)
        view = View(level, samples_of(held(twin, own.seed)[0]), targets, people, known, seed=own.seed)
        return replace(self, view=view)

    def on_genes(self, chosen: NDArray[np.intp]) -> Trial:
        """Return the trial of an attacker who knows some genes of each target only."""
        view = self.view
        reference = view.reference.genes(chosen) if view.has_reference else None
        level: Level = "T1" if view.has_reference else "T0"
        part = View(level, view.twin.genes(chosen), view.targets.genes(chosen), reference, seed=view.seed)
        return replace(self, view=part)

    def on_cells(self, quota: int) -> Trial:
        """Return the trial of an attacker who holds ``quota`` random cells of each target only, or all of them."""
        rows = at_most(self.people[1], quota, self.view.rng(16))
        view = self.view
        reference = view.reference if view.has_reference else None
        level: Level = "T1" if view.has_reference else "T0"
        return replace(
            self,
            view=View(level, view.twin, view.targets.subset(rows), reference, seed=view.seed),
            donors=self.donors[rows],
            member=self.member[rows],
            labels=self.labels[rows],
            covariates={name: values[rows] for name, values in self.covariates.items()},
        )


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
    wanted: dict[tuple[str, Level], dict[str, list[str]]] = {}
    for name, level, key in keys:
        setting, how = parted(name, key)
        wanted.setdefault((name, level), {}).setdefault(setting, []).append(how)

    def one(
        item: tuple[tuple[str, Level], dict[str, list[str]]],
    ) -> tuple[list[tuple[str, Floats]], tuple[str, str] | None]:
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
    trial: Trial, name: str, level: Level, settings: Mapping[str, list[str]]
) -> tuple[list[tuple[str, Floats]], tuple[str, str] | None]:
    """Return the donors' scores of each setting that works, or the worst trouble where none does."""
    scored: list[tuple[str, Floats]] = []
    trouble = None
    view = trial.view.at(level)
    for setting, ways in settings.items():
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
        for how in ways:
            column = trial.by_donor(by_sample, how)
            ties = tie_fraction(column)
            if ties > MOST_TIES:
                trouble = trouble or ("void", f"{ties:.0%} of the scores tie")
                continue
            scored.append((joined(setting, how), column))
    return scored, None if scored else trouble


def joined(setting: str, how: str) -> str:
    """Return the name of a setting whose scores are put together to those of donors in one of the `AGGREGATES`."""
    return BETWEEN.join(part for part in (setting, how) if part)


def parted(name: str, key: str) -> tuple[str, str]:
    """Return an attack's setting and the way from samples to donors, of which `joined` made one name."""
    if key in attacks.get(name).settings:
        return key, ""
    setting, _, how = key.rpartition(BETWEEN)
    return setting, how


def available(trial: Trial, slow: bool = False, chosen: Collection[str] = ()) -> list[Key]:
    """Return every attack, level and setting that the trial's attacker can mount, below T4.

    Where donors have several samples, every way from the scores of samples to those of donors is a setting of its own.

    Parameters
    ----------
    trial
        Which attacker, which targets.
    slow
        Whether attacks that fit many models take part; those that are chosen by name do in any case.
    chosen
        Names of attacks and of threat levels: only these. Names alone stand for all their levels, levels alone for all
        their attacks.
    """
    levels = {word for word in chosen if word in attacks.LEVELS}
    named = {word for word in chosen if word not in levels}
    return [
        (name, level, joined(setting, how))
        for name in attacks.names()
        for level in attacks.get(name).levels
        if level <= trial.view.level
        and (not levels or level in levels)
        and (not named or name in named)
        and (slow or name in named or not attacks.get(name).slow)
        and (trial.view.targets.cells or not attacks.get(name).cells)
        for setting in attacks.get(name).settings
        for how in (AGGREGATES if trial.repeated and attacks.get(name).unit == "sample" else ("",))
    ]


def quick_keys(trial: Trial) -> list[Key]:
    """Return the settings of the `QUICK` attacks that the trial's attacker can mount."""
    return [key for key in available(trial) if key[0] in QUICK]
