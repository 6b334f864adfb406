"""Reports of single cells: one as an audit makes it from small simulated data, and one with hostile names."""

from __future__ import annotations

import dataclasses
from functools import cache

from planted import HOSTILE

from twinseq.audit import audit
from twinseq.datasets import simulate_cells
from twinseq.results import AuditReport

SIZE = {"n_cases": 5, "n_controls": 5, "n_genes": 200, "cells_per_donor": 50, "n_cell_types": 3}


@cache
def make_cells_report() -> AuditReport:
    train, holdout, twin = (simulate_cells(**SIZE, seed=seed) for seed in range(3))
    return audit(train, twin, holdout=holdout, attacks=False)


def hostile_cells_report() -> AuditReport:
    """Return the report with hostile text wherever a table holds a name from the data."""
    report = make_cells_report()
    tables = {}
    for name, table in report.tables.items():
        changed = table.copy()
        for column in ("cell_type", "gene", "label"):
            if column in changed:
                known = list(dict.fromkeys(changed[column].astype(str)))
                hostile = {old: HOSTILE[index % len(HOSTILE)] for index, old in enumerate(known)}
                changed[column] = changed[column].astype(str).map(hostile)
        tables[name] = changed
    provenance = {**report.provenance, "roles": {"cell_type": HOSTILE[0]}}
    return dataclasses.replace(report, tables=tables, provenance=provenance)
