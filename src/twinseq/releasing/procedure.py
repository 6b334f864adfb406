"""The procedure that is audited and released: a generator with its settings, and how these came to be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import generators
from ..cohort import Cohort
from ..generators import Generator
from ..options import PRIVATE_CELLS, made_private, on_basis
from ..plan import DELTA

NAMED = "Generator and settings were stated beforehand; the audit's splits had no part in choosing them."
UNLABELLED = (
    "Nothing was searched: a search keeps what tells classes apart, and the cohort has no label. The generator {name} "
    "was taken as it is, and nothing limits what it gives away. State the column of the classes (--label), or take a "
    "guarantee (--preset dp --epsilon E)."
)


@dataclass(frozen=True)
class Procedure:
    """What is audited, and then applied to all donors.

    Parameters
    ----------
    generator
        Unfitted, with its settings.
    preset
        Name of the preset, where one was used.
    choice
        How the settings were chosen, and whether the audit's splits had a part in it.
    frontier
        The settings that were tried (`twinseq.sharing`), where any were.
    reasons
        Why this one was chosen, and what was not reached.
    """

    generator: Generator
    preset: str | None
    choice: str = NAMED
    frontier: pd.DataFrame | None = None
    reasons: tuple[str, ...] = ()


def stated(
    cohort: Cohort,
    generator: str | Generator | None,
    preset: str | None,
    settings: Mapping[str, Any],
    epsilon: float | None,
    delta: float | None,
    basis: str | Path | None,
) -> Procedure:
    """Return the procedure that name, preset and settings state; where neither name nor preset is given, the copula.

    Raises
    ------
    ConfigError
        There is no such generator, preset or setting, or it cannot use a basis or give a guarantee.
    """
    if isinstance(generator, Generator):
        return Procedure(generator, preset)
    name = "copula" if generator is None else generator
    if preset == "dp" and name == "copula" and cohort.cell_type is not None:
        name = PRIVATE_CELLS
    if epsilon is not None and delta is None:
        delta = min(DELTA, 0.1 / len(np.unique(cohort.donors())))
    name, rest, chosen = made_private(name, preset, dict(settings), epsilon, delta)
    name, chosen = on_basis(name, chosen, None if basis is None else Path(basis))
    if rest is None and name == "copula":
        rest = "faithful"
    if name == "basis-copula":
        rest = None
    choice = UNLABELLED.format(name=name) if generator is None and preset is None else NAMED
    return Procedure(generators.create(name, preset=rest, **chosen), preset if preset == "dp" else rest, choice)
