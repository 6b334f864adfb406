"""What a simulation is asked for and what it planted, read back from the cohort."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..cohort import Cohort
from ..errors import CohortError, ConfigError

TRUTH_KEY = "truth"


def gene_sets(cohort: Cohort) -> dict[str, list[str]]:
    """Return the modules planted in a simulated cohort: module name → gene names.

    Raises
    ------
    CohortError
        The cohort was not simulated by twinseq.
    """
    truth = cohort.adata.uns.get(TRUTH_KEY, {})
    if "modules" not in truth:
        raise CohortError(f"{cohort.source}: no planted modules; only a simulated cohort has them (uns['truth']).")
    return {str(name): [str(gene) for gene in genes] for name, genes in truth["modules"].items()}


def gmt_lines(sets: dict[str, list[str]]) -> list[str]:
    """Return gene sets as lines of a GMT file: name, description, genes, tab-separated."""
    return ["\t".join([name, "planted module", *genes]) for name, genes in sets.items()]


def check_numbers(settings: Mapping[str, Any], whole: Mapping[str, int]) -> None:
    """Refuse settings that are no finite, non-negative numbers, or below the least that ``whole`` states.

    Raises
    ------
    ConfigError
        The first setting that does not fit, by name.
    """
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not np.isfinite(float(value)):
            raise ConfigError(f"{name} must be a finite number, not {value!r}.")
        if name in whole and not isinstance(value, numbers.Integral):
            raise ConfigError(f"{name} must be a whole number, not {value!r}.")
        least = whole.get(name, 0)
        if value < least:
            raise ConfigError(f"{name} must be at least {least}, not {value}.")
