"""Provenance: how the figures of an audit came about."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import scipy.sparse as sp

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


@cache
def code_digest() -> str:
    """Return the SHA-256 of the program's own source files: what another state of them has made is not taken up."""
    found = hashlib.sha256()
    home = Path(__file__).parent
    for path in sorted(home.rglob("*.py")):
        found.update(path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def content_digest(cohort: Cohort) -> str:
    """Return the SHA-256 of all that a generator can see of a cohort: profiles, names and the columns with a role."""
    found = hashlib.sha256(json.dumps(cohort.roles(), sort_keys=True).encode())
    for names in (cohort.genes, cohort.adata.obs_names):
        found.update("\0".join(map(str, names)).encode(errors="replace"))
    stated = [name for name in (cohort.label, cohort.donor, cohort.cell_type, *cohort.covariates) if name is not None]
    found.update(cohort.obs[stated].to_csv(index=False).encode(errors="replace"))
    for _, part in cohort.chunks():
        arrays = (part.indptr, part.indices, part.data) if sp.issparse(part) else (part,)
        for values in arrays:
            found.update(str(values.dtype).encode() + values.tobytes())
    return found.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, or of a folder: that of names and sums of its files, as ``sha256sum``."""
    if path.is_dir():
        parts = sorted(part for part in path.rglob("*") if part.is_file())
        lines = [f"{file_digest(part)}  {part.relative_to(path).as_posix()}\n" for part in parts]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
