"""Provenance: how the figures of an audit came about."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from .cohort import Cohort, shorten
from .metrics import Comparison, NotComputableError
from .metrics._ceilings import Ceiling, Role
from .metrics._controls import CONTROLS

PACKAGES = ("twinseq", "numpy", "scipy", "pandas", "anndata", "scikit-learn", "statsmodels", "numba", "pydeseq2")


def _notes(main: Comparison) -> Iterator[tuple[str, str]]:
    for name, side in (
        ("train", main.train),
        ("twin", main.twin),
        ("holdout", main.holdout if main.has_holdout else None),
    ):
        with contextlib.suppress(NotComputableError):
            if side is not None and side.contrasts.note:
                yield name, side.contrasts.note


def basics(given: dict[str, Cohort], main: str, seed: int, jobs: int, seconds: dict[str, float]) -> dict[str, Any]:
    """Return versions, roles of the ``main`` cohort, sizes, seed and times; no sample's or donor's name is in it."""
    return {
        "versions": {name: version(name) for name in PACKAGES},
        "roles": given[main].roles(),
        "cohorts": {name: _size(cohort) for name, cohort in given.items()},
        "seed": seed,
        "jobs": jobs,
        "seconds": {part: round(spent, 2) for part, spent in seconds.items()},
    }


def _size(cohort: Cohort) -> dict[str, int]:
    donors = {} if cohort.donor is None else {"donors": len(set(cohort.donors().tolist()))}
    return {"samples": cohort.n_samples, **donors, "genes": cohort.n_genes}


def provenance(
    given: dict[str, Cohort],
    main: Comparison,
    tops: dict[Role, Ceiling[Comparison]],
    seed: int,
    jobs: int,
    seconds: dict[str, float],
    *,
    tested: bool,
) -> dict[str, Any]:
    """Return how the figures came about; no sample's or donor's name is in it.

    ``tested`` says whether genes were tested for differential expression.
    """
    out: dict[str, Any] = {
        **basics(given, "train", seed, jobs, seconds),
        "ceilings": {name: top.source for name, top in tops.items()},
        "controls": dict(CONTROLS),
    }
    if main.space.survival is not None:
        out["survival"] = dict(zip(("time", "event"), map(shorten, main.space.survival), strict=True))
    if main.space.gene_sets is not None:
        out["gene_sets"] = main.space.gene_sets.described()
    if tested and len(main.space.classes) > 1:
        design = main.space.design
        terms = [*design.numeric, *design.categorical, str(given["train"].label)]
        out["differential_expression"] = {
            "method": "DESeq2" if main.space.kind == "counts" else "linear model with moderated t-test",
            "design": "~ " + " + ".join(shorten(term) for term in terms),
            "left_out": {shorten(name): reason for name, reason in design.left_out.items()},
            "genes_tested": len(main.space.expressed),
            "notes": dict(_notes(main)),
        }
    return out
