"""Which generator suits a cohort, a task and a policy, and what to expect of it, before any twin is made.

There is no best generator. What is known is what the project has measured: the committed tables of its benchmarks
(``advice.json``, written by ``benchmarks/advice.py``), on cohorts of other sizes than one's own. Figures are not
interpolated: each is that of the nearest measured cohort, and said to be so. Private twins by ``dp-copula`` are
rehearsed at the cohort's own numbers (`twinseq.plan`). Nothing of the cohort is looked at but its design.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from . import generators
from .advice_words import FIGURES, TASKS, Task, design_notes
from .cohort import Cohort
from .dp.predict import ceiling
from .errors import ConfigError, suggest
from .forecast.design import budget_of
from .measurement import Progress
from .plan import DELTA, plan
from .policy import Policy, read_policy

SCHEMA = 1
ATTACK = "t1_auc"
PLANNED = "twinseq plan"
FAR = 4.0
"""Ratio of donors or genes beyond which a measured cohort is called far."""
HARDER = 1.5
"""Ratio of genes per donor beyond which attackers find a cohort harder to hide in than the measured one."""
USEFUL = 0.5
"""Least value of the most telling figure of a task for an option to be of use; that of real data is about 1."""
STANDINGS = ("suits", "may suit", "not measured", "of little use", "gives too much away")
"""How options stand, the best first."""


@dataclass(frozen=True)
class Expected:
    """One figure to expect, and where it comes from.

    Parameters
    ----------
    name, value
        Which figure.
    donors, genes, cohort, source
        Where it was measured: donors learnt from, genes, cohort and table; or ``twinseq plan``.
    far
        Whether donors or genes differ by more than a factor of four from one's own, or the scale does.
    """

    name: str
    value: float
    donors: int
    genes: int
    cohort: str
    source: str
    far: bool


@dataclass(frozen=True)
class Option:
    """One way to make a twin.

    Parameters
    ----------
    generator, preset, settings, epsilon, basis
        What it is; ``basis``: on a public basis.
    standing
        One of `STANDINGS`. *Suits*: what was measured keeps the policy and serves the task. *May suit*: so it was on a
        cohort that was easier, with more donors or fewer genes.
    expected
        Figures of the task, and what attackers reach (``t1_auc``).
    reason
        Why it stands where it stands.
    command
        How to make it, after ``twinseq release REAL``.
    """

    generator: str
    preset: str | None
    settings: Mapping[str, Any]
    epsilon: float | None
    basis: bool
    standing: str
    expected: tuple[Expected, ...]
    reason: str
    command: str

    def figure(self, name: str) -> Expected | None:
        """Return a figure by name, where it is known."""
        return next((one for one in self.expected if one.name == name), None)


@dataclass(frozen=True)
class Advice:
    """What suits, the best first.

    Parameters
    ----------
    task, policy, limit
        What was asked for; ``limit``: most that attackers may reach (AUC), ``None`` where the policy sets none.
    donors, genes, kind, cells
        The cohort.
    options
        Ranked: first by how they stand, then by the figures of the task.
    notes
        What follows from size alone, and what would help.
    """

    task: str
    policy: str
    limit: float | None
    donors: int
    genes: int
    kind: str
    cells: bool
    options: tuple[Option, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {"schema": SCHEMA, **asdict(self)}


def advise(
    cohort: Cohort,
    task: str,
    *,
    policy: str | Path | Policy | None = None,
    basis: str | Path | None = None,
    rehearse: bool = True,
    seed: int = 0,
    progress: Progress = lambda done, total, text: None,
) -> Advice:
    """Rank ways to make a twin of a cohort for a task under a policy.

    Parameters
    ----------
    cohort
        Of which nothing but the design is read: donors of each class, genes, kind of profiles.
    task
        ``"de"`` (differential expression), ``"classify"``, ``"network"`` (co-expression) or ``"share"`` (all of it).
    policy
        What must hold; by default ``"partner"`` to share and ``"internal"`` for the other tasks.
    basis
        File of a public basis; options that need one are ranked then.
    rehearse
        Whether private twins are rehearsed at the cohort's own numbers, which takes seconds.
    seed
        Of rehearsals.
    progress
        Called as ``progress(done, total, text)``.

    Raises
    ------
    ConfigError
        There is no such task or policy.

    Examples
    --------
    >>> import twinseq as ts
    >>> cohort = ts.datasets.simulate_cohort(n_cases=60, n_controls=60, n_genes=200, seed=0)
    >>> found = ts.advise(cohort, "de", rehearse=False)
    >>> found.options[0].standing
    'may suit'
    """
    if task not in TASKS:
        raise ConfigError(f"Unknown task '{task}'{suggest(task, TASKS)}")
    rules = read_policy(policy if policy is not None else "partner" if task == "share" else "internal")
    wanted = TASKS[task]
    size = _Size.of(cohort)
    limit = None if rules.auc is None else rules.auc.value
    options = [_option(rows, wanted, size) for rows in _by_option(size).values()]
    notes: list[str] = []
    if rehearse and not size.cells and cohort.label is not None:
        options, said = _rehearsed(options, cohort, wanted, size, rules, basis, seed, progress)
        notes += said
    useful = [one for one in options if any(one.figure(name) for name in wanted.figures(size.cells))]
    judged = [_judged(one, wanted, size, rules) for one in useful]
    ranked = sorted(judged, key=lambda one: _rank(one, wanted, size))
    if basis is None:
        with_basis = next((one for one in ranked if one.basis), None)
        ranked = [one for one in ranked if not one.basis]
        if with_basis is not None:
            notes.append(
                f"With a public basis (--basis), {with_basis.standing}: {named(with_basis)}. {with_basis.reason}"
            )
    if not any(one.standing == "suits" for one in ranked):
        notes.insert(
            0,
            f"Nothing that was measured on a cohort like yours both keeps the policy '{rules.name}' and serves the "
            "task. Take what may suit, and let `twinseq release` measure it on your own donors.",
        )
    notes += design_notes(cohort, rules, size.donors, size.genes, size.cells)
    return Advice(task, rules.name, limit, size.donors, size.genes, size.kind, size.cells, tuple(ranked), tuple(notes))


@dataclass(frozen=True)
class _Size:
    donors: int
    genes: int
    kind: str
    cells: bool

    @classmethod
    def of(cls, cohort: Cohort) -> _Size:
        donors = len(np.unique(cohort.donors()))
        return cls(donors, cohort.n_genes, cohort.kind, cohort.cell_type is not None)

    def distance(self, row: Mapping[str, Any]) -> float:
        """Return how far a measured cohort is: doublings of donors and of genes, and one for another scale."""
        donors, genes = int(row["donors"]), int(row["genes"])
        apart = abs(math.log2(donors / self.donors)) + abs(math.log2(genes / self.genes))
        return apart + float(row["kind"] != self.kind)

    def is_far(self, row: Mapping[str, Any]) -> bool:
        """Whether a measured cohort is another world."""
        ratios = (row["donors"] / self.donors, row["genes"] / self.genes)
        return row["kind"] != self.kind or any(not 1 / FAR <= ratio <= FAR for ratio in ratios)

    def harder(self, found: Expected) -> bool:
        """Whether the cohort has clearly more genes for each donor than the one that a figure was measured on."""
        return self.genes / self.donors > HARDER * found.genes / found.donors


@cache
def _rows() -> tuple[dict[str, Any], ...]:
    content = json.loads(resources.files("twinseq").joinpath("advice.json").read_text(encoding="utf-8"))
    if content["schema"] != SCHEMA:
        raise ConfigError(f"advice.json: written in version {content['schema']}; this twinseq reads {SCHEMA}.")
    for row in content["rows"]:
        figures = row["figures"]
        if "de_tpr" in figures and "de_fpr" in figures:  # a twin of noise calls many genes, rightly and wrongly
            figures["de_net"] = round(figures["de_tpr"] - figures["de_fpr"], 3)
    return tuple(content["rows"])


def _by_option(size: _Size) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every option that takes such a cohort."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in _rows():
        info = generators.info(row["generator"])
        if row["cells"] != size.cells or size.kind not in info.kinds or info.unsafe:
            continue
        key = json.dumps([row[name] for name in ("generator", "preset", "settings", "epsilon", "basis")])
        found.setdefault(key, []).append(row)
    return found


def _option(rows: Sequence[Mapping[str, Any]], task: Task, size: _Size) -> Option:
    """Return an option with each figure as it was measured on the nearest cohort."""
    first = rows[0]
    expected = []
    for name in (*task.figures(size.cells), ATTACK):
        having = [row for row in rows if name in row["figures"]]
        if having:
            row = min(having, key=size.distance)
            expected.append(
                Expected(
                    name, row["figures"][name], row["donors"], row["genes"], row["cohort"], row["source"],
                    size.is_far(row),
                )
            )  # fmt: skip
    return Option(
        first["generator"], first["preset"], first["settings"], first["epsilon"], first["basis"], "", tuple(expected),
        "", _command(first),
    )  # fmt: skip


def _judged(option: Option, task: Task, size: _Size, rules: Policy) -> Option:
    """Return an option with how it stands, and why in words."""
    lead = next(one for one in option.expected if one.name != ATTACK)  # in the order of the task
    safety, words = _safety(option, size, rules)
    # Noise of privacy is the same for few donors as for many, and drowns the few.
    flattered = option.epsilon is not None and lead.donors > HARDER * size.donors
    if safety == "beyond":
        standing = "gives too much away"
    elif lead.value < USEFUL:
        standing = "of little use"
    elif safety == "not measured":
        standing = safety
    else:
        standing = "may suit" if safety == "unclear" or flattered or lead.far else "suits"
    if flattered:
        words = f"With fewer donors its noise weighs more, so expect worse figures. {words}"
    useful = [one for one in option.expected if one.name != ATTACK]
    figures = "; ".join(f"{FIGURES[one.name]} {one.value:.2f}{_where(one)}" for one in useful[:2])
    return replace(option, standing=standing, reason=f"{figures[:1].upper()}{figures[1:]}. {words}")


def _safety(option: Option, size: _Size, rules: Policy) -> tuple[str, str]:
    """Return how an option stands against the policy's limit on attackers, and why in words."""
    attack, limit = option.figure(ATTACK), 1.0 if rules.auc is None else rules.auc.value
    allowed = "" if rules.auc is None else f"; the policy '{rules.name}' allows {limit:.2f}"
    if option.epsilon is not None:
        if rules.epsilon is not None and option.epsilon > rules.epsilon.value:
            return "beyond", f"ε = {option.epsilon:g} is more than the policy allows ({rules.epsilon.value:g})."
        most = ceiling(budget_of(option.epsilon, min(DELTA, 0.1 / size.donors))).auc
        bound = f"ε = {option.epsilon:g} holds any attacker to an AUC of {most:.2f}"
        if most <= limit:
            return "within", f"{bound}{allowed}."
        if attack is None:
            return "not measured", f"{bound}{allowed}; what attackers do reach was not measured."
    elif attack is None:
        return "not measured", "What attackers reach was not measured."
    told = f"Attackers with a reference reached an AUC of {attack.value:.2f}{_where(attack)}{allowed}."
    if attack.value > limit:
        return "beyond", told
    if size.harder(attack):
        return "unclear", f"{told} You have more genes for each donor, so expect more."
    return "within", told


