"""Whether library sizes, means, variances, dispersions, zeros and correlations follow the same distributions.

Each property is one number per sample, gene or pair; the two sets of numbers are compared as distributions, by
the Kolmogorov–Smirnov distance (largest gap between the cumulative distributions, blind to units) and by the
Wasserstein-1 distance (mean shift in the property's own units).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from .._registry import register

Floats = NDArray[np.floating[Any]]

_REFERENCE = "Soneson & Robinson 2018, Bioinformatics 34:691 (countsimQC)"


def ks_distance(real: Floats, twin: Floats) -> float:
    """Return the largest gap between two empirical distribution functions.

    Parameters
    ----------
    real, twin
        One number per sample, gene or pair.
    """
    real, twin = np.sort(real), np.sort(twin)
    grid = np.concatenate([real, twin])
    gap = np.searchsorted(real, grid, side="right") / len(real) - np.searchsorted(twin, grid, side="right") / len(twin)
    return float(np.abs(gap).max())


def wasserstein_1(real: Floats, twin: Floats) -> float:
    """Return the mean shift that turns one distribution into the other, in the units of the property."""
    return float(wasserstein_distance(real, twin))


# Name, field, what it is, its unit, what one number belongs to, whether it needs counts, which control is bad for it.
_PROPERTIES = (
    ("library_size", "library_size", "library sizes", "log10 counts", "samples", True, "independent"),
    ("detected_genes", "detected_genes", "numbers of detected genes", "genes", "samples", True, "independent"),
    ("zeros_per_sample", "zeros_per_sample", "shares of zeros per sample", "share", "samples", True, "independent"),
    ("zeros_per_gene", "zeros_per_gene", "shares of zeros per gene", "share", "genes", True, "mean profile"),
    ("gene_mean", "gene_mean", "gene means on the log scale", "log2", "genes", False, "mean profile"),
    ("gene_variance", "gene_variance", "gene variances on the log scale", "log2²", "genes", False, "mean profile"),
    (
        "mean_variance",
        "trend_residual",
        "gene variances around the mean–variance trend of the training data",
        "log10 variance",
        "genes",
        False,
        "mean profile",
    ),
    ("dispersion", "dispersion", "gene dispersions", "log10 dispersion", "genes", True, "mean profile"),
    (
        "sample_correlation",
        "sample_pairs",
        "Spearman correlations between samples (500 most variable genes)",
        "correlation",
        "sample pairs",
        False,
        "independent",
    ),
    (
        "gene_correlation",
        "gene_pairs",
        "Spearman correlations between genes (500 most variable)",
        "correlation",
        "gene pairs",
        False,
        "independent",
    ),
)


def _register_all() -> None:
    for name, field, what, units, unit, counts, floor in _PROPERTIES:
        shared: dict[str, Any] = {
            "group": "fidelity",
            "direction": "lower",
            "ideal": 0.0,
            "reference": _REFERENCE,
            "fields": (f"real.{field}", f"twin.{field}"),
            "floor": floor,
            "needs": ("counts",) if counts else (),
            # Genes and pairs are not independent draws: resampling them would understate the uncertainty.
            "resampling": "apart" if unit == "samples" else "none",
            "unit": unit,
        }
        register(
            name=f"{name}_ks",
            question=f"Do {what} follow the same distribution in the twin?",
            reading="0: same distribution; 1: no overlap. Real cohorts of this size differ by the ceiling.",
            formula="max |F_real − F_twin|",
            bounds=(0.0, 1.0),
            **shared,
        )(ks_distance)
        register(
            name=f"{name}_w1",
            question=f"How far apart are {what}, in {units}?",
            reading=f"Mean shift in {units}; 0: none. Real cohorts of this size differ by the ceiling.",
            formula="∫ |F_real − F_twin|",
            bounds=(0.0, np.inf),
            **shared,
        )(wasserstein_1)


_register_all()
