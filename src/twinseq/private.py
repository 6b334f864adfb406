"""Around a private twin: the claim beside it, the ledger of its cohort, a basis built on the way."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .basis import build_basis
from .cell_basis import build_cell_basis
from .cohort import Cohort, shorten
from .dp.budget import PrivacyWarning
from .dp.claims import Claim
from .errors import CohortError
from .generators import Generator
from .generators._private import PrivateGenerator
from .io import read

BASIS_SUFFIX = ".basis"


def claim_of(generator: Generator) -> Claim | None:
    """Return what a fitted generator promises; ``None`` for one that promises nothing."""
    if not isinstance(generator, PrivateGenerator) or generator.epsilon is None or generator.delta is None:
        return None
    epsilon, delta = float(generator.epsilon), float(generator.delta)
    parameters = {
        name: Path(value).name if name == "basis" and value is not None else value  # folders are nobody's business
        for name, value in generator.params().items()
    }
    return Claim(generator.info.name, parameters, epsilon, delta, generator.ledger_)


def basis_beside(twin: Path) -> Path:
    """Return where the basis of a twin stands that was built for it."""
    return twin.with_name(twin.name + BASIS_SUFFIX)


@contextmanager
def basis_built(public: Path | None, private: Cohort, target: Path) -> Iterator[None]:
    """Build a basis from the cohort in file ``public``, where one is given, into ``target`` while the block runs well.

    Its classes are used where the file knows its label, or has the column that is the label of the private cohort.

    Raises
    ------
    CohortError
        The public cohort cannot be read, or shares samples or donors with the private one.
    """
    if public is None:
        yield
        return
    cells = private.cell_type is not None
    cohort = read(public, kind=private.kind, min_per_class=1)
    if cohort.label is None and private.label is not None and _labels(cohort, private.label):
        cohort = dataclasses.replace(cohort, label=private.label)
    shared = set(cohort.donors()) & set(private.donors()) | set(cohort.adata.obs_names) & set(private.adata.obs_names)
    if shared:
        raise CohortError(
            f"{public}: {len(shared):,} samples or donors of the public cohort are in {private.source} as well, "
            f"such as '{shorten(min(shared))}'. A basis that was learnt from private donors is not public."
        )
    (build_cell_basis(cohort) if cells else build_basis(cohort)).save(target)
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            target.unlink(missing_ok=True)


def _labels(cohort: Cohort, column: str) -> bool:
    """Return whether a column gives every sample a class, and not every sample one of its own."""
    values = cohort.obs.get(column)
    return values is not None and bool(values.notna().all()) and values.nunique() < len(values) // 2


@contextmanager
def warnings_kept() -> Iterator[list[str]]:
    """Collect what budgets warn of while the block runs, each text once."""
    kept: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PrivacyWarning)
        yield kept
        texts = (str(item.message) for item in caught if issubclass(item.category, PrivacyWarning))
        kept.extend(dict.fromkeys(texts))