def _where(found: Expected) -> str:
    """Say where a figure was measured, and whether that is far."""
    if found.source == PLANNED:
        return " (rehearsed at your numbers)"
    far = ", far from yours" if found.far else ""
    return f" (of {found.donors:,} donors × {found.genes:,} genes{far})"


def _rank(option: Option, task: Task, size: _Size) -> tuple[int, float, str]:
    """Return the place of an option: how it stands, the task's figures, and for a fixed order its command."""
    values = {one.name: one.value for one in option.expected}
    return STANDINGS.index(option.standing), -task.score(values, size.cells), option.command


def _rehearsed(
    options: Sequence[Option], cohort: Cohort, task: Task, size: _Size, rules: Policy, basis: str | Path | None,
    seed: int, progress: Progress,
) -> tuple[list[Option], list[str]]:  # fmt: skip
    """Return the options with those of ``dp-copula`` rehearsed at the cohort's own numbers, and what to tell of it."""
    most = math.inf if rules.epsilon is None else rules.epsilon.value
    mine = [one for one in options if one.generator == "dp-copula" and (not one.basis or basis is not None)]
    epsilons = sorted({one.epsilon for one in mine if one.epsilon is not None and one.epsilon <= most})
    if not epsilons:
        return list(options), []
    rest = [one for one in options if one not in mine]
    try:
        found = plan(
            cohort, genes=[size.genes], epsilons=epsilons, axes=() if basis is None else None, basis=basis, repeats=1,
            seed=seed, progress=progress,
        )  # fmt: skip
    except ConfigError as error:
        return rest, [f"dp-copula is out at this size. {error}"]
    for one in mine:
        forecasts = [
            forecast for forecast in found.forecasts
            if forecast.epsilon == one.epsilon and (forecast.axes is not None) == one.basis and forecast.f1 is not None
        ]  # fmt: skip
        if not forecasts:
            rest.append(one)
            continue
        best = max(forecasts, key=lambda each: each.f1 or 0.0)
        net = None if best.tpr is None or best.fpr is None else best.tpr - best.fpr
        values = {"f1_ratio": best.f1, "de_net": net}
        own = tuple(
            Expected(name, value, size.donors, size.genes, "this cohort's design", PLANNED, False)
            for name, value in values.items()
            if value is not None and math.isfinite(value) and name in task.figures(size.cells)
        )
        known = {each.name for each in own}
        kept = tuple(each for each in one.expected if each.name not in known)
        in_order = {name: place for place, name in enumerate((*task.figures(size.cells), ATTACK))}
        rest.append(replace(one, expected=tuple(sorted((*own, *kept), key=lambda each: in_order[each.name]))))
    return rest, []


def named(option: Option) -> str:
    """Return an option in words."""
    parts = [option.generator]
    if option.preset:
        parts.append(option.preset)
    parts += [f"{key}={value}" for key, value in option.settings.items()]
    if option.epsilon is not None:
        parts.append(f"ε = {option.epsilon:g}")
    if option.basis:
        parts.append("on a public basis")
    return ", ".join(parts)


def _command(row: Mapping[str, Any]) -> str:
    parts = ["--generator", row["generator"]]
    if row["preset"]:
        parts += ["--preset", row["preset"]]
    for key, value in row["settings"].items():
        parts += ["--set", f"{key}={value}"]
    if row["epsilon"] is not None:
        parts += ["--epsilon", f"{row['epsilon']:g}"]
    if row["basis"]:
        parts += ["--basis", "FILE"]
    return " ".join(parts)
