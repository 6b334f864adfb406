"""What a plan starts from: the public side of a cohort, and what cannot be planned."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from ..basis import Basis
from ..cohort import Cohort, shorten
from ..dp.budget import Budget, PrivacyWarning
from ..dp.mechanisms import donor_weights
from ..errors import ConfigError
from ..generators._base import class_names, class_table
from ..generators._private import COUNTS_SHARE, FEW
from .noise import PANEL_LEVEL, WHOLE_LEVEL

AXES = (10, 40)
WHOLE = 5000
"""Number of genes beyond which they are taken for all that are expressed, not for a panel of well-expressed ones."""


def donors_of(cohort: Cohort) -> dict[str, float]:
    """Return the donors of each class; one of several classes counts as a part in each, as the generator has it."""
    codes, classes = class_table(cohort)
    counts = np.bincount(codes, donor_weights(cohort.donors()), minlength=len(classes))
    names = class_names(classes) if len(classes.columns) else ["all"]
    return dict(zip(names, map(float, counts), strict=True))


def are_counts(cohort: Cohort | None) -> bool:
    """Whether library sizes have to be paid for; so it is where nothing is known."""
    return cohort is None or cohort.kind == "counts"


def level_of(genes: int) -> float:
    """Return the mean of the genes' means, log2, that so many genes have."""
    return WHOLE_LEVEL if genes > WHOLE else PANEL_LEVEL


def budget_of(epsilon: float, delta: float) -> Budget:
    """Return a budget, however large: nothing is promised yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)
        return Budget(epsilon, delta)


def check_sizes(sizes: Mapping[str, float], largest: Budget) -> None:
    """Refuse a design of which a class is lost at every ε.

    Raises
    ------
    ConfigError
        There is such a class.
    """
    noise = largest.multiplier(COUNTS_SHARE)
    small = [name for name, number in sizes.items() if number < FEW * noise]
    if not small:
        return
    name = min(small, key=lambda each: sizes[each])
    enough = largest.epsilon
    while FEW * budget_of(enough, largest.delta).multiplier(COUNTS_SHARE) > sizes[name]:
        enough *= 1.1
    others = sorted((other for other in sizes if other != name), key=lambda each: sizes[each])
    merge = f"Merge it with another class, such as '{shorten(others[0])}', or t" if others else "T"
    raise ConfigError(
        f"Class '{shorten(name)}' has {sizes[name]:.0f} donors: at epsilon = {largest.epsilon:g} their number has a "
        f"noise of ± {noise:.0f}, and it cannot be told from nothing. {merge}ake epsilon = {math.ceil(enough)} or more."
    )


def axes_of(axes: Sequence[int] | None, basis: Basis | None, n_genes: int) -> list[int]:
    """Return the numbers of axes to compare: those asked for, else two usual ones and all that the basis has.

    Raises
    ------
    ConfigError
        A number is out of range.
    """
    most = n_genes if basis is None else len(basis.axes)
    usual = [k for k in AXES if k < most] + ([most] if basis else [])
    wanted = usual if axes is None else sorted(set(axes))
    if not all(1 <= k <= most for k in wanted):
        raise ConfigError(f"A basis here has between 1 and {most:,} axes.")
    return wanted
