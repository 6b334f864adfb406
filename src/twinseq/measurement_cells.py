"""The figures of an audit of single cells: metrics of cells on all of them, a few others on a sample of each side."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import generators
from .cohort import Cohort
from .errors import TwinseqError
from .evaluation import evaluate, reason
from .measurement import Steps, lost, measure, verdict
from .metrics import Metric
from .metrics.cells import TABLES, CellComparison, CellSpace
from .metrics.cells._ceilings import cell_ceilings
from .metrics.cells._controls import equal_types, mean_profile, shuffled_types
from .results import AuditReport, MetricResult, Omitted

SAMPLE = 2000
"""Cells of each side that stand for it in metrics made for samples."""
CONTROL = 10_000
"""Training cells, at most, that known-bad twins are made of."""
KEPT = ("library_size_", "detected_genes_", "zeros_per_", "c2st_auc_logistic", "covariate_")
"""Metrics made for samples that say something of single cells too, by the start of their names."""
KEPT_TABLES = ("library_size", "detected_genes", "covariates")
INSTEAD = {
    "fidelity": "made for samples: what lies behind it is measured for cells in the group 'cells'",
    "biology": "cells are no replicates: a test between cells finds their number, not biology; see the marker genes",
    "utility": "made for samples: see cell_type_tstr",
    "covariates": "made for samples: cells of one donor share its covariates",
    "privacy": "made for samples: for cells see copied_cells and the attacks on donors",
    "paper": "the community benchmark is one of bulk profiles",
}


def measure_cells(
    ordered: dict[str, Cohort], chosen: list[Metric], seed: int, jobs: int, steps: Steps, *, with_tables: bool
) -> AuditReport:
    """Run metrics, ceilings, floors and tables on cohorts of cells that have been checked and put in order.

    Parameters
    ----------
    ordered
        ``train``, ``twin`` and, where given, ``holdout`` and ``reference``.
    chosen
        Metrics to run; those that make no sense for cells are listed as omitted, with the reason.
    seed, jobs
        As for `audit`.
    steps
        Told what comes next.
    with_tables
        Whether the aggregates behind the plots are wanted.
    """
    sampled = {name: as_samples(cohort, seed) for name, cohort in ordered.items()}
    kept = [metric for metric in chosen if metric.name.startswith(KEPT)]
    tables = KEPT_TABLES if with_tables else ()
    report = measure(sampled, kept, None, None, 0, seed, jobs, steps, tables=tables)

    steps.start("prepare cells")
    space = CellSpace(ordered["train"], seed)
    sides = {name: space.cells(cohort) for name, cohort in ordered.items() if name != "train"}
    main = CellComparison(space, space.train, sides["twin"], sides.get("holdout"))
    tops = cell_ceilings(main)
    floors = _floors(main, ordered["train"], steps)
    results: list[MetricResult] = list(report.metrics)
    omitted: list[Omitted] = list(report.omitted)
    for metric in chosen:
        if metric in kept:
            continue
        if "cells" not in metric.needs:
            omitted.append(Omitted(metric.name, metric.group, INSTEAD[metric.group]))
            continue
        steps.start(metric.name, part="cells")
        top = tops["train" if metric.against == "train" else "real"]
        try:
            results.append(evaluate(metric, main, top, floors))
        except Exception as error:  # noqa: BLE001 - one metric that fails must not cost the others
            omitted.append(Omitted(metric.name, metric.group, reason(error)))
    drawn, without = _tables(main, steps) if with_tables else ({}, [])
    omitted.extend(without)
    return AuditReport(
        provenance={
            **report.provenance,
            "roles": ordered["train"].roles(),
            "cohorts": {name: described(cohort) for name, cohort in ordered.items()},
            "ceilings": {name: top.source for name, top in tops.items()},
            "cells": {
                "cell_types": len(space.types),
                "sampled": f"metrics of samples are of at most {SAMPLE:,} cells of each side, drawn type by type",
            },
            "seconds": {part: round(spent, 2) for part, spent in steps.seconds.items()},
        },
        verdict={**verdict(omitted), "reasons": [*verdict([])["reasons"], *lost(omitted)]},
        metrics=tuple(results),
        omitted=tuple(omitted),
        tables={**report.tables, **drawn},
    )


def described(cohort: Cohort) -> dict[str, int]:
    """Return the size of a cohort of cells; no donor's name is in it."""
    donors = {"donors": len(np.unique(cohort.donors()))} if cohort.donor is not None else {}
    return {"cells": cohort.n_samples, **donors, "genes": cohort.n_genes}


def as_samples(cohort: Cohort, seed: int) -> Cohort:
    """Return at most 2,000 cells, each type in its share, in the form of samples with the type as their class."""
    part = cohort.subset(thinned(cohort.classes(), SAMPLE, np.random.default_rng([seed, 17]))).in_memory()
    return dataclasses.replace(part, label=cohort.cell_type, cell_type=None, paired=True)


def thinned(classes: NDArray[np.str_], most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return ``most`` rows, every class in its share and at least one of each, in order; all if there are no more."""
    if len(classes) <= most:
        return np.arange(len(classes))
    rows = []
    for name in np.unique(classes):
        members = np.flatnonzero(classes == name)
        number = max(1, round(most * len(members) / len(classes)))
        rows.append(rng.choice(members, min(number, len(members)), replace=False))
    return np.sort(np.concatenate(rows))


def _floors(main: CellComparison, train: Cohort, steps: Steps) -> dict[str, CellComparison | str]:
    """Return the controls in the twin's place, by name; a control that cannot be made leaves its reason."""
    steps.start("controls of cells")
    space = main.space
    part = train.subset(thinned(train.classes(), CONTROL, space.rng(4))).in_memory()

    def drawn(generator: str) -> Cohort:
        return generators.create(generator).fit(part, seed=space.seed).sample(seed=space.seed)

    made: dict[str, Callable[[], Cohort]] = {
        "shuffled types": lambda: shuffled_types(part, space.rng(5)),
        "equal types": lambda: equal_types(part, space.rng(6)),
        "mean profile": lambda: mean_profile(part, space.rng(7)),
        "independent": lambda: drawn("independent"),
        "bootstrap": lambda: drawn("bootstrap"),
    }
    floors: dict[str, CellComparison | str] = {}
    for name, make in made.items():
        try:
            holdout = main.holdout if main.has_holdout else None
            floors[name] = CellComparison(space, main.train, space.cells(make()), holdout)
        except TwinseqError as error:
            floors[name] = str(error)
    return floors


def _tables(main: CellComparison, steps: Steps) -> tuple[dict[str, pd.DataFrame], list[Omitted]]:
    """Return the aggregates behind the plots of cells, and those that could not be made."""
    tables: dict[str, pd.DataFrame] = {}
    omitted = []
    for name, maker in TABLES.items():
        steps.start(f"table {name}", part="tables")
        try:
            tables[name] = maker(main)
        except Exception as error:  # noqa: BLE001 - one table that fails must not cost the others
            omitted.append(Omitted(name, "tables", reason(error)))
    return tables, omitted
