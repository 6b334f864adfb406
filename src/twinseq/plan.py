"""What noise, fidelity and leakage to expect of a private twin, before anything of the budget is spent.

Nothing but the design is used: donors in each class, number of genes, budget. Profiles are not looked at, so that a
plan costs nothing and may be made as often as one likes. That the numbers of donors are public is the user's word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .basis import Basis, read_basis
from .cohort import Cohort, shorten
from .dp.budget import Budget, check_delta
from .dp.predict import Ceiling, ceiling
from .errors import ConfigError, suggest
from .forecast.design import are_counts, axes_of, budget_of, check_sizes, donors_of, level_of
from .forecast.noise import Design, Noise, predicted
from .forecast.tracing import Tracing, traced
from .generators._private import FEW

EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
PANELS = (500, 1000, 2000)
CONTRAST = "subtypes"
DELTA = 1e-5
REPEATS = 2
LARGE, LARGEST = 1e6, 3e7
"""Donors × genes beyond which one rehearsal has to do, and beyond which there is none."""
SCHEMA = 1
Step = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Forecast:
    """What to expect of ``dp-copula`` at one setting.

    Parameters
    ----------
    epsilon, genes, axes
        The setting; ``axes`` of a public basis, ``None``: without one.
    noise
        Of what the generator asks.
    f1, tpr, fpr
        Expected F1 of a classifier trained on the twin, over that of the real data; share of the differential genes
        that the twin calls, and of the others (`forecast.rehearsal`). ``None``: not rehearsed.
    lost
        Classes whose number of donors cannot be told from nothing.
    """

    epsilon: float
    genes: int
    axes: int | None
    noise: Noise
    f1: float | None
    tpr: float | None
    fpr: float | None
    lost: tuple[str, ...]

    @property
    def route(self) -> str:
        """The setting but for ε, in words."""
        return route_name(self.genes, self.axes)


@dataclass(frozen=True)
class Plan:
    """What to expect, over ε, panels of genes and axes of a basis.

    Parameters
    ----------
    donors, n_genes, source
        The design.
    delta
        δ of every budget.
    contrast
        Public cohorts to which the differences between classes are likened.
    forecasts
        One for each ε and setting.
    ceilings
        What attackers reach at most at each ε.
    tracing
        What mean tracing reaches without differential privacy, for each number of genes.
    notes
        What the reader has to know.
    """

    donors: dict[str, float]
    n_genes: int
    source: str
    delta: float
    contrast: str
    forecasts: tuple[Forecast, ...]
    ceilings: dict[float, Ceiling]
    tracing: tuple[Tracing, ...]
    notes: tuple[str, ...]

    @property
    def routes(self) -> list[str]:
        """The settings but for ε, in words, in their order."""
        return list(dict.fromkeys(forecast.route for forecast in self.forecasts))

    def table(self) -> list[dict[str, Any]]:
        """Return a row of plain values for each ε and setting; noise is that of the smallest class."""
        smallest = min(self.donors, key=lambda name: self.donors[name])
        return [
            {
                "epsilon": one.epsilon,
                "genes": one.genes,
                "axes": one.axes,
                "noise_mean": one.noise.means[smallest],
                "noise_mean_log2": one.noise.means_log2[smallest],
                "noise_donors": one.noise.count,
                "f1_ratio": one.f1,
                "de_tpr": one.tpr,
                "de_fpr": one.fpr,
                "lost": list(one.lost),
            }
            for one in self.forecasts
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {
            "schema": SCHEMA,
            "donors": self.donors,
            "genes": self.n_genes,
            "source": self.source,
            "delta": self.delta,
            "contrast": self.contrast,
            "forecasts": [asdict(one) for one in self.forecasts],
            "ceilings": [{"epsilon": epsilon, **asdict(found)} for epsilon, found in self.ceilings.items()],
            "tracing": [asdict(one) for one in self.tracing],
            "notes": list(self.notes),
        }

    def to_html(self, path: str | Path) -> Path:
        """Write the plan as one page that needs no network."""
        from .files import atomic_path
        from .forecast.page import render

        with atomic_path(path) as temporary:
            temporary.write_text(render(self), encoding="utf-8")
        return Path(path)


def plan(
    cohort: Cohort | None = None,
    *,
    donors: Mapping[str, float] | None = None,
    genes: Sequence[int] = (),
    epsilons: Sequence[float] = EPSILONS,
    delta: float | None = None,
    axes: Sequence[int] | None = None,
    basis: str | Path | None = None,
    contrast: str = CONTRAST,
    repeats: int = REPEATS,
    seed: int = 0,
    progress: Step = lambda done, total, text: None,
) -> Plan:
    """Return what to expect of a private twin, from public quantities only.

    Parameters
    ----------
    cohort
        Real cohort, of which nothing but the design is read; ``None``: ``donors`` and ``genes`` say it all.
    donors
        Public number of donors in each class; ``None``: as in ``cohort``.
    genes
        Sizes of panels to compare, chosen without a look at the cohort. By default 500, 1,000, 2,000 and all genes.
    epsilons, delta
        Budgets. ``delta`` is 1e-5, or a tenth of one over the donors where that is less.
    axes
        Numbers of axes of a public basis to compare; empty: none. By default 10 and 40, or those of ``basis``.
    basis
        File of a public basis.
    contrast
        What the classes are like: ``"tissues"``, ``"subtypes"`` or ``"disease"`` (`forecast.stand_in.CONTRASTS`).
    repeats
        Rehearsals that are averaged; 0: noise and ceilings only, which takes no time.
    seed
        For the made-up cohorts of rehearsals; the noise of privacy hangs on no seed.
    progress
        Called as ``progress(done, total, text)``.

    Raises
    ------
    ConfigError
        A number is out of range, δ is too large, or a class is too small for every ε.
    CohortError
        The basis cannot be read.

    Examples
    --------
    >>> import twinseq as ts
    >>> found = ts.plan(donors={"case": 56, "control": 80}, genes=[1000], epsilons=[4], repeats=0)
    >>> round(found.table()[0]["noise_mean"], 1)
    1.6
    """
    from .forecast.stand_in import CONTRASTS

    if contrast not in CONTRASTS:
        raise ConfigError(f"Unknown contrast '{shorten(contrast)}'{suggest(contrast, CONTRASTS)}")
    notes = []
    if donors is None:
        if cohort is None:
            raise ConfigError(
                "State the donors of each class (donors=..., --donors case=56,control=80) or give a cohort."
            )
        donors = donors_of(cohort)
        notes.append(
            "The donors of each class are taken from the cohort, and with that treated as public. State public numbers "
            "(--donors) where they are not."
        )
    sizes = {str(name): float(number) for name, number in donors.items()}
    if not sizes or not all(math.isfinite(number) and number >= 1 for number in sizes.values()):
        raise ConfigError("Every class needs at least one donor, and there has to be a class.")
    source = "the stated design" if cohort is None else cohort.source
    n_genes = max(genes, default=0) if cohort is None else cohort.n_genes
    panels = sorted(set(genes)) if genes else [*(size for size in PANELS if size < n_genes), n_genes]
    if not all(2 <= size <= n_genes for size in panels):
        raise ConfigError(
            "State the number of genes (genes=..., --genes)." if n_genes < 2 else
            f"A panel has between 2 and {n_genes:,} genes, as many as {source}."
        )  # fmt: skip
    total = sum(sizes.values())
    delta = min(DELTA, 0.1 / total) if delta is None else delta
    budgets = [budget_of(epsilon, delta) for epsilon in sorted(set(epsilons))]
    if not budgets:
        raise ConfigError("State at least one epsilon.")
    check_delta(budgets[0], math.ceil(total), source)
    check_sizes(sizes, budgets[-1])
    public = None if basis is None else read_basis(Path(basis))
    labelled = public is None or public.shared is not None
    wanted = axes_of(axes, public, n_genes)
    routes = [(size, None) for size in panels] + [(n_genes, k) for k in wanted]
    designs = [
        Design(sizes, size, are_counts(cohort), bool(cohort and cohort.covariates), level_of(size))
        for size, _ in routes
    ]
    forecasts: list[Forecast] = []
    rehearsals = [_rehearsals(total * size, repeats) if len(sizes) > 1 else 0 for size, _ in routes]
    every = len(budgets) * sum(rehearsals)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(done, every, "rehearsing on made-up cohorts")

    for number, ((size, k), design, times) in enumerate(zip(routes, designs, rehearsals, strict=True)):
        scores: list[Any] = [(None, None, None)] * len(budgets)
        if times:
            scores = _rehearsed(
                design, budgets, k, contrast, np.random.default_rng([seed, number]), times, step, public
            )
        elif repeats and len(sizes) > 1:
            notes.append(f"{route_name(size, k)}: too large to be rehearsed; noise and ceilings only.")
        for budget, (f1, tpr, fpr) in zip(budgets, scores, strict=True):
            noise = predicted(
                design,
                budget,
                k,
                None if public is None or k is None else float(public.explained[k - 1]),
                labelled=labelled,
            )
            lost = tuple(name for name, number in sizes.items() if number < FEW * noise.count)
            forecasts.append(Forecast(budget.epsilon, size, k, noise, f1, tpr, fpr, lost))
    notes.append(
        "Panels are taken to be chosen without a look at the cohort; one that is found in it costs a part more."
    )
    if wanted and basis is None:
        notes.append("A basis is taken to come from 200 public samples that are like the cohort, with their classes.")
    return Plan(
        sizes, n_genes, source, delta, contrast, tuple(forecasts),
        {budget.epsilon: ceiling(budget) for budget in budgets},
        tuple(traced(size, sizes) for size in panels), tuple(notes),
    )  # fmt: skip


def _rehearsals(values: float, repeats: int) -> int:
    """Return how many rehearsals a cohort with so many values gets."""
    return 0 if values > LARGEST else min(repeats, 1) if values > LARGE else repeats


def route_name(genes: int, axes: int | None) -> str:
    """Return a setting in words."""
    return f"{genes:,} genes" if axes is None else f"basis, {axes} axes"


def _rehearsed(
    design: Design, budgets: Sequence[Budget], axes: int | None, contrast: str, rng: np.random.Generator, repeats: int,
    step: Callable[[], None], public: Basis | None,
) -> list[tuple[float, float, float]]:  # fmt: skip
    """Return F1 ratio, TPR and FPR at each budget, the mean over rehearsals."""
    from .forecast.rehearsal import PUBLIC, rehearse
    from .forecast.stand_in import CONTRASTS

    samples, labelled = (PUBLIC, True) if public is None else (public.n_samples, public.shared is not None)
    epsilons, delta = [budget.epsilon for budget in budgets], budgets[0].delta
    found = [
        rehearse(design, epsilons, delta, axes, CONTRASTS[contrast], rng, step, samples, labelled=labelled)
        for _ in range(repeats)
    ]
    values = np.array([[(one.f1, one.tpr, one.fpr) for one in run] for run in found])
    return [(float(f1), float(tpr), float(fpr)) for f1, tpr, fpr in np.nanmean(values, axis=0)]
